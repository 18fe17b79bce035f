"""YAML 1.2 with the line of each field; every mistake in it is a problem, none an exception."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from yaml import CBaseLoader, MarkedYAMLError, YAMLError, parse
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from mart_platform.spec.problems import Origin, Place, Problem

FieldPath = tuple[str | int, ...]

_DEEPEST = 40
_DEEPEST_PARSED = 1000
"""Deeper nesting makes libyaml's composer, which calls itself, run out of the stack."""
_LONGEST_NUMBER = 100


@dataclass(frozen=True)
class Document:
    """One YAML document: its value, and the line of the field at each path; ``()`` is the document."""

    file: str
    value: Any
    lines: dict[FieldPath, int]

    @property
    def origin(self) -> Origin:
        """Where the document and its fields stand."""
        return Origin(self.file, self.lines)

    def field(self, *path: str | int) -> Any:
        """Return what stands at ``path``, or None; for a look at a document that may not be valid."""
        value = self.value
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def documents(text: str, file: str, problems: list[Problem], *, first_line: int = 1) -> list[Document]:
    """Return the documents of a YAML text that hold anything, and add its mistakes to ``problems``.

    A text without any such document is a mistake. ``first_line`` is the line of the file at which it begins.
    """
    found: list[Document] = []
    try:
        for node in _nodes(text):
            document = _Construction(file, first_line, problems)
            value = document.value_of(node, ())
            if value is not None:
                found.append(Document(file, value, document.lines))
    except YAMLError as error:
        problems.append(_syntax_problem(error, text, file, first_line))
        return found
    if not found:
        remedy = "Declare something, or remove it."
        problems.append(Problem(Place(file, first_line), "nothing is declared here.", remedy))
    return found


class _CoreSchema(CBaseLoader):
    """libyaml's parser with the scalars of YAML 1.2: `NO`, `on`, `1_000`, `12:30` and dates are strings."""


_TAG = "tag:yaml.org,2002:"
for _name, _form, _first in (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _CoreSchema.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_form})$"), _first)


def _nodes(text: str) -> Iterator[Node]:
    _refuse_bottomless(text)
    parser = _CoreSchema(text)
    while parser.check_node():
        if node := parser.get_node():
            yield node


def _refuse_bottomless(text: str) -> None:
    if sum(map(text.count, "[{-?:")) < _DEEPEST_PARSED:
        return
    depth = 0
    for event in parse(text, _CoreSchema):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST_PARSED:
            raise YAMLError(f"it is nested more than {_DEEPEST_PARSED} levels deep")


@dataclass
class _Construction:
    """Makes the value of one document, and notes the line of each field."""

    file: str
    first_line: int
    problems: list[Problem]
    lines: dict[FieldPath, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def value_of(self, node: Node, path: FieldPath) -> Any:
        self.lines.setdefault(path, self.line_of(node))
        if id(node) in self.seen:
            return self.refuse(node, "an alias (*name) repeats another part of the file.", "Write it out.")
        if len(path) > _DEEPEST:
            return self.refuse(node, f"this is nested more than {_DEEPEST} levels deep.", "Write it flatter.")
        self.seen.add(id(node))
        match node:
            case MappingNode(tag="tag:yaml.org,2002:map"):
                return self.mapping(node, path)
            case SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self.value_of(item, (*path, number)) for number, item in enumerate(node.value)]
            case ScalarNode():
                return self.scalar(node)
        return self.refuse(node, f"the tag {node.tag} means nothing here.", "Leave it out.")

    def mapping(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.refuse(key_node, "a list or a block stands here as a key.", "Quote it if it is a text.")
                continue
            key = key_node.value
            if key in values:
                first = self.lines[(*path, key)]
                self.refuse(key_node, f"'{key}' stands here again, after line {first}.", "Keep one of them.")
                continue
            self.lines[(*path, key)] = self.line_of(key_node)
            values[key] = self.value_of(value_node, (*path, key))
        return values

    def scalar(self, node: ScalarNode) -> Any:
        text = node.value
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" if len(text) > _LONGEST_NUMBER:
                return self.refuse(node, "this number has too many digits.", "Quote it if it is a text.")
            case "int":
                return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
            case "float":
                return float(re.sub(r"\.(?=[inIN])", "", text))
        return self.refuse(node, f"the tag {node.tag} means nothing here.", "Leave it out.")

    def line_of(self, node: Node) -> int:
        return int(node.start_mark.line) + self.first_line

    def refuse(self, node: Node, found: str, remedy: str) -> None:
        self.problems.append(Problem(Place(self.file, self.line_of(node)), found, remedy))


_HINTS = {
    "mapping values are not allowed": "Quote a text that holds a colon; begin keys of a block in one column.",
    "cannot start any token": "Indent with spaces, and quote a text that begins with @, ` or %.",
    "',' or '}'": "Close the brace, and quote a sentence that holds a colon or a comma.",
    "',' or ']'": "Close the bracket, and quote a sentence that holds a colon or a comma.",
    "unexpected end of stream": "Close the quotes.",
    "expected '-' indicator": "Give all items of a list a dash in one column.",
    "block sequence entries": "Begin the list on a line of its own.",
    "undefined alias": "Quote a text that begins with *.",
}


def _syntax_problem(error: YAMLError, text: str, file: str, first_line: int) -> Problem:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        reason, index = str(error.problem), error.problem_mark.line
    elif isinstance(error, ReaderError):
        reason, index = f"{error.reason} (U+{error.character:04X})", text.count("\n", 0, error.position)
    else:
        reason, index = str(error), 0
    began = getattr(error, "context_mark", None)
    if began is not None and began.line < index:
        reason += f", in what begins on line {began.line + first_line}"
    last = max(len(text.splitlines()) - 1, 0)
    hint = next((hint for sign, hint in _HINTS.items() if sign in reason), "")
    return Problem(Place(file, min(index, last) + first_line), f"this is not YAML: {reason}.", hint)
