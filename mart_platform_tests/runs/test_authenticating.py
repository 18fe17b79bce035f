"""Who connects: proved, recorded, slowed down; and nobody learns from a refusal why it was one."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.ports import AuditUnavailable, Signed
from mart_platform.runs.access.authenticating import Authenticator, NotConnected
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.access.credentials import issue_token, remove_secret, revoke_token, set_secret
from mart_platform.runs.access.granting import grant_role
from mart_platform.runs.access.hashing import hashed, matches
from mart_platform.runs.access.principals import add_principal, disable_principal
from mart_platform.runs.access.slowing import Delays
from mart_platform.spec.principals import Principal
from mart_platform_tests.runs.guarded import LAST_DAY, SALES, Guarded, a_plan

SECRET = "correct horse battery staple"
HERE, THERE = "10.0.0.1", "10.0.0.2"
JWT = "head.claims.signature"


class Watch:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Door:
    """An authenticator with its platform and plan, of whom ada has a secret and a token."""

    def __init__(self, folder: Path) -> None:
        self.platform, self.plan, self.watch = Guarded(folder), a_plan(), Watch()
        self.platform.approve()
        set_secret(self.platform, self.plan, "ada", SECRET, "carl")
        issued = issue_token(
            self.platform, self.plan, "ada", scope=["sales"], lasting=timedelta(days=30), by="carl"
        )
        self.token, self.token_id = issued.token, issued.credential.id
        self.authenticator = Authenticator(self.platform, lambda: self.plan, elapsed=self.watch)

    def refused(self, attempt: Callable[[], object]) -> NotConnected:
        with pytest.raises(NotConnected) as refusal:
            attempt()
        return refusal.value

    def enter(self, name: str = "ada", secret: str = SECRET, client: str = HERE) -> str:
        return self.authenticator.with_secret(name, secret, client).principal


def how_of(caller: Caller) -> str:
    assert caller.proof
    return caller.proof.how


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


class TestLettingIn:
    def test_a_secret_proves_who_asks_with_roles_and_attributes(self, door: Door) -> None:
        grant_role(door.platform, door.plan, "ada", "sales.clerk", by="carl")
        caller = door.authenticator.with_secret("ada", SECRET, HERE)
        assert (caller.principal, caller.kind, how_of(caller), caller.scope) == (
            "ada",
            "person",
            "secret",
            (),
        )
        assert caller.roles == ("sales.clerk", "sales.manager")
        assert caller.attributes == {"region": "South"}
        assert caller.until is None

    def test_a_token_of_ours_proves_it_within_its_scope_and_time(self, door: Door) -> None:
        caller = door.authenticator.with_token(door.token, HERE)
        assert (caller.principal, how_of(caller), caller.scope) == ("ada", "token", ("sales",))
        assert caller.until == door.platform.clock.wall() + timedelta(days=30)

    def test_a_signed_token_proves_it_where_we_know_the_principal(self, door: Door) -> None:
        until = door.platform.clock.wall() + timedelta(hours=1)
        door.platform.tokens.known[JWT] = Signed("ada", until)
        caller = door.authenticator.with_token(JWT, HERE)
        assert (caller.principal, how_of(caller), caller.until) == ("ada", "jwt", until)
        assert caller.roles == ("sales.manager",)

    def test_the_first_end_of_all_is_told(self, door: Door) -> None:
        soon = door.platform.clock.wall() + timedelta(hours=2)
        grant_role(door.platform, door.plan, "ada", "sales.clerk", until=soon, by="carl")
        assert door.authenticator.with_token(door.token, HERE).until == soon
        door.plan = a_plan(eve=Principal(until=LAST_DAY))
        set_secret(door.platform, door.plan, "eve", SECRET, "carl")
        assert door.authenticator.with_secret("eve", SECRET, HERE).until == datetime(2026, 11, 3, tzinfo=UTC)

    def test_what_was_proved_is_not_proved_again_for_a_minute(self, door: Door) -> None:
        for _ in range(5):
            door.enter()
        assert len(door.platform.tries()) == 1
        door.watch.now += 61
        door.enter()
        door.enter(client=THERE)
        assert len(door.platform.tries()) == 3

    def test_each_try_is_recorded_without_the_secret(self, door: Door) -> None:
        door.enter()
        door.refused(lambda: door.enter(secret="wrong secret"))
        door.refused(lambda: door.enter("eve"))
        tries = door.platform.tries()
        assert [(each.principal, each.client, each.how, each.succeeded, each.noise) for each in tries] == [
            ("ada", HERE, "secret", True, False),
            ("ada", HERE, "secret", False, False),
            ("", HERE, "secret", False, True),
        ]
        assert "wrong secret" not in repr(tries)

    def test_nobody_is_let_in_whom_the_audit_log_cannot_record(self, door: Door) -> None:
        door.platform.audit.full = True
        with pytest.raises(AuditUnavailable):
            door.enter()


class TestRefusing:
    def test_all_refusals_are_alike(self, door: Door) -> None:
        door.plan = a_plan(
            gone=Principal(until=LAST_DAY - timedelta(days=1)), off=Principal(), bare=Principal()
        )
        for name in ("gone", "off"):
            set_secret(door.platform, door.plan, name, SECRET, "carl")
        disable_principal(door.platform, door.plan, "off", "carl")
        short = issue_token(door.platform, door.plan, "ada", lasting=timedelta(minutes=1), by="carl").token
        door.platform.clock.tick(minutes=2)
        door.platform.tokens.known[JWT] = Signed("stranger", datetime(2030, 1, 1, tzinfo=UTC))
        enter, show = door.authenticator.with_secret, door.authenticator.with_token
        attempts: list[Callable[[], object]] = [
            lambda: enter("ada", "wrong secret", HERE),
            lambda: enter("nobody", SECRET, HERE),
            lambda: enter("bare", SECRET, HERE),
            lambda: enter("gone", SECRET, HERE),
            lambda: enter("off", SECRET, HERE),
            lambda: enter("ada", "\ud800", HERE),
            lambda: enter(door.token_id, door.token.split("_", 2)[2], HERE),
            lambda: show(short, HERE),
            lambda: show(f"mt_{door.token_id}_wrong", HERE),
            lambda: show("mt_T000000000000_x", HERE),
            lambda: show("mt_", HERE),
            lambda: enter("a" * 100_000, SECRET, THERE),
            lambda: show("mt_" + "T" * 100_000 + "_x", THERE),
            lambda: show("mt_ada_" + SECRET, HERE),
            lambda: show(JWT, HERE),
            lambda: show("a.forged.token", HERE),
            lambda: show("", HERE),
        ]
        refusals = [door.refused(attempt) for attempt in attempts]
        assert {(str(each), each.code, each.retry_after) for each in refusals} == {
            (str(NotConnected()), "not_connected", None)
        }

    def test_what_is_revoked_disabled_or_changed_holds_no_more_though_it_was_just_proved(
        self, door: Door
    ) -> None:
        assert door.enter() == door.authenticator.with_token(door.token, HERE).principal == "ada"
        revoke_token(door.platform, door.token_id, "carl")
        door.refused(lambda: door.authenticator.with_token(door.token, HERE))
        set_secret(door.platform, door.plan, "ada", "another horse, another battery", "carl")
        door.refused(door.enter)
        assert door.enter(secret="another horse, another battery") == "ada"
        remove_secret(door.platform, "ada", "carl")
        door.refused(lambda: door.enter(secret="another horse, another battery"))

    def test_who_is_disabled_or_no_longer_declared_is_out_at_once(self, door: Door) -> None:
        door.enter()
        disable_principal(door.platform, door.plan, "ada", "carl")
        door.refused(door.enter)
        add_principal(door.platform, door.plan, "robot", Principal(kind="service"), "carl")
        door.plan = a_plan(eve=Principal())
        set_secret(door.platform, door.plan, "eve", SECRET, "carl")
        door.enter("eve")
        door.plan = a_plan()
        door.refused(lambda: door.enter("eve"))

    def test_a_token_and_a_grant_end_at_their_moment_also_where_the_proof_is_kept(self, door: Door) -> None:
        end = door.platform.clock.wall() + timedelta(hours=1)
        grant_role(door.platform, door.plan, "ada", "sales.clerk", until=end, by="carl")
        assert "sales.clerk" in door.authenticator.with_token(door.token, HERE).roles
        door.platform.clock.tick(hours=1)
        assert "sales.clerk" not in door.authenticator.with_token(door.token, HERE).roles
        door.platform.clock.tick(days=30)
        door.refused(lambda: door.authenticator.with_token(door.token, HERE))


class TestConnectingAgain:
    """Of who has connected; the secret is not told again."""

    def test_roles_and_attributes_are_those_of_now(self, door: Door) -> None:
        caller = door.authenticator.with_secret("ada", SECRET, HERE)
        grant_role(door.platform, door.plan, "ada", "sales.clerk", by="carl")
        again = door.authenticator.again(caller)
        assert again.roles == ("sales.clerk", "sales.manager")
        assert again.proof == caller.proof

    def test_it_is_no_try(self, door: Door) -> None:
        caller = door.authenticator.with_secret("ada", SECRET, HERE)
        for _ in range(4):
            door.refused(lambda: door.enter(secret="wrong secret"))
        door.watch.now += 3600
        tries = len(door.platform.tries())
        assert door.authenticator.again(caller) == caller
        assert len(door.platform.tries()) == tries

    def test_another_secret_or_none_ends_it_at_once(self, door: Door) -> None:
        caller = door.authenticator.with_secret("ada", SECRET, HERE)
        set_secret(door.platform, door.plan, "ada", SECRET, "carl")
        door.refused(lambda: door.authenticator.again(caller))
        anew = door.authenticator.with_secret("ada", SECRET, HERE)
        assert door.authenticator.again(anew) == anew
        remove_secret(door.platform, "ada", "carl")
        door.refused(lambda: door.authenticator.again(anew))

    def test_a_token_holds_until_it_is_revoked_or_expires(self, door: Door) -> None:
        caller = door.authenticator.with_token(door.token, HERE)
        assert door.authenticator.again(caller).scope == ("sales",)
        revoke_token(door.platform, door.token_id, "carl")
        door.refused(lambda: door.authenticator.again(caller))
        lasting = timedelta(hours=1)
        issued = issue_token(door.platform, door.plan, "ada", lasting=lasting, by="carl")
        short = door.authenticator.with_token(issued.token, HERE)
        assert door.authenticator.again(short) == short
        door.platform.clock.tick(hours=1)
        door.refused(lambda: door.authenticator.again(short))

    def test_what_an_issuer_has_signed_holds_until_it_expires(self, door: Door) -> None:
        door.platform.tokens.known[JWT] = Signed("ada", door.platform.clock.wall() + timedelta(hours=1))
        caller = door.authenticator.with_token(JWT, HERE)
        assert door.authenticator.again(caller) == caller
        door.platform.clock.tick(hours=1)
        door.refused(lambda: door.authenticator.again(caller))

    def test_who_is_disabled_is_out_at_once(self, door: Door) -> None:
        caller = door.authenticator.with_secret("ada", SECRET, HERE)
        disable_principal(door.platform, door.plan, "ada", "carl")
        door.refused(lambda: door.authenticator.again(caller))

    def test_nothing_of_the_secret_or_of_its_hash_is_kept(self, door: Door) -> None:
        caller = door.authenticator.with_secret("ada", SECRET, HERE)
        credential = door.platform.directory.credential("ada")
        assert credential
        assert SECRET not in repr(caller)
        assert not any(part in repr(caller) for part in credential.hash.split("$")[2:])


class TestSlowingDown:
    def test_the_fourth_wrong_try_waits_and_so_does_the_right_one(self, door: Door) -> None:
        for _ in range(3):
            assert door.refused(lambda: door.enter(secret="wrong secret")).code == "not_connected"
        slowed = door.refused(door.enter)
        assert (slowed.code, slowed.retry_after) == ("slow_down", 1.0)
        door.watch.now += 1
        assert door.enter() == "ada"
        for _ in range(3):
            door.refused(lambda: door.enter(secret="wrong secret"))

    def test_a_name_that_nobody_has_is_slowed_down_alike(self, door: Door) -> None:
        for _ in range(3):
            assert door.refused(lambda: door.enter("nobody")).retry_after is None
        assert door.refused(lambda: door.enter("nobody")).retry_after == 1.0

    def test_others_at_the_address_and_the_same_name_elsewhere_go_on(self, door: Door) -> None:
        for _ in range(4):
            door.refused(lambda: door.enter("broken"))
        assert door.enter() == "ada"
        for _ in range(4):
            door.refused(lambda: door.enter(secret="wrong secret", client=THERE))
        assert door.enter() == "ada"

    def test_many_names_from_one_address_slow_that_address_down(self, door: Door) -> None:
        for n in range(20):
            assert door.refused(partial(door.enter, f"guess{n}")).code == "not_connected"
        assert door.refused(lambda: door.enter("guess20")).code == "slow_down"
        assert door.refused(door.enter).code == "slow_down"
        assert door.enter(client=THERE) == "ada"

    def test_tries_that_come_at_once_are_counted_one_by_one(self, door: Door) -> None:
        codes: list[str] = []

        def attempt() -> None:
            try:
                door.enter(secret="wrong secret")
            except NotConnected as refused:
                codes.append(refused.code)

        threads = [threading.Thread(target=attempt) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == ["not_connected"] * 3 + ["slow_down"] * 9
        assert len(door.platform.tries()) == 3

    def test_the_wait_doubles_up_to_five_minutes_and_is_forgotten_after_a_while(self) -> None:
        watch, waits = Watch(), []
        delays = Delays(watch)
        for _ in range(14):
            delays.failed("ada", HERE)
            waits.append(delays.left("ada", HERE))
            watch.now += waits[-1]
        assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        watch.now += 901
        delays.failed("ada", HERE)
        assert delays.left("ada", HERE) == 0

    def test_who_was_let_in_does_not_wait_for_what_others_try_from_the_same_address(self) -> None:
        delays = Delays(Watch())
        delays.succeeded("ada", HERE)
        for n in range(30):
            delays.failed(f"name {n}", HERE)
        assert delays.left("ada", HERE) == 0
        assert delays.left("ben", HERE) > 0
        for _ in range(3):
            delays.failed("ada", HERE)
        assert delays.left("ada", HERE) == 1

    def test_what_is_remembered_is_bounded(self) -> None:
        delays = Delays(Watch())
        for n in range(21_000):
            delays.failed("ada", f"address {n}")
            delays.succeeded("ben", f"address {n}")
        assert len(delays._failures) == len(delays._let_in) == 20_000


@given(secret=st.text(), other=st.text())
def test_a_hash_fits_its_own_secret_alone(secret: str, other: str) -> None:
    kept = hashed(secret, "sha256")
    assert matches(secret, kept)
    assert matches(other, kept) == (secret == other)


def test_a_hash_says_its_parameters_so_that_others_can_follow() -> None:
    older = "scrypt$n=1024,r=8,p=1$00$" + "ab" * 32
    assert not matches(SECRET, older)
    assert matches(SECRET, hashed(SECRET, "scrypt"))


def declared_otherwise(door: Door, **changes: object) -> None:
    """Let the folder say something else of ada, which nobody has approved."""
    ada = door.plan.principals["ada"].model_copy(update=changes)
    digest = door.plan.digest + "'"
    door.plan = door.plan.model_copy(update={"digest": digest, "principals": {"ada": ada}})


class TestWhatTheFolderDeclares:
    def test_a_role_counts_when_it_is_approved(self, door: Door) -> None:
        declared_otherwise(door, roles=("sales.manager", "sales.clerk"))
        assert door.authenticator.with_secret("ada", SECRET, HERE).roles == ("sales.manager",)
        door.platform.approve(SALES.model_copy(update={"holders": {"manager": ("ada",), "clerk": ("ada",)}}))
        assert door.authenticator.with_secret("ada", SECRET, HERE).roles == ("sales.clerk", "sales.manager")

    def test_a_role_that_is_taken_back_is_gone_at_once(self, door: Door) -> None:
        assert door.authenticator.with_secret("ada", SECRET, HERE).roles == ("sales.manager",)
        declared_otherwise(door, roles=())
        assert door.authenticator.with_secret("ada", SECRET, HERE).roles == ()

    def test_an_attribute_that_was_approved_otherwise_is_not_known(self, door: Door) -> None:
        assert door.authenticator.with_secret("ada", SECRET, HERE).attributes == {"region": "South"}
        declared_otherwise(door, attributes={"region": "North", "desk": 7})
        assert door.authenticator.with_secret("ada", SECRET, HERE).attributes == {"desk": 7}
        door.platform.approve(SALES.model_copy(update={"attributes": {"ada": {"region": "North"}}}))
        assert door.authenticator.with_secret("ada", SECRET, HERE).attributes["region"] == "North"

    def test_an_attribute_that_filters_rows_and_was_never_approved_is_not_known(self, door: Door) -> None:
        door.platform.approve(SALES.model_copy(update={"attributes": {}}))
        assert door.authenticator.with_secret("ada", SECRET, HERE).attributes == {}
        door.platform.approve(SALES.model_copy(update={"attributes": {"ada": {"region": 1}}}))
        declared_otherwise(door, attributes={"region": True})
        assert door.authenticator.with_secret("ada", SECRET, HERE).attributes == {}
