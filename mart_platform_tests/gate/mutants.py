"""Mutants of the gate: its source with one thing changed, which the gate's tests have to notice.

``python -m mart_platform_tests.gate.mutants [--sample N] [--module NAME] [--seed N] [--all]`` makes them
runs the quick tests that are about the changed module on each, and tells which were killed. A mutant drops a
refusal, a rule or a step, puts something into an allow-list or takes it out, turns a condition round, moves a
limit, shortens a digest. Each runs in a fork, in which the changed module takes the place of the true one.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

GATE = Path(__file__).parents[2] / "mart_platform" / "gate"
TESTS = Path(__file__).parent
PACKAGE = "mart_platform.gate"
Changes = Iterator[Callable[[], str]]

LONGEST = 120
"""Seconds that the tests may take; a mutant that takes longer is noticed by that."""

_UNIT = ["test_rewriting", "test_attacks"]
_LEAKS = ["test_inferring", "test_leak_proof"]
ABOUT: dict[str, list[str]] = {
    "names": ["test_parsing", "test_policies", "test_rewriting"],
    "scopes": ["test_parsing", *_UNIT],
    "parsing": ["test_parsing", "test_functions", "test_attacks"],
    "functions": ["test_allowing", "test_functions", "test_rewriting"],
    "nodes": ["test_allowing", "test_functions", "test_attacks"],
    "allowing": ["test_allowing", "test_functions"],
    "row_filters": ["test_policies"],
    "policies": ["test_policies", "test_rewriting"],
    "masks": ["test_masks", "test_rewriting"],
    "views": ["test_rewriting"],
    "columns": ["test_rewriting"],
    "bounding": ["test_rewriting"],
    "naming": ["test_rewriting"],
    "rewriting": _UNIT,
    "gate": ["test_rewriting"],
    "erring": ["test_erring"],
    "comparing": ["test_comparing", "test_leak_proof"],
    "inferring": _LEAKS,
    "moments": ["test_rewriting", "test_leak_proof"],
    "statistics": ["test_statistics", "test_rewriting"],
    "leak_proof": _LEAKS,
}
"""The tests that are about a module, those first that most likely notice."""

TOO_SLOW = (
    "any_text or any_words or (tells_lakes_apart and (two or looked)) or brings_back or reads_a_file"
    " or changes_anything or hundreds or nothing_that_is_asked"
)
"""Tests that are left out, by pytest's ``-k``."""

OF_A_MODULE = 30
"""So many mutants are made of a module unless all are asked for, spread evenly over it."""


@dataclass(frozen=True)
class Mutant:
    """A module's source with one thing changed."""

    module: str
    line: int
    change: str
    source: str

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line}: {self.change}"


def mutants(modules: Sequence[str] = tuple(ABOUT)) -> Iterator[Mutant]:
    """Yield all mutants of some modules."""
    for module in modules:
        tree = ast.parse((GATE / f"{module}.py").read_text(encoding="utf-8"))
        for number, node in enumerate(ast.walk(tree)):
            for change in range(len(_changes(node, module))):
                changed = copy.deepcopy(tree)
                at = next(each for count, each in enumerate(ast.walk(changed)) if count == number)
                said = _changes(at, module)[change]()
                yield Mutant(module, getattr(at, "lineno", 1), said, ast.unparse(changed))


