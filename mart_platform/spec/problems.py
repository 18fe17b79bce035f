"""What can be wrong, said so that somebody can act on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file; ``file`` is relative to the warehouse folder, ``line`` counts from 1."""

    file: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in the declarations: where it stands, what was found, what to do about it."""

    place: Place
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.found}" + (f" {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class Origin:
    """Where a declaration was read: its file, and the line of each of its fields."""

    file: str
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)

    def place(self, *path: str | int) -> Place:
        """Return the line of the field at ``path``, or of the nearest field around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return Place(self.file, self.lines.get(path, 1))


class UserError(Exception):
    """Something that whoever gave the command can act on; shown as a sentence, without a traceback."""


class InvalidDeclarations(UserError):
    """The warehouse folder holds mistakes; ``problems`` has all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return a remedy that suggests the allowed name nearest to ``name``, or lists what is allowed."""
    options = sorted(set(allowed))
    lowered = {option.lower(): option for option in options}
    if close := get_close_matches(name.lower(), lowered, n=1, cutoff=0.6):
        return f"Did you mean '{lowered[close[0]]}'?"
    if not options:
        return "There is none to choose from."
    shown = ", ".join(options[:8]) + (", …" if len(options) > 8 else "")
    return f"There is: {shown}."
