"""The small words that declarations are made of: names, durations, cadences, severities."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Word(BaseModel):
    """A frozen declaration that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Severity(StrEnum):
    """What a failed check does: ``error`` blocks the publication, ``warn`` reports."""

    ERROR = "error"
    WARN = "warn"


class Spelled:
    """Text of one form; a mistake is answered with the form in words."""

    def __init__(self, pattern: str, form: str) -> None:
        self.pattern = re.compile(pattern)
        self.form = form

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return handler(Annotated[source, AfterValidator(self.spelled_well)])  # type: ignore[no-any-return]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern.pattern})$", "description": self.form}

    def spelled_well(self, text: str) -> str:
        if not self.pattern.fullmatch(text):
            raise ValueError(f"'{text}' is not {self.form}")
        return text


_NAME = r"[a-z][a-z0-9_]*"

Name = Annotated[str, Spelled(_NAME, "a name in snake_case, such as sales_line")]
TableName = Annotated[str, Spelled(rf"{_NAME}\.{_NAME}", "a table name, such as canonical.sales_line")]
ColumnRef = Annotated[
    str, Spelled(rf"{_NAME}\.{_NAME}\.{_NAME}", "a column of a table, such as sales.dim_store.store_key")
]
PrincipalName = Annotated[
    str, Spelled(r"[a-z0-9][a-z0-9._@-]*", "a principal in small letters, such as ada or ada@example.com")
]
RoleName = Annotated[str, Spelled(rf"{_NAME}\.{_NAME}", "a role of a mart, such as sales.store_manager")]
Reason = Annotated[str, Spelled(r"[\s\S]*\S[\s\S]*", "a reason in words")]
Size = Annotated[str, Spelled(r"[1-9][0-9]*(kB|MB|GB)", "a size, such as 500kB 64MB 2GB")]
Duration = Annotated[str, Spelled(r"[1-9][0-9]*(m|h|d|w|mo|y)", "a duration, such as 15m 2h 3d 4w 6mo 3y")]
_CRON_FIELDS = (
    r"[0-5]?[0-9]",
    r"[01]?[0-9]|2[0-3]",
    r"0?[1-9]|[12][0-9]|3[01]|L",
    r"0?[1-9]|1[0-2]|[a-zA-Z]{3}",
    r"[0-7]|[a-zA-Z]{3}",
)
_CRON = " ".join(
    rf"(\*|({field})(-({field}))?)(/[0-9]+)?(,(\*|({field})(-({field}))?)(/[0-9]+)?)*"
    for field in _CRON_FIELDS
)
Cadence = Annotated[
    str,
    Spelled(
        rf"stream|every [1-9][0-9]*(m|h)|{_CRON}",
        'a cadence: a cron line such as "30 4 * * *", "every 5m", or stream',
    ),
]

_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}


def timedelta_of(duration: str) -> timedelta:
    """Return the length of a duration; a month counts 30 days, a year 365."""
    match = re.fullmatch(r"([0-9]+)([a-z]+)", duration)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"'{duration}' is not a duration")
    return int(match[1]) * _UNITS[match[2]]


def bytes_of(size: str) -> int:
    """Return a size in bytes.

    >>> bytes_of("16MB")
    16000000
    """
    return int(size[:-2]) * {"kB": 10**3, "MB": 10**6, "GB": 10**9}[size[-2:]]
