"""The constructs that a query may be made of: types of nodes, and which of their parts may be there."""

from sqlglot import exp

_MODIFIERS = "where group having qualify windows order limit offset"
_PAIR = "this expression"
_SET = f"{_PAIR} with_ distinct by_name order limit offset"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


NODES: dict[type[exp.Expr], frozenset[str]] = {
    node: _names(parts)
    for node, parts in {
        # queries
        exp.Select: f"with_ expressions distinct from_ joins {_MODIFIERS}",
        exp.Union: _SET,
        exp.Except: _SET,
        exp.Intersect: _SET,
        exp.Subquery: "this alias with_ joins order limit offset",
        exp.With: "expressions recursive",
        exp.CTE: "this alias materialized",
        exp.TableAlias: "this columns",
        exp.From: "this",
        exp.Table: "this db alias joins",
        exp.Join: "this on using side kind method",
        exp.Lateral: "this alias",
        exp.Unnest: "expressions alias",
        exp.Values: "expressions alias",
        exp.Where: "this",
        exp.Group: "expressions grouping_sets cube rollup all",
        exp.GroupingSets: "expressions",
        exp.Cube: "expressions",
        exp.Rollup: "expressions",
        exp.Having: "this",
        exp.Qualify: "this",
        exp.Order: "this expressions",
        exp.Ordered: "this desc nulls_first",
        exp.Limit: "expression",
        exp.Offset: "expression",
        exp.Distinct: "expressions on",
        exp.Tuple: "expressions",
        # names and values
        exp.Identifier: "this quoted",
        exp.Column: "this table db catalog",
        exp.Star: "except_ replace rename",
        exp.Dot: _PAIR,
        exp.Alias: "this alias",
        exp.Literal: "this is_string",
        exp.RawString: "this",
        exp.Boolean: "this",
        exp.Null: "",
        exp.Var: "this",
        exp.Interval: "this unit",
        exp.Placeholder: "this",
        exp.Array: "expressions bracket_notation",
        exp.Struct: "expressions",
        exp.PropertyEQ: _PAIR,
        exp.Map: "keys values",
        exp.Bracket: "this expressions offset",
        exp.Slice: _PAIR,
        # conditions
        exp.And: _PAIR,
        exp.Or: _PAIR,
        exp.Not: "this",
        exp.Paren: "this",
        exp.EQ: _PAIR,
        exp.NEQ: _PAIR,
        exp.LT: _PAIR,
        exp.LTE: _PAIR,
        exp.GT: _PAIR,
        exp.GTE: _PAIR,
        exp.NullSafeEQ: _PAIR,
        exp.NullSafeNEQ: _PAIR,
        exp.Is: _PAIR,
        exp.In: "this expressions query",
        exp.Between: "this low high",
        exp.Like: f"{_PAIR} negate",
        exp.ILike: f"{_PAIR} negate",
        exp.Escape: _PAIR,
        exp.SimilarTo: _PAIR,
        exp.Exists: "this",
        exp.Any: "this",
        exp.All: "this",
        exp.Case: "this ifs default",
        exp.If: "this true false",
        # arithmetic
        exp.Add: _PAIR,
        exp.Sub: _PAIR,
        exp.Mul: _PAIR,
        exp.Div: f"{_PAIR} typed safe",
        exp.IntDiv: _PAIR,
        exp.Mod: _PAIR,
        exp.Neg: "this",
        exp.DPipe: f"{_PAIR} safe",
        # types
        exp.Cast: "this to",
        exp.TryCast: "this to safe requires_string",
        exp.DataType: "this expressions nested kind",
        exp.DataTypeParam: "this",
        exp.ColumnDef: "this kind",
        # calls: by name, and those that sqlglot knows by a grammar of their own
        exp.Anonymous: "this expressions",
        exp.ApproxQuantile: "this quantile",
        exp.ArgMax: "this expression count",
        exp.ArgMin: "this expression count",
        exp.Ceil: "this",
        exp.Chr: "expressions",
        exp.CurrentDate: "",
        exp.CurrentTimestamp: "",
        exp.Extract: _PAIR,
        exp.FirstValue: "this",
        exp.Floor: "this",
        exp.GroupConcat: "this separator",
        exp.Lag: "this offset default",
        exp.LastValue: "this",
        exp.Lead: "this offset default",
        exp.Localtimestamp: "",
        exp.Max: "this count",
        exp.Min: "this count",
        exp.NthValue: "this offset",
        exp.PercentileCont: _PAIR,
        exp.PercentileDisc: _PAIR,
        exp.Quantile: "this quantile",
        exp.StrPosition: "this substr",
        exp.Substring: "this start length",
        exp.Trim: "this expression position",
        # what stands around a call
        exp.Filter: _PAIR,
        exp.Window: "this partition_by order spec alias over",
        exp.WindowSpec: "kind start start_side end end_side exclude",
        exp.IgnoreNulls: "this",
        exp.RespectNulls: "this",
    }.items()
}

JOINS: dict[str, frozenset[str]] = {
    "method": frozenset({"ASOF", "NATURAL"}),
    "side": frozenset({"LEFT", "RIGHT", "FULL"}),
    "kind": frozenset({"INNER", "OUTER", "CROSS", "SEMI", "ANTI"}),
}
"""The kinds of joins. A positional one pairs rows that have nothing to do with each other."""

FRAMES: dict[str, frozenset[str]] = {
    "kind": frozenset({"ROWS", "RANGE", "GROUPS"}),
    "start": frozenset({"UNBOUNDED", "CURRENT ROW"}),
    "end": frozenset({"UNBOUNDED", "CURRENT ROW"}),
    "start_side": frozenset({"PRECEDING", "FOLLOWING"}),
    "end_side": frozenset({"PRECEDING", "FOLLOWING"}),
}
"""The words of a window's frame."""

EXCLUDED = frozenset({"CURRENT ROW", "GROUP", "TIES", "NO OTHERS"})
"""What may be left out of a window's frame."""

UNITS = _names(
    """
    CENTURY DAY DECADE DOW DOY EPOCH ERA HOUR ISODOW ISOYEAR JULIAN MICROSECOND MILLENNIUM MILLISECOND MINUTE
    MONTH QUARTER SECOND WEEK YEAR YEARWEEK
    DAYS DECADES HOURS MICROSECONDS MILLISECONDS MINUTES MONTHS QUARTERS SECONDS WEEKS YEARS CENTURIES
    """
)
"""Parts of dates, and units of intervals."""

TYPES = frozenset(
    {
        exp.DType.BOOLEAN,
        exp.DType.TINYINT,
        exp.DType.SMALLINT,
        exp.DType.INT,
        exp.DType.BIGINT,
        exp.DType.INT128,
        exp.DType.UTINYINT,
        exp.DType.USMALLINT,
        exp.DType.UINT,
        exp.DType.UBIGINT,
        exp.DType.UINT128,
        exp.DType.FLOAT,
        exp.DType.DOUBLE,
        exp.DType.DECIMAL,
        exp.DType.VARCHAR,
        exp.DType.TEXT,
        exp.DType.VARBINARY,
        exp.DType.DATE,
        exp.DType.TIME,
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPNTZ,
        exp.DType.TIMESTAMPTZ,
        exp.DType.INTERVAL,
        exp.DType.UUID,
        exp.DType.ARRAY,
        exp.DType.STRUCT,
    }
)
"""The types that a value may be cast to. Names of other types could be those of objects in a catalogue."""
