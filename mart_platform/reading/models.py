"""Reads models: a contract in YAML and, beside it, the SQL or Python that fills the table."""

from collections.abc import Iterator

from mart_platform.reading.files import Files
from mart_platform.reading.python_models import python_model
from mart_platform.reading.validating import declared
from mart_platform.spec.problems import Origin, Problem, nearest
from mart_platform.spec.tables import KEYED, Contract
from mart_platform.spec.warehouse import DeclaredModel, PythonModel, SqlText


def read_models(files: Files, folder: str, schema: str) -> tuple[DeclaredModel, ...]:
    """Return the models of one folder whose tables are called ``schema.<file>``."""
    names = sorted({path.stem for path in files.within(folder)})
    models = [_read_model(files, f"{folder}/{name}", f"{schema}.{name}") for name in names]
    return tuple(model for model in models if model)


def _read_model(files: Files, path: str, table: str) -> DeclaredModel | None:
    document = files.document(f"{path}.yaml") if f"{path}.yaml" in files else None
    contract = None
    if document is not None:
        files.agree(document, "table", table)
        contract = declared(Contract, document, files.problems)
    model = _read_logic(files, path)
    if document is None or contract is None or model is None:
        return None
    if isinstance(model, PythonModel):
        files.problems.extend(_disagreements(contract, document.origin, model))
    elif contract.inputs:
        place = document.origin.place("inputs")
        files.problems.append(
            Problem(place, "'inputs' is for Python models.", "Leave it out: SQL names its own.")
        )
    return DeclaredModel(contract, document.origin, model)


def _read_logic(files: Files, path: str) -> SqlText | PythonModel | None:
    """Return the SQL or Python of a table; report when there is none, or both, or no contract for it."""
    logic = [file for file in (f"{path}.sql", f"{path}.py") if file in files]
    if not logic:
        files.problem(f"{path}.yaml", "no model fills this table.", f"Write {path}.sql or {path}.py.")
        return None
    if f"{path}.yaml" not in files:
        files.problem(logic[0], "this model has no contract.", f"Write {path}.yaml.")
    if len(logic) == 2:
        files.problem(logic[1], f"{logic[0]} fills this table already.", "Keep one of them.")
    models = [_model(files, file) for file in logic]
    return models[0]


def _model(files: Files, file: str) -> SqlText | PythonModel | None:
    text = files.text(file)
    if text is None:
        return None
    return python_model(file, text, files.problems) if file.endswith(".py") else SqlText(file, text)


def _disagreements(contract: Contract, origin: Origin, model: PythonModel) -> Iterator[Problem]:
    """Yield where a contract does not say what a Python model needs said."""
    for parameter in model.parameters:
        if parameter not in contract.inputs:
            found = f"the model takes '{parameter}', which is not among the inputs."
            yield Problem(origin.place("inputs"), found, nearest(parameter, contract.inputs))
    for name in contract.inputs:
        if name not in model.parameters:
            found = f"the function 'model' has no parameter '{name}'."
            yield Problem(origin.place("inputs", name), found, nearest(name, model.parameters))
    for name, column in contract.columns.items():
        if column.type is None:
            found = f"column '{name}' of a Python model needs its type."
            yield Problem(origin.place("columns", name), found, f"Write '{name}: {{type: …}}'.")
    if not contract.columns:
        found = "a Python model needs its columns declared."
        yield Problem(origin.place("table"), found, "Add 'columns:', each with a type.")
    if contract.kind in ("view", *KEYED):
        found = f"a table of kind {contract.kind} is made of SQL."
        yield Problem(origin.place("kind"), found, "Choose another kind, or write the model in SQL.")
