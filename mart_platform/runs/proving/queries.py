"""Queries by chance, over what somebody may see and what they may not; the same seed gives the same ones.

They are typed, so that most of them may run. An answer depends on nothing but the rows: LIMIT stands behind
an order over all columns only, and no function picks any row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from mart_platform.planning.quoting import identifier, quoted
from mart_platform.runs.proving.vocabulary import (
    AGGREGATES,
    EITHER,
    FORMS,
    FRAGILE,
    KIND_WEIGHTS,
    LITERALS,
    WINDOWS,
    Form,
    Kind,
    kind_of,
)

Columns = Mapping[str, str]
"""Declared types by column."""

_BOLD = 0.12
"""The share of queries that may name what may not be named."""
_TRESPASS = 0.3
"""How often they do, where they could."""
_DEPTH = 3
"""So deep expressions nest, and subqueries within."""


@dataclass(frozen=True)
class Words:
    """What queries are made of: by table ``mart.table`` the columns that may be named, and those that not.

    A table of which nothing may be named is in ``unseen`` alone.
    """

    seen: Mapping[str, Columns]
    unseen: Mapping[str, Columns]


@dataclass(frozen=True)
class Probe:
    """A query, and the names in it, as they are written there, that the one who asks may not know."""

    text: str
    trespasses: tuple[str, ...] = ()


def probes(words: Words, seed: str) -> Iterator[Probe]:
    """Yield queries without end."""
    random = Random(seed)  # noqa: S311 (queries, not secrets)
    while True:
        writer = _Writer(words, random, bold=random.random() < _BOLD)
        text = writer.query()
        # What was named may stand in a part that was thrown away.
        yield Probe(text, tuple(name for name in dict.fromkeys(writer.trespasses) if name in text))


@dataclass(frozen=True)
class _Source:
    """Something that stands in FROM: its alias, and its columns by name as expressions of some kind."""

    alias: str
    columns: Mapping[str, Kind | None]
    unseen: Mapping[str, Kind | None]


@dataclass(frozen=True)
class _Written:
    """A SELECT and the kinds of its columns, which are called ``c1``, ``c2`` and so on."""

    text: str
    kinds: tuple[Kind, ...]


class _Writer:
    """Writes one query."""

    def __init__(self, words: Words, random: Random, *, bold: bool) -> None:
        self._words, self._random, self._bold = words, random, bold
        self._aliases = 0
        self.trespasses: list[str] = []

    def query(self) -> str:
        forms = (self._selected, self._set, self._with, self._star)
        return self._random.choices(forms, (12, 2, 2, 1))[0]()

    # ---- Whole queries

    def _selected(self) -> str:
        return self._select(_DEPTH, named=self._chance(0.8)).text

    def _set(self) -> str:
        operator = self._random.choice(("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL"))
        first = self._select(1, limited=False)
        return f"{first.text} {operator} {self._select(1, first.kinds, limited=False).text}"

    def _with(self) -> str:
        inner = self._select(1)
        named = _Source(self._alias(), dict(zip(_names(inner.kinds), inner.kinds, strict=True)), {})
        outer = self._select(1, sources=[(named.alias, named)])
        return f"WITH {named.alias} AS ({inner.text}) {outer.text}"

    def _star(self) -> str:
        """Return a query that names no column: what it shows is for the policy to say."""
        table, source = self._table()
        form = self._random.choice(
            ("SELECT * FROM {}", "FROM {}", "SELECT {1}.* FROM {0}", "SELECT DISTINCT * FROM {}")
        )
        where = f" WHERE {self._expression('truth', [source], 2)}" if self._chance(0.5) else ""
        return form.format(table, source.alias) + where

    # ---- SELECT and its clauses

    def _select(
        self,
        depth: int,
        kinds: Sequence[Kind] = (),
        *,
        sources: Sequence[tuple[str, _Source]] = (),
        limited: bool = True,
        named: bool = True,
    ) -> _Written:
        text, scope = self._from(depth, sources)
        wanted = tuple(kinds) or tuple(self._kind() for _ in range(self._random.randint(1, 4)))
        where = f" WHERE {self._expression('truth', scope, depth)}" if self._chance(0.6) else ""
        if self._chance(0.35):
            chosen, rest = self._grouped(wanted, scope, depth)
        else:
            chosen, rest = self._listed(wanted, scope, depth)
        columns = _as_columns(chosen) if named else ", ".join(chosen)
        distinct = "DISTINCT " if self._chance(0.12) else ""
        order = self._order(len(wanted)) if limited else ""
        return _Written(f"SELECT {distinct}{columns} FROM {text}{where}{rest}{order}", wanted)

    def _listed(self, wanted: Sequence[Kind], scope: Sequence[_Source], depth: int) -> tuple[list[str], str]:
        """Return the columns of a SELECT without groups, and a QUALIFY now and then."""
        chosen = [self._expression(kind, scope, depth) for kind in wanted]
        for index, kind in enumerate(wanted):
            if self._chance(0.1):
                chosen[index] = self._window(kind, scope) or chosen[index]
        if self._chance(0.06):
            return chosen, f" QUALIFY {self._over('rank()', scope)} <= {self._random.randint(1, 5)}"
        return chosen, ""

    def _grouped(self, wanted: Sequence[Kind], scope: Sequence[_Source], depth: int) -> tuple[list[str], str]:
        """Return the columns of a SELECT with groups, and its GROUP BY and HAVING."""
        keys = {i: self._expression(kind, scope, 1) for i, kind in enumerate(wanted) if self._chance(0.4)}
        chosen = [keys.get(i) or self._aggregate(kind, scope, depth) for i, kind in enumerate(wanted)]
        by = f" GROUP BY {', '.join(str(i + 1) for i in keys)}" if keys else ""
        having = ""
        if self._chance(0.3):
            having = f" HAVING {self._aggregate('whole', scope, 1)} > {self._literal('small')}"
        return chosen, by + having

    def _order(self, columns: int) -> str:
        if not self._chance(0.35):
            return ""
        positions = [f"{position}{self._random.choice(('', ' DESC'))}" for position in range(1, columns + 1)]
        order = f" ORDER BY {', '.join(positions)}"
        if self._chance(0.7):
            order += f" LIMIT {self._random.randint(0, 20)}"
            if self._chance(0.3):
                order += f" OFFSET {self._random.randint(0, 5)}"
        return order

    # ---- FROM

    def _from(self, depth: int, sources: Sequence[tuple[str, _Source]] = ()) -> tuple[str, list[_Source]]:
        text, first = self._random.choice(sources) if sources else self._relation(depth)
        scope = [first]
        for _ in range(self._random.choice((0, 0, 0, 1, 1, 2)) if depth > 1 else 0):
            joined, scope = self._joined(text, scope, depth)
            text = joined
        return text, scope

    def _joined(self, text: str, scope: list[_Source], depth: int) -> tuple[str, list[_Source]]:
        if self._chance(0.1):
            lateral = self._lateral(scope)
            return f"{text}, LATERAL ({lateral[0]}) AS {lateral[1].alias}", [*scope, lateral[1]]
        other, source = self._relation(depth - 1)
        on = self._shared(scope, source)
        if on is None:
            return text, scope
        extra = f" AND {self._expression('truth', [*scope, source], 1)}" if self._chance(0.2) else ""
        how = self._random.choice(
            ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
        )
        if extra and how in ("SEMI JOIN", "ANTI JOIN", "FULL JOIN"):
            extra = ""
        seen = scope if how in ("SEMI JOIN", "ANTI JOIN") else [*scope, source]
        return f"{text} {how} {other} ON {on}{extra}", seen

    def _shared(self, scope: Sequence[_Source], source: _Source) -> str | None:
        """Return what two sources are joined by: columns of one name and kind, else of one kind."""
        pairs = [
            (left, name, right)
            for left in scope
            for name, kind in left.columns.items()
            for right, other in source.columns.items()
            if kind is not None and kind == other and kind not in ("truth", "number")
        ]
        alike = [pair for pair in pairs if pair[1] == pair[2]]
        if not pairs:
            return None
        left, name, right = self._random.choice(alike or pairs)
        return f"{left.alias}.{identifier(name)} = {source.alias}.{identifier(right)}"

    def _relation(self, depth: int) -> tuple[str, _Source]:
        if depth > 1 and self._chance(0.12):
            inner = self._select(1)
            alias = self._alias()
            columns: dict[str, Kind | None] = dict(zip(_names(inner.kinds), inner.kinds, strict=True))
            return f"({inner.text}) AS {alias}", _Source(alias, columns, {})
        return self._table()

    def _table(self) -> tuple[str, _Source]:
        alias, seen, unseen = self._alias(), self._words.seen, self._words.unseen
        hidden = [name for name in unseen if name not in seen]
        if not seen or (hidden and self._trespasses()):
            name = self._random.choice(hidden) if hidden else "nothing.here"
            self.trespasses.append(quoted(name))
        else:
            name = self._random.choice([*seen])
        columns = _kinds(seen.get(name) or unseen.get(name, {}))
        return f"{quoted(name)} AS {alias}", _Source(alias, columns, _kinds(unseen.get(name, {})))

    def _lateral(self, scope: Sequence[_Source]) -> tuple[str, _Source]:
        kinds = (self._kind(), self._kind())
        chosen = [self._expression(kind, scope, 1) for kind in kinds]
        return f"SELECT {_as_columns(chosen)}", _Source(
            self._alias(), dict(zip(_names(kinds), kinds, strict=True)), {}
        )

    # ---- Expressions

    def _expression(self, kind: Kind, scope: Sequence[_Source], depth: int) -> str:
        if kind not in FORMS:
            return self._literal(kind)
        if depth <= 0 or self._chance(0.3):
            return self._column(kind, scope) or self._literal(kind)
        if self._chance(0.08):
            return self._case(kind, scope, depth)
        if depth > 1 and self._chance(0.06):
            return self._subquery(kind, scope)
        either: Form = (self._random.choice(EITHER), (kind, kind))
        forms = FRAGILE if self._chance(0.2) else FORMS
        return self._filled(either if self._chance(0.06) else self._random.choice(forms[kind]), scope, depth)

    def _filled(self, form: Form, scope: Sequence[_Source], depth: int) -> str:
        """Return a form with arguments of the kinds that it takes."""
        text, kinds = form
        return text.format(*(self._expression(kind, scope, depth - 1) for kind in kinds))

    def _case(self, kind: Kind, scope: Sequence[_Source], depth: int) -> str:
        """Return a CASE, behind which an error may hide."""
        when, then = self._expression("truth", scope, depth - 1), self._expression(kind, scope, depth - 1)
        return f"CASE WHEN {when} THEN {then} ELSE {self._expression(kind, scope, 0)} END"

    def _subquery(self, kind: Kind, scope: Sequence[_Source]) -> str:
        """Return a subquery that looks at the row outside; it fails where it gives more than one row."""
        table, source = self._table()
        on = self._shared(scope, source) or self._expression("truth", [source], 1)
        if kind == "truth" and self._chance(0.7):
            return f"EXISTS (SELECT 1 FROM {table} WHERE {on})"
        if kind == "truth":
            of = self._kind()
            inner = self._expression(of, [source], 1)
            return f"({self._expression(of, scope, 0)} IN (SELECT {inner} FROM {table}))"
        give = (
            self._aggregate(kind, [source], 1) if self._chance(0.8) else self._expression(kind, [source], 1)
        )
        return f"(SELECT {give} FROM {table} WHERE {on})"

    def _aggregate(self, kind: Kind, scope: Sequence[_Source], depth: int) -> str:
        return self._filled(self._random.choice(AGGREGATES[kind]), scope, depth)

    def _window(self, kind: Kind, scope: Sequence[_Source]) -> str | None:
        forms = [form for gives, form in WINDOWS if gives == kind]
        if not forms:
            return None
        return self._over(self._filled(self._random.choice(forms), scope, 2), scope)

    def _over(self, call: str, scope: Sequence[_Source]) -> str:
        by = self._expression(self._kind(), scope, 1)
        order = self._expression(self._kind(), scope, 0)
        return f"{call} OVER (PARTITION BY {by} ORDER BY {order})"

    def _column(self, kind: Kind, scope: Sequence[_Source]) -> str | None:
        known = [(each, name) for each in scope for name, its in each.columns.items() if its == kind]
        unseen = [(each, name) for each in scope for name, its in each.unseen.items() if its == kind]
        if unseen and self._trespasses():
            source, name = self._random.choice(unseen)
            self.trespasses.append(f"{source.alias}.{identifier(name)}")
        elif known:
            source, name = self._random.choice(known)
        else:
            return None
        return f"{source.alias}.{identifier(name)}"

    def _literal(self, kind: Kind) -> str:
        return self._random.choice(LITERALS[kind])

    # ---- Chance

    def _kind(self) -> Kind:
        return self._random.choices([*KIND_WEIGHTS], [*KIND_WEIGHTS.values()])[0]

    def _trespasses(self) -> bool:
        return self._bold and self._chance(_TRESPASS)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"


def _names(columns: Sequence[object]) -> list[str]:
    return [f"c{index}" for index in range(1, len(columns) + 1)]


def _as_columns(expressions: Sequence[str]) -> str:
    return ", ".join(f"{e} AS {name}" for name, e in zip(_names(expressions), expressions, strict=True))


def _kinds(columns: Columns) -> dict[str, Kind | None]:
    return {name: kind_of(declared) for name, declared in columns.items()}
