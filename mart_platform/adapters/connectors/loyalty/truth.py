"""How right a merge of the programme's accounts is, held against the truth that no file tells."""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations

Pair = tuple[str, str]
"""Two accounts of one person, the smaller one first."""


@dataclass(frozen=True)
class Score:
    """The pairs of accounts that a merge finds, among those that are one person's."""

    true: frozenset[Pair]
    found: frozenset[Pair]

    @property
    def precision(self) -> float:
        """The share of the found pairs that are true."""
        return len(self.true & self.found) / len(self.found) if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of the true pairs that are found."""
        return len(self.true & self.found) / len(self.true) if self.true else 1.0


def score(persons: Mapping[str, Hashable], merged: Mapping[str, Hashable]) -> Score:
    """Return how a merge did: who holds each account in truth, and by the merge.

    >>> score({"a": 1, "b": 1, "c": 2}, {"a": 7, "b": 7, "c": 7}).recall
    1.0
    """
    return Score(_pairs(persons), _pairs(merged))


def _pairs(holders: Mapping[str, Hashable]) -> frozenset[Pair]:
    accounts = defaultdict[Hashable, list[str]](list)
    for account, holder in sorted(holders.items()):
        accounts[holder].append(account)
    return frozenset(pair for held in accounts.values() for pair in combinations(held, 2))
