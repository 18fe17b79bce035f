"""A warehouse folder, read: all declarations with the places they came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mart_platform.spec.access import Access
from mart_platform.spec.marts import Mart
from mart_platform.spec.metrics import Metrics
from mart_platform.spec.principals import Principal
from mart_platform.spec.problems import Origin
from mart_platform.spec.runbooks import Runbook
from mart_platform.spec.settings import Settings
from mart_platform.spec.slos import Slo
from mart_platform.spec.sources import Source
from mart_platform.spec.tables import Contract

TAKEN_NAMES = frozenset({"canonical", "main", "temp", "system", "information_schema", "pg_catalog"})
"""No mart and no source may be called so: these are schemas of the platform and of DuckDB."""


@dataclass(frozen=True)
class DeclaredSource:
    """A source and where it is declared."""

    spec: Source
    origin: Origin


@dataclass(frozen=True)
class SqlText:
    """The text of a ``.sql`` model."""

    file: str
    text: str


@dataclass(frozen=True)
class PythonModel:
    """A ``.py`` model: its text, the parameters of its function, and the modules that it imports."""

    file: str
    text: str
    parameters: tuple[str, ...]
    imports: tuple[str, ...]


@dataclass(frozen=True)
class DeclaredModel:
    """A table's contract and the model that fills it."""

    contract: Contract
    origin: Origin
    model: SqlText | PythonModel


@dataclass(frozen=True)
class DeclaredSlo:
    """An objective and where it is declared."""

    spec: Slo
    origin: Origin


@dataclass(frozen=True)
class DeclaredRunbook:
    """A runbook: its front matter, where it is declared, and its text in Markdown."""

    spec: Runbook
    origin: Origin
    text: str


@dataclass(frozen=True)
class DeclaredMart:
    """A mart's folder."""

    spec: Mart
    origin: Origin
    tables: tuple[DeclaredModel, ...]
    slos: tuple[DeclaredSlo, ...] = ()
    runbooks: tuple[DeclaredRunbook, ...] = ()
    metrics: Metrics | None = None
    metrics_origin: Origin | None = None
    access: Access | None = None
    access_origin: Origin | None = None


@dataclass(frozen=True)
class Warehouse:
    """A whole warehouse folder. ``digest`` is that of all its files' contents.

    ``principals`` are those that it declares, by their names.
    """

    root: Path
    digest: str
    settings: Settings
    sources: tuple[DeclaredSource, ...]
    canonical: tuple[DeclaredModel, ...]
    marts: tuple[DeclaredMart, ...]
    principals: Mapping[str, Principal] = field(default_factory=dict)
    principals_origin: Origin | None = None

    def models(self) -> Iterator[DeclaredModel]:
        """Yield all models, canonical ones first."""
        yield from self.canonical
        for mart in self.marts:
            yield from mart.tables
