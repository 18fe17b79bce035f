"""Parsing: the text of a query becomes a tree, in which every call keeps the name that it was given.

sqlglot knows functions of many systems and writes some of them in other words. A comment after the closing
parenthesis, ``sqlglot.anonymous``, has it leave a call as it stands; so the allow-list of functions is one of
DuckDB's own names, and what DuckDB runs is what was asked.
"""

import hashlib
from collections.abc import Sequence

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from mart_platform.gate.names import folded
from mart_platform.gate.questions import Named, Question, Refused
from mart_platform.gate.scopes import tables_read

# Before 2.0 some operators mean something else.
DUCKDB = Dialect.get_or_raise("duckdb, version=1.5")

LONGEST = 100_000
"""Characters of a query."""

DEEPEST = 64
"""How deep brackets may be nested, and how many words may stand in a row before there is a value."""

MOST_SELECTS = 200
"""How many SELECTs a query may hold: what is worked out of them grows with the square of their number."""


def parse(text: str) -> Question:
    """Return the query that a text is.

    Raises Refused: ``syntax`` where it does not parse, ``not_allowed`` where it is no query, more than one,
    or too large, ``unknown_table`` for a name that no table of a mart can have.
    """
    tokens = tokens_of(text)
    tree = tree_of(tokens, text)
    named: dict[Named, None] = dict.fromkeys(named for _, named in tables_read(tree))
    return Question(text, tree, tuple(named), fingerprint(tokens))


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a query, ``sales@12`` as the one quoted name that it means. Raises Refused."""
    if len(text) > LONGEST:
        raise Refused("not_allowed", f"The query is longer than {LONGEST} characters.", "Send a shorter one.")
    if "\0" in text:
        raise Refused("syntax", "The query holds a NUL character.", "Send text.")
    tokens = _tokenized(text)
    if "@" in text and (spelled_out := _with_versions_quoted(text, tokens)) != text:
        tokens = _tokenized(spelled_out)
    _refuse_other_statements(tokens)
    _refuse_too_deep(tokens)
    _refuse_too_many(tokens)
    _refuse_misread(tokens)
    return tokens


def tree_of(tokens: list[Token], text: str) -> exp.Query:
    """Return the tree of the one query that the tokens are. Raises Refused."""
    _keep_names(tokens)
    try:
        trees = [tree for tree in DUCKDB.parser().parse(tokens, text) if tree is not None]
    except ParseError as error:
        raise _syntax_error(error) from error
    except RecursionError as error:
        raise _too_deep() from error
    except _FALLS_OVER as error:
        raise Refused("syntax", "The SQL does not parse.", detail=repr(error)) from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise _no_query()
    return trees[0]


def fingerprint(tokens: Sequence[Token]) -> str:
    """Return the digest of a query's text with comments, case, literals and versions out.

    >>> fingerprint(tokens_of("SELECT 1")) == fingerprint(tokens_of("select  'x' -- y"))
    True
    """
    words: list[str] = []
    for token in tokens:
        if token.token_type not in _LITERALS:
            words.append(_without_version(token))
        elif words[-2:] == ["?", ","]:  # a list of any length is the same list
            words.pop()
        else:
            words.append("?")
    return hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _tokenized(text: str) -> list[Token]:
    try:
        return DUCKDB.tokenize(text)
    except TokenError as error:
        raise Refused(
            "syntax", "The SQL does not parse: a string or a comment is not closed.", detail=str(error)
        ) from error


def _with_versions_quoted(text: str, tokens: Sequence[Token]) -> str:
    """Return the text with each ``sales@12`` before a dot as ``"sales@12"``; strings and comments stay."""
    parts, done = [], 0
    for at, (mart, sign, version, dot) in enumerate(
        zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False)
    ):
        if sign.text == "@" and sign.token_type is TokenType.PARAMETER and _is_version(version, dot):
            if (
                mart.end + 1 != sign.start
                or sign.end + 1 != version.start
                or not _is_name(mart, tokens[at - 1 : at])
            ):
                continue
            parts += [text[done : mart.start], f'"{mart.text}@{version.text}"']
            done = version.end + 1
    return "".join([*parts, text[done:]])


def _is_version(version: Token, dot: Token) -> bool:
    spelled = version.text.isdigit() or folded(version.text) in ("live", "shadow")
    return spelled and dot.token_type is TokenType.DOT and version.end + 1 == dot.start


def _is_name(token: Token, before: Sequence[Token]) -> bool:
    word = token.text.replace("_", "a")
    return (
        word.isascii() and word.isalnum() and not any(other.token_type is TokenType.DOT for other in before)
    )


def _refuse_other_statements(tokens: Sequence[Token]) -> None:
    first = next((token for token in tokens if token.token_type is not TokenType.L_PAREN), None)
    if first is None or first.token_type not in _QUERIES_BEGIN:
        raise _no_query()
    rest = [token.token_type for token in tokens]
    while rest and rest[-1] is TokenType.SEMICOLON:
        rest.pop()
    if TokenType.SEMICOLON in rest:
        raise Refused("not_allowed", "One query is answered at a time.", "Send the others by themselves.")


def _refuse_too_many(tokens: Sequence[Token]) -> None:
    if sum(token.token_type in (TokenType.SELECT, TokenType.FROM) for token in tokens) > 2 * MOST_SELECTS:
        raise Refused(
            "not_allowed", f"The query holds more than {MOST_SELECTS} SELECTs.", "Ask for less at once."
        )


def _refuse_too_deep(tokens: Sequence[Token]) -> None:
    depth = run = joins = chain = 0
    before = None
    for token in tokens:
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        run = 0 if kind in _VALUES else run + 1
        joins += kind is TokenType.JOIN
        chain += kind is TokenType.L_BRACKET and before is TokenType.R_BRACKET
        if max(depth, run, joins, chain) > DEEPEST:
            raise _too_deep()
        before = kind


def _refuse_misread(tokens: Sequence[Token]) -> None:
    """Refuse what sqlglot reads otherwise than DuckDB does."""
    for one, two, three in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False):
        kinds = one.token_type, two.token_type
        if kinds == (TokenType.NUMBER, TokenType.VAR) and one.end + 1 == two.start:
            raise Refused("syntax", f"'{one.text}{two.text}' is no number.", "Write it in decimals.")
        is_cast = three is not None and three.token_type is TokenType.DCOLON
        if is_cast and kinds[1] is TokenType.STRING and kinds[0] in _TYPES:
            raise Refused("syntax", f"'{one.text} '…'::' is read in two ways.", "Use CAST( … AS …).")


def _keep_names(tokens: Sequence[Token]) -> None:
    """Mark every call to be left as it stands, and take all comments away.

    Those of ``_PARSED`` are parsed for good: IGNORE NULLS is written only for functions that sqlglot knows.
    """
    opened: list[bool] = []
    before = ""
    for token in tokens:
        comments: list[str] = []
        if token.token_type is TokenType.L_PAREN:
            opened.append(folded(before) in _PARSED)
        elif token.token_type is TokenType.R_PAREN and not (opened and opened.pop()):
            comments = [exp.SQLGLOT_ANONYMOUS]
        token.comments = comments
        before = token.text


def _without_version(token: Token) -> str:
    text = folded(token.text)
    return text.partition("@")[0] if token.token_type is TokenType.IDENTIFIER else text


def _syntax_error(error: ParseError) -> Refused:
    first = error.errors[0] if error.errors else {}
    near, line = str(first.get("highlight") or "").strip()[:40], first.get("line") or 1
    where = f" near '{near}'" if near else ""
    return Refused("syntax", f"The SQL does not parse{where}, line {line}.", detail=str(error))


def _too_deep() -> Refused:
    return Refused(
        "not_allowed", "The query is nested too deep, or joins too much.", "Name its parts by WITH."
    )


def _no_query() -> Refused:
    return Refused("not_allowed", "Only queries are answered.", "Begin with SELECT, WITH or FROM.")


# What sqlglot raises over some texts that make no sense, such as ``SELECT {:}``.
_FALLS_OVER = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)
_QUERIES_BEGIN = {TokenType.SELECT, TokenType.FROM, TokenType.WITH}
_LITERALS = {TokenType.NUMBER, TokenType.STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING}
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}
_VALUES = {*_LITERALS, *_CLOSING, TokenType.VAR, TokenType.IDENTIFIER, TokenType.COMMA, TokenType.PLACEHOLDER}
_TYPES = {*DUCKDB.parser_class.TYPE_TOKENS, TokenType.INTERVAL}
_PARSED = {"first_value", "last_value", "nth_value", "lag", "lead"}
