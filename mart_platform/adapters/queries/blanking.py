"""What lies in the places of NULLs: DuckDB leaves there what was in the memory before, and it would be sent.

That may be a value that nobody may see, or a part of another query. Layouts and formats are those of the
Arrow C data interface: https://arrow.apache.org/docs/format/CDataInterface.html.
"""

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import Any

_BITS = {
    **dict.fromkeys("b", 1),
    **dict.fromkeys("cC", 8),
    **dict.fromkeys("sSe", 16),
    **dict.fromkeys(("i", "I", "f", "tdD", "tts", "ttm", "tiM"), 32),
    **dict.fromkeys(("l", "L", "g", "tdm", "ttu", "ttn", "tiD"), 64),
    **dict.fromkeys(("tin", "vu", "vz"), 128),
    # A text or a list that is NULL has no length, and a struct has no values but those of its parts.
    **dict.fromkeys(("n", "u", "U", "z", "Z", "+l", "+L", "+m", "+s"), 0),
}
_BITS_OF_MOMENTS = 64
_BITS_OF_DECIMALS = 128


@dataclass(frozen=True)
class Layout:
    """How a column lies in memory.

    ``bits`` are those of a value in the column's own buffer, 0 where a NULL has none there. To each value
    belong ``parts`` values of each child, where that is a fixed number: 1 for a struct, else 0.
    """

    bits: int
    parts: int
    children: "tuple[Layout, ...]"


def layout_of(schema: Any) -> Layout:
    """Return the layout that a C schema says. Raises ValueError for one that is not known here."""
    form = (ctypes.cast(schema.format, c_char_p).value or b"").decode()
    children = tuple(map(layout_of, _children(schema)))
    if form.startswith("+w:"):
        return Layout(0, int(form[3:]), children)
    return Layout(_bits(form), 1 if form == "+s" else 0, children)


def blank(array: Any, layout: Layout, around: bytes | None = None) -> None:
    """Write zeros over what lies in the places of NULLs of a C array, and in those of its parts.

    ``around`` says which values are a part of something that is valid, a bit for each; None for all of them.
    Raises ValueError for an array that begins within its buffers, which DuckDB makes none of.
    """
    if array.offset:
        raise ValueError("an array begins within its buffers")
    bitmap, values = _buffers(array)
    valid = _valid(array, bitmap, around)
    if valid and values and layout.bits:
        _keep(values, _mask(valid, layout.bits)[: _bytes(array.length * layout.bits)])
    parts = _repeated(valid, layout.parts) if valid and layout.parts else None
    for child, its in zip(_children(array), layout.children, strict=True):
        blank(child, its, parts)


def _valid(array: Any, bitmap: int | None, around: bytes | None) -> bytes | None:
    """Return which values are valid, and a part of what is; None where all are."""
    size = _bytes(array.length)
    own = ctypes.string_at(bitmap, size) if bitmap and array.null_count else None
    return own if around is None else _both(own or b"\xff" * size, around)


def _bits(form: str) -> int:
    if form.startswith("d:"):
        width = form.split(",")[2:]
        return int(width[0]) if width else _BITS_OF_DECIMALS
    if form.startswith("w:"):
        return 8 * int(form[2:])
    if form[:2] in ("ts", "tD"):
        return _BITS_OF_MOMENTS
    if form not in _BITS:
        raise ValueError(f"nothing is known of Arrow's format {form}")
    return _BITS[form]


def _children(node: Any) -> Iterator[Any]:
    pointers = ctypes.cast(node.children, POINTER(POINTER(type(node))))
    return (pointers[number].contents for number in range(node.n_children))


def _buffers(array: Any) -> tuple[int | None, int | None]:
    """Return the addresses of an array's validity and of its values, None for what it has not."""
    pointers = ctypes.cast(array.buffers, POINTER(c_void_p))
    bitmap, values, *_ = [*(pointers[number] for number in range(array.n_buffers)), None, None]
    return bitmap, values


def _keep(address: int, mask: bytes) -> None:
    """Leave of what lies at an address only those bits that the mask has."""
    ctypes.memmove(address, _both(ctypes.string_at(address, len(mask)), mask), len(mask))


def _both(one: bytes, other: bytes) -> bytes:
    """Return those bits of ``one`` that the other has too."""
    both = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return both.to_bytes(len(one), "little")


def _bytes(bits: int) -> int:
    return (bits + 7) // 8


def _mask(valid: bytes, bits: int) -> bytes:
    """Return as many bits for each value as it has; a layout has one of few widths, so that all are known."""
    return b"".join(map(_all_repeated(bits).__getitem__, valid))


def _repeated(valid: bytes, times: int) -> bytes:
    """Return a validity in which each bit stands so many times, a number that queries choose."""
    return b"".join(_byte_repeated(byte, times) for byte in valid)


@cache
def _all_repeated(times: int) -> list[bytes]:
    return [_byte_repeated(byte, times) for byte in range(256)]


def _byte_repeated(byte: int, times: int) -> bytes:
    """Return the bits of a byte, each so many times.

    >>> _byte_repeated(0b00000101, 2).hex(), _byte_repeated(0b10000000, 8).hex()
    ('3300', '00000000000000ff')
    """
    ones = (1 << times) - 1
    bits = sum(ones << number * times for number in range(8) if byte >> number & 1)
    return bits.to_bytes(times, "little")
