"""The policies under which answers were given: a file for each, named by its digest."""

import re
from pathlib import Path
from uuid import uuid4

from mart_platform.durable import sync

_DIGEST = re.compile(r"[0-9a-f]{8,64}")


class Policies:
    """Texts in a folder, which is made with the first of them; only its owner may read it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, digest: str, policy: str) -> None:
        """Keep a text under its digest, unless it is there. Raises OSError."""
        path = self._path(digest)
        if path.exists():
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        half_written = path.with_name(f".{path.name}-{uuid4().hex}")
        half_written.write_text(policy, encoding="utf-8")
        sync(half_written)
        half_written.replace(path)
        sync(self._folder)

    def kept(self, digest: str) -> str | None:
        """Return the text with this digest, None where it is not kept."""
        try:
            return self._path(digest).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"'{digest}' is no digest")
        return self._folder / f"{digest}.json"
