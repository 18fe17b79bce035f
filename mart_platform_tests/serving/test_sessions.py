"""Sessions of browsers: they end by themselves."""

from mart_platform.runs.access.callers import Caller
from mart_platform.serving.sessions import IDLE, LASTS, Sessions

ADA = Caller("ada", "person", (), {})


class Elapsed:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_when_nobody_uses_it() -> None:
    elapsed = Elapsed()
    sessions = Sessions(elapsed)
    name = sessions.begin(ADA)
    elapsed.now = IDLE - 1
    assert sessions.of(name)
    elapsed.now = 2 * IDLE - 2
    assert sessions.of(name)
    elapsed.now = 3 * IDLE
    assert sessions.of(name) is None


def test_a_session_ends_however_much_it_is_used() -> None:
    elapsed = Elapsed()
    sessions = Sessions(elapsed)
    name = sessions.begin(ADA)
    while elapsed.now < LASTS:
        assert sessions.of(name)
        elapsed.now += IDLE / 2
    assert sessions.of(name) is None


def test_sessions_have_nothing_in_common() -> None:
    sessions = Sessions()
    names = [sessions.begin(ADA) for _ in range(2)]
    one, other = (sessions.of(name) for name in names)
    assert one
    assert other
    assert names[0] != names[1]
    assert one.token != other.token
    sessions.end(names[0])
    assert sessions.of(names[0]) is None
    assert sessions.of(names[1])


def test_an_unknown_name_is_nobodys() -> None:
    assert Sessions().of("") is None
