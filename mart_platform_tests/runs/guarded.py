"""A platform with directory and audit log in memory, and a plan of two marts, with roles and principals."""

from datetime import date
from functools import cached_property

from mart_platform.planning.plan import Plan
from mart_platform.ports import Signed
from mart_platform.spec.access import Prefix
from mart_platform.spec.entries import AccessEntry, Approval, ConnectEntry, QueryEntry
from mart_platform.spec.principals import Principal
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform_tests.fakes import MemoryAudit, MemoryDirectory
from mart_platform_tests.stages.small_platform import SETTINGS, SmallPlatform

SALES = MartRights(
    mart="sales",
    roles={
        "manager": RoleRights(
            tables={
                "sales.orders": TableRights(
                    columns={"id": "clear", "email": "partial", "zip": Prefix(prefix=3)},
                    rows="region = principal.region",
                ),
                "sales.totals": TableRights(columns={"store": "clear"}, smallest_group=("members", 5)),
            }
        ),
        "clerk": RoleRights(tables={"sales.totals": TableRights(columns={"store": "clear"})}),
    },
    types={"sales.orders": {"id": "BIGINT"}, "sales.totals": {"store": "BIGINT"}},
    holders={"manager": ("ada",)},
    attributes={"ada": {"region": "South"}},
)


class SignedByHand:
    """Reads the tokens that a test has put into it."""

    def __init__(self) -> None:
        self.known: dict[str, Signed] = {}

    def read(self, token: str) -> Signed | None:
        return self.known.get(token)


class Guarded(SmallPlatform):
    """What a directory and an audit log are needed for."""

    @cached_property
    def directory(self) -> MemoryDirectory:
        return MemoryDirectory()

    @cached_property
    def audit(self) -> MemoryAudit:
        return MemoryAudit()

    @cached_property
    def tokens(self) -> SignedByHand:
        return SignedByHand()

    def approve(self, rights: MartRights = SALES) -> None:
        """Let rights hold."""
        self.directory.approve(Approval(rights=rights, at=self.clock.wall(), by="carl"))

    def asked(self, principal: str, mart: str) -> None:
        """Record that somebody asked a mart at this moment."""
        self.audit.append(
            QueryEntry(
                id=f"q-{principal}",
                at=self.clock.wall(),
                principal=principal,
                door="http",
                text="SELECT 1",
                versions={mart: 1},
                outcome="answered",
            )
        )

    def changes(self) -> list[AccessEntry]:
        """Return the changes of who may see what that were recorded."""
        return [sealed.entry for sealed in self.audit.entries() if isinstance(sealed.entry, AccessEntry)]

    def tries(self) -> list[ConnectEntry]:
        """Return the tries to connect that were recorded."""
        return [sealed.entry for sealed in self.audit.entries() if isinstance(sealed.entry, ConnectEntry)]


def a_plan(**principals: Principal) -> Plan:
    """Return a plan that declares ada, who manages sales in the South, and these."""
    ada = Principal(name="Ada L.", roles=("sales.manager",), attributes={"region": "South"})
    return Plan(
        digest=f"p{len(principals)}",
        root="/warehouse",
        settings=SETTINGS,
        sources={},
        tables={},
        marts={},
        principals={"ada": ada, **principals},
        rights={"sales": SALES, "stock": MartRights(mart="stock")},
    )


LAST_DAY = date(2026, 11, 2)
"""The day that the clock shows."""
