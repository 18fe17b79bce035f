"""Nobody sees more of a mart than before unless somebody has said that this is meant."""

import re
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.assembly import Assembled
from mart_platform.ports import Audit, AuditUnavailable
from mart_platform.runs import publishing, rights
from mart_platform.runs.reporting import MartReport, PublicationRefused
from mart_platform.runs.rights import wider
from mart_platform.spec.access import Band, Mask, Prefix
from mart_platform.spec.entries import AccessEntry, Grant
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Hold
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform_tests.fakes import MemoryAudit
from mart_platform_tests.runs.shop import Shop

TYPES = {
    "sales.basket": {"basket": "bigint", "store": "bigint", "age": "string"},
    "sales.day": {"n": "bigint"},
}
BASKET = TableRights(
    columns={"basket": "clear", "store": "clear", "age": "redact"}, rows="store = principal.store"
)
DAY = TableRights(columns={"n": "clear"}, smallest_group=("n", 20))
BEFORE = MartRights(
    mart="sales",
    roles={"manager": RoleRights(tables={"sales.basket": BASKET, "sales.day": DAY})},
    types=TYPES,
    holders={"manager": ("ada", "ben")},
    attributes={"ada": {"store": 7}, "ben": {"store": 8}},
    labels={"sales.basket": {"age": ("age",)}},
)
HELD = "(held by ada, ben)"


def after(basket: TableRights = BASKET, day: TableRights | None = DAY, **more: Any) -> MartRights:
    """Return the rights after some of them have changed."""
    tables = {"sales.basket": basket, **({"sales.day": day} if day else {})}
    return BEFORE.model_copy(update={"roles": {"manager": RoleRights(tables=tables)}, **more})


def columns(**masks: Mask) -> TableRights:
    return BASKET.model_copy(update={"columns": {**BASKET.columns, **masks}})


def filtered(rows: str | None) -> TableRights:
    return BASKET.model_copy(update={"rows": rows})


def grouped(*group: Any) -> TableRights:
    return DAY.model_copy(update={"smallest_group": group or None})


MORE_TYPES = {**TYPES, "sales.basket": {**TYPES["sales.basket"], "note": "string"}}
SHOWN = columns(note="clear")
BOTH = {"sales.basket": {"age": ("age",), "note": ("name",)}}
NOTE = {"sales.basket": {"note": ("name",)}}
SEES = "role manager would see"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (after(columns(age="clear")), f"{SEES} sales.basket.age clear, which was redacted {HELD}"),
        (
            after(columns(age=Band(band=20))),
            f"{SEES} sales.basket.age in bands of 20, which was redacted {HELD}",
        ),
        (
            after(columns(age="clear"), labels={}),
            f"{SEES} sales.basket.age clear, which was redacted by its label age {HELD}",
        ),
        (after(filtered(None)), f"{SEES} all rows of sales.basket, which were filtered {HELD}"),
        (after(filtered("TRUE")), f"{SEES} other rows of sales.basket, whose filter is another one {HELD}"),
        (after(day=grouped("n", 5)), f"{SEES} groups of 5 n in sales.day, where it saw 20 n or more {HELD}"),
        (
            after(day=grouped()),
            f"{SEES} groups of any size in sales.day, where it saw 20 members or more {HELD}",
        ),
        (after(holders={"manager": ("ada", "ben", "eve")}), "eve would hold role manager"),
        (
            after(attributes={"ada": {"store": 9}, "ben": {"store": 8}}),
            "ada would see other rows, by another value of principal.store",
        ),
        (
            after(attributes={"ada": {"store": 7, "country": "DE"}, "ben": {"store": 8}}),
            "ada would see other rows, by principal.country, which was not given",
        ),
        (after(published=("age",)), "the published files would hold sales.basket.age, which they leave out"),
        (
            after(SHOWN, types=MORE_TYPES, labels=BOTH),
            f"{SEES} the new column sales.basket.note clear, although it is made of what is labelled {HELD}",
        ),
        (
            after(SHOWN, types=MORE_TYPES, dropped=NOTE),
            f"{SEES} the new column sales.basket.note clear, although it is made of what is labelled {HELD}",
        ),
    ],
)
def test_who_would_see_more_is_told_with_what(now: MartRights, said: str) -> None:
    assert said in wider(BEFORE, now)


@pytest.mark.parametrize(
    "now",
    [
        after(),
        after(columns(store="redact")),
        after(columns(basket="hmac")),
        after(TableRights(columns={"basket": "clear"}, rows=BASKET.rows)),
        after(filtered("store = principal.store AND basket > 5")),
        after(day=grouped("n", 30)),
        after(day=None),
        after(holders={"manager": ("ada",)}),
        after(SHOWN, types=MORE_TYPES),
        after(columns(note="redact"), types=MORE_TYPES, labels=BOTH),
        BEFORE.model_copy(update={"roles": {}}),
    ],
)
def test_what_shows_nobody_more_needs_no_word(now: MartRights) -> None:
    assert wider(BEFORE, now) == ()


def test_the_first_rights_of_a_mart_are_compared_with_nothing() -> None:
    assert wider(None, BEFORE) == ()


