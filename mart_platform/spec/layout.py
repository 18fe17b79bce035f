"""Where things lie below the data folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataFolder:
    """The folder that holds everything that the platform writes."""

    root: Path

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.sqlite"

    @property
    def landing(self) -> Path:
        """Delivered files as they came, named by their content."""
        return self.root / "landing"

    @property
    def quarantine(self) -> Path:
        """Rows that broke their contract, one Parquet file a batch."""
        return self.root / "quarantine"

    @property
    def lake(self) -> Path:
        """Delta tables, one folder for each physical table."""
        return self.root / "lake"

    @property
    def published(self) -> Path:
        """For readers without a server: Parquet and DuckDB files of what is live."""
        return self.root / "published"

    @property
    def temporary(self) -> Path:
        """Spill files and half-made work; nothing in it is needed after a run."""
        return self.root / "tmp"

    @property
    def dagster(self) -> Path:
        """Dagster's home."""
        return self.root / "dagster"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def telemetry(self) -> Path:
        return self.root / "telemetry"

    @property
    def replay(self) -> Path:
        """What was planted in deliveries that are played, a folder for each table."""
        return self.root / "replay"

    @property
    def audit(self) -> Path:
        """The audit log of the door."""
        return self.root / "audit"

    @property
    def serving(self) -> Path:
        """What the door makes of publications, so that it answers fast; it can be made again."""
        return self.root / "serving"

    @property
    def cache(self) -> Path:
        """What can be computed again: plans by the digest of their folder."""
        return self.root / "cache"

    def relative(self, path: Path) -> str:
        """Return ``path`` as records hold it."""
        return path.relative_to(self.root).as_posix()

    def absolute(self, path: str) -> Path:
        """Return the place of a path from a record."""
        return self.root / path
