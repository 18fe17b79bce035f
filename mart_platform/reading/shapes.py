"""What the classes of the spec allow at a path of a document; for remedies that say what to write."""

import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mart_platform.reading.located_yaml import FieldPath
from mart_platform.spec.words import Spelled


def keys_at(kind: type[BaseModel], path: FieldPath) -> list[str]:
    """Return the keys that a block at ``path`` may have, where the spec names them."""
    return [key for form in _forms_at(kind, path) if _is_model(form) for key in _fields(form)]


def values_at(kind: type[BaseModel], path: FieldPath) -> list[str]:
    """Return the values that a field may have, where the spec lists them."""
    return [value for form in _forms_at(kind, path) for value in _values(form)]


def how_to_write(kind: type[BaseModel], path: FieldPath) -> str:
    """Return how a field is written, in few words.

    >>> from mart_platform.spec.marts import Mart
    >>> how_to_write(Mart, ("owner",))
    "'owner: {team: …, contact: …, on_call: …}'"
    """
    key = path[-1]
    for form in _forms_at(kind, path):
        if values := _values(form):
            return f"'{key}: {' | '.join(values)}'"
        if _is_model(form):
            required = [name for name, field in _fields(form).items() if field.is_required()]
            return f"'{key}: {{{', '.join(f'{name}: …' for name in required)}}}'"
        if get_origin(form) is tuple:
            return f"'{key}: […]'"
        if get_origin(form) is dict:
            return f"'{key}:' and below it one block for each, by its name"
    spelled = [mark.form for mark in _marks_at(kind, path) if isinstance(mark, Spelled)]
    return f"'{key}: …'" + (f" with {spelled[0]}" if spelled else "")


def _forms_at(kind: type[BaseModel], path: FieldPath) -> list[Any]:
    """Return every type that the field at ``path`` may have; unions are taken apart."""
    return [form for annotation in _annotations_at(kind, path) for form in _forms(annotation)]


def _marks_at(kind: type[BaseModel], path: FieldPath) -> list[Any]:
    annotated = [found for found in _annotations_at(kind, path) if get_origin(found) is Annotated]
    return [mark for annotation in annotated for mark in get_args(annotation)[1:]]


def _annotations_at(kind: type[BaseModel], path: FieldPath) -> list[Any]:
    annotations: list[Any] = [kind]
    for element in path:
        forms = [form for annotation in annotations for form in _forms(annotation)]
        annotations = [inner for form in forms for inner in _inside(form, element)]
    return annotations


def _forms(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _forms(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _forms(member)
    else:
        yield annotation


def _inside(form: Any, element: str | int) -> Iterator[Any]:
    if _is_model(form):
        if field := _fields(form).get(str(element)):
            yield Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    elif get_origin(form) is dict:
        yield get_args(form)[1]
    elif get_origin(form) is tuple:
        yield get_args(form)[0]


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a class by the keys that stand for them in YAML."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _values(form: Any) -> list[str]:
    if get_origin(form) is Literal:
        return [str(value) for value in get_args(form)]
    if isinstance(form, type) and issubclass(form, Enum):
        return [str(member.value) for member in form]
    return []


def _is_model(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, BaseModel)
