import csv
import gzip
import io
import json
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mart_platform.adapters.formats import DeliveredFormats
from mart_platform.adapters.formats.separated import Dialect, Records
from mart_platform.ports import Unreadable


def read(content: bytes, name: str = "orders.csv", **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows and the broken rows of a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kept"
        file.write_bytes(content)
        with DeliveredFormats().open(file, name, options) as delivered:
            frames = list(delivered.frames)
            rows = pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
            return rows, delivered.broken()


def rows_of(content: bytes, name: str = "orders.csv", **options: Any) -> list[tuple[Any, ...]]:
    rows, broken = read(content, name, **options)
    assert broken.is_empty()
    return rows.rows()


def parquet_of(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def zip_of(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "."), text)
    return buffer.getvalue()


def test_csv_values_are_text_with_the_empty_unquoted_field_as_null() -> None:
    assert rows_of(b'a,b\n001,\n"",N/A\n" x ","say ""hi"""\n', nulls=["N/A"]) == [
        ("001", None, 1),
        ("", None, 2),
        (" x ", 'say "hi"', 3),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"a,b\n1,2\n3,4",
        b"\xef\xbb\xbfa,b\n1,2\n\n\n3,4\n\n",
        b'"a","b"\n"1","2"\n"3",4\n',
    ],
    ids=["CRLF", "no final newline", "byte order mark and empty lines", "quoted"],
)
def test_csv_reads_the_same_rows_however_lines_end(content: bytes) -> None:
    assert rows_of(content) == [("1", "2", 1), ("3", "4", 2)]


def test_csv_keeps_newlines_inside_quotes() -> None:
    assert rows_of(b'a,b\n"x\ny\r\nz",1\n"\n",2\n') == [("x\ny\r\nz", "1", 1), ("\n", "2", 2)]


