"""``mart access`` and ``mart audit`` as they are typed: who may ask, and the record of it."""

import io
from pathlib import Path

import pytest

from mart_platform.cli.commands.access.principals import _attribute
from mart_platform_tests.cli.conftest import Ended, Mart

SECRET = "correct horse battery staple"


@pytest.fixture
def access(mart: Mart) -> Mart:
    """Call ``mart access`` on the bakery, whose bakers read all of its bread, and which knows ada."""

    def call(*arguments: str) -> Ended:
        return mart("access", *arguments)

    assert call("add", "ada", "--name", "Ada L.", "--attribute", "store=31").code == 0
    return call


def test_a_principal_is_made_disabled_and_enabled(access: Mart) -> None:
    made = access(
        "add", "robot", "--service", "--attribute", "region=South", "--until", "2030-01-31", "--json"
    )
    assert made.document["principal"] == {
        "kind": "service",
        "name": "",
        "roles": [],
        "attributes": {"region": "South"},
        "until": "2030-01-31",
        "budget": made.document["principal"]["budget"],
    }
    assert access("disable", "robot").out == "robot is disabled.\n"
    [robot] = [p for p in access("review", "--json").document["principals"] if p["principal"] == "robot"]
    assert robot["disabled"]
    assert access("enable", "robot", "-q").out == ""


@pytest.mark.parametrize("name", ["Ada", "ada l", "", "../ada"])
def test_a_name_that_is_none_is_refused(access: Mart, name: str) -> None:
    ended = access("add", name)
    assert ended.code == 1
    assert "a principal in small letters" in ended.err


def test_attributes_are_truths_numbers_days_and_texts() -> None:
    given = ["a=true", "b=31", "c=0.5", "d=2026-01-31", "e=South", "f=x=y", "g="]
    assert [str(_attribute(each)[1]) for each in given] == [
        "True", "31", "0.5", "2026-01-31", "South", "x=y", "",
    ]  # fmt: skip


def test_a_secret_is_read_from_standard_input_and_never_shown(
    access: Mart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET + "\n"))
    ended = access("secret", "ada", "--json")
    assert ended.code == 0
    assert ended.document["principal"] == "ada"
    assert "hash" not in ended.document
    assert SECRET not in ended.out + ended.err
    assert access("secret", "ada", "--remove").out == "ada has no secret any more.\n"


@pytest.mark.parametrize(("given", "said"), [("", "No secret was given"), ("short\n", "at least 12")])
def test_a_secret_that_is_none_is_refused(
    access: Mart, monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    ended = access("secret", "ada")
    assert ended.code == 1
    assert said in ended.err


def test_a_token_is_printed_once_and_can_be_revoked(access: Mart, tmp_path: Path) -> None:
    ended = access("token", "ada", "--scope", "bread", "--for", "30d")
    token = ended.out.strip()
    assert token.startswith("mt_T")
    assert "Good for bread until" in ended.err
    identity, secret = token.removeprefix("mt_").split("_", 1)
    listed = access("tokens")
    assert identity in listed.out
    assert secret not in listed.out + access("tokens", "--json").out
    assert access("revoke-token", identity).out == f"{identity} of ada opens nothing any more.\n"
    assert "revoked" in access("tokens", "ada").out
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert secret.encode() not in kept


def test_a_role_is_granted_for_a_while_and_revoked(access: Mart) -> None:
    granted = access("grant", "ada", "bread.bakers", "--for", "8h", "--reason", "a baker is ill")
    assert granted.out.startswith("ada has bread.bakers until ")
    shown = access("review")
    assert "bread.bakers" in shown.out
    assert "bread.bakers ends at" in shown.out
    assert access("revoke", "ada", "bread.bakers").out == "ada no longer has bread.bakers.\n"
    assert "no role" in access("review").out
    assert access("revoke", "ada", "bread.bakers").code == 1


def test_a_day_is_the_last_on_which_a_grant_holds(access: Mart) -> None:
    day = access("grant", "ada", "bread.bakers", "--until", "2030-12-31", "--json").document
    moment = access("grant", "ada", "bread.bakers", "--until", "2030-12-31T18:00", "--json").document
    assert (day["until"], moment["until"]) == ("2031-01-01T00:00:00Z", "2030-12-31T18:00:00Z")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--until", "2030-01-01", "--for", "8h"], "not both"),
        (["--for", "8 hours"], "is not a span"),
        (["--until", "tomorrow"], "is not a moment"),
    ],
)
def test_a_wrong_end_of_a_grant_is_told(access: Mart, options: list[str], said: str) -> None:
    ended = access("grant", "ada", "bread.bakers", *options)
    assert ended.code == 2
    assert said in ended.err


def test_who_can_and_what_can_tell_of_approved_rights(access: Mart, mart: Mart) -> None:
    assert "No rights to bread are approved yet" in access("who-can", "bread.daily").err
    assert access("approve", "bread").code == 0
    assert access("who-can", "bread.daily").out == "Nobody may read bread.daily.\n"
    assert access("what-can", "ada").out == "ada may read nothing.\n"
    access("grant", "ada", "bread.bakers")
    assert "bread.bakers" in access("who-can", "bread.daily").out
    [reader] = access("who-can", "bread.daily", "--json").document["readers"]
    assert (reader["principal"], reader["rows"]) == ("ada", "all")
    assert "bread.daily" in access("what-can", "ada").out
    assert [each["table"] for each in access("what-can", "ada", "--json").document["tables"]] == [
        "bread.daily"
    ]


def test_every_change_stands_in_the_audit_log_which_is_whole(access: Mart, mart: Mart) -> None:
    access("grant", "ada", "bread.bakers", "--reason", "hired")
    access("disable", "ada")
    entries = mart("audit", "show", "--json").document["entries"]
    assert [sealed["entry"]["what"] for sealed in entries] == [
        "principal_added",
        "role_granted",
        "principal_disabled",
    ]
    shown = mart("audit", "show", "--principal", "ada", "--kind", "access", "--limit", "2").out
    assert "role granted ada bread.bakers hired" in shown
    assert "principal added" not in shown
    assert mart("audit", "verify").out == "The audit log is whole.\n"
    assert mart("audit", "show", "--kind", "query").out == "There is no such entry.\n"


def test_a_log_that_was_changed_is_told_and_can_be_begun_anew(
    access: Mart, mart: Mart, tmp_path: Path
) -> None:
    access("grant", "ada", "bread.bakers")
    [log] = (tmp_path / "data" / "audit").glob("*.jsonl")
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    verified = mart("audit", "verify", "--json")
    assert verified.code == 1
    assert [fault["number"] for fault in verified.document["faults"]] == [2]
    assert "its end is gone" in mart("audit", "verify").out
    refused = access("disable", "ada")
    assert refused.code == 1
    assert "does not hold entry 2" in refused.err
    assert mart("audit", "begin-anew", "--reason", "cut by hand").out == "The log goes on with entry 3.\n"
    assert access("disable", "ada").code == 0
    assert mart("audit", "verify").code == 0
    assert "whole" in mart("audit", "begin-anew", "--reason", "once more").err
