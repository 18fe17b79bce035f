"""Nothing leaves in the places of NULLs: neither what was in the memory before, nor what is hidden."""

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, Structure, addressof, c_int64, c_void_p
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mart_platform.adapters.queries import DuckDBQueries
from mart_platform.adapters.queries.blanking import Layout, blank, layout_of
from mart_platform.ports import Execution
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.settings import ServingSettings

CANARY = "canary-0123456789-canary"
LEFT = b"\xa5"
"""What lies in the memory before anything is written there."""


class CArray(Structure):
    """Arrow's C array, as far as its buffers and children go; what it points to is kept with it."""

    _fields_ = [
        *((name, c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
        *((name, c_void_p) for name in ("buffers", "children")),
    ]

    @classmethod
    def of(cls, valid: list[bool], values: bytes, *children: "CArray") -> "CArray":
        bits = sum(is_valid << number for number, is_valid in enumerate(valid))
        bitmap = ctypes.create_string_buffer(bits.to_bytes(len(valid) // 8 + 1, "little"))
        data = ctypes.create_string_buffer(values, len(values) + 1)
        buffers = (c_void_p * 2)(addressof(bitmap), addressof(data))
        below = (POINTER(CArray) * len(children))(*map(ctypes.pointer, children))
        array = cls(len(valid), valid.count(False), 0, 2, len(children), addressof(buffers), addressof(below))
        array.kept = bitmap, data, buffers, below, children
        return array

    @property
    def values(self) -> bytes:
        return bytes(self.kept[1].raw[:-1])


VALIDITY = st.lists(st.booleans(), min_size=1, max_size=70)


@given(valid=VALIDITY, width=st.sampled_from([1, 2, 4, 8, 16]))
def test_values_stay_and_what_lies_under_nulls_is_gone(valid: list[bool], width: int) -> None:
    array = CArray.of(valid, LEFT * (len(valid) * width))
    blank(array, Layout(8 * width, parts=0, children=()))
    assert array.values == b"".join((LEFT if each else b"\0") * width for each in valid)


@given(valid=VALIDITY)
def test_bits_stay_and_those_under_nulls_are_gone(valid: list[bool]) -> None:
    array = CArray.of(valid, b"\xff" * ((len(valid) + 7) // 8))
    blank(array, Layout(1, parts=0, children=()))
    bits = int.from_bytes(array.values, "little")
    assert [bool(bits >> number & 1) for number in range(len(valid))] == valid


@given(valid=VALIDITY, times=st.integers(1, 3))
def test_what_is_a_part_of_null_is_gone_though_it_has_a_value(valid: list[bool], times: int) -> None:
    part = CArray.of([True] * (len(valid) * times), LEFT * (len(valid) * times * 2))
    below = Layout(16, parts=0, children=())
    blank(CArray.of(valid, b"", part), Layout(0, parts=times, children=(below,)))
    assert part.values == b"".join((LEFT if each else b"\0") * times * 2 for each in valid)


@pytest.mark.parametrize(
    ("form", "bits"),
    [("b", 1), ("i", 32), ("d:38,2", 128), ("d:9,2,32", 32), ("tsu:UTC", 64), ("tdD", 32), ("w:16", 128)],
)
def test_the_bits_of_a_value_are_those_of_its_format(form: str, bits: int) -> None:
    assert layout_of(schema(form)).bits == bits


def test_a_format_that_is_not_known_is_no_answer() -> None:
    with pytest.raises(ValueError, match=r"format \+vl"):
        layout_of(schema("+vl"))


class CSchema(Structure):
    """Arrow's C schema of a column without parts."""

    _fields_ = [("format", c_void_p), ("n_children", c_int64), ("children", c_void_p)]


def schema(form: str) -> CSchema:
    text = ctypes.create_string_buffer(form.encode())
    schema = CSchema(addressof(text), 0, None)
    schema.kept = text
    return schema


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBQueries]:
    engine = DuckDBQueries(DataFolder(tmp_path), ServingSettings())
    yield engine
    engine.close()


def test_no_answer_holds_a_value_of_another_query(engine: DuckDBQueries) -> None:
    before = f"SELECT '{CANARY}' || i AS text, CAST(i AS DECIMAL(30,2)) AS n FROM range(3000) AS t(i)"
    hidden = (
        "SELECT CAST(text AS DECIMAL(30,2)) AS a, CAST(text AS DATE) AS b, CAST(text AS BIGINT) AS c,"
        " {'x': CAST(text AS DOUBLE)} AS d FROM (SELECT CAST(NULL AS VARCHAR) AS text FROM range(3000))"
    )
    for _ in range(20):
        engine.run(Execution(before, {})).close()
        result = engine.run(Execution(hidden, {}))
        with result.open() as stream:
            sent = stream.read()
        result.close()
        assert CANARY.encode()[:12] not in sent
        # Messages and validity are small; the values of four columns of 3,000 rows are zeros.
        assert len(sent.replace(b"\0", b"")) < 8_000
