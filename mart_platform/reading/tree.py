"""The files of a warehouse folder: which ones belong to it, and which stand where nothing is expected."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from mart_platform.spec.problems import Place, Problem, UserError, nearest

MART_FILES = ("mart.yaml", "metrics.yaml", "access.yaml", "slos.yaml")


@dataclass(frozen=True)
class Folder:
    """What a folder may hold: files by name or by ending, folders by name, or one folder ``for_each`` thing.

    One that holds ``others`` too is searched for names that look mistyped only.
    """

    files: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    folders: Mapping[str, "Folder"] = field(default_factory=dict)
    for_each: tuple[str, "Folder"] | None = None
    others: bool = False

    def inner(self, name: str) -> "Folder | None":
        """Return what the folder of this name may hold, or None when none of this name is expected."""
        return self.folders.get(name) or (self.for_each[1] if self.for_each else None)

    def expects_file(self, name: str) -> bool:
        """Tell whether a file of this name belongs here."""
        return name in self.files or name.endswith(self.endings)

    def remedy(self, name: str, *, is_folder: bool) -> str | None:
        """Return what to do about a name that does not belong here; None when it may stay."""
        stem = PurePosixPath(name).stem
        allowed = [*self.files, *self.folders, *(stem + ending for ending in self.endings)]
        if self.others and not get_close_matches(name.lower(), allowed, n=1, cutoff=0.75):
            return None
        if self.for_each:
            return f"Here stands one folder for each {self.for_each[0]}."
        if is_folder and not self.folders:
            return "Here stand files only."
        return nearest(name, allowed)


_MODELS = Folder(endings=(".yaml", ".sql", ".py"))
_RUNBOOKS = Folder(endings=(".md",))
_SOURCE = Folder(files=("source.yaml",))
_MART = Folder(files=MART_FILES, folders={"tables": _MODELS, "runbooks": _RUNBOOKS})
WAREHOUSE = Folder(
    files=("settings.yaml", "principals.yaml"),
    folders={
        "sources": Folder(for_each=("source", _SOURCE)),
        "canonical": _MODELS,
        "marts": Folder(for_each=("mart", _MART)),
    },
    others=True,  # what the sources deliver may lie beside the declarations
)


@dataclass(frozen=True)
class Tree:
    """The paths of all files of the declarations, sorted and relative to the root, and what is astray."""

    files: tuple[str, ...]
    strays: tuple[Problem, ...]


def tree_of(root: Path) -> Tree:
    """Walk a warehouse folder. Raises UserError when there is none at ``root``.

    Dotfiles, ``__pycache__``, ``__init__.py`` and ``README.md`` are passed over.
    """
    if not root.is_dir():
        raise UserError(f"There is no folder '{root}'. {_NAME_YOURS}")
    files: list[str] = []
    strays: list[Problem] = []
    for found in _walk(root, PurePosixPath(), WAREHOUSE):
        if isinstance(found, Problem):
            strays.append(found)
        else:
            files.append(found)
    if not files and not strays:
        raise UserError(f"'{root}' holds no {', '.join(WAREHOUSE.folders)}. {_NAME_YOURS}")
    return Tree(tuple(sorted(files)), tuple(strays))


_NAME_YOURS = "Name your warehouse folder with --warehouse DIR or MART_WAREHOUSE."


def digest_of(contents: Mapping[str, bytes], tree: Tree) -> str:
    """Return the SHA-256 of all files by path and content; a stray counts by its name.

    So a folder that was valid has another digest as soon as something is astray in it.
    """
    digest = hashlib.sha256()
    for file, content in sorted(contents.items()):
        digest.update(f"{file}\0{len(content)}\0".encode())
        digest.update(content)
    for stray in tree.strays:
        digest.update(f"{stray.place.file}\0".encode())
    return digest.hexdigest()


def _walk(root: Path, inside: PurePosixPath, folder: Folder) -> Iterator[str | Problem]:
    try:
        entries = sorted(os.scandir(root / inside), key=lambda entry: entry.name)
    except OSError as error:
        yield Problem(
            Place(str(inside)), f"the folder cannot be read: {error.strerror}.", "Make it readable."
        )
        return
    for entry in entries:
        path, is_folder = inside / entry.name, entry.is_dir()
        if _passed_over(entry.name):
            continue
        if is_folder and (inner := folder.inner(entry.name)):
            yield from _walk(root, path, inner)
        elif not is_folder and folder.expects_file(entry.name):
            yield str(path)
        elif remedy := folder.remedy(entry.name, is_folder=is_folder):
            yield Problem(Place(str(path)), f"'{entry.name}' is not expected here.", remedy)


def _passed_over(name: str) -> bool:
    return name.startswith(".") or name in ("__pycache__", "__init__.py", "README.md")
