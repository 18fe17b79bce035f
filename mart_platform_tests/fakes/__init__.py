"""Classes that stand for adapters in tests; each passes the contract test of the adapter it stands for."""

from mart_platform_tests.fakes.audit import MemoryAudit
from mart_platform_tests.fakes.clock import SettableClock
from mart_platform_tests.fakes.directory import MemoryDirectory
from mart_platform_tests.fakes.ledger import MemoryLedger
from mart_platform_tests.fakes.recorders import RecordingNotifier, RecordingProgress, RecordingTelemetry
from mart_platform_tests.fakes.secrets import KnownSecrets

__all__ = [
    "KnownSecrets",
    "MemoryAudit",
    "MemoryDirectory",
    "MemoryLedger",
    "RecordingNotifier",
    "RecordingProgress",
    "RecordingTelemetry",
    "SettableClock",
]
