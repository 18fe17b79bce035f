"""What lies in the places of NULLs: DuckDB leaves there what was in the memory before, and it would be sent.

That may be a value that nobody may see, or a part of another query. Layouts and formats are those of the
Arrow C data interface: https://arrow.apache.org/docs/format/CDataInterface.html.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import Any

_WIDTHS = {
    **dict.fromkeys("cC", 1),
    **dict.fromkeys("sSe", 2),
    **dict.fromkeys("iIf", 4),
    **dict.fromkeys("lLg", 8),
    **dict.fromkeys(("tdD", "tts", "ttm", "tiM"), 4),
    **dict.fromkeys(("tdm", "ttu", "ttn", "tiD"), 8),
    **dict.fromkeys(("tin", "vu", "vz"), 16),
    # Texts and lists of no length stand for NULL, so that there is nothing to see of them.
    **dict.fromkeys(("n", "u", "U", "z", "Z", "+l", "+L", "+m", "+s"), 0),
}
_DECIMAL_BITS = 128


@dataclass(frozen=True)
class Layout:
    """How a column lies in memory: the bytes of a value, 0 where its buffers hold none of NULLs.

    ``is_bits`` says that a value is a bit. ``each`` is how many values of its child each of its own has,
    where that is a fixed number: 1 for a struct.
    """

    width: int
    is_bits: bool
    each: int
    children: "tuple[Layout, ...]"


def layout_of(schema: Any) -> Layout:
    """Return the layout that a C schema says. Raises ValueError for one that is not known here."""
    form = ctypes.cast(schema.format, c_char_p).value or b""
    text = form.decode()
    children = tuple(layout_of(child) for child in _children(schema))
    if text == "b":
        return Layout(0, True, 0, children)
    if text.startswith("+w:"):
        return Layout(0, False, int(text[3:]), children)
    return Layout(_width(text), False, 1 if text == "+s" else 0, children)


def blank(array: Any, layout: Layout, outer: bytes | None = None) -> None:
    """Write zeros over what lies in the places of NULLs of a C array, and of those around it.

    ``outer`` is the validity of what it is a part of, a bit for each value. Raises ValueError for an array
    that begins within its buffers, which DuckDB makes none of.
    """
    if array.offset:
        raise ValueError("an array begins within its buffers")
    length, buffers = array.length, ctypes.cast(array.buffers, POINTER(c_void_p))
    valid = _valid(length, buffers[0] if array.n_buffers else None, array.null_count, outer)
    if valid is not None and array.n_buffers > 1 and buffers[1]:
        if layout.is_bits:
            _keep(buffers[1], valid)
        elif layout.width:
            _keep(buffers[1], b"".join(map(_expanded(layout.width), valid))[: length * layout.width])
    for child, its in zip(_children(array), layout.children, strict=True):
        blank(
            child, its, _repeated(valid, layout.each, length) if valid is not None and layout.each else None
        )


def _valid(length: int, bitmap: int | None, null_count: int, outer: bytes | None) -> bytes | None:
    """Return the validity of an array's values, a bit for each; None where all are valid."""
    own = None
    if bitmap and null_count:
        own = ctypes.string_at(bitmap, (length + 7) // 8)
    if own is None or outer is None:
        return own if outer is None else outer
    return _both(own, outer)


def _width(form: str) -> int:
    if form.startswith("d:"):
        bits = form.split(",")[2:]
        return (int(bits[0]) if bits else _DECIMAL_BITS) // 8
    if form.startswith("w:"):
        return int(form[2:])
    if form[:2] in ("ts", "tD"):
        return 8
    if form not in _WIDTHS:
        raise ValueError(f"nothing is known of Arrow's format {form}")
    return _WIDTHS[form]


def _children(node: Any) -> list[Any]:
    pointers = ctypes.cast(node.children, POINTER(POINTER(type(node))))
    return [pointers[number].contents for number in range(node.n_children)]


def _keep(address: int, mask: bytes) -> None:
    """Leave of what lies at an address only those bits that the mask has."""
    ctypes.memmove(address, _both(ctypes.string_at(address, len(mask)), mask), len(mask))


def _both(one: bytes, other: bytes) -> bytes:
    number = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return number.to_bytes(len(one), "little")


@cache
def _expanded(width: int) -> Callable[[int], bytes]:
    """Return what gives, for a byte of validity, ones over the bytes of the eight values that are valid."""
    ones, zeros = b"\xff" * width, bytes(width)
    table = [b"".join(ones if byte >> bit & 1 else zeros for bit in range(8)) for byte in range(256)]
    return table.__getitem__


def _repeated(valid: bytes, times: int, length: int) -> bytes:
    """Return a validity in which each bit stands so many times."""
    if times == 1:
        return valid
    bits = [valid[n // 8] >> n % 8 & 1 for n in range(length) for _ in range(times)]
    number = sum(bit << n for n, bit in enumerate(bits))
    return number.to_bytes((len(bits) + 7) // 8, "little")
