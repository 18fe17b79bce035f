"""The business clock: real time, or a moment of the past that ticks on, the same for all processes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime

from mart_platform.ports import Ledger
from mart_platform.spec.records import Record

_SETTING = "business_clock"


class Anchor(Record):
    """At the real moment ``wall`` the business clock showed ``business``; None means that it is real."""

    business: AwareDatetime | None
    wall: AwareDatetime


def _system_clock() -> datetime:
    return datetime.now(UTC)


class BusinessClock:
    """A clock whose anchor lies in the ledger, so that all processes agree.

    ``start`` is where it begins when nobody has used it before; later it has no effect. ``system`` tells
    the real time.
    """

    def __init__(
        self, ledger: Ledger, start: datetime | None = None, *, system: Callable[[], datetime] = _system_clock
    ) -> None:
        self._ledger = ledger
        self._start = start
        self._system = system
        self._shown: tuple[Anchor | None, datetime] | None = None

    def now(self) -> datetime:
        """Return the business moment, in UTC; under one anchor it never runs backwards in a process.

        When the machine's clock is put back, business time stands still until that has caught up.
        """
        anchor = self._anchor()
        moment = _read(anchor, self.wall())
        if self._shown is not None and self._shown[0] == anchor:
            moment = max(moment, self._shown[1])
        self._shown = (anchor, moment)
        return moment

    def wall(self) -> datetime:
        return self._system().astimezone(UTC)

    def set(self, moment: datetime | None) -> None:
        """Let the business clock show ``moment`` and tick on from it, or the real time for None."""
        self._write(moment)

    def _anchor(self) -> Anchor | None:
        kept = self._ledger.setting(_SETTING)
        if kept is not None:
            return Anchor.model_validate_json(kept)
        return None if self._start is None else self._write(self._start)

    def _write(self, moment: datetime | None) -> Anchor:
        anchor = Anchor(business=moment and moment.astimezone(UTC), wall=self.wall())
        self._ledger.set_setting(_SETTING, anchor.model_dump_json())
        return anchor


def _read(anchor: Anchor | None, wall: datetime) -> datetime:
    if anchor is None or anchor.business is None:
        return wall
    return anchor.business + max(wall - anchor.wall, timedelta(0))
