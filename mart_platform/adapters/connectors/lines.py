"""Rows of text written as they were delivered: as CSV in the declared dialect, or as JSON lines."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mart_platform.adapters.connectors.options import FormatOptions
from mart_platform.planning.quoting import identifier, literal


@dataclass(frozen=True)
class Lines:
    """How rows with these columns of text are written, so that landing reads the same texts again."""

    columns: Collection[str]
    options: FormatOptions
    as_json: bool

    @property
    def line(self) -> str:
        """The SQL of a row's line."""
        if self.as_json:
            pairs = ", ".join(f"{literal(name)}, {identifier(name)}" for name in self.columns)
            return f"json_object({pairs})::VARCHAR"
        return self._separated(identifier(name) for name in self.columns)

    @property
    def header(self) -> str | None:
        """The SQL of the first line; None for a form that has none."""
        return None if self.as_json else self._separated(literal(name) for name in self.columns)

    def _separated(self, values: Iterable[str]) -> str:
        nothing = literal(self.options.nulls[0] if self.options.nulls else "")
        fields = ", ".join(f"coalesce({self._field(value)}, {nothing})" for value in values)
        return f"concat_ws({literal(self._separator)}, {fields})"

    def _field(self, value: str) -> str:
        """Return the SQL of a field, in quotes where it needs them."""
        if not (quote := self.options.quote):
            return value
        signs = (self._separator, quote, "\n", "\r")
        needed = " OR ".join(f"contains({value}, {literal(sign)})" for sign in signs)
        mark, twice = literal(quote), literal(quote * 2)
        within = f"{mark} || replace({value}, {mark}, {twice}) || {mark}"
        return f"CASE WHEN {value} = '' OR {needed} THEN {within} ELSE {value} END"

    @property
    def _separator(self) -> str:
        return self.options.separator or ","
