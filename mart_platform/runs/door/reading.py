"""A query that is understood: which publications it reads, and the SQL that may run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mart_platform.gate.aggregates import Elsewhere, cheaper
from mart_platform.gate.comparing import type_of_value
from mart_platform.gate.gate import check
from mart_platform.gate.inferring import Parameters
from mart_platform.gate.parsing import parse
from mart_platform.gate.policies import Policy
from mart_platform.gate.questions import Checked, Found, Named, Question, Refused, unknown_table
from mart_platform.runs.door.asking import Asked
from mart_platform.runs.door.published import Opened
from mart_platform.runs.door.recent import Recent
from mart_platform.runs.versions import LIVE
from mart_platform.spec.checks import HoldsSums
from mart_platform.spec.problems import UserError

_REMEMBERED = 1_000_000
"""Characters of queries: their trees take some hundred bytes for each, so to count queries bounds nothing."""
_AT_LEAST = 250
"""What a short query counts as."""


class Opener(Protocol):
    """Makes publications ready to be read."""

    def called(self, mart: str, version: str) -> Opened:
        """Return the publication of a mart that is called so. Raises UserError when there is none."""
        ...


@dataclass(frozen=True)
class Understood:
    """A question that came through the gate, and the publication of each mart that it reads."""

    question: Question
    checked: Checked
    opened: Mapping[str, Opened]

    @property
    def holds(self) -> dict[str, Sequence[HoldsSums]]:
        """What aggregates are proved to hold, on the publications that it reads."""
        return {table: held for each in self.opened.values() for table, held in each.holds.items()}

    @property
    def types(self) -> dict[str, Mapping[str, str]]:
        """Declared types of the columns of all tables that it could read."""
        return {table: types for each in self.opened.values() for table, types in each.types.items()}

    @property
    def sizes(self) -> dict[str, Mapping[str, int]]:
        """Bytes of the columns of all tables that it could read."""
        return {table: sizes for each in self.opened.values() for table, sizes in each.sizes.items()}


@dataclass
class Reader:
    """Leads queries through the gate, and remembers what came out. Safe for many threads."""

    publications: Opener
    _parsed: "Recent[str, Question]" = field(default_factory=lambda: Recent(_REMEMBERED, _weight))
    _checked: "Recent[tuple[Any, ...], Checked]" = field(
        default_factory=lambda: Recent(_REMEMBERED, lambda key: _weight(key[0]))
    )

    def question(self, text: str) -> Question:
        """Return a query, parsed. Raises Refused."""
        return self._parsed.of(text, lambda: parse(text))

    def understood(self, question: Question, asked: Asked, policy: Policy) -> Understood:
        """Return what may run for a question under a policy. Raises Refused."""
        opened = self._opened(question, asked, policy)
        versions = tuple(sorted(each.key for each in opened.values()))
        found = {named: _found(named, opened[named.mart]) for named in question.named}
        parameters = asked.parameters
        key = (question.text, policy.digest, versions, _types(parameters))
        checked = self._checked.of(key, lambda: check(question, policy, found, parameters))
        return Understood(question, checked, opened)

    def cheaper(
        self, query: Understood, asked: Asked, policy: Policy
    ) -> Iterator[tuple[Elsewhere, Understood]]:
        """Yield the same query on aggregates that are proved to hold what it asks for."""
        for elsewhere in cheaper(query.question, policy, query.holds, query.types):
            try:
                yield elsewhere, self.understood(elsewhere.question, asked, policy)
            except Refused:  # the aggregate may be one that this gate does not pass: then it is no way out
                continue

    def _opened(self, question: Question, asked: Asked, policy: Policy) -> dict[str, Opened]:
        """Return what is read. What the policy hides and what is not there are told alike."""
        opened: dict[str, Opened] = {}
        for named in question.named:
            if named.name not in policy.tables:
                raise unknown_table(named)
            publication = self._called(named, asked)
            if opened.setdefault(named.mart, publication).key != publication.key:
                raise Refused(
                    "not_allowed",
                    f"The query reads two versions of {named.mart}.",
                    "Ask for one version of a mart in a query.",
                )
        return opened

    def _called(self, named: Named, asked: Asked) -> Opened:
        try:
            found = self.publications.called(
                named.mart, named.version or asked.versions.get(named.mart, LIVE)
            )
        except UserError as error:
            raise Refused("no_version", str(error)) from error
        if named.name not in found.types:
            number = found.publication.number
            raise Refused("no_version", f"{named.name} is not in publication {number}.", "Ask for another.")
        return found


def _weight(text: str) -> int:
    return _AT_LEAST + len(text)


def _types(parameters: Parameters) -> tuple[tuple[str, str | None], ...]:
    """Return the types of parameters, which decide whether a query needs a fence."""
    named = parameters if isinstance(parameters, Mapping) else dict(enumerate(parameters))
    return tuple((str(name), type_of_value(value)) for name, value in named.items())


def _found(named: Named, opened: Opened) -> Found:
    return Found(opened.publication.number, opened.types[named.name])
