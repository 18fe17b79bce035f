"""Python models, read without running them: the inputs that they name and the libraries that they use."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, version

from mart_platform.spec.problems import Place, Problem
from mart_platform.spec.warehouse import PythonModel


def python_model(file: str, text: str, problems: list[Problem]) -> PythonModel | None:
    """Return the model of a ``.py`` file; or None, with every reason added to ``problems``.

    Its ``imports`` are ``name==version`` of the installed distributions behind the imported modules.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        problems.append(Problem(Place(file, line), f"this is not Python: {getattr(error, 'msg', error)}."))
        return None
    function = _model_function(tree, file, problems)
    imports = [name for node in ast.walk(tree) for name in _distributions(node, file, problems)]
    if function is None:
        return None
    return PythonModel(file, text, _parameters(function, file, problems), tuple(sorted(set(imports))))


def _model_function(tree: ast.Module, file: str, problems: list[Problem]) -> ast.FunctionDef | None:
    named = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "model"
    ]
    if not named:
        found = "there is no function 'model' at the top of the file."
        problems.append(Problem(Place(file), found, "Write 'def model(<inputs>) -> pl.LazyFrame:'."))
        return None
    for again in named[1:]:
        found = f"'model' is defined again, after line {named[0].lineno}."
        problems.append(Problem(Place(file, again.lineno), found, "Keep one of them."))
    if isinstance(named[0], ast.AsyncFunctionDef):
        problems.append(Problem(Place(file, named[0].lineno), "'model' is async.", "Leave 'async' out."))
        return None
    return named[0]


def _parameters(function: ast.FunctionDef, file: str, problems: list[Problem]) -> tuple[str, ...]:
    given = function.args
    if given.vararg or given.kwarg or given.posonlyargs:
        found = "'model' takes its inputs by '*', '**' or '/'."
        remedy = "Name each input as a plain parameter: model(orders, customers)."
        problems.append(Problem(Place(file, function.lineno), found, remedy))
    return tuple(parameter.arg for parameter in (*given.args, *given.kwonlyargs))


def _distributions(node: ast.AST, file: str, problems: list[Problem]) -> Iterator[str]:
    """Yield ``name==version`` for what an import statement needs; refuse what is not installed."""
    for module in _imported(node):
        line = getattr(node, "lineno", 1)
        if module in ("", __package__.split(".")[0]):
            found = "a model stands alone: it cannot import files of the warehouse folder or of the platform."
            remedy = "Put what it needs into this file, or into an installed package."
            problems.append(Problem(Place(file, line), found, remedy))
        elif module not in sys.stdlib_module_names:
            installed = _installed().get(module, ())
            yield from (f"{name}=={version(name)}" for name in installed)
            if not installed:
                found = f"'{module}' belongs to no installed package."
                remedy = "Install it, or put what is needed of it into this file: a model stands alone."
                problems.append(Problem(Place(file, line), found, remedy))


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield the top-level modules that a statement imports; '' for a relative one."""
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield "" if node.level else (node.module or "").split(".")[0]


@cache
def _installed() -> dict[str, tuple[str, ...]]:
    """Return the distributions behind each top-level module; looked up once, for it takes 0.1 s."""
    return {module: tuple(sorted(set(names))) for module, names in packages_distributions().items()}