@pytest.mark.parametrize("separator", [";", "\t", "|", "||", "¦"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_csv_of_any_separator_and_encoding(separator: str, encoding: str) -> None:
    text = f'a{separator}b\n"x{separator}y"{separator}é\n1{separator}2\n'
    rows = rows_of(text.encode(encoding), separator=separator, encoding=encoding)
    assert rows == [(f"x{separator}y", "é", 1), ("1", "2", 2)]


def test_csv_without_quoting_takes_quotes_as_text() -> None:
    assert rows_of(b'a\tb\n5" pipe\t"\n', "pipes.tsv", quote="") == [('5" pipe', '"', 1)]


def test_rows_that_cannot_be_split_are_told_with_their_text_and_cost_no_other_row() -> None:
    rows, broken = read(b'a,b\n1,2\n3\n4,5,6\n7,"open\n8,9\n10,x"y"\n11,12\n')
    assert rows.rows() == [("1", "2", 1), ("8", "9", 5), ("11", "12", 7)]
    assert broken.select("_row", "line").rows() == [(2, "3"), (3, "4,5,6"), (4, '7,"open'), (6, '10,x"y"')]
    assert broken["reason"][0] == "has 1 fields, the header has 2"
    assert "quote" in broken["reason"][2]


def test_a_column_without_a_name_is_dropped_where_it_is_empty() -> None:
    rows, broken = read(b"a,b,\n1,2,\n3,4,x\n")
    assert rows.rows() == [("1", "2", 1)]
    assert broken.rows() == [(2, "3,4,x", "has a value in a column without a name")]


def test_zip_and_gzip_are_unpacked() -> None:
    assert rows_of(gzip.compress(b"a\n1\n"), "orders.csv.gz") == [("1", 1)]
    assert rows_of(zip_of(o_csv="a\n1\n"), "orders.zip") == [("1", 1)]
    assert rows_of(zip_of(o_csv="a\n1\n", p_csv="a\n2\n"), "orders.zip", member="p.csv") == [("2", 1)]


def test_a_header_alone_is_a_delivery_without_rows() -> None:
    assert rows_of(b"a,b\n") == []


def test_json_lines_keep_numbers_as_written_and_nested_values_as_json() -> None:
    text = '{"a": 1.10, "b": {"c": [1e3, "é", null]}}\n{"a": "x", "d": true}\n\n{"a": null}'
    rows = rows_of(text.encode(), "events.jsonl")
    assert rows == [
        ("1.10", '{"c":[1e3,"é",null]}', 1, None),
        ("x", None, 2, "true"),
        (None, None, 3, None),
    ] or rows == [
        ("1.10", '{"c":[1e3,"é",null]}', None, 1),
        ("x", None, "true", 2),
        (None, None, None, 3),
    ]


def test_lines_that_are_no_json_object_are_broken_rows() -> None:
    rows, broken = read(b'{"a":1}\n[1]\n{"a":1,"a":2}\n{"a":NaN}\n{"a"\n{"a":2}\n', "events.jsonl")
    assert rows["_row"].to_list() == [1, 6]
    assert broken.select("_row", "line").rows() == [
        (2, "[1]"),
        (3, '{"a":1,"a":2}'),
        (4, '{"a":NaN}'),
        (5, '{"a"'),
    ]


def test_parquet_comes_typed_with_row_numbers() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert rows_of(parquet_of(frame), "orders.parquet") == [(1, "x", 1), (2, None, 2)]


BROKEN_FILES = {
    "empty": (b"", "o.csv", {}, "is empty"),
    "no line": (b"\n\n", "o.csv", {}, "holds no line"),
    "packed nothing": (gzip.compress(b""), "o.csv.gz", {}, "holds no line"),
    "half a gzip": (gzip.compress(b"a\n" + b"1\n" * 9999)[:-20], "o.csv.gz", {}, "truncated or damaged"),
    "half a zip": (zip_of(o_csv="a\n1\n" * 99)[:-40], "o.zip", {}, "truncated or damaged"),
    "half a parquet": (parquet_of(pl.DataFrame({"a": [1]}))[:-9], "o.parquet", {}, "no whole Parquet file"),
    "half a row": (b"a,b\n1,2\n3", "o.csv", {}, "truncated: its last row (2) has 1 fields"),
    "half a quote": (b'a,b\n1,2\n3,"x', "o.csv", {}, "truncated: its last row (2)"),
    "half an object": (b'{"a":1}\n{"a":', "o.jsonl", {}, "truncated: its last row (2)"),
    "parquet as csv": (parquet_of(pl.DataFrame({"a": [1]})), "o.csv", {}, "this is a Parquet file"),
    "csv as parquet": (b"a,b\n1,2\n", "o.parquet", {}, "no whole Parquet file"),
    "csv as gzip": (b"a,b\n1,2\n", "o.csv.gz", {}, "says that it is compressed"),
    "csv as json": (b"a,b\n1,2\n", "o.json", {}, "first line is no JSON object"),
    "binary as csv": (bytes(range(128)) * 9, "o.csv", {}, "zero bytes"),
    "latin-1 as utf-8": ("a\né\n".encode("latin-1"), "o.csv", {}, "E9, which is no utf-8"),
    "utf-16 as utf-8": ("a\né\n".encode("utf-16"), "o.csv", {}, "'encoding'"),
    "a name twice": (b"a,b,a\n1,2,3\n", "o.csv", {}, "names the column 'a' more than once"),
    "landing's name": (b"a,_row\n1,2\n", "o.csv", {}, "'_row' is landing's own"),
    "wrong quote in header": (b'a,"b\n1,2\n', "o.csv", {}, "header cannot be split"),
    "no format": (b"a\n1\n", "o.dat", {}, "'.dat' tells no format"),
    "two members": (zip_of(o_csv="a\n", p_csv="a\n"), "o.zip", {}, "holds o.csv, p.csv"),
    "no such member": (zip_of(o_csv="a\n"), "o.zip", {"member": "x.csv"}, "no member 'x.csv'"),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_file_that_is_not_what_it_should_be_is_refused_with_its_name_and_a_remedy(case: str) -> None:
    content, name, options, said = BROKEN_FILES[case]
    with pytest.raises(Unreadable) as caught:
        read(content, name, **options)
    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


FIELD = st.text(alphabet='ab,"\n\r é;', max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(FIELD, min_size=3, max_size=3), max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_writes_is_read_back_exactly(rows: list[list[str]], end: str) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["x", "y", "z"], *rows])
    assert rows_of(buffer.getvalue().encode()) == [(*row, number) for number, row in enumerate(rows, 1)]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab,"\n\r', max_size=60))
def test_every_character_of_a_damaged_csv_is_in_a_row_or_in_a_broken_row(text: str) -> None:
    rows, broken = read(f"x,y\n{text}\n".encode())
    numbers = sorted([*rows.get_column("_row", default=pl.Series([])), *broken["_row"]])
    assert numbers == list(range(1, len(numbers) + 1))
    kept = "".join([*broken["line"], *("".join(value or "" for value in row[:2]) for row in rows.rows())])
    for letter in "ab":
        assert kept.count(letter) == text.count(letter)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab,"\n\r', max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_records_do_not_depend_on_where_a_block_of_text_ends(text: str, cuts: list[int]) -> None:
    ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    blocks = [text[start:end] for start, end in pairwise(ends)]

    def records(blocks: list[str]) -> list[str]:
        pieces = Records(Dialect(",", '"'), "o.csv").of(iter(blocks))
        return [record for piece in pieces for record in piece]

    assert records(blocks) == records([text])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=5), min_size=1), min_size=1))
def test_json_lines_are_read_back_exactly(objects: list[dict[str, str]]) -> None:
    rows, broken = read("\n".join(json.dumps(one) for one in objects).encode(), "o.jsonl")
    assert broken.is_empty()
    found = [{k: v for k, v in row.items() if k != "_row" and v is not None} for row in rows.to_dicts()]
    assert found == objects
