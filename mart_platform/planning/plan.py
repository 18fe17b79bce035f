"""The plan: what the warehouse folder says, worked out. Frozen, serialisable, diffable."""

from collections.abc import Iterable, Iterator
from typing import Literal

from mart_platform.spec.access import Access
from mart_platform.spec.checks import Check, HoldsSums
from mart_platform.spec.marts import Mart
from mart_platform.spec.metrics import Metrics
from mart_platform.spec.principals import Principal
from mart_platform.spec.rights import MartRights
from mart_platform.spec.runbooks import Runbook
from mart_platform.spec.settings import Settings
from mart_platform.spec.slos import Slo
from mart_platform.spec.sources import Source
from mart_platform.spec.tables import Downsample, Kind, Partition
from mart_platform.spec.words import Word

Layer = Literal["landing", "canonical", "mart"]

CHANGED_ROWS = "changed.rows"
"""The relation beside a table's own that holds the rows of its changed intervals alone."""

PLANNER = "4"
"""Part of the plan's digest: raised when the same folder would be planned differently than before."""


def plan_digest(folder_digest: str) -> str:
    """Return the digest of the plan of a folder with this digest, without planning it."""
    return f"{folder_digest[:16]}-{PLANNER}"


class PlannedColumn(Word):
    """A column with its type, its labels, and the columns (``schema.table.column``) that it is made of.

    ``labels`` are sorted; ``dropped`` maps those that come with what it is made of, and are not carried on,
    to the declared reason. ``fingerprint`` is that of the logic which gives its values, down to the landed
    tables.
    """

    name: str
    type: str
    meaning: str = ""
    unit: str = ""
    labels: tuple[str, ...] = ()
    dropped: dict[str, str] = {}
    lineage: tuple[str, ...] = ()
    fingerprint: str = ""


class PlannedCheck(Word):
    """A check and its SQL, over tables by their names.

    A row check has a ``predicate`` (true or NULL where the row passes), so that all of a table are answered
    in one scan. Every other check has a ``measure``: a query of one row with ``failed BIGINT`` and
    ``found VARCHAR``. ``sample`` selects failing rows. ``reads`` names the other tables that it looks at,
    ``timeless`` is false where the verdict depends on the business clock (``getvariable('business_now')``).

    ``narrow`` is a measure of the failures among changed intervals alone, over the relation CHANGED_ROWS
    beside the table's own. It stands for the whole where the rest passed the check, and the other tables hold
    what they held then.
    """

    check: Check
    fingerprint: str
    predicate: str | None = None
    measure: str | None = None
    narrow: str | None = None
    sample: str | None = None
    reads: tuple[str, ...] = ()
    timeless: bool = True


class PlannedModel(Word):
    """How a table is filled: by one SELECT, or by a Python file whose parameters name its inputs.

    ``names_hidden`` says that the SELECT names the hidden columns of landing, so that it must see them.
    ``libraries`` are what the Python file imports, or the engine whose hashes cut the table, as
    ``name==version``: part of the fingerprint.
    """

    file: str
    sql: str | None = None
    parameters: dict[str, str] = {}
    names_hidden: bool = False
    libraries: tuple[str, ...] = ()


class Binding(Word):
    """How an input is restricted to what some intervals of a table are made from.

    ``expression`` is SQL over the input's ``columns`` (of one row, unqualified), of the type of the table's
    ``interval``, and gives the interval that this row goes to. ``from_key`` says that it can be had from the
    key of the input's own interval, with no row read: the expression is over the input's partition column
    alone, and gives the same for all rows of an interval as for the start of it. ``monotone`` says that it
    grows with its only column, give or take a day, so that files can be left out by their bounds.
    """

    expression: str
    columns: tuple[str, ...]
    from_key: bool = False
    monotone: bool = False


class Lookup(Word):
    """An input that is joined to a bound one by equality: ``on`` pairs columns of ``fact`` and of itself."""

    fact: str
    on: tuple[tuple[str, str], ...]


