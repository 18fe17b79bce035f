"""Proving that nobody can learn what they may not see: queries on lakes that differ in nothing else.

For each role somebody asks the same generated queries of two lakes. The lakes are made by what the
declarations give to the role; the answers come through the door's own path, under the rights that the door
uses. What differs between the answers, or the errors, has let something out.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, product

from mart_platform.gate.masks import mask_variables
from mart_platform.gate.policies import Policy
from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform, Relation
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.access.principals import principals, roles_of
from mart_platform.runs.door.policies import policy_for
from mart_platform.runs.door.published import Opened
from mart_platform.runs.proving.comparing import Difference, Outcome, Parts, Window, difference
from mart_platform.runs.proving.declared import Attributes, Person, seen_columns, sights_of
from mart_platform.runs.proving.people import people
from mart_platform.runs.proving.queries import Probe, Words, probes
from mart_platform.runs.proving.sampling import sample
from mart_platform.runs.proving.shrinking import shrunk
from mart_platform.runs.proving.twins import Lake, Twins, twins_for
from mart_platform.runs.relations import relation_of
from mart_platform.runs.versions import LIVE, keeping, known_mart, publication_called, versions_in
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import Publication
from mart_platform.spec.rights import MartRights

_WITH_OTHERS = 4
"""One of so many queries is asked first by somebody who sees more, so that kept answers are on trial too."""
_AGAIN = 5
"""So often a query that made a difference is asked again."""
_FAKE = "nobody_calls_it_so"
_MASK_KEY = b"a key for probes alone"


@dataclass(frozen=True)
class Leak:
    """A query, as small as it could be made, by which a role learns what it may not see."""

    role: str
    kind: Difference
    query: str
    sentence: str


@dataclass(frozen=True)
class Proof:
    """How the probes of one role went.

    ``accepted`` came through the gate, ``raised`` failed after it, ``leaking`` showed what they should not;
    ``leaks`` are examples of each kind. ``unstable`` differ from themselves when they are asked again, so
    that they prove nothing. ``alike`` names the tables whose hidden rows stayed as they are, because what
    others see depends on them. ``seconds`` are those of the probes alone.
    """

    role: str
    probes: int
    accepted: int
    raised: int
    leaking: int
    unstable: int
    seconds: float
    alike: tuple[str, ...]
    leaks: tuple[Leak, ...]


@dataclass(frozen=True)
class Trial:
    """What is proved: that ``used``, the rights that the door uses, show nothing beyond the declared ones.

    ``holders`` maps roles to the attributes of those who hold them; ``relations`` are the mart's tables. So
    many ``examples`` of leaks of one kind are made small; those after them are only counted.
    """

    declared: MartRights
    used: MartRights
    relations: Sequence[Relation]
    holders: Mapping[str, Sequence[Attributes]] = field(default_factory=dict)
    parts: Parts = field(default_factory=Parts)
    examples: int = 3


def prove(
    platform: Platform, scratch: Platform, plan: Plan, mart: str, roles: Sequence[str], number: int, seed: str
) -> Iterator[Proof]:
    """Yield how so many probes of each role (all of the mart where none is named) of a live mart went.

    ``scratch`` is a platform below a folder of its own, which holds the sample and the twins. Raises
    UserError when the mart is not published, or has no such role.
    """
    declared = rights_declared(plan, mart, roles)
    publication = publication_called(platform, plan, mart, LIVE)
    versions = versions_in(platform, plan, publication, list(publication.tables))
    approval = platform.directory.approval(mart)
    with keeping(platform, versions.values()):
        trial = Trial(
            declared=declared,
            used=approval.rights if approval else declared,
            relations=[relation_of(platform, version) for version in versions.values()],
            holders=_holders(platform, plan, mart),
        )
        yield from proofs(scratch, trial, roles, number, seed)


def rights_declared(plan: Plan, mart: str, roles: Sequence[str]) -> MartRights:
    """Return what the declarations of a mart give. Raises UserError when it has none of these roles."""
    known_mart(plan, mart)
    declared = plan.rights[mart]
    for role in roles:
        if role not in declared.roles:
            raise UserError(f"There is no role '{mart}.{role}'. {nearest(role, declared.roles)}")
    return declared


def proofs(scratch: Platform, trial: Trial, roles: Sequence[str], number: int, seed: str) -> Iterator[Proof]:
    """Yield how so many probes of each role went, then those of all roles together and of none."""
    known = {table.name for table in trial.relations}
    if missing := sorted(trial.declared.types.keys() - known):
        raise UserError(f"{missing[0]} is declared and not published yet; build the mart first.")
    with scratch.engine.session(trial.relations) as session:
        asking = people(session, trial.declared, trial.holders, tuple(roles or trial.declared.roles), seed)
    lake = sample(scratch, trial.relations, trial.declared, asking, seed)
    everybody = Person("everybody", tuple(trial.declared.roles), asking[-1].attributes)
    for index, person in enumerate(asking):
        yield _Prober(scratch, trial, lake, person, everybody, 2 * index + 1, seed).proof(number)


class _Prober:
    """Asks for one person."""

    def __init__(
        self,
        scratch: Platform,
        trial: Trial,
        lake: Lake,
        person: Person,
        everybody: Person,
        first: int,
        seed: str,
    ) -> None:
        self._trial, self._person, self._seed = trial, person, f"{seed} {person.name}"
        self._policy, self._wide = _policy(person, trial.used), _policy(everybody, trial.used)
        twins = twins_for(scratch, lake, trial.declared, person, self._seed)
        self._alike = twins.alike
        self._windows = _windows(scratch, trial, twins, first)
        self._leaks: dict[str, Leak] = {}
        self._counted = Counter[str]()

    def proof(self, number: int) -> Proof:
        """Return how so many probes went."""
        began, counted = time.perf_counter(), self._counted
        for index, probe in enumerate(islice(probes(self._words(), self._seed), number)):
            outcome = self._probe(probe, with_others=index % _WITH_OTHERS == 0)
            counted.update(probes=1, accepted=outcome.ran, raised=outcome.ran and bool(outcome.code))
        return Proof(
            role=self._person.name,
            probes=counted["probes"],
            accepted=counted["accepted"],
            raised=counted["raised"],
            leaking=counted["leaking"],
            unstable=counted["unstable"],
            seconds=time.perf_counter() - began,
            alike=self._alike,
            leaks=tuple(self._leaks.values()),
        )

    def _words(self) -> Words:
        declared, person = self._trial.declared, self._person
        seen = {
            name: seen_columns(sights_of(declared, person, name), types)
            for name, types in declared.types.items()
        }
        unseen = {
            name: {column: kind for column, kind in types.items() if column not in seen[name]}
            for name, types in declared.types.items()
        }
        return Words(
            {name: columns for name, columns in seen.items() if columns},
            {name: columns for name, columns in unseen.items() if columns},
        )

    def _probe(self, probe: Probe, *, with_others: bool) -> Outcome:
        """Ask a query of both lakes, keep the leak if there is one, and return what the first answers."""
        outcome, found = self._asked(probe.text, with_others=with_others)
        if found:
            self._keep(probe.text, lambda text: self._differs(text, with_others=with_others))
        elif self._tells_names(probe.text, probe.trespasses):
            self._keep(probe.text, lambda text: self._tells_names(text, probe.trespasses))
        return outcome

    def _asked(self, text: str, *, with_others: bool) -> tuple[Outcome, Difference | None]:
        one, other = (self._ask(window, text, with_others=with_others) for window in self._windows)
        return one, difference(one, other)

    def _ask(self, window: Window, text: str, *, with_others: bool) -> Outcome:
        if with_others:
            window.ask(text, self._wide)
        return window.ask(text, self._policy)

    def _differs(self, text: str, *, with_others: bool) -> Difference | None:
        """Return in what the lakes differ every time; where threads race, a query differs from itself."""
        found: Difference | None = None
        given: tuple[list[Outcome], ...] = ([], [])
        for _ in range(_AGAIN):
            for window, outcomes in zip(self._windows, given, strict=True):
                outcomes.append(self._ask_anew(window, text, with_others=with_others))
            for one, other in product(*given):
                found = difference(one, other)
                if found is None:
                    return None
        return found

    def _ask_anew(self, window: Window, text: str, *, with_others: bool) -> Outcome:
        window.forget()
        return self._ask(window, text, with_others=with_others)

    def _tells_names(self, text: str, trespasses: Sequence[str]) -> Difference | None:
        """Return whether a name that may not be known is answered otherwise than one that there is not."""
        window = self._windows[0]
        for written in trespasses:
            whose, name = written.rsplit(".", 1)
            fake = f'{whose}."{_FAKE}"'
            if written in text:
                real, made_up = (
                    window.ask(each, self._policy) for each in (text, text.replace(written, fake))
                )
                said = made_up.said.replace(_FAKE, name.strip('"'))
                if (real.code, real.said) != (made_up.code, said):
                    return "name"
        return None

    def _keep(self, text: str, leak_of: Callable[[str], Difference | None]) -> None:
        """Keep the leak of a query by the smallest one that has it too, if it is there when asked again."""
        kind = leak_of(text)
        self._counted.update(leaking=kind is not None, unstable=kind is None)
        if kind is None or sum(leak.kind == kind for leak in self._leaks.values()) >= self._trial.examples:
            return
        smallest = shrunk(text, lambda smaller: leak_of(smaller) == kind)
        self._leaks.setdefault(smallest, Leak(self._person.name, kind, smallest, _SENTENCES[kind]))


_SENTENCES: Mapping[Difference, str] = {
    "rows": "the rows depend on what is hidden",
    "columns": "the names or the types of the columns depend on what is hidden, or show the policy",
    "error": "the error depends on what is hidden",
    "answered": "whether there is an error depends on what is hidden",
    "canary": "a hidden value stands in the answer or in the error",
    "name": "a hidden name is told apart from one that there is not",
}


@dataclass(frozen=True)
class _Lakes:
    """The lakes by their numbers, each as a publication of the mart."""

    opened: Mapping[str, Opened]

    def called(self, mart: str, version: str) -> Opened:
        """Return the lake with this number."""
        return self.opened[version]


def _windows(scratch: Platform, trial: Trial, twins: Twins, first: int) -> list[Window]:
    """Return both lakes as the door shows them, as publications ``first`` and the one after it."""
    opened = {
        number: _opened(scratch, trial.declared.mart, number, lake)
        for number, lake in enumerate((twins.one, twins.other), start=first)
    }
    scratch.queries.forget([each.key for each in opened.values()])
    reader = trial.parts.reader(_Lakes({str(number): each for number, each in opened.items()}))
    key = mask_variables(_MASK_KEY)
    return [Window(scratch.queries, reader, *each.key, trial.parts, key) for each in opened.values()]


def _opened(scratch: Platform, mart: str, number: int, lake: Lake) -> Opened:
    scratch.queries.prepare(mart, number, list(lake.values()))
    publication = Publication(
        mart=mart,
        number=number,
        tables={},
        plan="",
        watermark=None,
        at=datetime.now(UTC),
        by="",
        reason="",
        run="",
    )
    types = {name: table.columns for name, table in lake.items()}
    return Opened(publication, types, sizes={}, checks={}, holds={})


def _policy(person: Person, rights: MartRights) -> Policy:
    roles = tuple(f"{rights.mart}.{role}" for role in person.roles)
    return policy_for(Caller(person.name, "person", roles, person.attributes), {rights.mart: rights})


def _holders(platform: Platform, plan: Plan, mart: str) -> dict[str, list[Attributes]]:
    """Return the attributes of those who hold the roles of a mart now, declared and granted."""
    found: dict[str, list[Attributes]] = {}
    now, grants = platform.clock.wall(), platform.directory.grants()
    for known in principals(plan, platform.directory.principals()).values():
        for role in roles_of(known, grants, now):
            of, _, name = role.partition(".")
            if of == mart:
                found.setdefault(name, []).append(known.principal.attributes)
    return found
