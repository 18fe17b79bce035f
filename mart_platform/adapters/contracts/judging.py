"""Judges pieces of deliveries by the contract of their table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from pandera.errors import SchemaErrors

from mart_platform.adapters.contracts.json_rows import json_rows
from mart_platform.adapters.contracts.schemas import row_checks, strict_schema
from mart_platform.adapters.contracts.types import from_text, from_typed
from mart_platform.ports import Judged
from mart_platform.spec.checks import Check, NotNull
from mart_platform.spec.sources import EXTRA_COLUMN, ROW_COLUMN, SourceTable

_BAD = {ROW_COLUMN: pl.Int64(), "reasons": pl.List(pl.String()), "record": pl.String()}
_LONGEST_SHOWN = 60


class PanderaContracts:
    """Reads values strictly, validates with pandera, and parts good rows from bad, with every reason."""

    def judge(self, contract: SourceTable, frame: pl.DataFrame, *, as_text: bool) -> Judged:
        """Judge one piece. Where all rows pass, nothing is computed for single rows."""
        raw = _by_declared_name(contract, frame)
        read = _read(contract, raw, as_text=as_text)
        unread = _unread(raw, read)
        failed = _failed_checks(contract, read)
        faults = [*_reading_faults(contract, unread), *_check_faults(failed, unread)]
        return Judged(
            good=_good(contract, frame, read, faults),
            bad=_bad(frame, raw, faults),
            warned={check.name: int(rows.sum()) for check, rows in failed if not check.blocks},
            retyped=_retyped(raw, unread),
        )


@dataclass(frozen=True)
class _Fault:
    """What is wrong with some rows (a mask): words before and after the delivered value of a column."""

    rows: pl.Series
    column: str
    before: str
    after: str

    def reasons(self, delivered: pl.Series) -> pl.Series:
        """Return the reason for each value of the column."""
        shown = pl.DataFrame([_shown(delivered).alias("value")])
        return shown.select(pl.concat_str(pl.lit(self.before), "value", pl.lit(self.after))).to_series()


def _by_declared_name(contract: SourceTable, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the declared columns as delivered; one that this piece lacks (JSON lines) is NULL."""
    return frame.select(
        (pl.col(found) if found in frame.columns else pl.lit(None, dtype=pl.String)).alias(name)
        for name, found in _delivered_names(contract).items()
    )


def _delivered_names(contract: SourceTable) -> dict[str, str]:
    return {name: column.delivered_as or name for name, column in contract.columns.items()}


def _read(contract: SourceTable, raw: pl.DataFrame, *, as_text: bool) -> pl.DataFrame:
    """Return the declared columns in their declared types; what cannot be read exactly is NULL."""
    return raw.select(
        (
            from_text(pl.col(name), column.type)
            if as_text
            else from_typed(pl.col(name), raw.schema[name], column.type)
        ).alias(name)
        for name, column in contract.columns.items()
    )


def _unread(raw: pl.DataFrame, read: pl.DataFrame) -> dict[str, pl.Series]:
    """Return for each column that has them the values that could not be read, as a mask."""
    return {
        name: raw[name].is_not_null() & read[name].is_null()
        for name in read.columns
        if raw[name].null_count() != read[name].null_count()
    }


def _failed_checks(contract: SourceTable, read: pl.DataFrame) -> list[tuple[Check, pl.Series]]:
    """Return the checks that fail, each with the failing rows as a mask."""
    checks = row_checks(contract)
    try:
        strict_schema(contract).validate(read, lazy=True)
    except SchemaErrors as errors:
        for error in errors.schema_errors:
            if error.check_output is None:  # the check itself could not be run: a defect, or a bad pattern
                raise
        return [
            (checks[str(error.check.name)], ~error.check_output.to_series()) for error in errors.schema_errors
        ]
    return []


def _reading_faults(contract: SourceTable, unread: Mapping[str, pl.Series]) -> list[_Fault]:
    return [
        _Fault(rows, name, f'{name}: "', f'" is not a {contract.columns[name].type}')
        for name, rows in unread.items()
    ]


def _check_faults(failed: Sequence[tuple[Check, pl.Series]], unread: Mapping[str, pl.Series]) -> list[_Fault]:
    """Return the faults of blocking checks; a value that cannot be read is not called missing as well."""
    faults = []
    for check, rows in failed:
        column = str(getattr(check, "column", ""))
        if isinstance(check, NotNull) and column in unread:
            rows = rows & ~unread[column]  # noqa: PLW2901 the same rows, less those told already
        if check.blocks:
            faults.append(_Fault(rows, column, f"{check.name}: {check.says} Found ", "."))
    return faults


def _good(
    contract: SourceTable, frame: pl.DataFrame, read: pl.DataFrame, faults: Sequence[_Fault]
) -> pl.DataFrame:
    known = {ROW_COLUMN, *_delivered_names(contract).values()}
    extra = json_rows(frame.drop(name for name in frame.columns if name in known))
    whole = read.with_columns(frame[ROW_COLUMN], extra.alias(EXTRA_COLUMN))
    return whole.filter(~_any(faults)) if faults else whole


def _bad(frame: pl.DataFrame, raw: pl.DataFrame, faults: Sequence[_Fault]) -> pl.DataFrame:
    if not faults:
        return pl.DataFrame(schema=_BAD)
    rows = _any(faults)
    raw, frame = raw.filter(rows), frame.filter(rows)
    told = pl.DataFrame(
        [
            fault.reasons(raw[fault.column]).set(~fault.rows.filter(rows), None).alias(str(number))
            for number, fault in enumerate(faults)
        ]
    )
    return pl.DataFrame(
        [
            frame[ROW_COLUMN],
            told.select(pl.concat_list(pl.all()).list.drop_nulls()).to_series().alias("reasons"),
            json_rows(frame.drop(ROW_COLUMN)).alias("record"),
        ]
    )


def _any(faults: Sequence[_Fault]) -> pl.Series:
    return (
        pl.DataFrame([fault.rows.alias(str(number)) for number, fault in enumerate(faults)])
        .select(pl.any_horizontal(pl.all()))
        .to_series()
    )


def _retyped(raw: pl.DataFrame, unread: Mapping[str, pl.Series]) -> dict[str, str]:
    """Return the columns of which no value can be read, with one of these.

    One value alone does not tell, nor do a few in a column that is mostly empty: these are bad rows.
    """
    return {
        name: str(_shown(raw[name].drop_nulls().head(1)).item())
        for name, rows in unread.items()
        if (lost := rows.sum()) == raw[name].len() - raw[name].null_count() > 1 and 2 * lost >= raw.height
    }


def _shown(values: pl.Series) -> pl.Series:
    """Return values as people read them, long ones cut."""
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        text = json_rows(values.to_frame())
    else:
        text = values.cast(pl.String)
    cut = text.str.slice(0, _LONGEST_SHOWN) + "…"
    return text.zip_with((text.str.len_chars() <= _LONGEST_SHOWN).fill_null(value=True), cut).fill_null(
        "NULL"
    )
