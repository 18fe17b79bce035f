"""Queries at random over two small tables, each written in as many ways as one likes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import strategies as st

SCHEMAS = {
    "shop.orders": {
        "id": "BIGINT",
        "customer": "BIGINT",
        "amount": "DECIMAL(10,2)",
        "day": "DATE",
        "tags": "VARCHAR[]",
    },
    "shop.customers": {"id": "BIGINT", "email": "VARCHAR", "country": "VARCHAR"},
}
ROWS = (
    """
    INSERT INTO shop.orders
    SELECT i, i % 7, i * 37 % 50, DATE '2017-01-01' + (i % 4)::INTEGER, ['a', 'b'][: i % 3]
    FROM range(40) AS r(i)
    """,
    """
    INSERT INTO shop.customers
    SELECT i, 'c' || i || '@example.com', ['de', 'fr', NULL][i % 3 + 1] FROM range(1, 6) AS r(i)
    """,
)

JOINS = (
    "",
    "JOIN shop.customers AS {c} ON {c} . id = {o} . customer",
    "LEFT JOIN shop.customers AS {c} ON {c} . id = {o} . customer",
    "LEFT JOIN shop.customers AS {c} ON {c} . id = {o} . customer AND {c} . country = 'de'",
    "JOIN shop.customers AS {c} ON {c} . id < {o} . customer",
    "SEMI JOIN shop.customers AS {c} ON {c} . id = {o} . customer",
)
WHERE = (
    "",
    "WHERE {o} . amount > 10",
    "WHERE {o} . amount > 20",
    "WHERE {o} . customer IN ( SELECT {c}_2 . id FROM shop.customers AS {c}_2 )",
    "WHERE EXISTS ( SELECT 1 FROM shop.customers AS {c}_3 WHERE {c}_3 . id = {o} . id )",
    "WHERE EXISTS ( SELECT 1 FROM shop.customers AS {c}_3 WHERE {c}_3 . id = {o} . customer )",
)
INNER = (
    "{o} . id",
    "{o} . customer",
    "{o} . amount",
    "{o} . amount * 2",
    "len ( {o} . tags )",
    "{o} . id % 3",
)
SECOND = (
    "",
    "JOIN {spare} AS {s} ON {s} . n > {f} . {x}",
    "JOIN {first} AS {s} ON {s} . {x} = {f} . {y}",
    "JOIN {first} AS {s} ON {f} . {x} = {s} . {y}",
)
VALUES = (
    "{f} . {x}",
    "{f} . {y}",
    "{f} . {z} + 1",
    "1",
    "rank ( ) OVER ( PARTITION~BY {f} . {y} ORDER~BY {f} . {x} , {f} . {z} )",
    "( SELECT max ( {o}_2 . amount ) FROM shop.orders AS {o}_2 )",
    "( SELECT sum ( {spare} . n ) FROM {spare} )",
    "( SELECT count ( * ) FROM shop.customers AS {c}_4 WHERE {c}_4 . id > {f} . {x} )",
)
FIGURES = ("sum ( {f} . {x} )", "count ( * )", "max ( {f} . {z} )", "count ( DISTINCT {f} . {x} )", "1")
CLAUSES = (
    "",
    "WHERE {f} . {x} > 2",
    "ORDER~BY {f} . {x} , {f} . {y} , {f} . {z} LIMIT 5",
    "ORDER~BY {f} . {x} , {f} . {y} , {f} . {z} LIMIT 6",
    "ORDER~BY {f} . {z} DESC , {f} . {y} , {f} . {x} LIMIT 5",
    "QUALIFY row_number ( ) OVER ( PARTITION~BY {f} . {y} ORDER~BY {f} . {x} , {f} . {z} ) = 1",
    "QUALIFY row_number ( ) OVER ( PARTITION~BY {f} . {z} ORDER~BY {f} . {x} , {f} . {y} ) = 1",
)
GROUPINGS = ("", "GROUP~BY {f} . {y}", "GROUP~BY {f} . {z} , {f} . {y}", "GROUP~BY ALL")


@dataclass(frozen=True)
class Shape:
    """What a query says, whatever its names and its form: parts that fill the blanks of two steps."""

    join: str
    where: str
    inner: tuple[str, ...]
    outer: tuple[str, ...]
    distinct: str
    clauses: str
    second: str

    def written(self, style: "Style") -> str:
        """Return the query with the names and the form of a style."""
        columns = style.columns
        inner = ", ".join(f"{value} AS {name}" for name, value in zip(columns, self.inner, strict=True))
        outer = ", ".join(f"{value} AS out_{i}" for i, value in enumerate(self.outer))
        tables = [
            f"{{first}} AS ( SELECT {inner} FROM shop.orders AS {{o}} {self.join} {self.where} )",
            "{spare} AS ( SELECT country AS k , count ( * ) AS n FROM shop.customers GROUP~BY 1 )",
        ]
        with_ = ", ".join(reversed(tables) if style.turned else tables)
        select = f"SELECT {self.distinct} {outer} FROM {{first}} AS {{f}} {self.second} {self.clauses}"
        blanks = {**style.names, **dict(zip(("x", "y", "z"), columns, strict=True))}
        return style.spelled(f"WITH {with_} {select}".format(**blanks))

    def neighbours(self) -> Iterator["Shape"]:
        """Yield all shapes that differ from this one in one part."""
        yield from (replace(self, join=choice) for choice in JOINS)
        yield from (replace(self, where=choice) for choice in WHERE)
        yield from (replace(self, second=choice) for choice in SECOND)
        yield from (replace(self, inner=(choice, *self.inner[1:])) for choice in INNER)
        grouped = self.outer[1] not in VALUES or self.outer[2] not in VALUES
        yield from (
            replace(self, outer=(choice, *self.outer[1:])) for choice in (FIGURES if grouped else VALUES)
        )
        if not self.distinct:
            yield from (replace(self, clauses=choice) for choice in (GROUPINGS if grouped else CLAUSES))
        if "LIMIT" not in self.clauses:
            yield from (replace(self, distinct=choice) for choice in ("", "DISTINCT"))


@dataclass(frozen=True)
class Style:
    """How a query is written: names that only the query sees, order of its parts, case, blanks, comments."""

    names: dict[str, str]
    columns: tuple[str, ...] = ("x", "y", "z")
    turned: bool = False
    upper: bool = False
    blank: str = " "

    def spelled(self, sql: str) -> str:
        """Return the words of a query with the blanks and the case of this style; a text keeps its own."""
        words = [
            word if "'" in word else word.upper() if self.upper else word.lower() for word in sql.split()
        ]
        return self.blank.join(words).replace("~", " ")  # what sqlglot takes for one word


_CALLED = ("o", "c", "f", "s", "first", "spare")
PLAIN = Style({name: name for name in _CALLED})


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Draw a query of three output columns."""
    grouped = draw(st.booleans())
    clauses = draw(st.sampled_from(GROUPINGS if grouped else CLAUSES))
    outer = [draw(st.sampled_from(FIGURES if grouped else VALUES)) for _ in range(3)]
    return Shape(
        join=draw(st.sampled_from(JOINS)),
        where=draw(st.sampled_from(WHERE)),
        inner=tuple(draw(st.permutations(INNER))[:3]),
        outer=(*outer[:2], "count ( * )") if grouped else tuple(outer),
        distinct="" if "LIMIT" in clauses else draw(st.sampled_from(["", "DISTINCT"])),
        clauses=clauses,
        second=draw(st.sampled_from(SECOND)),
    )


@st.composite
def styles(draw: st.DrawFn) -> Style:
    """Draw a way of writing."""
    name = st.from_regex(r"[a-z][a-z_]{4,8}q", fullmatch=True)
    names = draw(st.lists(name, min_size=9, max_size=9, unique=True))
    return Style(
        names=dict(zip(_CALLED, names[3:], strict=True)),
        columns=tuple(names[:3]),
        turned=draw(st.booleans()),
        upper=draw(st.booleans()),
        blank=draw(st.sampled_from([" ", "\n", "\n\t  ", " /* all */ ", " -- all of it\n"])),
    )
