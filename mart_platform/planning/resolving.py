"""Which tables each model reads: names resolved, layers kept apart, an order found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mart_platform.planning.queries import (
    Query,
    has_volatile_call,
    named_tables,
    parse_query,
    table_functions,
)
from mart_platform.spec.problems import Place, Problem, nearest
from mart_platform.spec.warehouse import DeclaredModel, SqlText, Warehouse


@dataclass(frozen=True)
class ResolvedModel:
    """A model with its parsed query (None for Python) and the tables that it reads, each with its place."""

    declared: DeclaredModel
    query: Query | None
    inputs: Mapping[str, Place]

    @property
    def name(self) -> str:
        return self.declared.contract.table


@dataclass(frozen=True)
class Names:
    """All tables of a warehouse by layer: landed ones, canonical ones, and those of each mart."""

    landed: frozenset[str]
    canonical: frozenset[str]
    marts: Mapping[str, frozenset[str]]
    built_from: Mapping[str, str]

    @classmethod
    def of(cls, warehouse: Warehouse) -> "Names":
        return cls(
            landed=frozenset(
                f"{s.spec.source}.{table}" for s in warehouse.sources for table in s.spec.tables
            ),
            canonical=frozenset(model.contract.table for model in warehouse.canonical),
            marts={m.spec.mart: frozenset(t.contract.table for t in m.tables) for m in warehouse.marts},
            built_from={mart.spec.mart: mart.spec.built_from for mart in warehouse.marts},
        )

    def all(self) -> frozenset[str]:
        return self.landed.union(self.canonical, *self.marts.values())


def resolve(model: DeclaredModel, names: Names) -> tuple[ResolvedModel | None, list[Problem]]:
    """Return a model with what it reads, or None when it cannot be planned, and all that is wrong with it."""
    query: Query | None = None
    if isinstance(model.model, SqlText):
        parsed = parse_query(model.model.file, model.model.text)
        if isinstance(parsed, Problem):
            return None, [parsed]
        query = parsed
        problems = list(_refused_calls(query))
        named = {table.name: Place(query.file, table.line) for table in reversed(list(named_tables(query)))}
    else:
        problems = []
        named = {table: model.origin.place("inputs", alias) for alias, table in model.contract.inputs.items()}
    for name, place in named.items():
        problems += unknown_table(name, place, names.all()) or _forbidden_input(model, name, place, names)
    resolved = ResolvedModel(model, query, dict(sorted(named.items())))
    return (None if problems else resolved), problems


def unknown_table(name: str, place: Place, known: Iterable[str]) -> list[Problem]:
    """Return the problem of naming a table that does not exist, if it is one."""
    known = frozenset(known)
    if name in known:
        return []
    if "." not in name:
        candidates = [table for table in known if table.split(".", 1)[1] == name]
        remedy = f"Write '{candidates[0]}'." if len(candidates) == 1 else "Write it as schema.table."
        return [Problem(place, f"table '{name}' is named without its schema.", remedy)]
    return [Problem(place, f"there is no table '{name}'.", nearest(name, known))]


def in_build_order(models: Iterable[ResolvedModel]) -> tuple[list[ResolvedModel], list[Problem]]:
    """Return the models so that each comes after what it reads, and a problem for each cycle."""
    waiting = {model.name: model for model in sorted(models, key=lambda model: model.name)}
    ordered: list[ResolvedModel] = []
    while ready := [m for m in waiting.values() if not any(name in waiting for name in m.inputs)]:
        ordered += [waiting.pop(model.name) for model in ready]
    return ordered, _cycles(waiting)


def _refused_calls(query: Query) -> Iterable[Problem]:
    for function in table_functions(query):
        if function.name.lower() not in _PURE_TABLE_FUNCTIONS:
            yield Problem(
                Place(query.file, function.line),
                f"'{function.name}' reads from outside of the warehouse.",
                "Declare a source for it and read the landed table.",
            )
    if call := has_volatile_call(query):
        yield Problem(
            Place(query.file),
            f"'{call}' gives another value at every run, so the same input would not give the same table.",
            "Take the moment from a column of the data.",
        )


_PURE_TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "generateseries", "explodinggenerateseries"}


def _forbidden_input(model: DeclaredModel, name: str, place: Place, names: Names) -> list[Problem]:
    """Return the problem of reading against the way of the data, or past what the mart is built from."""
    reader = model.contract.table
    mart = reader.split(".", 1)[0]
    if name == reader:
        return [Problem(place, f"'{reader}' reads itself.", "A model sees only its inputs.")]
    if reader in names.canonical and name not in names.landed | names.canonical:
        return [
            Problem(
                place,
                f"canonical table '{reader}' reads '{name}' of a mart, against the way of the data.",
                "Read landed or canonical tables.",
            )
        ]
    if names.built_from.get(mart) == "sources":
        dependent = names.built_from.get(name.split(".", 1)[0]) == "canonical"
        if name in names.canonical or dependent:
            return [
                Problem(
                    place,
                    f"mart '{mart}' is built from sources, yet '{reader}' reads '{name}'.",
                    "Read landed tables, or declare 'built_from: canonical'.",
                )
            ]
    return []


def _cycles(waiting: Mapping[str, ResolvedModel]) -> list[Problem]:
    """Return one problem for each cycle among models that wait for one another."""
    problems, seen = [], set[str]()
    for start in waiting:
        path: list[str] = []
        name = start
        while name not in path and name not in seen:
            path.append(name)
            name = next(reads for reads in waiting[name].inputs if reads in waiting)
        if name in path:
            cycle = path[path.index(name) :]
            around = " -> ".join([*cycle, cycle[0]])
            problems.append(
                Problem(waiting[cycle[0]].inputs[cycle[1 % len(cycle)]], f"tables read each other: {around}.")
            )
        seen.update(path)
    return problems
