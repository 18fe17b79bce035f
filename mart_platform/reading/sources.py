"""Reads ``sources/<system>/source.yaml``."""

from mart_platform.reading.files import Files
from mart_platform.reading.validating import declared
from mart_platform.spec.sources import Source
from mart_platform.spec.warehouse import DeclaredSource


def read_source(files: Files, name: str) -> DeclaredSource | None:
    """Return the source of one folder, or None when something is wrong with it."""
    document = files.document(f"sources/{name}/source.yaml")
    if document is None:
        return None
    files.agree(document, "source", name)
    source = declared(Source, document, files.problems)
    return DeclaredSource(source, document.origin) if source else None
