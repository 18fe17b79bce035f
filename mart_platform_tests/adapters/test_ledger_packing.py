from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mart_platform.adapters.ledger import packing
from mart_platform_tests.adapters.ledger_records import a_version_of_days

lines = st.lists(st.sampled_from(["{a}", "{b}", "[c]", "{d}", "[é]"]) | st.text("{[x", min_size=1))


@given(lines, lines)
def test_a_difference_and_its_base_make_the_lines_again(ours: list[str], base: list[str]) -> None:
    kept = packing.packed(base)
    assert packing.applied(packing.difference(ours, packing.unpacked(kept)), packing.unpacked(kept)) == ours


@given(st.lists(st.integers(0, 400), unique=True), st.lists(st.text(), min_size=2, max_size=2))
def test_a_version_is_made_again_from_its_record_and_lines(days: list[int], odd: list[str]) -> None:
    written = {date(2026, 1, 1) + timedelta(day): odd[day % 2] for day in days}
    version = a_version_of_days(odd[0], written)
    reader = packing.Reader()
    record, lines = packing.record_of(version), packing.lines_of(version)
    assert reader.version_of(record, lines) == version
    assert reader.version_of(record, lines) == version


def test_a_version_that_differs_in_a_day_is_a_hundred_times_smaller_than_its_list() -> None:
    written = {date(2026, 1, 1) + timedelta(day): "first" for day in range(365)}
    before = packing.lines_of(a_version_of_days("v1", written))
    after = packing.lines_of(a_version_of_days("v2", {**written, date(2026, 7, 1): "again"}))
    assert len(packing.difference(after, before)) * 100 < len("".join(after))


def test_a_list_that_is_quite_another_is_no_difference() -> None:
    days = [date(2026, 1, 1) + timedelta(day) for day in range(365)]
    before = packing.lines_of(a_version_of_days("v1", dict.fromkeys(days, "first")))
    after = packing.lines_of(a_version_of_days("v2", dict.fromkeys(days, "compacted")))
    base = packing.packed(before)
    assert packing.outgrown(base, packing.difference(after, before))
    assert not packing.outgrown(base, packing.difference(before, before))
