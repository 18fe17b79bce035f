"""The log of a run that a command started: all that Dagster and the models print, in one file."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from dagster import Field, StringSource
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData


@contextmanager
def logged_to(log: Path) -> Iterator[None]:
    """Write to a file what is printed meanwhile, on either stream, so that the terminal stays quiet."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        _InPlaceOf(sys.stdout, log) as printed,
        _InPlaceOf(sys.stderr, log) as told,
        redirect_stdout(printed),
        redirect_stderr(told),
    ):
        yield


def shown_in_the_ui(log: Path, home: Path) -> dict[str, Any]:
    """Return settings of Dagster by which the UI shows the log at its run, beside those of other runs."""
    config = {"base_dir": str(home / "storage"), "log": str(log)}
    return {"compute_logs": {"module": __name__, "class": CommandLog.__name__, "config": config}}


class CommandLog(LocalComputeLogManager):
    """Keeps the log of the one run of this process, which writes it itself, where the UI looks for it.

    What Dagster has for this takes the terminal's streams away for the time of a run, and starts four
    processes to copy them back: nothing could show progress.
    """

    def __init__(self, base_dir: str, log: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data=inst_data)
        self._log = log

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the settings: where the UI looks for logs, and the log of this process."""
        return {"base_dir": StringSource, "log": Field(str)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "CommandLog":
        """Return one of these settings."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Link the log to its place; a home on another disk goes without."""
        place = Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[ComputeIOType.STDERR]))
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            place.hardlink_to(self._log)
        yield CapturedLogContext(log_key)
        Path(self.get_captured_local_path(log_key, "complete")).touch()


class _InPlaceOf(io.TextIOWrapper):
    """A log that stands in for a stream of the terminal.

    Progress is drawn by Rich, whose consoles look for ``rich_proxied_file`` at the stream of the moment and
    write to what they find there: so it goes on to the terminal.
    """

    def __init__(self, stream: TextIO, log: Path) -> None:
        super().__init__(log.open("ab"), encoding="utf-8", line_buffering=True)
        self.rich_proxied_file = getattr(stream, "rich_proxied_file", stream)
