"""The programme's system, as a source whose files are made when they are fetched."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from mart_platform.adapters.connectors.copying import copied
from mart_platform.adapters.connectors.files import package_folder
from mart_platform.adapters.connectors.loyalty.programme import Programme
from mart_platform.adapters.connectors.options import read_options
from mart_platform.ports import Delivery
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.records import digest_of

_GENERATION = 1
"""Raised when the simulation makes other files of the same seed, so that they are landed again."""

_BASKETS, _DEMOGRAPHICS = "data/transactions.parquet", "data/demographics.parquet"
_DAY, _ZONE, _BILLION = timedelta(days=1), ZoneInfo("America/New_York"), 10**9
_STARTS = (date(2013, 1, 1), *(date(2017, month, 1) for month in (1, 4, 7, 10)), date(2018, 1, 1))
_PERIODS = {f"{(after - _DAY):%Y-%m}": (first, after) for first, after in pairwise(_STARTS)}
"""By name, from which day on to before which day: a quarter, and at first all that was before."""

_TABLES: Mapping[str, Callable[[Programme, date, date], bytes]] = {
    "enrolments": Programme.enrolments_file,
    "consents": Programme.consents_file,
}


class LoyaltyOptions(BaseModel):
    """Whose households enrol: those of an installed Python package; ``seed`` decides what they do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: Annotated[str, Field(min_length=1)]
    seed: int = 0


class LoyaltySimulator:
    """Delivers the accounts that were opened and the consents that were given, a CSV file for each quarter.

    The first file of a table holds all that happened before 2017. Files are made when they are fetched, and
    depend on nothing but the package, the seed and the version of Faker: the same bytes at any time, on any
    machine. So their size is not known before, and told as 0; the time of a delivery, below the second,
    differs with what it is made of.
    """

    def __init__(self) -> None:
        self._known: tuple[LoyaltyOptions, Programme] | None = None

    def refused(self, table: str, options: Mapping[str, Any]) -> Sequence[str]:
        """Return a sentence for each mistake in the options of a table."""
        if table not in _TABLES:
            return [f"The simulated loyalty programme has no table '{table}'. {nearest(table, _TABLES)}"]
        try:
            _options(table, options)
        except UserError as error:
            return str(error).splitlines()
        return ()

    def deliveries(self, table: str, options: Mapping[str, Any], folder: Path) -> Sequence[Delivery]:
        """List the quarters. Raises UserError when Faker or the package of households is not installed."""
        made_of = _made_of(_options(table, options))
        return [_delivery(table, period, made_of) for period in _PERIODS]

    def fetch(
        self, delivery: Delivery, options: Mapping[str, Any], folder: Path, into: Path
    ) -> tuple[Path, str]:
        """Make the file of a quarter, synced to disk. Raises UserError for one that is not simulated."""
        table, position = delivery.table, delivery.position
        period = next((each for each in _PERIODS if _position(table, each) == position), None)
        if period is None:
            raise UserError(f"{position}: is not simulated any more.")
        content = _TABLES[table](self._programme(_options(table, options)), *_PERIODS[period])
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, f"{period}.csv")
            file.write_bytes(content)
            return copied(file, position, into)

    def _programme(self, options: LoyaltyOptions) -> Programme:
        if self._known is None or self._known[0] != options:
            self._known = options, simulated(options)
        return self._known[1]


def simulated(options: LoyaltyOptions) -> Programme:
    """Return the whole programme, with the truth about who holds which accounts.

    Raises UserError when Faker or the package of the households is not installed.
    """
    _made_of(options)
    # Polars and Faker take 0.3 s to import, which a look at what is pending need not pay
    from mart_platform.adapters.connectors.loyalty.households import read_households  # noqa: PLC0415 (as said)
    from mart_platform.adapters.connectors.loyalty.people import simulate  # noqa: PLC0415 (as said)

    folder = package_folder(options.package)
    return simulate(read_households(folder / _BASKETS, folder / _DEMOGRAPHICS), options.seed)


def installed_version(library: str) -> str:
    """Return the version of a library that simulations need. Raises UserError when it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        raise UserError(
            f"The Python package '{library}' is not installed, and a simulated source needs it. "
            "It comes with: pip install 'mart-platform[demo]'"
        ) from None


def _options(table: str, options: Mapping[str, Any]) -> LoyaltyOptions:
    return read_options(LoyaltyOptions, options, of=f"{table} (connector simulated_loyalty)")


def _made_of(options: LoyaltyOptions) -> str:
    """Return a digest of everything that decides what the files hold."""
    faker, folder = installed_version("faker"), package_folder(options.package)
    try:
        read = [f"{name} {(folder / name).stat().st_size}" for name in (_BASKETS, _DEMOGRAPHICS)]
    except FileNotFoundError as error:
        raise UserError(
            f"The Python package '{options.package}' holds no households: {error.filename} is missing. "
            "Install the version that has it, or correct the option 'package' of the source."
        ) from None
    return digest_of([f"generation {_GENERATION}", f"seed {options.seed}", f"faker {faker}", *read])


def _delivery(table: str, period: str, made_of: str) -> Delivery:
    _, after = _PERIODS[period]
    ends = datetime.combine(after, time(), _ZONE).astimezone(UTC)
    modified = int(ends.timestamp()) * _BILLION + int(made_of[:7], 16) % _BILLION
    return Delivery(table, _position(table, period), size=0, modified_ns=modified, complete_through=ends)


def _position(table: str, period: str) -> str:
    return f"simulated:{table}/{period}.csv"
