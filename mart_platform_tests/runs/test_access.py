"""Who is known, what they are granted, by what they prove it, and the review of all this."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mart_platform.ports import AuditUnavailable
from mart_platform.runs.access.credentials import (
    issue_token,
    remove_secret,
    revoke_token,
    set_secret,
    tokens,
)
from mart_platform.runs.access.granting import grant_role, known_roles, lacking, revoke_role
from mart_platform.runs.access.principals import (
    add_principal,
    disable_principal,
    enable_principal,
    end_of,
    principal_named,
    principals,
    roles_of,
)
from mart_platform.runs.access.reviewing import ReviewedPrincipal, review, what_can, who_can
from mart_platform.spec.principals import Principal
from mart_platform.spec.problems import UserError
from mart_platform_tests.runs.guarded import LAST_DAY, SALES, Guarded, a_plan

SECRET = "correct horse battery staple"
MONTH = timedelta(days=30)


@pytest.fixture
def platform(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


def roles(platform: Guarded, name: str) -> tuple[str, ...]:
    known = principal_named(platform, a_plan(), name)
    return roles_of(known, platform.directory.grants(), platform.clock.wall())


class TestPrincipals:
    def test_are_those_of_the_folder_and_those_of_commands(self, platform: Guarded) -> None:
        add_principal(platform, a_plan(), "robot", Principal(kind="service"), "carl")
        known = principals(a_plan(), platform.directory.principals())
        assert [(name, each.declared) for name, each in known.items()] == [("ada", True), ("robot", False)]

    def test_of_the_folder_are_changed_in_the_folder(self, platform: Guarded) -> None:
        with pytest.raises(UserError, match="ada is declared in principals"):
            add_principal(platform, a_plan(), "ada", Principal(attributes={"region": "all"}), "carl")

    def test_of_the_folder_stand_as_they_are_declared_whatever_a_command_said_before(
        self, platform: Guarded
    ) -> None:
        add_principal(platform, a_plan(), "eve", Principal(attributes={"region": "all"}), "carl")
        declared = a_plan(eve=Principal(attributes={"region": "North"}))
        known = principals(declared, platform.directory.principals())
        assert known["eve"].principal.attributes == {"region": "North"}

    def test_that_are_disabled_hold_no_role_until_they_are_enabled(self, platform: Guarded) -> None:
        disable_principal(platform, a_plan(), "ada", "carl")
        assert roles(platform, "ada") == ()
        enable_principal(platform, a_plan(), "ada", "carl")
        assert roles(platform, "ada") == ("sales.manager",)

    def test_that_are_no_longer_declared_are_gone_though_a_command_had_disabled_them(
        self, platform: Guarded
    ) -> None:
        plan = a_plan(eve=Principal(roles=("sales.clerk",), attributes={"region": "North"}))
        disable_principal(platform, plan, "eve", "carl")
        assert principals(plan, platform.directory.principals())["eve"].disabled
        enable_principal(platform, plan, "eve", "carl")
        assert not principals(plan, platform.directory.principals())["eve"].disabled
        assert "eve" not in principals(a_plan(), platform.directory.principals())

    def test_hold_their_roles_up_to_the_end_of_their_last_day(self, platform: Guarded) -> None:
        plan = a_plan(eve=Principal(roles=("sales.clerk",), until=LAST_DAY))
        eve = principals(plan, [])["eve"]
        assert roles_of(eve, [], datetime(2026, 11, 2, 23, 59, tzinfo=UTC)) == ("sales.clerk",)
        assert roles_of(eve, [], datetime(2026, 11, 3, tzinfo=UTC)) == ()
        assert end_of(LAST_DAY, "Europe/Berlin") == datetime(2026, 11, 2, 23, tzinfo=UTC)

    def test_that_nobody_knows_are_told_with_the_nearest_name(self, platform: Guarded) -> None:
        with pytest.raises(UserError, match=r"no principal 'adda'\. Did you mean 'ada'\?"):
            disable_principal(platform, a_plan(), "adda", "carl")


class TestGranting:
    def test_gives_a_role_at_once_and_takes_it_away(self, platform: Guarded) -> None:
        grant_role(platform, a_plan(), "ada", "sales.clerk", reason="holidays", by="carl")
        assert roles(platform, "ada") == ("sales.clerk", "sales.manager")
        revoke_role(platform, a_plan(), "ada", "sales.clerk", reason="back", by="dora")
        assert roles(platform, "ada") == ("sales.manager",)
        [grant] = platform.directory.grants()
        assert (grant.by, grant.reason, grant.revoked_by) == ("carl", "holidays", "dora")

    def test_tells_which_attributes_a_principal_lacks_for_a_role(self, platform: Guarded) -> None:
        platform.approve()
        plan = a_plan(eve=Principal())
        assert lacking(platform, plan, "eve", "sales.manager") == ["region"]
        assert lacking(platform, plan, "ada", "sales.manager") == []
        assert lacking(platform, plan, "eve", "sales.clerk") == []

    def test_a_grant_ends_by_itself(self, platform: Guarded) -> None:
        until = platform.clock.wall() + timedelta(hours=8)
        grant_role(platform, a_plan(), "ada", "sales.clerk", until=until, by="carl")
        platform.clock.tick(hours=7.9)
        assert "sales.clerk" in roles(platform, "ada")
        platform.clock.tick(hours=0.1)
        assert "sales.clerk" not in roles(platform, "ada")

    def test_the_same_grant_twice_is_one(self, platform: Guarded) -> None:
        one, two = (grant_role(platform, a_plan(), "ada", "sales.clerk", by="carl") for _ in "ab")
        assert one == two
        assert len(platform.directory.grants()) == len(platform.changes()) == 1

    def test_all_of_it_is_recorded_in_the_audit_log_and_the_ledger(self, platform: Guarded) -> None:
        grant_role(platform, a_plan(), "ada", "sales.clerk", reason="holidays", by="carl")
        revoke_role(platform, a_plan(), "ada", "sales.clerk", by="dora")
        told = [(each.what, each.by, each.principal, each.role, each.mart) for each in platform.changes()]
        assert told == [
            ("role_granted", "carl", "ada", "sales.clerk", "sales"),
            ("role_revoked", "dora", "ada", "sales.clerk", "sales"),
        ]
        assert [event.kind for event in platform.ledger.events(subject="ada")] == [
            "role_revoked",
            "role_granted",
        ]

    def test_what_cannot_be_recorded_does_not_happen(self, platform: Guarded) -> None:
        platform.audit.full = True
        for change in (
            lambda: grant_role(platform, a_plan(), "ada", "sales.clerk", by="carl"),
            lambda: set_secret(platform, a_plan(), "ada", SECRET, "carl"),
            lambda: issue_token(platform, a_plan(), "ada", lasting=MONTH, by="carl"),
            lambda: add_principal(platform, a_plan(), "eve", Principal(), "carl"),
        ):
            with pytest.raises(AuditUnavailable):
                change()
        assert platform.directory.stamp() == 0

    @pytest.mark.parametrize(
        ("principal", "role", "said"),
        [
            ("eve", "sales.clerk", "no principal 'eve'"),
            ("ada", "sales.clark", "no role 'sales.clark'. Did you mean 'sales.clerk'"),
        ],
    )
    def test_what_is_unknown_is_told(self, platform: Guarded, principal: str, role: str, said: str) -> None:
        with pytest.raises(UserError, match=said):
            grant_role(platform, a_plan(), principal, role, by="carl")

    def test_a_grant_that_would_be_over_is_refused(self, platform: Guarded) -> None:
        with pytest.raises(UserError, match="has passed"):
            grant_role(platform, a_plan(), "ada", "sales.clerk", until=platform.clock.wall(), by="carl")

    def test_a_role_of_the_folder_is_not_taken_away_by_a_command(self, platform: Guarded) -> None:
        with pytest.raises(UserError, match=r"principals.yaml; take it away there, .* access disable ada"):
            revoke_role(platform, a_plan(), "ada", "sales.manager", by="carl")
        with pytest.raises(UserError, match="is not granted to ada"):
            revoke_role(platform, a_plan(), "ada", "sales.clerk", by="carl")

    def test_roles_are_those_that_are_declared_or_approved(self, platform: Guarded) -> None:
        platform.approve(SALES.model_copy(update={"roles": {"old": SALES.roles["clerk"]}}))
        assert known_roles(platform.directory, a_plan()) == {"sales.manager", "sales.clerk", "sales.old"}


class TestCredentials:
    def test_a_secret_is_kept_as_a_salted_hash_alone(self, platform: Guarded) -> None:
        first, second = (set_secret(platform, a_plan(), "ada", SECRET, "carl") for _ in "ab")
        assert first.hash != second.hash
        assert first.hash.startswith("scrypt$n=2048,r=8,p=1$")
        assert [each.id for each in platform.directory.credentials()] == ["ada"]
        everything = repr(vars(platform.directory)) + repr(platform.changes()) + repr(platform.ledger)
        assert SECRET not in everything

    @pytest.mark.parametrize(
        ("secret", "said"),
        [("short", "at least 12"), ("aaaaaaaaaaaaaaaa", "guessed"), ("my-name-is-ada-really", "guessed")],
    )
    def test_a_secret_that_is_easily_guessed_is_refused_and_not_repeated(
        self, platform: Guarded, secret: str, said: str
    ) -> None:
        with pytest.raises(UserError, match=said) as refused:
            set_secret(platform, a_plan(), "ada", secret, "carl")
        assert secret not in str(refused.value)

    def test_a_token_is_told_once_and_its_hash_is_kept(self, platform: Guarded) -> None:
        issued = issue_token(platform, a_plan(), "ada", scope=["sales"], lasting=MONTH, by="carl")
        assert issued.token.startswith(f"mt_{issued.credential.id}_")
        assert issued.credential.expires == platform.clock.wall() + MONTH
        secret = issued.token.split("_", 2)[2]
        assert len(secret) >= 43  # 256 bits in base 64
        assert secret not in repr(issued) + repr(platform.directory) + repr(platform.changes())
        assert tokens(platform, "ada") == [issued.credential]

    def test_a_token_is_refused_that_lasts_too_long_or_is_for_no_mart(self, platform: Guarded) -> None:
        with pytest.raises(UserError, match="at most a year"):
            issue_token(platform, a_plan(), "ada", lasting=timedelta(days=800), by="carl")
        with pytest.raises(UserError, match="no mart 'sale'"):
            issue_token(platform, a_plan(), "ada", scope=["sale"], lasting=MONTH, by="carl")
        disable_principal(platform, a_plan(), "ada", "carl")
        with pytest.raises(UserError, match="is disabled"):
            issue_token(platform, a_plan(), "ada", lasting=MONTH, by="carl")

    def test_tokens_and_secrets_end_when_they_are_revoked(self, platform: Guarded) -> None:
        token = issue_token(platform, a_plan(), "ada", lasting=MONTH, by="carl").credential
        set_secret(platform, a_plan(), "ada", SECRET, "carl")
        revoke_token(platform, token.id, "carl")
        revoke_token(platform, token.id, "carl")
        remove_secret(platform, "ada", "carl")
        assert all(each.revoked_at for each in platform.directory.credentials())
        with pytest.raises(UserError, match="no token 'ada'"):
            revoke_token(platform, "ada", "carl")
        with pytest.raises(UserError, match="has no secret"):
            remove_secret(platform, "ada", "carl")
        assert [each.what for each in platform.changes()][2:] == ["token_revoked", "secret_removed"]


class TestReviewing:
    def reviewed(self, platform: Guarded, name: str, **principals: Principal) -> ReviewedPrincipal:
        found = review(platform, a_plan(**principals)).principals
        return next(each for each in found if each.principal == name)

    def test_shows_each_role_with_where_it_is_from_and_its_last_use(self, platform: Guarded) -> None:
        until = platform.clock.wall() + timedelta(days=60)
        grant_role(platform, a_plan(), "ada", "sales.clerk", until=until, reason="holidays", by="carl")
        platform.asked("ada", "sales")
        ada = self.reviewed(platform, "ada")
        assert [(each.role, each.source, each.by, each.reason, each.until) for each in ada.roles] == [
            ("sales.manager", "principals.yaml", "", "", None),
            ("sales.clerk", "grant", "carl", "holidays", until),
        ]
        assert ada.asked == ada.roles[0].asked == platform.clock.wall()
        assert ada.attention == ()

    def test_tells_of_roles_that_nobody_used_for_long(self, platform: Guarded) -> None:
        platform.asked("ada", "sales")
        platform.clock.tick(days=100)
        assert self.reviewed(platform, "ada").attention == (
            "sales.manager was not used for 90 days; revoke it if nobody needs it",
        )

    def test_tells_of_no_role_that_could_not_be_used_for_long(self, platform: Guarded) -> None:
        assert self.reviewed(platform, "ada").attention == ()
        platform.asked("eve", "sales")
        platform.clock.tick(days=80)
        assert self.reviewed(platform, "ada").attention == ()

    def test_tells_of_roles_that_no_mart_has_and_ignores_them(self, platform: Guarded) -> None:
        platform.approve()
        eve = Principal(roles=("sales.gone",))
        assert self.reviewed(platform, "eve", eve=eve).attention == (
            "sales.gone is a role of no mart; it counts for nothing",
        )
        assert what_can(platform, a_plan(eve=eve), "eve") == []

    def test_tells_what_ends_soon(self, platform: Guarded) -> None:
        soon = platform.clock.wall() + timedelta(days=3)
        grant_role(platform, a_plan(), "ada", "sales.clerk", until=soon, by="carl")
        token = issue_token(platform, a_plan(), "ada", lasting=timedelta(days=5), by="carl").credential
        issue_token(platform, a_plan(), "ada", lasting=timedelta(hours=8), by="carl")
        platform.asked("ada", "sales")
        assert self.reviewed(platform, "ada").attention == (
            "sales.clerk ends at 2026-11-05 09:00",
            f"token {token.id} ends at 2026-11-07; make a new one in time",
        )

    def test_tells_what_is_left_of_principals_that_are_disabled_or_gone(self, platform: Guarded) -> None:
        plan = a_plan(eve=Principal())
        grant_role(platform, plan, "eve", "sales.clerk", by="carl")
        set_secret(platform, plan, "eve", SECRET, "carl")
        disable_principal(platform, a_plan(), "ada", "carl")
        assert review(platform, plan).attention == ()
        left = review(platform, a_plan())
        assert left.attention == (
            "sales.clerk is granted to eve, whom nobody declares any more; revoke it",
            "there is a secret of eve, whom nobody declares any more",
        )
        assert left.principals[0].attention == (
            "is disabled and still holds roles; revoke them, or enable it",
        )

    def test_says_who_can_read_a_table_and_how(self, platform: Guarded) -> None:
        platform.approve()
        grant_role(platform, a_plan(), "ada", "sales.clerk", by="carl")
        [orders] = who_can(platform, a_plan(), "sales.orders")
        assert (orders.principal, orders.role, orders.rows) == (
            "ada",
            "sales.manager",
            "where region = principal.region",
        )
        assert orders.columns == {
            "id": "shown",
            "email": "its first character",
            "zip": "its first 3 characters",
        }
        totals = who_can(platform, a_plan(), "sales.totals")
        assert [(each.role, each.rows) for each in totals] == [
            ("sales.manager", "of groups with members of at least 5"),
            ("sales.clerk", "all"),
        ]

    def test_says_what_a_principal_can_read_now(self, platform: Guarded) -> None:
        platform.approve()
        assert [each.table for each in what_can(platform, a_plan(), "ada")] == [
            "sales.orders",
            "sales.totals",
        ]
        disable_principal(platform, a_plan(), "ada", "carl")
        assert what_can(platform, a_plan(), "ada") == []
        assert who_can(platform, a_plan(), "sales.orders") == []

    def test_goes_by_the_approved_rights(self, platform: Guarded) -> None:
        with pytest.raises(UserError, match="mart access approve sales"):
            who_can(platform, a_plan(), "sales.orders")
        assert what_can(platform, a_plan(), "ada") == []
        with pytest.raises(UserError, match="no mart 'sails'"):
            who_can(platform, a_plan(), "sails.orders")
        platform.approve()
        with pytest.raises(UserError, match=r"no table 'sales\.order'"):
            who_can(platform, a_plan(), "sales.order")
