"""What is remembered takes no more than its room, whatever it is called by."""

from mart_platform.runs.door.recent import Recent


class Lengths:
    """Remembers the lengths of texts, and notes which it had to work out."""

    def __init__(self, room: int) -> None:
        self.worked_out: list[str] = []
        self._recent = Recent[str, int](room, weight=len)

    def of(self, text: str) -> int:
        return self._recent.of(text, lambda: self._work_out(text))

    def _work_out(self, text: str) -> int:
        self.worked_out.append(text)
        return len(text)


def test_what_was_asked_for_the_longest_ago_makes_room() -> None:
    lengths = Lengths(room=20)
    ten = [f"a{n}" for n in range(10)]
    for text in (*ten, "a0", "b0", "a0", "a1"):
        assert lengths.of(text) == 2
    assert lengths.worked_out == [*ten, "b0", "a1"]


def test_what_is_too_large_for_its_room_pushes_nothing_out() -> None:
    lengths = Lengths(room=80)
    large = "x" * 11
    for text in ("small", large, large, "small"):
        lengths.of(text)
    assert lengths.worked_out == ["small", large, large]