class PlannedTable(Word):
    """A table: what it is made from, how, and what is promised about it.

    ``path`` is its physical table below the lake folder: name and fingerprint, so new logic means a new
    folder beside the old one. ``model`` is None for a landed table.

    ``interval`` is SQL over its own columns that gives a row's interval: a DATE (the start of a day, week,
    month or year), a TIMESTAMP (of an hour) or a BIGINT (the bucket of the key); None for a table of one
    piece. The key of an interval is that value as text. When an input changes, those intervals are built
    again to which its binding or its lookup leads, or all where it has neither: ``unbound`` says why.
    ``reads`` are the columns that the model reads of each input, ``row_set`` is the fingerprint of what
    decides which rows there are.
    """

    name: str
    layer: Layer
    description: str
    owner: str
    fingerprint: str
    path: str
    file: str
    kind: Kind = "full"
    partition: Partition | None = None
    key: tuple[str, ...] = ()
    interval: str | None = None
    bindings: dict[str, Binding] = {}
    lookups: dict[str, Lookup] = {}
    unbound: dict[str, str] = {}
    reads: dict[str, tuple[str, ...]] = {}
    row_set: str = ""
    downsample: Downsample | None = None
    inputs: tuple[str, ...] = ()
    columns: tuple[PlannedColumn, ...]
    checks: tuple[PlannedCheck, ...] = ()
    model: PlannedModel | None = None

    @property
    def after(self) -> tuple[str, ...]:
        """The tables that must be there before it: those that it is made from or checked against."""
        checked_against = {name for check in self.checks for name in check.reads}
        return tuple(sorted(checked_against.union(self.inputs)))

    @property
    def schema_name(self) -> str:
        """The first part of the name: a source, ``canonical`` or a mart."""
        return self.name.split(".", 1)[0]

    @property
    def short_name(self) -> str:
        """The second part of the name."""
        return self.name.split(".", 1)[1]

    @property
    def types(self) -> dict[str, str]:
        """The declared type of each column."""
        return {column.name: column.type for column in self.columns}

    @property
    def holds(self) -> tuple[HoldsSums, ...]:
        """What it holds of other tables, so that a question about them can be answered from here."""
        declared = (planned.check for planned in self.checks)
        return tuple(check for check in declared if isinstance(check, HoldsSums))

    @property
    def labelled(self) -> frozenset[str]:
        """The columns that carry a label of sensitive data."""
        return frozenset(column.name for column in self.columns if column.labels)

    @property
    def labels(self) -> frozenset[str]:
        """All labels that its columns carry."""
        return frozenset(label for column in self.columns for label in column.labels)


class PlannedMart(Word):
    """A mart: its declarations and the names of its tables, in build order."""

    spec: Mart
    folder: str
    tables: tuple[str, ...]
    slos: tuple[Slo, ...] = ()
    runbooks: tuple[Runbook, ...] = ()
    metrics: Metrics | None = None
    access: Access | None = None


class Plan(Word):
    """All tables in an order in which they can be built, all marts, sources and declared principals.

    ``digest`` is that of the warehouse folder and of the planner that read it. ``rights`` are what the
    declarations of each mart give to whom; they hold once they are approved.
    """

    digest: str
    root: str
    settings: Settings
    sources: dict[str, Source]
    tables: dict[str, PlannedTable]
    marts: dict[str, PlannedMart]
    principals: dict[str, Principal] = {}
    rights: dict[str, MartRights] = {}

    def upstream_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the named tables and all that they are made from or checked against, in build order."""
        wanted = set(names)
        for name in reversed(self.tables):
            if name in wanted:
                wanted.update(self.tables[name].after)
        return tuple(name for name in self.tables if name in wanted)

    def downstream_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the named tables and all that is made from them or checked against them, in build order."""
        wanted = set(names)
        for name, table in self.tables.items():
            if wanted.intersection(table.after):
                wanted.add(name)
        return tuple(name for name in self.tables if name in wanted)

    def mart_of(self, table: str) -> PlannedMart | None:
        """Return the mart that owns a table, or None for a landed or canonical one."""
        return self.marts.get(table.split(".", 1)[0])

    def withheld(self, table: str) -> frozenset[str]:
        """Return the columns of a table that the published files of its mart leave out.

        These are the labelled ones, but where ``access.yaml`` says that the label may stand there.
        """
        planned, rights = self.tables.get(table), self.rights.get(table.split(".", 1)[0])
        if rights is not None:
            return rights.withheld(table)
        return planned.labelled if planned else frozenset()

    def libraries(self) -> frozenset[str]:
        """Return what all Python models import, as ``name==version``."""
        models = (table.model for table in self.tables.values())
        return frozenset(library for model in models if model for library in model.libraries)

    def landed(self) -> Iterator[PlannedTable]:
        """Yield the tables that sources deliver."""
        return (table for table in self.tables.values() if table.layer == "landing")
