"""How a command ends that did not do what it was asked: a sentence for people, and an exit code."""

import errno
import json
import logging
import os
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mart_platform.cli.logs import without_secrets
from mart_platform.cli.session import Session
from mart_platform.spec.problems import InvalidDeclarations, UserError

_log = logging.getLogger(__name__)

_OF_THE_MACHINE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
"""What the file system refuses is nobody's bug, but something that whoever gave the command can act on."""

FAILED, WRONG_DECLARATIONS, OUR_BUG, INTERRUPTED = 1, 3, 70, 130


def ended_by(error: BaseException, session: Session) -> int:
    """Tell what ended a command, and return its exit code."""
    code = _told(error, session)
    _log.info("ended", extra={"code": code, "error": f"{type(error).__name__}: {error}"})
    return code


def problems_as_json(error: InvalidDeclarations) -> list[dict[str, Any]]:
    """Return each problem as ``file``, ``line``, ``found`` and ``remedy``."""
    return [
        {
            "file": problem.place.file,
            "line": problem.place.line,
            "found": problem.found,
            "remedy": problem.remedy,
        }
        for problem in error.problems
    ]


def _told(error: BaseException, session: Session) -> int:
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        _tell("Interrupted.")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return _nobody_reads()
    if isinstance(error, InvalidDeclarations):
        return _wrong_declarations(error, session)
    if isinstance(error, UserError):
        return _failed(str(error), session)
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return _failed(f"{error.filename or 'The machine'}: {error.strerror}.", session)
    return _our_bug(error, session)


def _failed(sentence: str, session: Session) -> int:
    _tell(sentence)
    _tell_script(session, {"error": sentence})
    return FAILED


def _wrong_declarations(error: InvalidDeclarations, session: Session) -> int:
    for problem in error.problems:
        place = click.style(f"{problem.place}:", bold=True)
        click.echo(f"{place} {problem.found} {problem.remedy}".rstrip(), err=True)
    count = len(error.problems)
    _tell(f"{count} {'problem' if count == 1 else 'problems'} in {session.places.warehouse}")
    _tell_script(session, {"valid": False, "problems": problems_as_json(error)})
    return WRONG_DECLARATIONS


def _our_bug(error: BaseException, session: Session) -> int:
    """Keep the traceback, whose values stay where they are, in a file that can be sent to us."""
    told = "".join(traceback.format_exception(error))
    name = f"bug-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    folder = Path(session.data or os.environ.get("MART_DATA") or "data").absolute() / "logs"
    log = _kept(folder, name, told) or _kept(Path(tempfile.gettempdir()), name, told)
    found = without_secrets(traceback.format_exception_only(error)[-1].strip().partition("\n")[0])
    _tell(f"This is a bug of ours, not a mistake of yours: {found}\nPlease send us {log}")
    _tell_script(session, {"error": f"a bug of ours: {found}", "log": str(log)})
    return OUR_BUG


def _kept(folder: Path, name: str, text: str) -> Path | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(without_secrets(text), encoding="utf-8")
    except OSError:
        return None
    return folder / name


def _nobody_reads() -> int:
    """End quietly when the reader of our output went away, as ``head`` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _tell(sentence: str) -> None:
    click.secho(sentence, err=True, fg="red")


def _tell_script(session: Session, document: dict[str, Any]) -> None:
    if session.as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
