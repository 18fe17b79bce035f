"""Two publications of a mart side by side: what readers of one see otherwise than readers of the other."""

from dataclasses import dataclass

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import Platform
from mart_platform.runs.relations import relation_of
from mart_platform.runs.versions import LIVE, keeping, publication_called, versions_in
from mart_platform.spec.records import Publication, Version
from mart_platform.stages.checking import HIDDEN
from mart_platform.stages.comparing import Budget, Side, TableDifference, compare_table
from mart_platform.stages.publishing import published_columns


@dataclass(frozen=True)
class MartDifference:
    """What differs between two publications of a mart, table by table.

    ``stopped`` says why the comparison ended before all was compared, if it did; the tables say what is left.
    """

    mart: str
    before: Publication
    after: Publication
    tables: tuple[TableDifference, ...]
    stopped: str | None

    @property
    def equal(self) -> bool:
        """Whether all was compared, and nothing differs."""
        return self.stopped is None and not any(table.differs for table in self.tables)


def compare_publications(
    platform: Platform,
    plan: Plan,
    mart: str,
    one: str,
    other: str | None = None,
    budget: Budget | None = None,
) -> MartDifference:
    """Return what differs from one publication of a mart to another, as far as the budget allows.

    Both are called by number, ``live`` or ``shadow``. Without ``other`` it is the live one; a shadow is what
    may come, so that the live one is compared with it then. The vacuum leaves their files alone meanwhile.
    Raises UserError when there is no such publication, or its files are gone.
    """
    budget = budget or Budget()
    before = publication_called(platform, plan, mart, one)
    after = publication_called(platform, plan, mart, other or LIVE)
    if other is None and before.state == "shadow":
        before, after = after, before
    old, new = (versions_in(platform, plan, publication) for publication in (before, after))
    with keeping(platform, [*old.values(), *new.values()]):
        names = dict.fromkeys([*old, *new])
        tables = tuple(
            _compared(platform, plan.tables.get(name), old.get(name), new.get(name), budget) for name in names
        )
    left = any(table.left for table in tables)
    return MartDifference(mart, before, after, tables, budget.spent if left else None)


def _compared(
    platform: Platform,
    planned: PlannedTable | None,
    old: Version | None,
    new: Version | None,
    budget: Budget,
) -> TableDifference:
    if old is None or new is None:
        return _only_in_one(old, new)
    columns = tuple({**old.columns, **new.columns})
    return compare_table(
        platform,
        Side(old, relation_of(platform, old)),
        Side(new, relation_of(platform, new)),
        key=_key(planned),
        hidden=set(columns).difference(
            published_columns(planned, columns, planned.labelled if planned else ())
        ),
        mask=HIDDEN,
        budget=budget,
    )


def _only_in_one(old: Version | None, new: Version | None) -> TableDifference:
    if old is not None:
        return TableDifference(old.table, removed=old.rows, only="before")
    if new is not None:
        return TableDifference(new.table, added=new.rows, only="after")
    raise ValueError("a table that is compared is in one of the publications")


def _key(planned: PlannedTable | None) -> tuple[str, ...]:
    """Return the columns that lead to one row; a row of an scd2 table is what was valid from a moment on."""
    if planned is None:
        return ()
    return (*planned.key, "valid_from") if planned.kind == "scd2" else planned.key