def test_a_new_role_is_told_with_its_tables_and_those_who_were_granted_it() -> None:
    roles = {**BEFORE.roles, "audit": RoleRights(tables={"sales.day": DAY})}
    now = BEFORE.model_copy(update={"roles": roles})
    assert wider(BEFORE, now, {"audit": ["eve"]}) == (
        "role audit would be new, and see sales.day (held by eve)",
    )


def test_attributes_count_of_who_was_granted_a_role_and_of_nobody_who_held_none() -> None:
    before = BEFORE.model_copy(update={"attributes": {"eve": {"store": 7}}})
    now = BEFORE.model_copy(update={"attributes": {"eve": {"store": 9}}})
    assert wider(before, now, {"manager": ["eve"]}) == (
        "eve would see other rows, by another value of principal.store",
    )
    assert wider(before, now) == ()


def test_a_table_that_could_not_be_read_is_told_and_a_new_one_only_where_not_all_were_read() -> None:
    new = {"sales.basket": BASKET, "sales.day": DAY, "sales.plan": TableRights(columns={"n": "clear"})}
    types = {**TYPES, "sales.plan": {"n": "bigint"}}
    now = after(types=types).model_copy(update={"roles": {"manager": RoleRights(tables=new)}})
    assert wider(BEFORE, now) == ()
    assert wider(after(day=None), now) == (
        f"{SEES} sales.day, which it could not read {HELD}",
        f"{SEES} sales.plan, which it could not read {HELD}",
    )


def test_a_column_that_could_not_be_named_is_told() -> None:
    before = after(TableRights(columns={"basket": "clear"}, rows=BASKET.rows))
    assert f"{SEES} sales.basket.age, which it could not name {HELD}" in wider(before, BEFORE)


MASKS: list[Mask] = [
    "clear",
    "redact",
    "partial",
    "hmac",
    "year",
    "band",
    "prefix",
    Band(band=50),
    Prefix(prefix=1),
]


@given(st.sampled_from(MASKS), st.sampled_from(MASKS))
def test_of_two_masks_at_least_one_way_shows_more(one: Mask, other: Mask) -> None:
    there, back = (
        wider(after(columns(age=a)), after(columns(age=b))) for a, b in ((one, other), (other, one))
    )
    assert bool(there or back) == (one != other)


@given(st.sampled_from(MASKS))
def test_redacting_shows_no_more_and_clearing_does(mask: Mask) -> None:
    assert not wider(after(columns(age=mask)), after(columns(age="redact")))
    assert bool(wider(after(columns(age=mask)), after(columns(age="clear")))) == (mask != "clear")


ACCESS = "marts/orders/access.yaml"
HOLD = Hold(mart="orders", since=datetime(2026, 1, 1, tzinfo=UTC), by="ada", reason="wrong prices")
EMAIL_CLEAR = "masks: {name: partial, email: clear}"


def show_email(shop: Shop) -> None:
    """Let the managers see e-mail addresses, which were hashed."""
    shop.edit(ACCESS, "masks: {name: partial, email: hmac}", EMAIL_CLEAR)


def mask_seen(shop: Shop) -> Mask:
    """Return the mask by which managers see e-mail addresses by the rights that hold."""
    approval = shop.platform.directory.approval("orders")
    assert approval is not None
    return approval.rights.roles["country_manager"].tables["orders.customer"].columns["email"]


def published(shop: Shop, *, allow_wider: bool = False, shadow: bool = False) -> MartReport:
    run = shop.begin()
    return publishing.publish_mart(
        shop.platform, shop.plan, run, "orders", "ada", allow_wider=allow_wider, shadow=shadow
    )


def recorded(shop: Shop) -> list[tuple[str, str, str]]:
    entries = (sealed.entry for sealed in shop.platform.audit.entries())
    return [(entry.what, entry.by, entry.text) for entry in entries if isinstance(entry, AccessEntry)]


BY_HMAC = "orders.customer.email clear, which was masked by hmac"
WIDER = f"role country_manager would see {BY_HMAC} (held by nobody yet)"


def test_the_rights_of_a_mart_hold_from_its_first_publication_on(built_shop: Shop) -> None:
    approval = built_shop.platform.directory.approval("orders")
    assert approval is not None
    assert approval.rights == built_shop.plan.rights["orders"]
    assert recorded(built_shop) == [("access_approved", "build", "")]


def test_a_publication_that_would_show_somebody_more_is_refused_and_tells_who_and_what(
    built_shop: Shop,
) -> None:
    show_email(built_shop)
    with pytest.raises(PublicationRefused, match=re.escape(WIDER)) as refused:
        published(built_shop)
    assert "--allow-wider-access" in str(refused.value)
    assert (mask_seen(built_shop), built_shop.live.number) == ("hmac", 1)
    [event] = built_shop.platform.ledger.events(subject="orders", kind="publication_refused")
    assert event.details["reasons"][0] == WIDER


