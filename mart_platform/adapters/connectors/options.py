"""The options of a source: checked, and those that say in what form its files are."""

import codecs
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mart_platform.spec.problems import UserError, nearest

Options = TypeVar("Options", bound=BaseModel)


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ValueError(f"'{name}' is not an encoding; use a name such as utf-8, latin-1, cp1252") from error
    return name


class FormatOptions(BaseModel):
    """How a delivered file is to be read; what is left out follows from its name.

    ``nulls`` are texts that mean NULL, quoted or not, besides the empty unquoted field of CSV. ``quote``
    is the character around fields of CSV, empty for files that know no quoting. ``member`` names the file
    to read inside a zip archive that holds several.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal["csv", "jsonl", "parquet"] | None = None
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    separator: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    quote: Annotated[str, Field(max_length=1, pattern=r"^[\x21-\x7e]?$")] = '"'
    nulls: tuple[str, ...] = ()
    member: str | None = None


def read_options(model: type[Options], options: Mapping[str, Any], of: str) -> Options:
    """Return ``options`` as a value of ``model``. Raises UserError with one sentence for each mistake."""
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        raise UserError("\n".join(_sentence(problem, model, of) for problem in error.errors())) from None


def _sentence(problem: Any, model: type[BaseModel], of: str) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{of}: there is no option '{name}'. {nearest(name, model.model_fields)}"
    if problem["type"] == "missing":
        return f"{of}: the option '{name}' is missing."
    return (
        f"{of}: option '{name}': {problem['msg'].removeprefix('Value error, ')}; found {problem['input']!r}."
    )
