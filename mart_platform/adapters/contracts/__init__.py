"""Contracts of sources, as pandera schemas, and the judge of delivered rows.

``pandera_schema`` is for analysts too: it validates a frame that has the declared names and types.

>>> import polars as pl
>>> from mart_platform.spec.sources import SourceTable
>>> contract = SourceTable.model_validate(
...     {"description": "Orders.", "columns": {"quantity": {"type": "integer", "at_least": 1}}}
... )
>>> pandera_schema(contract).validate(pl.DataFrame({"quantity": [3]}, schema={"quantity": pl.Int32})).height
1
"""

from mart_platform.adapters.contracts.judging import PanderaContracts
from mart_platform.adapters.contracts.schemas import pandera_schema

__all__ = ["PanderaContracts", "pandera_schema"]
