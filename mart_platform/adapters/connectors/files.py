"""Files below a folder, or inside an installed Python package."""

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from mart_platform.adapters.connectors.copying import copied
from mart_platform.adapters.connectors.options import FormatOptions, read_options
from mart_platform.ports import Delivery
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import delivery_order

_PACKAGE = "package:"


class FileOptions(FormatOptions):
    """Which files are a table: ``glob``, with ``{table}`` in the place of the table's name.

    It starts from the warehouse folder, or from the installed Python package that ``package`` names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    glob: Annotated[str, Field(min_length=1)]
    package: str | None = None


class FilesConnector:
    """Lists files by a glob and copies them.

    Files come in the order of their names, numbers in them by value, so that an order in which they are
    landed for the first time is the same on every machine: the time of modification is not kept by most
    ways of copying, and a name that holds a date or a number says what its writer meant.
    """

    def refused(self, table: str, options: Mapping[str, Any]) -> Sequence[str]:
        """Return a sentence for each mistake in the options of a table."""
        try:
            _options(table, options)
        except UserError as error:
            return str(error).splitlines()
        return ()

    def deliveries(self, table: str, options: Mapping[str, Any], folder: Path) -> Sequence[Delivery]:
        """List the files of a table.

        Raises UserError when a named package lacks them, when a folder cannot be read, and for a name that
        is no text in UTF-8, for such a delivery could not be told of.
        """
        wanted = _options(table, options)
        base = folder if wanted.package is None else package_folder(wanted.package)
        pattern = wanted.glob.replace("{table}", table)
        found = sorted(_listed(table, base, pattern), key=_by_name)
        if not found and wanted.package is not None:
            raise UserError(
                f"{table}: the Python package '{wanted.package}' in {base} holds no file '{pattern}'. "
                "Install the version that has it, or correct the option 'glob' of the source."
            )
        offered = (_delivery(table, file, folder, wanted.package, base) for file in found)
        return [delivery for delivery in offered if delivery is not None]

    def fetch(
        self, delivery: Delivery, options: Mapping[str, Any], folder: Path, into: Path
    ) -> tuple[Path, str]:
        """Copy a file, synced to disk; one that is written to meanwhile is refused with UserError."""
        return copied(_place(delivery.position, folder), delivery.position, into)


def _options(table: str, options: Mapping[str, Any]) -> FileOptions:
    return read_options(FileOptions, options, of=f"{table} (connector files)")


def package_folder(package: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    top, *below = package.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"The Python package '{top}' is not installed, and a source reads its files. Install what "
            "holds it; the packages of the built-in warehouse come with: pip install 'mart-platform[demo]'"
        )
    return Path(next(iter(spec.submodule_search_locations)), *below)


def _listed(table: str, base: Path, pattern: str) -> list[Path]:
    try:
        found = list(_files(base, pattern))
    except OSError as error:
        raise UserError(
            f"{table}: {error.filename or base} cannot be read: {error.strerror or error}. Give the user "
            "that builds the right to read it."
        ) from error
    except (ValueError, IndexError) as error:
        raise UserError(
            f"{table}: the option 'glob' is no pattern of files: '{pattern}'. Write it as "
            "'exports/{table}/*.csv'; '**' stands for folders of any depth, as a part by itself."
        ) from error
    if astray := [file for file in found if not _is_text(file.as_posix())]:
        raise UserError(
            f"{table}: the name of the file {os.fsencode(astray[0])!r} is no text in UTF-8. Rename it."
        )
    return found


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _files(base: Path, pattern: str) -> Iterator[Path]:
    rooted = base / pattern
    start = Path(rooted.anchor) if Path(pattern).is_absolute() else base
    for file in start.glob(str(rooted.relative_to(start))):
        if file.is_file() and not file.name.startswith("."):
            yield _plain(file)


def _plain(path: Path) -> Path:
    """Return an absolute path without steps up, links kept."""
    return Path(os.path.normpath(path.absolute()))


def _by_name(file: Path) -> tuple[str, str]:
    return delivery_order(file.as_posix()), file.as_posix()


def _delivery(table: str, file: Path, folder: Path, package: str | None, base: Path) -> Delivery | None:
    """Return a file as a delivery; None for one that was removed since it was listed."""
    root = _plain(folder)
    if package is not None:
        inside = PurePosixPath(package.replace(".", "/"), file.relative_to(_plain(base)).as_posix())
        position = f"{_PACKAGE}{inside}"
    else:
        position = (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return Delivery(table, position, status.st_size, status.st_mtime_ns)


def _place(position: str, folder: Path) -> Path:
    """Return where a position lies on this machine."""
    if not position.startswith(_PACKAGE):
        return folder / position
    package, _, rest = position.removeprefix(_PACKAGE).partition("/")
    return package_folder(package) / rest
