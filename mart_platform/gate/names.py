"""Names as DuckDB compares them, and what a name of a table says."""

import re
import string

from sqlglot import exp

from mart_platform.gate.questions import Named

_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_MART = re.compile(r"([a-z][a-z0-9_]*)(?:@([0-9]{1,9}|live|shadow))?")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")


def folded(name: str) -> str:
    """Return a name as DuckDB compares it: ASCII letters small, all others as they are.

    ``str.lower`` would make an ASCII ``k`` of the Kelvin sign, and with it a lookalike the same name.

    >>> folded("Sales"), folded(chr(0x212A) + "iosk") == "kiosk"
    ('sales', False)
    """
    return name.translate(_SMALL)


def named_by(table: exp.Table) -> Named | None:
    """Return the table that a node names as ``mart.table`` or ``mart@version.table``; None for any other."""
    mart, name = _MART.fullmatch(folded(table.db)), folded(table.name)
    if mart is None or table.catalog or not _TABLE.fullmatch(name):
        return None
    return Named(mart[1], name, mart[2])


def alias_of(source: exp.Expr) -> str:
    """Return by which name a source in FROM is called, folded; empty where it has none."""
    return folded(source.alias_or_name)
