from collections.abc import Callable
from pathlib import Path

import pytest

from mart_platform.adapters.secrets import EnvironmentSecrets
from mart_platform.ports import Secrets
from mart_platform.spec.problems import UserError
from mart_platform_tests.fakes import KnownSecrets


def a_file(folder: Path, name: str, content: str, mode: int = 0o600) -> Path:
    file = folder / name
    file.write_text(content)
    file.chmod(mode)
    return file


def _by_environment(folder: Path) -> Secrets:
    return EnvironmentSecrets({"MART_SECRET_HOOK": "s3cr3t"})


def _by_file(folder: Path) -> Secrets:
    a_file(folder, "hook", "s3cr3t\n")
    return EnvironmentSecrets({}, folder)


def _by_fake(folder: Path) -> Secrets:
    return KnownSecrets({"hook": "s3cr3t"})


@pytest.mark.parametrize("make", [_by_environment, _by_file, _by_fake])
def test_all_secrets_give_what_they_know_and_name_what_they_do_not(
    make: Callable[[Path], Secrets], tmp_path: Path
) -> None:
    secrets = make(tmp_path)
    assert secrets.secret("hook") == "s3cr3t"
    with pytest.raises(UserError, match="another"):
        secrets.secret("another")


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    a_file(tmp_path, "hook", "of the file")
    assert EnvironmentSecrets({"MART_SECRET_HOOK": "of here"}, tmp_path).secret("hook") == "of here"


def test_the_environment_may_name_the_folder(tmp_path: Path) -> None:
    a_file(tmp_path, "hook", "s3cr3t")
    assert EnvironmentSecrets({"MART_SECRETS": str(tmp_path)}).secret("hook") == "s3cr3t"


def test_a_missing_secret_is_told_with_the_places_that_were_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="MART_SECRET_HOOK is not set, and MART_SECRETS names no folder"):
        EnvironmentSecrets({"MART_SECRET_HOOK": ""}).secret("hook")
    with pytest.raises(UserError, match=f"MART_SECRET_HOOK is not set, and {tmp_path}/hook is missing"):
        EnvironmentSecrets({}, tmp_path).secret("hook")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o601])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = a_file(tmp_path, "hook", "s3cr3t", mode)
    with pytest.raises(UserError, match=f"chmod 600 {file}") as told:
        EnvironmentSecrets({}, tmp_path).secret("hook")
    assert "s3cr3t" not in str(told.value)


def test_a_file_that_is_no_text_is_refused_without_its_content(tmp_path: Path) -> None:
    file = a_file(tmp_path, "hook", "")
    file.write_bytes(b"s3cr3t\xff")
    with pytest.raises(UserError, match="is not text") as told:
        EnvironmentSecrets({}, tmp_path).secret("hook")
    assert told.value.__cause__ is None


@pytest.mark.parametrize("name", ["../ledger.sqlite", "a/b", "", "a b", "1st"])
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot name a secret"):
        EnvironmentSecrets({}, tmp_path).secret(name)
