"""Formats of delivered files: CSV, JSON lines, Parquet. A new one is a module and a line in ``READERS``."""

from mart_platform.adapters.formats.opening import READERS, DeliveredFormats

__all__ = ["READERS", "DeliveredFormats"]
