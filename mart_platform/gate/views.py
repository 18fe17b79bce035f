"""Views: what stands in a query in the place of a table, a subquery of what the policy shows of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlglot import exp

from mart_platform.gate.masks import is_keyed, masked, spoken
from mart_platform.gate.names import folded
from mart_platform.gate.policies import Branch, TablePolicy
from mart_platform.gate.questions import Found
from mart_platform.gate.row_filters import inside
from mart_platform.gate.statistics import without_statistics


@dataclass(frozen=True)
class View:
    """A version of a table as a policy shows it."""

    policy: TablePolicy
    found: Found

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it has, in the order of the version."""
        shown = self.policy.columns
        return tuple(name for name in self.found.types if name in shown)

    @property
    def types(self) -> dict[str, str]:
        """The declared types of its columns."""
        return {name: self.found.types[name] for name in self.columns}

    def select(self, columns: Iterable[str], *, fenced: bool) -> exp.Select:
        """Return a SELECT of some of its columns.

        With a fence (``OFFSET 0``) nothing of the query around it runs on rows before the policy has let them
        through, and the planner, which may leave out a part that would raise, knows nothing of their values.
        """
        is_fenced = fenced and self.policy.hides_rows
        values = {name: self._shown(name) for name in columns}
        shown = [
            exp.alias_(without_statistics(value) if is_fenced else value, name, quoted=True)
            for name, value in values.items()
        ]
        select = exp.Select(
            expressions=shown, from_=exp.From(this=self._physical(self._table, self._alias()))
        )
        if self.policy.hides_rows:
            select.set("where", exp.Where(this=self._any_of(self.policy.branches)))
        if is_fenced:
            select.set("offset", exp.Offset(expression=exp.Literal.number(0)))
        return select

    def mask_of(self, column: str) -> str | None:
        """Return how a column is masked, such as ``clear or partial``; None where it is not."""
        masks = self.policy.masks_of(column)
        return None if masks == ["clear"] else " or ".join(map(spoken, masks))

    def needs_key(self, column: str) -> bool:
        """Return whether a column is shown by a keyed hash in some row."""
        return any(is_keyed(mask, self.found.types[column]) for mask in self.policy.masks_of(column))

    def _shown(self, name: str) -> exp.Expr:
        """Return a column under the most revealing mask of those branches that let its row through."""
        declared = self.found.types[name]
        column = exp.column(exp.to_identifier(name, quoted=True), table=self._alias())
        *narrower, last = self.policy.masks_of(name)
        if not narrower:
            return masked(last, column, declared)
        case = exp.Case(ifs=[], default=None)
        for mask in [*narrower, last]:
            branches = [branch for branch in self.policy.branches if branch.mask_of(name) == mask]
            value = masked(mask, column.copy(), declared)
            if any(branch.shows_all_rows for branch in branches):
                case.set("default", value)
            else:
                case.append("ifs", exp.If(this=self._any_of(branches), true=value))
        return case

    def _any_of(self, branches: Collection[Branch]) -> exp.Expr:
        return exp.or_(*map(self._condition, branches), copy=False)

    def _condition(self, branch: Branch) -> exp.Expr:
        """Return which rows a branch lets through. A group of unknown size is hidden, as NULL is not true."""
        conditions: list[exp.Expr] = []
        if branch.rows is not None:
            conditions.append(self._at_this_version(branch.rows))
        if branch.smallest_group is not None:
            column, at_least = branch.smallest_group
            counted = exp.column(exp.to_identifier(column, quoted=True), table=self._alias())
            conditions.append(exp.GTE(this=counted, expression=exp.Literal.number(at_least)))
        return exp.and_(*conditions, copy=False)

    def _at_this_version(self, rows: exp.Where) -> exp.Expr:
        """Return a filter with the tables that it looks up at the version of this one, all of their rows."""
        rows = rows.copy()
        for table in list(rows.find_all(exp.Table)):
            table.replace(self._physical(folded(table.name), table.args["alias"].this))
        return rows.this  # type: ignore[no-any-return]  # the parts of a node are untyped

    def _physical(self, table: str, alias: exp.Identifier) -> exp.Table:
        return exp.Table(
            this=exp.to_identifier(table, quoted=True),
            db=exp.to_identifier("main", quoted=True),
            catalog=exp.to_identifier(f"{self._mart}@{self.found.number}", quoted=True),
            alias=exp.TableAlias(this=alias),
        )

    def _alias(self) -> exp.Identifier:
        return exp.to_identifier(inside(self._table), quoted=True)

    @property
    def _mart(self) -> str:
        return self.policy.name.partition(".")[0]

    @property
    def _table(self) -> str:
        return self.policy.name.partition(".")[2]
