"""A source whose deliveries follow the business clock, played from what another connector holds."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mart_platform.adapters.connectors.copying import copied
from mart_platform.adapters.connectors.options import FormatOptions, read_options
from mart_platform.adapters.connectors.pieces import TRUTH, Piece, read_pieces, settings_of, write_pieces
from mart_platform.durable import sync
from mart_platform.ports import Clock, Connector, Delivered, Delivery, Formats
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import digest_of
from mart_platform.spec.sources import SourceTable
from mart_platform.spec.words import timedelta_of

_BILLION = 10**9
_Played = tuple[Path, dict[str, Piece]]


class SeededReplays:
    """Gives replays that keep their files in the cache, and tell in the data folder what they planted.

    ``formats`` is asked for when a source is read for the first time: it imports what is slow to import.
    """

    def __init__(self, data: DataFolder, clock: Clock, formats: Callable[[], Formats]) -> None:
        self._data, self._clock, self._formats = data, clock, formats

    def of(self, connector: Connector, source: str, contract: SourceTable) -> "Replayed":
        """Return a connector that delivers, as the contract's ``replay`` says, what another one holds."""
        return Replayed(connector, source, contract, self._data, self._clock, self._formats)


class Replayed:
    """Delivers a day (or an hour) of what another connector holds, once the business clock is past it.

    The rows of a day come when it has ended and the delay has passed; a day without any comes too, as a file
    without rows, but for JSON lines, which know none. A row that is planted late comes one to seven
    deliveries later than its day; one that is planted as duplicated or corrected comes with its day and again
    one to seven deliveries later, so that there are some deliveries after the last day with events. Nothing
    else differs from the source: of all rows of a key, the one in the last delivery is what the source holds.

    A delivery declares to be complete through the end of its day; where rows are planted late, less the
    allowed lateness. That is true but for the planted rows that are later than allowed: late rows of both
    kinds are planted, and the truth file says of each which it is. It is not true either of a row that the
    source itself holds out of order, after a row of the same key with a later event time.

    All files are made when the source is looked at for the first time, and depend on nothing but its content
    and the declaration: they are the same whether they are taken day by day or all at once.
    """

    def __init__(
        self,
        connector: Connector,
        source: str,
        contract: SourceTable,
        data: DataFolder,
        clock: Clock,
        formats: Callable[[], Formats],
    ) -> None:
        if contract.replay is None:
            raise ValueError(f"a table of {source} is played that declares no replay")
        self._connector, self._source, self._contract = connector, source, contract
        self._data, self._clock, self._formats = data, clock, formats
        self._delay = timedelta_of(contract.replay.delay) if contract.replay.delay else None
        self._known: _Played | None = None

    def refused(self, table: str, options: Mapping[str, Any]) -> Sequence[str]:
        """Return a sentence for each mistake in the options of a table."""
        return self._connector.refused(table, options)

    def deliveries(self, table: str, options: Mapping[str, Any], folder: Path) -> Sequence[Delivery]:
        """List the days that are over on the business clock.

        Raises UserError when what is played cannot be reached or read.
        """
        now = self._clock.now()
        over = now if self._delay is None else now - self._delay
        _, pieces = self._played(table, options, folder)
        return [_delivery(table, piece) for piece in pieces.values() if piece.ends <= over]

    def fetch(
        self, delivery: Delivery, options: Mapping[str, Any], folder: Path, into: Path
    ) -> tuple[Path, str]:
        """Copy the file of a day, synced to disk. Raises UserError when it cannot be read."""
        place, pieces = self._played(delivery.table, options, folder)
        if (piece := pieces.get(delivery.position)) is None:
            raise UserError(f"{delivery.position}: is not played any more, for the source holds other rows.")
        kept, sha256 = copied(place / piece.file, piece.position, into)
        if sha256 != piece.sha256:  # nobody waits for so many small files to reach the disk
            kept.unlink()
            raise UserError(
                f"{piece.position}: was damaged in the cache, as a loss of power leaves it. Remove {place}; "
                "it is made again."
            )
        return kept, sha256

    def _played(self, table: str, options: Mapping[str, Any], folder: Path) -> _Played:
        """Return the folder with all deliveries, and these by their positions, in order."""
        originals = self._connector.deliveries(table, options, folder)
        if not originals:
            return folder, {}
        place = self._place(table, originals, options, folder)
        if self._known is None or self._known[0] != place:
            self._known = place, {piece.position: piece for piece in read_pieces(place)}
            _tell(place / TRUTH, self._data.replay / f"{self._source}.{table}" / TRUTH)
        return self._known

    def _place(
        self, table: str, originals: Sequence[Delivery], options: Mapping[str, Any], folder: Path
    ) -> Path:
        """Return the folder with the deliveries of what the source holds now; they are made if need be.

        A note by names, sizes and times says which that is, so that nothing is read where nothing changed.
        """
        cache = self._data.cache / "replay" / f"{self._source}.{table}"
        settings = settings_of(self._contract, read_options(FormatOptions, options, of=table))
        seen = digest_of(
            [settings, *(f"{each.position} {each.size} {each.modified_ns}" for each in originals)]
        )
        note = cache / f"{seen}.txt"
        if note.exists() and (place := cache / note.read_text(encoding="utf-8")).exists():
            return place
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".making-") as making:
            scratch = Path(making)
            copies = [self._connector.fetch(each, options, folder, scratch / "source") for each in originals]
            content = [
                f"{each.position} {sha256}" for each, (_, sha256) in zip(originals, copies, strict=True)
            ]
            place = cache / digest_of([settings, *content])
            if not place.exists():
                files = [(each.position, copy) for each, (copy, _) in zip(originals, copies, strict=True)]
                self._make(table, files, options, scratch / "pieces", place)
            _put(place.name.encode(), note, scratch)
        return place

    def _make(
        self, table: str, files: list[tuple[str, Path]], options: Mapping[str, Any], making: Path, place: Path
    ) -> None:
        """Make all deliveries, and put them in their place in one step."""
        # duckdb takes 0.2 s to import, which a look at what is pending need not pay
        from mart_platform.adapters.connectors.planting import plant  # noqa: PLC0415

        making.mkdir()
        wanted = read_options(FormatOptions, options, of=table)
        write_pieces(plant(self._contract, self._opened(files, options), wanted, making), making)
        try:
            making.rename(place)
        except OSError:
            if not place.exists():  # else another process has made the same meanwhile
                raise
        sync(place.parent)

    def _opened(
        self, files: list[tuple[str, Path]], options: Mapping[str, Any]
    ) -> Iterator[tuple[str, Delivered]]:
        for position, file in files:
            with self._formats().open(file, position, options) as delivered:
                yield position, delivered


def _delivery(table: str, piece: Piece) -> Delivery:
    """Return a piece as a delivery; its time, below the second, differs with its content."""
    modified = int(piece.ends.timestamp()) * _BILLION + int(piece.sha256[:7], 16) % _BILLION
    return Delivery(table, piece.position, piece.size, modified, piece.complete_through)


def _tell(truth: Path, told: Path) -> None:
    """Put the truth about what is played where people find it."""
    told.parent.mkdir(parents=True, exist_ok=True)
    content = truth.read_bytes()
    if not told.exists() or told.read_bytes() != content:
        with tempfile.TemporaryDirectory(dir=told.parent, prefix=".making-") as scratch:
            _put(content, told, Path(scratch))


def _put(content: bytes, file: Path, scratch: Path) -> None:
    """Write a file in one step."""
    written = scratch / file.name
    written.write_bytes(content)
    sync(written)
    written.replace(file)
    sync(file.parent)
