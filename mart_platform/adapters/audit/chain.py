"""The chain: each entry is sealed over its number, the seal before it and its bytes as they are written.

The seal is over bytes, not over what a release of ours reads in them: a field that comes later breaks none.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

from mart_platform.spec.entries import Entry, Sealed

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
_LINE = re.compile(
    rb'\{"number":([1-9][0-9]*),"previous":"([0-9a-f]{64})","hash":"([0-9a-f]{64})","entry":(\{.*\})\}'
)


@dataclass(frozen=True)
class Head:
    """How far a chain goes: the number of its last entry, and its hash."""

    number: int = 0
    hash: str = "0" * 64


@dataclass(frozen=True)
class Link:
    """An entry as it stands in the chain, not judged yet."""

    number: int
    previous: str
    hash: str
    entry: bytes

    @property
    def head(self) -> Head:
        """How far the chain goes with it."""
        return Head(self.number, self.hash)

    @property
    def line(self) -> bytes:
        """The line of a file that holds it."""
        head = f'{{"number":{self.number},"previous":"{self.previous}","hash":"{self.hash}","entry":'
        return head.encode() + self.entry + b"}\n"

    def read(self) -> Sealed:
        """Return it as a record. Raises ValueError when this release cannot read it."""
        return self.sealed(_ENTRY.validate_json(self.entry))

    def sealed(self, entry: Entry) -> Sealed:
        """Return it as a record around its entry, which is read already."""
        return Sealed(number=self.number, previous=self.previous, entry=entry, hash=self.hash)


def link_of(line: bytes) -> Link | None:
    """Return the link in a line without its line break; None where it is not written as ``Link.line`` is."""
    match = _LINE.fullmatch(line)
    return Link(int(match[1]), match[2].decode(), match[3].decode(), match[4]) if match else None


class Seal:
    """Makes hashes: HMAC-SHA256 with a key, which nobody can make who lacks it, else SHA-256."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    def link(self, head: Head, entry: bytes) -> Link:
        """Return the link of an entry that follows on ``head``."""
        number = head.number + 1
        return Link(number, head.hash, self._hash(number, head.hash, entry), entry)

    def fits(self, link: Link) -> bool:
        """Say whether a link is as it was sealed."""
        return hmac.compare_digest(self._hash(link.number, link.previous, link.entry), link.hash)

    def _hash(self, number: int, previous: str, entry: bytes) -> str:
        sealed = f"{number}\n{previous}\n".encode() + entry
        if self._key is None:
            return hashlib.sha256(sealed).hexdigest()
        return hmac.digest(self._key, sealed, "sha256").hex()


def bytes_of(entry: Entry) -> bytes:
    """Return an entry as JSON; what JSON cannot hold (half of a character, bytes) is spelled out."""
    try:
        return entry.model_dump_json().encode()
    except (PydanticSerializationError, UnicodeEncodeError):
        return to_json(_spelled(entry.model_dump()), fallback=repr)


def _spelled(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {_spelled(key): _spelled(each) for key, each in value.items()}
    return [_spelled(each) for each in value] if isinstance(value, list | tuple) else value
