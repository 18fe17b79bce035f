"""The bytes of a delivered file, unpacked where it is compressed, and decoded in blocks of text."""

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from mart_platform.adapters.connectors.options import FormatOptions
from mart_platform.ports import Unreadable

_BLOCK = 16 << 20
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"


def unpacked_name(file: Path, position: str, options: FormatOptions) -> str:
    """Return the name of what is packed in the file, or its own when it is not packed."""
    start = _start_of(file)
    if start.startswith(_ZIP):
        with _archive(file, position) as archive:
            return _member(archive, position, options)
    name = PurePosixPath(position).name
    return name[: -len(".gz")] if name.lower().endswith(".gz") else name


def text_blocks(file: Path, position: str, options: FormatOptions) -> Iterator[str]:
    """Yield the text of a file in blocks, without a byte order mark. Raises Unreadable."""
    decoder = codecs.getincrementaldecoder(options.encoding)(errors="strict")
    done = 0
    for block in _byte_blocks(file, position, options):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _undecodable(error, done, position, options) from error
        if done == 0:
            _refuse_binary(text, position)
            text = text.removeprefix("\ufeff")
        done += len(block)
        yield text


def _byte_blocks(file: Path, position: str, options: FormatOptions) -> Iterator[bytes]:
    """Yield the unpacked bytes, and nothing at the end."""
    with _unpacked(file, position, options) as stream:
        try:
            while block := stream.read(_BLOCK):
                yield block
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise Unreadable(
                f"{position}: the compressed file is truncated or damaged ({error}). Have it delivered again."
            ) from error
    yield b""


@contextmanager
def _unpacked(file: Path, position: str, options: FormatOptions) -> Iterator[IO[bytes] | gzip.GzipFile]:
    start = _start_of(file)
    if start.startswith(_ZIP):
        with _archive(file, position) as archive, _opened(archive, position, options) as member:
            yield member
    elif start.startswith(_GZIP):
        with gzip.open(file) as stream:
            yield stream
    else:
        _refuse_misnamed(start, position)
        with file.open("rb") as plain:
            yield plain


def _start_of(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(4)


def _archive(file: Path, position: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise Unreadable(
            f"{position}: the zip archive is truncated or damaged ({error}). Have it delivered again."
        ) from error


def _opened(archive: zipfile.ZipFile, position: str, options: FormatOptions) -> IO[bytes]:
    try:
        return archive.open(_member(archive, position, options))
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise Unreadable(
            f"{position}: the zip archive cannot be unpacked: {error}. Have it delivered without a password, "
            "compressed by the usual method."
        ) from error


def _member(archive: zipfile.ZipFile, position: str, options: FormatOptions) -> str:
    members = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    if options.member is not None:
        if options.member not in members:
            raise Unreadable(
                f"{position}: the zip archive has no member '{options.member}'; it holds "
                f"{', '.join(members) or 'nothing'}. Correct the option 'member' of the source."
            )
        return options.member
    if len(members) != 1:
        raise Unreadable(
            f"{position}: the zip archive holds {', '.join(members) or 'nothing'}, and one file is read. "
            "Name it with the option 'member' of the source."
        )
    return members[0]


def _refuse_misnamed(start: bytes, position: str) -> None:
    if start.startswith(_PARQUET):
        raise Unreadable(f"{position}: this is a Parquet file. Name it .parquet, or say 'format: parquet'.")
    if position.lower().endswith((".gz", ".zip")):
        raise Unreadable(
            f"{position}: the name says that it is compressed, but it begins with {start!r}. Have it "
            "delivered again, or named as what it is."
        )


def _refuse_binary(text: str, position: str) -> None:
    if "\0" in text[:4096]:
        raise Unreadable(
            f"{position}: this is no text in the declared encoding, it holds zero bytes. Set the option "
            "'encoding' (utf-16 is common where this happens), or have the right file delivered."
        )


def _undecodable(error: UnicodeDecodeError, done: int, position: str, options: FormatOptions) -> Unreadable:
    found = " ".join(f"{byte:02X}" for byte in error.object[error.start : error.end][:4])
    return Unreadable(
        f"{position}: near byte {done + error.start + 1} stands {found}, which is no {options.encoding} text "
        f"({error.reason}). Set the option 'encoding' of the source to what its writer uses (latin-1, "
        "cp1252, utf-16, …), or have the file delivered again."
    )
