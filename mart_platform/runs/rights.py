"""Rights approved: compared with those that held before, so that nobody sees more than somebody has meant."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.access.principals import in_force
from mart_platform.runs.access.recording import record
from mart_platform.runs.leasing import holding
from mart_platform.runs.versions import known_mart
from mart_platform.spec.access import Band, Mask, Prefix, mask_name, strictness
from mart_platform.spec.entries import Approval
from mart_platform.spec.problems import UserError
from mart_platform.spec.rights import MartRights, RoleRights, TableRights

FLAG = "--allow-wider-access"


@dataclass(frozen=True)
class RightsChange:
    """The rights that a plan gives in a mart, beside those that are approved.

    ``wider`` has a sentence for each way in which somebody would see more, ``changed`` is false where they
    are approved already.
    """

    rights: MartRights
    changed: bool
    wider: tuple[str, ...]


def change_of(platform: Platform, plan: Plan, mart: str) -> RightsChange:
    """Return what approving the plan's rights in a mart would change."""
    rights, approval = plan.rights[mart], platform.directory.approval(mart)
    if approval is not None and approval.rights.digest == rights.digest:
        return RightsChange(rights, False, ())
    before = approval.rights if approval else None
    return RightsChange(rights, True, wider(before, rights, _granted(platform, mart)))


def is_approved(platform: Platform, plan: Plan, mart: str) -> bool:
    """Return whether the rights that the plan gives in a mart are those that hold."""
    approval = platform.directory.approval(mart)
    return approval is not None and approval.rights.digest == plan.rights[mart].digest


def why_refused(change: RightsChange, *, allow_wider: bool) -> tuple[str, ...]:
    """Return why rights cannot be approved as they are: who would see more, and how to mean it."""
    if not change.wider or allow_wider:
        return ()
    return (*change.wider, f"{FLAG} of `mart publish`, `build` or `access approve` says that this is meant")


def approve(platform: Platform, plan: Plan, mart: str, by: str, *, allow_wider: bool = False) -> RightsChange:
    """Let the rights that the plan gives in a mart hold from now on; approving them twice changes nothing.

    Raises UserError for an unknown mart, and where somebody would see more than before, unless
    ``allow_wider``; AuditUnavailable where it cannot be recorded.
    """
    known_mart(plan, mart)
    with holding(platform, f"publication {mart}", f"approval by {by}"):
        change = change_of(platform, plan, mart)
        if reasons := why_refused(change, allow_wider=allow_wider):
            record(platform, "approval_refused", by, mart=mart, text="; ".join(change.wider))
            raise UserError(
                f"The rights in {mart} are not approved: {'; '.join(reasons)}. Those before stay."
            )
        put(platform, change, by)
    return change


def put(platform: Platform, change: RightsChange, by: str) -> None:
    """Record a change of rights that nothing speaks against, and let them hold. Raises AuditUnavailable."""
    if change.changed:
        mart = change.rights.mart
        record(platform, "access_approved", by, mart=mart, text="; ".join(change.wider))
        at = platform.clock.wall()
        platform.directory.approve(Approval(rights=change.rights, at=at, by=by, wider=change.wider))


def wider(
    before: MartRights | None, after: MartRights, granted: Mapping[str, Collection[str]] | None = None
) -> tuple[str, ...]:
    """Return a sentence for each way in which somebody would see more of a mart than before.

    Nothing is compared with the first rights of a mart. Where a role saw all columns of a table, or all
    tables of the mart, it sees those that are added without a label too, for so it was declared. What cannot
    be seen to show less counts as more: another row filter that is not the one before AND more, a mask of
    another kind that is not redact. ``granted`` are holders of roles beside those that the folder names.
    """
    if before is None:
        return ()
    compared = (_Compared(before, after, name, granted or {}) for name in after.roles)
    return (
        *(sentence for role in compared for sentence in role.sentences()),
        *_attributes(before, after, granted or {}),
        *_published(before, after),
    )


