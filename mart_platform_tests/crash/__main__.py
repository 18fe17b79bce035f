"""``python -m mart_platform_tests.crash``: kills jobs, and judges what is left.

Each job is killed once at each boundary between two of its side effects (or at every K-th), and at N random
moments. After each kill the job is run again, and must end in exactly the content of an undisturbed run;
ledger and logs must agree; a reader in a loop must have seen whole versions only; the vacuum must leave no
orphan.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mart_platform_tests.crash import judging
from mart_platform_tests.crash.jobs import JOBS, Job
from mart_platform_tests.crash.killing import Boundaries, Fragile
from mart_platform_tests.runs.shop import Shop


def main() -> int:
    """Kill as the arguments say, print a line for each job, and return 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m mart_platform_tests.crash", description=__doc__)
    parser.add_argument("--job", choices=list(JOBS), action="append", help="only this job; may be repeated")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="kill at every K-th boundary alone")
    parser.add_argument(
        "--random", type=int, default=0, metavar="N", help="kill each job at N random moments too"
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    failures = 0
    for name in given.job or JOBS:
        with tempfile.TemporaryDirectory(prefix="crash-") as folder:
            failures += _Trials(name, JOBS[name], Path(folder), random.Random(given.seed)).run(
                given.every, given.random
            )
    return 1 if failures else 0


@dataclass
class _Undisturbed:
    """What the job does when nobody kills it: boundaries, seconds, and the content it ends in."""

    boundaries: int
    seconds: float
    contents: dict[str, str]


class _Trials:
    """All kills of one job. Nothing runs in this process: what a fork inherits must be quiet."""

    def __init__(self, name: str, job: Job, folder: Path, chance: random.Random) -> None:
        self.name, self.job, self.folder, self.chance = name, job, folder, chance
        # The state before is made, kept and put back at one place: what is derived from it names paths.
        self.place, self.kept = folder / "shop", folder / "kept"

    def run(self, every: int, at_random: int) -> int:
        """Run all trials and return how many went wrong."""
        _in_a_child(lambda: _prepared(self.place, self.job))
        shutil.copytree(self.place, self.kept, symlinks=True)
        undisturbed = self._undisturbed()
        first = self.chance.randint(1, every)
        boundaries = range(first, undisturbed.boundaries + 1, every)
        began, wrong = time.monotonic(), 0
        for boundary in boundaries:
            wrong += self._trial(f"boundary {boundary}", undisturbed, boundary=boundary)
        for _ in range(at_random):
            moment = self.chance.uniform(0, undisturbed.seconds)
            wrong += self._trial(f"{moment:.3f} s", undisturbed, moment=moment)
        kills = (
            f"killed {len(boundaries)} times of {undisturbed.boundaries} boundaries, {at_random} at random"
        )
        print(f"{self.name}: {kills}, {wrong} wrong, {time.monotonic() - began:.0f} s", flush=True)
        return wrong

    def _undisturbed(self) -> _Undisturbed:
        place = self._put_back()
        boundaries, seconds = _in_a_child(lambda: _run(place, self.job, None))
        contents = _in_a_child(lambda: judging.contents(Shop(place)))
        return _Undisturbed(boundaries, seconds, contents)

    def _trial(
        self, told: str, undisturbed: _Undisturbed, boundary: int | None = None, moment: float | None = None
    ) -> int:
        place, stop = self._put_back(), self.folder / "stop"
        stop.unlink(missing_ok=True)
        reader = _Child(lambda: judging.read_until_told(place / "data" / "published" / "orders", stop))
        child = _Child(lambda: _run(place, self.job, boundary))
        if moment is not None:
            time.sleep(moment)
            child.kill()
        child.wait()
        problems = [] if boundary is None or child.was_killed else ["it was not killed"]
        try:
            _in_a_child(lambda: _run(place, self.job, None))
            found = _in_a_child(lambda: _judged(place))
            problems += found["complaints"]
            other = [
                table
                for table, content in undisturbed.contents.items()
                if found["contents"][table] != content
            ]
            problems += [f"{table} holds other rows than after an undisturbed run" for table in other]
            problems += [f"the vacuum left {path}" for path in found["orphans"]]
        except _ChildFailedError as error:
            problems.append(str(error))
        stop.touch()
        if seen := reader.result():
            problems.append(str(seen))
        for problem in problems:
            print(f"{self.name} killed at {told}: {problem}", file=sys.stderr, flush=True)
        return 1 if problems else 0

    def _put_back(self) -> Path:
        shutil.rmtree(self.place)
        shutil.copytree(self.kept, self.place, symlinks=True)
        return self.place


def _prepared(folder: Path, job: Job) -> None:
    folder.mkdir()
    shop = Shop(folder)
    job.prepare(shop)
    shop.platform.ledger.close()


def _run(folder: Path, job: Job, boundary: int | None) -> tuple[int, float]:
    boundaries = Boundaries(folder / "data", boundary)
    shop = Shop(folder)
    shop.platform = Fragile(shop.places, shop.plan.settings, boundaries)
    began = time.monotonic()
    job.run(shop)
    return boundaries.count, time.monotonic() - began


def _judged(folder: Path) -> dict[str, Any]:
    shop = Shop(folder)
    found = {"complaints": list(judging.complaints(shop)), "contents": judging.contents(shop)}
    return {**found, "orphans": judging.orphans_left_by_a_vacuum(shop)}


class _ChildFailedError(Exception):
    """A process that should have ended well did not; the text is its traceback."""


class _Child:
    """A forked process that computes something, and writes it down as JSON."""

    def __init__(self, compute: Callable[[], Any]) -> None:
        self._answer = Path(tempfile.mkstemp(prefix="crash-answer-")[1])
        self._status: int | None = None
        self._process = os.fork()
        if self._process == 0:
            _compute(compute, self._answer)

    @property
    def was_killed(self) -> bool:
        return os.WIFSIGNALED(self.wait()) and os.WTERMSIG(self.wait()) == signal.SIGKILL

    def wait(self) -> int:
        if self._status is None:
            self._status = os.waitpid(self._process, 0)[1]
        return self._status

    def kill(self) -> None:
        os.kill(self._process, signal.SIGKILL)

    def result(self) -> Any:
        """Return what it computed. Raises _ChildFailedError."""
        status = self.wait()
        text = self._answer.read_text(encoding="utf-8")
        self._answer.unlink()
        if status != 0:
            raise _ChildFailedError(text or f"it ended with status {status}")
        return json.loads(text)


def _compute(compute: Callable[[], Any], answer: Path) -> None:
    """Compute in a fork, and end it without what its parent would do at its end."""
    status = 1
    try:
        answer.write_text(json.dumps(compute()), encoding="utf-8")
        status = 0
    except BaseException:  # noqa: BLE001 (the parent reads it)
        answer.write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        os._exit(status)


def _in_a_child(compute: Callable[[], Any]) -> Any:
    return _Child(compute).result()


if __name__ == "__main__":
    sys.exit(main())
