"""The directory: the fake, SQLite and PostgreSQL keep the same."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mart_platform.adapters.ledger import open_ledger, opening
from mart_platform.ports import Directory
from mart_platform.spec.entries import Approval, Credential, Grant, KnownPrincipal
from mart_platform.spec.principals import Attribute, Principal
from mart_platform.spec.rights import MartRights, RoleRights, TableRights
from mart_platform_tests.fakes import MemoryDirectory

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Directory]:
    if request.param == "memory":
        yield MemoryDirectory()
        return
    place = (
        tmp_path / "l.sqlite" if request.param == "sqlite" else request.getfixturevalue("empty_postgresql")
    )
    with closing(open_ledger(place)) as opened:
        yield opened.directory


def a_principal(name: str, **more: bool) -> KnownPrincipal:
    attributes: dict[str, Attribute] = {"region": "South", "store": 31, "vip": True, "since": NOON.date()}
    principal = Principal(kind="service", attributes=attributes)
    return KnownPrincipal(
        name=name, principal=principal, at=NOON, by="carl", disabled=more.get("disabled", False)
    )


def a_grant(identity: str, principal: str = "ada", until: datetime | None = None) -> Grant:
    return Grant(id=identity, principal=principal, role="sales.manager", until=until, at=NOON, by="carl")


def a_token(identity: str, principal: str = "ada") -> Credential:
    return Credential(
        id=identity,
        principal=principal,
        kind="token",
        hash="sha256$-$00$11",
        scope=("sales",),
        expires=NOON + timedelta(days=90),
        at=NOON,
        by="carl",
    )


def a_secret(principal: str, digest: str) -> Credential:
    return Credential(id=principal, principal=principal, kind="secret", hash=digest, at=NOON, by="carl")


def an_approval(mart: str, column: str) -> Approval:
    rights = TableRights(columns={column: "partial"}, rows="store = 1", smallest_group=("members", 5))
    role = RoleRights(tables={f"{mart}.orders": rights})
    return Approval(rights=MartRights(mart=mart, roles={"manager": role}), at=NOON, by="carl", wider=("x",))


def test_principals_are_kept_by_name_in_their_newest_state(directory: Directory) -> None:
    for principal in (a_principal("eve"), a_principal("ada"), a_principal("eve", disabled=True)):
        directory.put_principal(principal)
    assert directory.principals() == [a_principal("ada"), a_principal("eve", disabled=True)]


def test_grants_are_kept_in_their_order_also_when_they_ended(directory: Directory) -> None:
    grants = [a_grant("g2", until=NOON + timedelta(hours=8)), a_grant("g1"), a_grant("g3", "eve")]
    for grant in grants:
        directory.add_grant(grant)
    directory.revoke_grant("g1", NOON, "dora")
    directory.revoke_grant("g1", NOON + timedelta(days=1), "eve")
    revoked = grants[1].model_copy(update={"revoked_at": NOON, "revoked_by": "dora"})
    assert directory.grants() == [grants[0], revoked, grants[2]]
    assert directory.grants("ada") == [grants[0], revoked]
    assert directory.grants("nobody") == []


def test_an_unknown_grant_or_credential_cannot_be_revoked(directory: Directory) -> None:
    with pytest.raises(LookupError):
        directory.revoke_grant("g9", NOON, "carl")
    with pytest.raises(LookupError):
        directory.revoke_credential("T9", NOON)


def test_a_secret_takes_the_place_of_the_one_before_and_tokens_stay(directory: Directory) -> None:
    for credential in (a_secret("ada", "old"), a_token("T1"), a_token("T2", "eve"), a_secret("ada", "new")):
        directory.put_credential(credential)
    assert directory.credentials("ada") == [a_secret("ada", "new"), a_token("T1")]
    assert directory.credential("ada") == a_secret("ada", "new")
    assert directory.credential("T2") == a_token("T2", "eve")
    assert directory.credential("T3") is None
    assert len(directory.credentials()) == 3


def test_a_revoked_credential_stays_with_its_end(directory: Directory) -> None:
    directory.put_credential(a_token("T1"))
    directory.revoke_credential("T1", NOON)
    directory.revoke_credential("T1", NOON + timedelta(days=1))
    assert directory.credential("T1") == a_token("T1").model_copy(update={"revoked_at": NOON})


def test_the_newest_approval_of_a_mart_holds(directory: Directory) -> None:
    for approval in (an_approval("sales", "a"), an_approval("stock", "b"), an_approval("sales", "c")):
        directory.approve(approval)
    assert directory.approval("sales") == an_approval("sales", "c")
    assert directory.approvals("sales") == [an_approval("sales", "c"), an_approval("sales", "a")]
    assert directory.approval("nothing") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda directory: directory.put_principal(a_principal("eve")),
        lambda directory: directory.add_grant(a_grant("g2")),
        lambda directory: directory.revoke_grant("g1", NOON, "carl"),
        lambda directory: directory.put_credential(a_secret("ada", "new")),
        lambda directory: directory.revoke_credential("T1", NOON),
        lambda directory: directory.approve(an_approval("sales", "a")),
    ],
)
def test_each_change_gives_another_stamp_and_reading_gives_none(
    directory: Directory, change: Callable[[Directory], None]
) -> None:
    directory.add_grant(a_grant("g1"))
    directory.put_credential(a_token("T1"))
    before = directory.stamp()
    assert directory.grants()
    assert directory.stamp() == before
    change(directory)
    assert directory.stamp() != before


def test_another_process_sees_the_change_and_the_stamp(place: str) -> None:
    with closing(open_ledger(place)) as one, closing(open_ledger(place)) as other:
        before = other.directory.stamp()
        one.directory.put_principal(a_principal("ada"))
        assert other.directory.stamp() != before
        assert other.directory.principals() == [a_principal("ada")]


def test_a_ledger_from_before_the_directory_gets_one_and_keeps_what_it_has(place: str) -> None:
    with closing(open_ledger(place)) as ledger:
        ledger.set_setting("kept", "yes")
    engine = opening._engine(opening._url(place), 5)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        for table in ("principals", "grants", "credentials", "approvals", "counters"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    with closing(open_ledger(place)) as ledger:
        ledger.directory.put_principal(a_principal("ada"))
        assert ledger.directory.principals() == [a_principal("ada")]
        assert ledger.setting("kept") == "yes"
