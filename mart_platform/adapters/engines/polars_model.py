"""Python models: a file with one function ``model``, from lazy frames to a lazy frame."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from mart_platform.adapters import disk
from mart_platform.ports import Relation
from mart_platform.spec.problems import UserError


@dataclass(frozen=True)
class PolarsModel:
    """A loaded model, and the line on which its function begins."""

    file: Path
    function: Callable[..., Any]

    @property
    def line(self) -> int:
        return self.function.__code__.co_firstlineno

    def write(self, inputs: Mapping[str, Relation], target: Path) -> None:
        """Run the model on its inputs, which are nothing but files, and stream its rows into a Parquet file.

        Raises UserError that names the file, the line and what went wrong.
        """
        frames = {parameter: _lazy_frame(relation) for parameter, relation in inputs.items()}
        try:
            result = self.function(**frames)
            _lazy(result).sink_parquet(target, compression="lz4")
        except (Exception, SystemExit) as error:
            raise disk.full(error, target.parent) or _failure(self.file, error, self.line) from error


def load_model(file: Path) -> PolarsModel:
    """Read a model from its file, afresh each time. Raises UserError naming the file and the line."""
    module = ModuleType(f"model_{file.stem}")
    module.__file__ = str(file)
    try:
        code = compile(file.read_text(encoding="utf-8"), str(file), "exec")
        exec(code, module.__dict__)  # noqa: S102 (a model is the warehouse's own code, as its SQL is)
    except (Exception, SystemExit) as error:
        raise _failure(file, error) from error
    function = getattr(module, "model", None)
    if not callable(function) or not hasattr(function, "__code__"):
        remedy = "Define one: def model(...) -> pl.LazyFrame."
        raise UserError(f"{file}:1: there is no function 'model'. {remedy}")
    return PolarsModel(file, function)


def _lazy_frame(relation: Relation) -> pl.LazyFrame:
    scan = pl.scan_parquet(list(relation.files), glob=False, hive_partitioning=False)
    return scan.select(*relation.columns)


def _lazy(result: object) -> pl.LazyFrame:
    if isinstance(result, pl.DataFrame | pl.LazyFrame):
        return result.lazy()
    raise TypeError(f"it returns a {type(result).__name__}; return a polars.LazyFrame or a polars.DataFrame")


def _failure(file: Path, error: Exception | SystemExit, otherwise: int = 1) -> UserError:
    """Say where in the model's own file an error arose, and its first line."""
    frames = traceback.extract_tb(error.__traceback__)
    line = next((f.lineno for f in reversed(frames) if f.filename == str(file)), otherwise)
    if isinstance(error, SyntaxError) and error.lineno is not None:
        line = error.lineno
    said = str(error).strip().partition("\n")[0] or "no message"
    return UserError(f"{file}:{line}: the model failed: {type(error).__name__}: {said}")
