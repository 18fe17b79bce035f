"""The audit log: files of JSON lines in a chain, whose head the ledger keeps too."""

from mart_platform.adapters.audit.file_audit import FileAudit

__all__ = ["FileAudit"]