def test_a_publication_that_is_meant_to_show_more_does_so_and_is_recorded(built_shop: Shop) -> None:
    show_email(built_shop)
    report = published(built_shop, allow_wider=True)
    assert (report.published, report.reason) == (False, "its new rights are approved")
    assert mask_seen(built_shop) == "clear"
    assert recorded(built_shop)[-1] == ("access_approved", "ada", WIDER)
    assert [approval.wider for approval in built_shop.platform.directory.approvals("orders")] == [
        (WIDER,),
        (),
    ]


def test_rights_that_show_less_hold_with_the_next_build_and_a_second_one_does_nothing(
    built_shop: Shop,
) -> None:
    built_shop.edit(ACCESS, "masks: {name: partial, email: hmac}", "masks: {name: partial}")
    assert built_shop.todo().marts == {"orders": "its access rules are not those that were approved"}
    built_shop.build()
    assert mask_seen(built_shop) == "redact"
    assert not built_shop.todo()
    assert len(recorded(built_shop)) == 2


def test_a_shadow_approves_nothing_and_its_publication_does(built_shop: Shop) -> None:
    show_email(built_shop)
    built_shop.edit("marts/orders/tables/customer.sql", "FROM", "FROM /* all */")
    built_shop.edit("canonical/order_line.sql", "FROM shop.orders", "FROM shop.orders WHERE line < 99")
    run = built_shop.begin()
    for name in built_shop.todo().tables:
        built_shop.step(run, name)
    platform, plan = built_shop.platform, built_shop.plan
    publishing.publish_mart(platform, plan, run, "orders", shadow=True)
    assert mask_seen(built_shop) == "hmac"
    [shadow] = [p.number for p in platform.ledger.publications("orders") if p.state == "shadow"]
    with pytest.raises(PublicationRefused, match="country_manager"):
        publishing.publish_shadow(platform, plan, "orders", shadow, by="ada")
    assert publishing.publish_shadow(platform, plan, "orders", shadow, by="ada", allow_wider=True).published
    assert mask_seen(built_shop) == "clear"


def test_a_column_that_loses_its_label_is_not_in_the_published_files_before_that_is_approved(
    built_shop: Shop,
) -> None:
    """What was built meanwhile, or a mended folder, shows no more than was approved."""
    built_shop.edit("sources/shop/source.yaml", "{type: string, label: email,", "{type: string,")
    built_shop.edit(ACCESS, "masks: {name: partial, email: redact}", "masks: {name: partial}")
    built_shop.edit(ACCESS, "masks: {name: partial, email: hmac}", "masks: {name: partial}")
    publishing.derive(built_shop.platform, built_shop.plan, built_shop.live)
    assert "email" not in columns_published(built_shop)
    with pytest.raises(PublicationRefused, match=r"the published files would hold orders\.customer\.email"):
        published(built_shop)
    published(built_shop, allow_wider=True)
    assert "email" in columns_published(built_shop)


def columns_published(shop: Shop) -> list[str]:
    return pl.read_parquet(shop.platform.data.published / "orders" / "current" / "customer").columns


class FullAudit(Assembled):
    """The real thing, whose audit log takes nothing."""

    @cached_property
    def audit(self) -> Audit:
        return MemoryAudit(full=True)


def test_nothing_is_approved_that_cannot_be_recorded(built_shop: Shop) -> None:
    show_email(built_shop)
    full = FullAudit(built_shop.places, built_shop.plan.settings)
    change = rights.change_of(built_shop.platform, built_shop.plan, "orders")
    with pytest.raises(AuditUnavailable):
        rights.put(full, change, "ada")
    assert mask_seen(built_shop) == "hmac"


def test_rights_are_approved_without_a_publication(built_shop: Shop) -> None:
    show_email(built_shop)
    platform, plan = built_shop.platform, built_shop.plan
    with pytest.raises(UserError, match="The rights in orders are not approved: role country_manager"):
        rights.approve(platform, plan, "orders", "ada")
    assert recorded(built_shop)[-1] == ("approval_refused", "ada", WIDER)
    assert rights.approve(platform, plan, "orders", "ada", allow_wider=True).changed
    assert not rights.approve(platform, plan, "orders", "ada").changed
    assert (mask_seen(built_shop), built_shop.live.number) == ("clear", 1)


def test_who_was_granted_a_role_by_a_command_is_told_too(built_shop: Shop) -> None:
    show_email(built_shop)
    platform, now = built_shop.platform, built_shop.platform.clock.wall()
    for name, until in (("eve", None), ("gone", now - timedelta(days=1))):
        platform.directory.add_grant(
            Grant(id=name, principal=name, role="orders.country_manager", until=until, at=now, by="ada")
        )
    [said] = rights.change_of(platform, built_shop.plan, "orders").wider
    assert said.endswith("(held by eve)")


def test_a_held_mart_keeps_its_rights_until_it_is_released(built_shop: Shop) -> None:
    built_shop.platform.ledger.publish(built_shop.live.model_copy(update={"number": 2}), hold=HOLD)
    built_shop.edit(ACCESS, "masks: {name: partial, email: hmac}", "masks: {name: partial}")
    assert "held since" in published(built_shop).reason
    assert mask_seen(built_shop) == "hmac"
    assert not built_shop.todo().marts
