"""Templates, and how they write moments, sizes and prices."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from mart_platform.runs.watching import spoken

FOLDER = Path(__file__).parent

_MASKS = {
    "redact": "The values are left out.",
    "partial": "You see the first character.",
    "hmac": "You see a keyed hash: equal values stay equal.",
    "year": "You see the year.",
    "band": "You see the start of the band that a value lies in.",
    "prefix": "You see the first characters.",
}


def page(
    template: str, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> Response:
    """Return a page; everything in it that is not part of the template is escaped."""
    context = {"visitor": None, "here": "", "refusal": None, **context}
    return HTMLResponse(_templates.get_template(template).render(context), status, headers)


def _moment(moment: datetime | None) -> Markup:
    if moment is None:
        return Markup("-")
    at = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%Y-%m-%d %H:%M} UTC")


def _code(text: str) -> Markup:
    """Return a text in which what stands between backticks is code."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(text.split("`"))
    )


def _size(number: float) -> str:
    """Return bytes as people say them.

    >>> _size(1_536_000)
    '1.5 MB'
    """
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} B"


def _seconds(number: float) -> str:
    """Return a length of time, as short ones as in milliseconds.

    >>> _seconds(0.0123)
    '12.3 ms'
    """
    return f"{number * 1000:.1f} ms" if number < 1 else f"{number:.2f} s"


def _money(amount: float) -> str:
    """Return a price with two digits that count.

    >>> _money(0.0000123), _money(3.14159), _money(0)
    ('0.000012', '3.14', '0.00')
    """
    digits = 2 if amount == 0 or amount >= 0.01 else 1 - math.floor(math.log10(amount))
    return f"{amount:,.{digits}f}"


def _mask_says(word: str) -> str:
    return _MASKS.get(word.split(maxsplit=1)[0], "You see something else than the value.")


def _made_templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "moment": _moment,
        "code": _code,
        "size": _size,
        "seconds": _seconds,
        "money": _money,
        "spoken": spoken,
        "mask_says": _mask_says,
    }
    return templates


_templates = _made_templates()
