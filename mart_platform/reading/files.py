"""The files of a warehouse folder, read into memory once, and the problems found in them so far."""

from pathlib import Path, PurePosixPath

from mart_platform.reading.located_yaml import Document, documents
from mart_platform.reading.tree import Tree, digest_of, tree_of
from mart_platform.spec.problems import Place, Problem


class Files:
    """All files of a warehouse folder by their path relative to it; whatever is wrong goes to ``problems``.

    Raises UserError when there is no warehouse folder at ``root``.
    """

    def __init__(self, root: Path) -> None:
        self.tree: Tree = tree_of(root)
        self.problems: list[Problem] = list(self.tree.strays)
        self._contents: dict[str, bytes] = {}
        for file in self.tree.files:
            try:
                self._contents[file] = (root / file).read_bytes()
            except OSError as error:
                self.problem(
                    file, f"the file cannot be read: {error.strerror}.", "Make it readable, or remove it."
                )

    @property
    def digest(self) -> str:
        """The SHA-256 of all files by path and content."""
        return digest_of(self._contents, self.tree)

    def names_below(self, folder: str) -> list[str]:
        """Return the names of the folders right below ``folder`` that hold any file."""
        paths = [PurePosixPath(file).parts for file in self.tree.files]
        return sorted({parts[1] for parts in paths if parts[0] == folder and len(parts) > 2})

    def within(self, folder: str) -> list[PurePosixPath]:
        """Return the files that lie right in ``folder``."""
        return [path for path in map(PurePosixPath, self.tree.files) if str(path.parent) == folder]

    def __contains__(self, file: str) -> bool:
        return file in self.tree.files

    def text(self, file: str) -> str | None:
        """Return the text of a file with its lines ended by LF, or None when it is none in UTF-8."""
        content = self._contents.get(file)
        if content is None:
            return None
        try:
            return content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            found = f"the file is not text in UTF-8: byte 0x{content[error.start]:02x} at {error.start}."
            self.problem(file, found, "Save it as UTF-8.", line)
            return None

    def documents(self, file: str) -> list[Document]:
        """Return the YAML documents of a file; one that holds none is a problem."""
        text = self.text(file)
        return [] if text is None else documents(text, file, self.problems)

    def document(self, file: str) -> Document | None:
        """Return the only YAML document of a file; a second one is a problem."""
        found = self.documents(file)
        for again in found[1:]:
            line = again.lines[()]
            self.problem(file, "a second document begins here ('---').", "Keep one in this file.", line)
        return found[0] if found else None

    def problem(self, file: str, found: str, remedy: str = "", line: int = 1) -> None:
        """Add a problem."""
        self.problems.append(Problem(Place(file, line), found, remedy))

    def agree(self, document: Document, key: str, name: str) -> None:
        """Refuse a document whose name in ``key`` is another than the one in its path."""
        given = document.field(key)
        if isinstance(given, str) and given != name:
            self.problems.append(
                Problem(
                    document.origin.place(key),
                    f"'{key}' is '{given}', but the path says '{name}'.",
                    f"Write '{key}: {name}', or move the file.",
                )
            )
