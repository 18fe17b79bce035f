"""The log: JSON lines in one file a day below the data folder, quiet on the terminal unless asked for."""

import json
import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from mart_platform.spec.layout import DataFolder
from mart_platform.spec.problems import UserError

_log = logging.getLogger(__name__)
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PASSWORD = re.compile(r"(://[^:/@\s]+:)[^@\s]+(?=@)")


def open_log(data: Path, verbose: int, arguments: Sequence[str] = ()) -> None:
    """Send our log, and the warnings of libraries, to the file of today; ``verbose`` shows it as well.

    Its first line says with which arguments ``mart`` was called. Raises UserError when the data folder
    cannot be written. Opening another log closes the one before.
    """
    folder = DataFolder(data).logs
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The data folder {data} cannot be written: {error.strerror}.") from error
    root = logging.getLogger()
    for handler in [known for known in root.handlers if isinstance(known, _Daily | _Shown)]:
        root.removeHandler(handler)
    root.addHandler(_Daily(folder))
    logging.getLogger("mart_platform").setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it would log queries, with the values in them
    if verbose:
        shown = _Shown(sys.stderr)
        shown.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(shown)
    _log.info("called", extra={"arguments": list(arguments)})


def without_secrets(text: str) -> str:
    """Return a text with the passwords of the URLs in it taken out.

    >>> without_secrets("cannot reach postgresql://mart:s3cret@db/ledger")
    'cannot reach postgresql://mart:***@db/ledger'
    """
    return _PASSWORD.sub(r"\1***", text)


class _Shown(logging.StreamHandler[TextIO]):
    """Shows the log to whoever asked for it."""


class _Daily(logging.Handler):
    """Appends each record as one line, in one write, to the file of the day; several processes may do so."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._is_broken = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            file = self._folder / f"{_moment(record):%Y-%m-%d}.jsonl"
            with file.open("ab", buffering=0) as log:
                log.write(_line(record).encode())
        except OSError as error:
            if not self._is_broken:
                sys.stderr.write(f"The log in {self._folder} cannot be written: {error.strerror}.\n")
            self._is_broken = True


def _line(record: logging.LogRecord) -> str:
    facts = {name: value for name, value in vars(record).items() if name not in _PLAIN}
    told = {
        "at": _moment(record).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        **facts,
    }
    if record.exc_info:
        told["traceback"] = logging.Formatter().formatException(record.exc_info)
    return without_secrets(json.dumps(told, ensure_ascii=False, default=str)) + "\n"


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
