"""What becomes of a step that fails: tried again when it may pass by itself, told as a sentence when not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

import pytest

from mart_platform import ports
from mart_platform.assembly import Assembled
from mart_platform.orchestration.running import BuildOutcome, build
from mart_platform.ports import Commit, CommitConflict
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import DataFile
from mart_platform_tests.orchestration.shop import Shop
from mart_platform_tests.orchestration.test_running import retried


class FailingLake:
    """A lake whose first commits to one table fail."""

    def __init__(self, lake: ports.Lake, table: str, failures: Sequence[Exception]) -> None:
        self._lake, self._table, self._failures = lake, table, list(failures)

    def head(self, path: str) -> Commit | None:
        return self._lake.head(path)

    def commit(
        self,
        path: str,
        columns: Mapping[str, str],
        files: Sequence[DataFile],
        *,
        base: int | None,
        append: bool,
        metadata: Mapping[str, str],
        changes_data: bool = True,
    ) -> int:
        if self._failures and path == self._table:
            raise self._failures.pop(0)
        return self._lake.commit(
            path, columns, files, base=base, append=append, metadata=metadata, changes_data=changes_data
        )

    def commits(self, path: str, after: int) -> Sequence[Commit]:
        return self._lake.commits(path, after)

    def present(self, path: str) -> Mapping[str, int]:
        return self._lake.present(path)

    def delete(self, files: Iterable[str]) -> None:
        self._lake.delete(files)

    def files(self, path: str, number: int) -> tuple[str, ...]:
        return self._lake.files(path, number)


class Unlucky(Assembled):
    """The platform with a lake that fails."""

    failing: Callable[[ports.Lake], FailingLake]

    @cached_property
    def lake(self) -> ports.Lake:
        return self.failing(super().lake)


def test_what_may_pass_by_itself_is_tried_again(shop: Shop) -> None:
    outcome = build_with(shop, [CommitConflict("somebody else was first"), OSError("no space left")])
    assert outcome.succeeded, outcome.failures
    assert retries(shop, outcome) == 2
    assert shop.platform.ledger.runs()[0].outcome == "succeeded"


@pytest.mark.parametrize("failure", [UserError("Do this."), RuntimeError("a bug of ours")])
def test_what_will_not_pass_is_not_tried_again(shop: Shop, failure: Exception) -> None:
    outcome = build_with(shop, [failure])
    (told,) = outcome.failures
    assert told.subject == "orders.daily"
    assert str(failure) in told.message
    assert retries(shop, outcome) == 0
    # A bug leaves its traceback in the log; a mistake that somebody can mend does not.
    assert ("in commit" in told.log.read_text()) is isinstance(failure, RuntimeError)


def build_with(shop: Shop, failures: Sequence[Exception]) -> BuildOutcome:
    """Build the shop while the first commits of its last table fail."""
    plan = shop.plan
    platform = Unlucky(shop.places, plan.settings)
    platform.failing = lambda lake: FailingLake(lake, plan.tables["orders.daily"].path, failures)
    return build(platform, plan, shop.places, tuple(plan.tables), tuple(plan.marts), cause="test")


def retries(shop: Shop, outcome: BuildOutcome) -> int:
    with shop.instance() as instance:
        return retried(instance, outcome.run)
