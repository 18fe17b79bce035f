"""Which tables may be rebuilt by interval, and how their inputs lead there: shown, and then tried."""

from mart_platform.planning.incremental.intervals import interval_of
from mart_platform.planning.incremental.proof import Proof, prove

__all__ = ["Proof", "interval_of", "prove"]
