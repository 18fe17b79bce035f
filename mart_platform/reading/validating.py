"""Documents against the classes of the spec; what pydantic finds is said with line, finding and remedy."""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mart_platform.reading.located_yaml import Document, FieldPath
from mart_platform.reading.shapes import how_to_write, keys_at, values_at
from mart_platform.spec.problems import Problem, nearest
from mart_platform.spec.words import Word

Declaration = TypeVar("Declaration", bound=Word)


def declared(kind: type[Declaration], document: Document, problems: list[Problem]) -> Declaration | None:
    """Return the document as a declaration; or None, with every reason added to ``problems``."""
    try:
        return kind.model_validate(document.value, by_alias=True, by_name=False)
    except ValidationError as error:
        problems.extend(_problems_of(error, kind, document))
        return None


def _problems_of(error: ValidationError, kind: type[Word], document: Document) -> Iterator[Problem]:
    errors = [each for each in error.errors(include_url=False) if not _short_by_wrong_items_only(each)]
    for path, details in _by_field(errors, document).items():
        found, remedy = _said(path, details, kind)
        yield Problem(document.origin.place(*path), _sentence(found), remedy)


def _short_by_wrong_items_only(error: ErrorDetails) -> bool:
    """Tell whether a list is called too short because its wrong items, which are told too, do not count."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _by_field(errors: list[ErrorDetails], document: Document) -> dict[FieldPath, list[ErrorDetails]]:
    """Group errors by the field that they are about.

    A value that may have several forms fails once for each of them: where one form was recognised and only
    something inside of it is wrong, what the other forms say about the whole value is left out.
    """
    fields: dict[FieldPath, list[ErrorDetails]] = {}
    deeper: set[FieldPath] = set()
    for error in errors:
        path, form_at = _path_and_form(error, document)
        fields.setdefault(path, []).append(error)
        if form_at is not None and len(path) > form_at:
            deeper.add(path[:form_at])
    return {path: found for path, found in fields.items() if path not in deeper}


def _path_and_form(error: ErrorDetails, document: Document) -> tuple[FieldPath, int | None]:
    """Return the field's path, and where pydantic put the name of a form of a union into it, if it did."""
    path: FieldPath = ()
    form_at = None
    for element in error["loc"]:
        if (*path, element) in document.lines:
            path = (*path, element)
        elif not (error["type"] == "missing" and element == error["loc"][-1]):
            form_at = len(path) if form_at is None else form_at
    if error["type"] == "missing":
        path = (*path, error["loc"][-1])
    return path, form_at


def _said(path: FieldPath, details: list[ErrorDetails], kind: type[Word]) -> tuple[str, str]:
    """Return what was found at a field, and the remedy."""
    name, first = ".".join(map(str, path)), details[0]
    match first["type"]:
        case "extra_forbidden":
            return f"'{name}' is not a key that is known here", _remedy_for_unknown_key(path, first, kind)
        case "missing":
            return f"'{name}' is missing", f"Add {how_to_write(kind, path)}."
        case "value_error":
            return (f"{name}: " if name else "") + str(first["ctx"]["error"]), ""
        case "literal_error" | "enum":
            remedy = nearest(str(first["input"]), values_at(kind, path))
            return f"'{name}' cannot be {_shown(first['input'])}", remedy
        case "too_short" | "too_long":
            bound = first["ctx"].get("min_length") or first["ctx"].get("max_length")
            least = "at least" if first["type"] == "too_short" else "at most"
            return f"'{name}' lists {first['ctx']['actual_length']}; it should list {least} {bound}", ""
    if first["input"] is None:
        return f"'{name}' is empty", f"Write {how_to_write(kind, path)}."
    wanted = _either([_wanted(error) for error in details])
    subject = f"'{name}'" if name else "the file"
    return f"{subject} is {_shown(first['input'])}; it should be {wanted}", _quoting(details)


_WANTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "tuple_type": "a list in brackets",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "date_type": "a date such as 2026-10-01",
    "date_parsing": "a date such as 2026-10-01",
    "date_from_datetime_parsing": "a date such as 2026-10-01",
    "datetime_type": "a moment such as 2018-01-01T12:00:00Z",
    "datetime_parsing": "a moment such as 2018-01-01T12:00:00Z",
    "datetime_from_date_parsing": "a moment such as 2018-01-01T12:00:00Z",
    "timezone_aware": "a moment with its zone, such as 2018-01-01T12:00:00Z",
}


def _wanted(error: ErrorDetails) -> str:
    if wanted := _WANTED.get(error["type"]):
        return wanted
    if error["type"] == "string_pattern_mismatch":
        return f"of the form {error['ctx']['pattern'].strip('^$')}"
    return error["msg"].removeprefix("Input should be ")


def _either(words: list[str]) -> str:
    *others, last = dict.fromkeys(words)
    return f"{', '.join(others)} or {last}" if others else last


def _quoting(details: list[ErrorDetails]) -> str:
    given, kinds = details[0]["input"], {error["type"] for error in details}
    if kinds == {"string_type"} and isinstance(given, bool | int | float):
        return "Put it in quotes."
    if kinds == {"tuple_type"} and isinstance(given, str):
        return f"Write [{given}]."
    return ""


def _remedy_for_unknown_key(path: FieldPath, error: ErrorDetails, kind: type[Word]) -> str:
    key = str(path[-1])
    if error["input"] is None and " " in key:
        return "Quote a sentence in braces that holds a comma."
    return nearest(key, keys_at(kind, path[:-1]))


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a block of keys" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