def spread(modules: Sequence[str], most: int = OF_A_MODULE) -> list[Mutant]:
    """Return at most so many mutants of each module, spread evenly over it."""
    chosen: list[Mutant] = []
    for module in modules:
        made = list(mutants([module]))
        chosen += [made[at * len(made) // most] for at in range(most)] if len(made) > most else made
    return chosen


def _changes(node: ast.AST, module: str) -> list[Callable[[], str]]:
    """Return what can be changed of a node, each in place, and saying how."""
    return [
        change
        for kind, found in _CHANGES
        if isinstance(node, kind) and not (found in _STRICTER and module in _LISTS)
        for change in found(node)
    ]


def _of_comparison(node: ast.Compare) -> Changes:
    def turn() -> str:
        before = ast.unparse(node)
        node.ops[0] = _TURNED[type(node.ops[0])]()
        return f"{before}  ->  {ast.unparse(node)}"

    if type(node.ops[0]) in _TURNED:
        yield turn


def _of_connection(node: ast.BoolOp) -> Changes:
    def swap() -> str:
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return f"and <-> or: {ast.unparse(node)}"

    yield swap
    for at in range(len(node.values)):

        def drop(at: int = at) -> str:
            gone = node.values.pop(at)
            return f"without: {ast.unparse(gone)}"

        yield drop


def _of_not(node: ast.UnaryOp) -> Changes:
    def drop() -> str:
        before = ast.unparse(node)
        node.op = ast.UAdd() if isinstance(node.operand, ast.Constant) else node.op
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
        return f"not dropped: {before}"

    if isinstance(node.op, ast.Not):
        yield drop


def _of_condition(node: ast.If) -> Changes:
    def never() -> str:
        before = ast.unparse(node.test)
        node.test = ast.Constant(False)
        return f"never: if {before}"

    yield never


def _of_body(node: ast.FunctionDef | ast.If | ast.For | ast.With | ast.Try) -> Changes:
    """Drop refusals, and steps that are taken for what they do."""
    for at, statement in enumerate(node.body):
        is_step = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call | ast.YieldFrom)
        is_set = isinstance(statement, ast.AugAssign)
        if isinstance(statement, ast.Raise) or is_step or is_set:

            def drop(at: int = at) -> str:
                gone = ast.unparse(node.body[at])
                node.body[at] = ast.Pass()
                return f"dropped: {gone}"

            yield drop


def _of_return(node: ast.Return) -> Changes:
    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
        answer = node.value

        def turn() -> str:
            answer.value = not answer.value
            return f"return {answer.value}"

        yield turn


def _of_list(node: ast.Set | ast.List | ast.Tuple) -> Changes:
    if isinstance(getattr(node, "ctx", ast.Load()), ast.Load) and len(node.elts) > 1 and _is_of_names(node):
        for at in range(len(node.elts)):

            def drop(at: int = at) -> str:
                gone = node.elts.pop(at)
                return f"without: {ast.unparse(gone)}"

            yield drop


def _is_of_names(node: ast.Set | ast.List | ast.Tuple) -> bool:
    return all(
        isinstance(element, ast.Attribute) or (isinstance(element, ast.Constant) and element.value is not ...)
        for element in node.elts
    )


def _of_table(node: ast.Dict) -> Changes:
    for at in range(len(node.keys)):

        def drop(at: int = at) -> str:
            gone = ast.unparse(node.keys.pop(at) or node)
            node.values.pop(at)
            return f"without the entry: {gone}"

        yield drop


def _of_names(node: ast.Assign) -> Changes:
    """Add to a list of names what must not be in one."""
    target, call = ast.unparse(node.targets[0]), node.value
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "_names" or target == "UNBOUNDED":
        return
    words = call.args[0]
    if isinstance(words, ast.Constant):
        for name in _RAISING if target.startswith("_") else _HARMFUL:

            def add(name: str = name) -> str:
                words.value = f"{words.value!s} {name}"
                return f"allowed: {name}"

            yield add


def _of_parts(node: ast.Dict) -> Changes:
    """Add nodes and parts of nodes to the list of constructs."""
    if not any(isinstance(key, ast.Attribute) and key.attr == "Select" for key in node.keys):
        return
    for name in (
        "Lambda",
        "Pivot",
        "TableSample",
        "Describe",
        "Summarize",
        "Columns",
        "PositionalColumn",
        "Collate",
    ):

        def add(name: str = name) -> str:
            node.keys.append(ast.parse(f"exp.{name}").body[0].value)  # type: ignore[attr-defined]
            node.values.append(ast.Constant("this expression expressions sample on using"))
            return f"allowed: {name}"

        yield add
    for at, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
        part = _FORBIDDEN_PARTS.get(key.attr if isinstance(key, ast.Attribute) else "")
        if part and isinstance(value, ast.Constant | ast.JoinedStr):

            def add_part(at: int = at, part: str = part) -> str:
                node.values[at] = ast.BinOp(node.values[at], ast.Add(), ast.Constant(f" {part}"))
                return f"allowed: {part} in {ast.unparse(node.keys[at] or node)}"

            yield add_part


def _of_number(node: ast.Constant) -> Changes:
    if type(node.value) is int and node.value > 1:

        def move() -> str:
            before, node.value = node.value, int(str(node.value)) * 3
            return f"{before!r}  ->  {node.value!r}"

        yield move


def _of_slice(node: ast.Slice) -> Changes:
    if isinstance(node.upper, ast.Constant) and node.lower is None:

        def shorten() -> str:
            node.upper = ast.Constant(4)
            return "shortened to 4"

        yield shorten


def _of_all(node: ast.Call) -> Changes:
    if isinstance(node.func, ast.Name) and node.func.id in ("all", "any"):
        name = node.func

        def turn() -> str:
            name.id = "any" if name.id == "all" else "all"
            return f"all <-> any: {ast.unparse(node)}"

        yield turn


_CHANGES: list[tuple[Any, Callable[[Any], Changes]]] = [
    (ast.Compare, _of_comparison),
    (ast.BoolOp, _of_connection),
    (ast.UnaryOp, _of_not),
    (ast.If, _of_condition),
    (ast.FunctionDef | ast.If | ast.For | ast.With | ast.Try, _of_body),
    (ast.Return, _of_return),
    (ast.Set | ast.List | ast.Tuple, _of_list),
    (ast.Dict, _of_table),
    (ast.Dict, _of_parts),
    (ast.Assign, _of_names),
    (ast.Call, _of_all),
    (ast.Constant, _of_number),
    (ast.Slice, _of_slice),
]
_HARMFUL = ("getvariable", "read_csv", "query", "error", "random")
_RAISING = ("to_timestamp", "abs", "substr")
# Where something is taken out of these, less is allowed, or more is fenced.
_STRICTER = (_of_list, _of_table)
_LISTS = ("nodes", "functions", "inferring", "masks", "moments", "bounding", "comparing")
_TURNED = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
_FORBIDDEN_PARTS = {
    "Select": "sample",
    "Table": "sample when only pivots",
    "In": "field",
    "Limit": "limit_options",
    "CTE": "key_expressions",
    "Between": "symmetric",
}


class _InPlace(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant to whoever imports its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != f"{PACKAGE}.{self._mutant.module}":
            return None
        return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, str(self._mutant), "exec"), module.__dict__)


