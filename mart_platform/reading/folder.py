"""Reads a warehouse folder: all of its declarations, or all of its mistakes at once."""

from pathlib import Path

from mart_platform.reading.files import Files
from mart_platform.reading.marts import read_mart
from mart_platform.reading.models import read_models
from mart_platform.reading.sources import read_source
from mart_platform.reading.validating import declared
from mart_platform.spec.principals import Principal, Principals
from mart_platform.spec.problems import InvalidDeclarations, Origin
from mart_platform.spec.settings import Settings
from mart_platform.spec.warehouse import TAKEN_NAMES, Warehouse


def read_warehouse(root: Path) -> Warehouse:
    """Return all declarations of a warehouse folder.

    Raises InvalidDeclarations with every mistake of every file, and UserError when there is no such folder.
    """
    files = Files(root)
    settings = _read_settings(files)
    principals, principals_origin = _read_principals(files)
    sources = [read_source(files, name) for name in files.names_below("sources")]
    canonical = read_models(files, "canonical", "canonical")
    marts = [read_mart(files, name) for name in files.names_below("marts")]
    _refuse_taken_names(files)
    if files.problems:
        raise InvalidDeclarations(files.problems)
    return Warehouse(
        root=root.absolute(),
        digest=files.digest,
        settings=settings,
        sources=tuple(source for source in sources if source),
        canonical=canonical,
        marts=tuple(mart for mart in marts if mart),
        principals=principals,
        principals_origin=principals_origin,
    )


def folder_digest(root: Path) -> str:
    """Return the digest that ``read_warehouse`` would give the folder, without parsing anything.

    Raises UserError when there is no such folder.
    """
    return Files(root).digest


def _read_settings(files: Files) -> Settings:
    document = files.document("settings.yaml") if "settings.yaml" in files else None
    return (document and declared(Settings, document, files.problems)) or Settings()


def _read_principals(files: Files) -> tuple[dict[str, Principal], Origin | None]:
    document = files.document("principals.yaml") if "principals.yaml" in files else None
    if document is None:
        return {}, None
    principals = declared(Principals, document, files.problems)
    return (principals.principals if principals else {}), document.origin


def _refuse_taken_names(files: Files) -> None:
    """Refuse two folders, or a folder and the engine, whose tables would have the same names."""
    sources, marts = files.names_below("sources"), files.names_below("marts")
    declared_in = {f"sources/{name}/source.yaml": name for name in sources}
    declared_in |= {f"marts/{name}/mart.yaml": name for name in marts}
    for file, name in declared_in.items():
        if name in TAKEN_NAMES:
            files.problem(file, f"the name '{name}' is taken by the platform.", "Choose another one.")
    for name in sorted(set(sources) & set(marts)):
        found = f"a source is called '{name}' too, so their tables cannot be told apart."
        files.problem(f"marts/{name}/mart.yaml", found, "Rename one of them.")