class _Compared:
    """One role, before and after."""

    def __init__(
        self, before: MartRights, after: MartRights, name: str, granted: Mapping[str, Collection[str]]
    ) -> None:
        self.before, self.after, self.name = before, after, name
        self.was, self.now = before.roles.get(name), after.roles[name]
        self.held = sorted({*after.holders.get(name, ()), *granted.get(name, ())})

    def sentences(self) -> Iterator[str]:
        held = f" (held by {', '.join(self.held)})" if self.held else " (held by nobody yet)"
        if self.was is None:
            tables = ", ".join(self.now.tables) or "nothing"
            yield f"role {self.name} would be new, and see {tables}{held}"
            return
        for table in self.now.tables:
            for more in self._table(table, self.was):
                yield f"role {self.name} would see {more}{held}"
        for holder in self.after.holders.get(self.name, ()):
            if holder not in self.before.holders.get(self.name, ()):
                yield f"{holder} would hold role {self.name}"

    def _table(self, table: str, role: RoleRights) -> Iterator[str]:
        was, now = role.tables.get(table), self.now.tables[table]
        if was is not None:
            yield from self._columns(table, was, now)
            yield from _rows(table, was, now)
        elif table not in self.before.types and role.tables.keys() >= self.before.types.keys():
            yield from self._columns(table, TableRights(columns={}), now)
        else:
            yield f"{table}, which it could not read"

    def _columns(self, table: str, was: TableRights, now: TableRights) -> Iterator[str]:
        known = self.before.types.get(table, {})
        saw_all = was.columns.keys() >= known.keys()
        for column, mask in now.columns.items():
            name, old = f"{table}.{column}", was.columns.get(column)
            if old is None and column not in known and saw_all:
                if mask != "redact" and self._is_sensitive(table, column):
                    yield f"the new column {name} {_told(mask)}, although it is made of what is labelled"
            elif old is None:
                yield f"{name}, which it could not name"
            elif _shows_more(old, mask):
                yield f"{name} {_told(mask)}, which was {_told(old)}{self._lost(table, column)}"

    def _is_sensitive(self, table: str, column: str) -> bool:
        return column in self.after.labels.get(table, {}) or column in self.after.dropped.get(table, {})

    def _lost(self, table: str, column: str) -> str:
        """Return which labels a column has lost, in words."""
        kept = self.after.labels.get(table, {}).get(column, ())
        lost = [label for label in self.before.labels.get(table, {}).get(column, ()) if label not in kept]
        return f" by its label {', '.join(lost)}" if lost else ""


def _rows(table: str, was: TableRights, now: TableRights) -> Iterator[str]:
    if was.rows is not None and now.rows is None:
        yield f"all rows of {table}, which were filtered"
    elif was.rows is not None and now.rows is not None and not _narrows(now.rows, was.rows):
        yield f"other rows of {table}, whose filter is another one"
    if was.smallest_group is not None and now.smallest_group is None:
        yield f"groups of any size in {table}, where it saw {was.smallest_group[1]} members or more"
    elif was.smallest_group is not None and now.smallest_group is not None:
        (old_of, old), (of, least) = was.smallest_group, now.smallest_group
        if of != old_of or least < old:
            yield f"groups of {least} {of} in {table}, where it saw {old} {old_of} or more"


def _narrows(new: str, old: str) -> bool:
    if new == old:
        return True
    from mart_platform.planning.rights import narrows  # noqa: PLC0415 (sqlglot, which is seldom needed)

    return narrows(new, old)


def _attributes(
    before: MartRights, after: MartRights, granted: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """Yield whose attributes let other rows through a filter, of those who held a role before."""
    held = {name for names in (*before.holders.values(), *granted.values()) for name in names}
    for holder in sorted(held & after.attributes.keys()):
        was, now = before.attributes.get(holder, {}), after.attributes[holder]
        for name, value in sorted(now.items()):
            if name not in was:
                yield f"{holder} would see other rows, by principal.{name}, which was not given"
            elif (type(was[name]), was[name]) != (type(value), value):
                yield f"{holder} would see other rows, by another value of principal.{name}"


def _published(before: MartRights, after: MartRights) -> Iterator[str]:
    """Yield which columns the published files would hold that they left out."""
    for table, columns in after.types.items():
        shown = before.withheld(table) - after.withheld(table)
        for column in sorted(shown & columns.keys()):
            yield f"the published files would hold {table}.{column}, which they leave out"


def _shows_more(old: Mask, new: Mask) -> bool:
    if strictness(new) < strictness(old):
        return True
    return mask_name(new) != mask_name(old) and new != "redact" and old != "clear"


def _told(mask: Mask) -> str:
    """Return how a value is seen, in words."""
    match mask:
        case Band(band=width):
            return f"in bands of {width:g}"
        case Prefix(prefix=length):
            return f"by its first {length} characters"
        case "clear":
            return "clear"
        case "redact":
            return "redacted"
    return f"masked by {mask}"


def _granted(platform: Platform, mart: str) -> dict[str, list[str]]:
    """Return who was given the roles of a mart by a command."""
    now, found = platform.clock.wall(), dict[str, list[str]]()
    for grant in platform.directory.grants():
        if grant.role.startswith(f"{mart}.") and in_force(grant, now):
            found.setdefault(grant.role.removeprefix(f"{mart}."), []).append(grant.principal)
    return found
