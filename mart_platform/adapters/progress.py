"""The Progress port for those who do not watch a terminal."""

import logging

log = logging.getLogger(__name__)


class Silent:
    """Tells nobody."""

    def begins(self, subject: str, verb: str) -> None:
        pass

    def advances(self, subject: str, rows: int) -> None:
        pass

    def ends(self, subject: str, outcome: str) -> None:
        pass


class Logged:
    """Tells the log: beginnings and ends as information, how far it is for debugging."""

    def begins(self, subject: str, verb: str) -> None:
        log.info("%s: %s", subject, verb)

    def advances(self, subject: str, rows: int) -> None:
        log.debug("%s: %d rows", subject, rows)

    def ends(self, subject: str, outcome: str) -> None:
        log.info("%s: %s", subject, outcome)