def _notice(mutant: Mutant) -> int:
    """Run the tests on a mutant; 0 where they pass. Nothing of the gate may have been imported before."""
    import pytest  # noqa: PLC0415  # only the forks run tests

    with contextlib.suppress(Exception), Path(os.devnull).open("w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
        sys.meta_path.insert(0, _InPlace(mutant))
        files = [str(TESTS / f"{name}.py") for name in ABOUT[mutant.module]]
        words = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", f"not ({TOO_SLOW})", "--no-header"]
        return int(pytest.main([*words, *files]))
    return 1


def survivors(chosen: Sequence[Mutant], workers: int = 2, *, tell: bool = False) -> list[Mutant]:
    """Return the mutants that nothing noticed."""
    _import_what_all_need()
    found: list[Mutant] = []
    running: dict[int, tuple[Mutant, float]] = {}
    waiting = list(chosen)
    while waiting or running:
        while waiting and len(running) < workers:
            mutant = waiting.pop(0)
            child = os.fork()
            if child == 0:
                os._exit(_notice(mutant))
            running[child] = (mutant, time.monotonic())
        for child, (mutant, since) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended and time.monotonic() - since < LONGEST:
                continue
            if not ended:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
            del running[child]
            if status == 0:
                found.append(mutant)
            if tell:
                sys.stdout.write(f"{'survived' if status == 0 else 'killed  '}  {mutant}\n")
                sys.stdout.flush()
        time.sleep(0.01)
    return found


def _import_what_all_need() -> None:
    """Import what takes time and is no part of the gate, once for all forks."""
    for name in (
        "pytest",
        "duckdb",
        "hypothesis",
        "sqlglot",
        "sqlglot.dialects.duckdb",
        "mart_platform.spec.rights",
    ):
        importlib.import_module(name)


def main() -> None:
    """Make mutants, run the tests on them, and tell how many were noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="so many, taken at random")
    parser.add_argument("--module", action="append", choices=[*ABOUT], help="of this module only")
    parser.add_argument("--all", action="store_true", help="all that can be made, which takes an hour")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    modules = words.module or tuple(ABOUT)
    chosen = list(mutants(modules)) if words.all else spread(modules)
    if words.sample:
        chosen = random.Random(words.seed).sample(chosen, min(words.sample, len(chosen)))
    began = time.monotonic()
    left = survivors(chosen, tell=True)
    killed = len(chosen) - len(left)
    sys.stdout.write(
        f"{killed} of {len(chosen)} mutants killed, {100 * killed / max(1, len(chosen)):.1f} %, "
        f"in {time.monotonic() - began:.0f} s\n"
    )


if __name__ == "__main__":
    main()
