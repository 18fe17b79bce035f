"""The README.md of a mart, written from its declarations."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mart_platform.planning.plan import Plan, PlannedCheck, PlannedMart, PlannedTable
from mart_platform.spec.access import Band, Mask, Prefix, Role
from mart_platform.spec.problems import UserError, nearest
from mart_platform.spec.slos import Objective, Slo

README = "README.md"


def mart_readme(plan: Plan, mart: str) -> str:
    """Return the README.md of a mart as Markdown. Raises UserError for a mart that the plan does not know."""
    if mart not in plan.marts:
        raise UserError(f"There is no mart '{mart}'. {nearest(mart, plan.marts)}")
    planned = plan.marts[mart]
    tables = [plan.tables[name] for name in planned.tables]
    parts = [
        "<!-- Written by `mart readme` from the files of this folder: change those, and run it again. -->",
        *_about(planned, plan.settings.zone, plan.settings.currency),
        *_questions(planned),
        *_reading(plan, planned, tables),
        *_tables(tables),
        *_metrics(planned),
        *_promises(planned),
        *_access(planned),
        *_runbooks(planned),
    ]
    return "\n\n".join(parts) + "\n"


def stale_readmes(plan: Plan, root: Path) -> list[Path]:
    """Return the README.md files of marts that are missing or no longer agree with their folder."""
    return [path for path, text in _readmes(plan, root) if not _holds(path, text)]


def write_readmes(plan: Plan, root: Path) -> list[Path]:
    """Write those README.md files that are stale, each as a whole, and return them."""
    stale = [(path, text) for path, text in _readmes(plan, root) if not _holds(path, text)]
    for path, text in stale:
        _replace(path, text)
    return [path for path, _ in stale]


def _readmes(plan: Plan, root: Path) -> Iterator[tuple[Path, str]]:
    for name, mart in plan.marts.items():
        yield root / mart.folder / README, mart_readme(plan, name)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _replace(path: Path, text: str) -> None:
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    with half_written.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half_written.replace(path)


def _about(mart: PlannedMart, zone: str, currency: str) -> Iterator[str]:
    spec = mart.spec
    yield f"# {spec.title}"
    yield _one_line(spec.purpose)
    facts = {
        "Mart": f"`{spec.mart}`",
        "Lifecycle": spec.lifecycle,
        "Owner": f"{spec.owner.team}, <{spec.owner.contact}>",
        "On call": spec.owner.on_call,
        "Used by": ", ".join(spec.consumers),
        "Pattern": f"{spec.pattern}, built from {spec.built_from}",
        "Renewed": _cadence(spec.cadence, zone),
        "Kept": f"{_duration(spec.retention.keep)}, then {_AFTERWARDS[spec.retention.then]}",
        "Quota": f"{spec.quota.spend_per_day:,.10g} {currency} a day, "
        f"{spec.quota.rows_per_query:,} rows a query",
        "Reviewed": f"every {_each(spec.review.every)}, last on {spec.review.last}" if spec.review else "",
    }
    yield _grid(("", ""), [(f"**{name}**", fact) for name, fact in facts.items() if fact])


def _questions(mart: PlannedMart) -> Iterator[str]:
    yield "## Questions that it answers"
    for question in mart.spec.questions:
        yield f"**{_one_line(question.ask)}**"
        yield _fenced("sql", question.sql)


def _reading(plan: Plan, mart: PlannedMart, tables: Sequence[PlannedTable]) -> Iterator[str]:
    if not tables:
        return
    name, first = mart.spec.mart, tables[0].short_name
    folder = f"data/published/{name}/current"
    yield "## How to read it"
    yield (
        f"`{folder}` always holds the version that is live: one folder of Parquet files for each table, and "
        f"`{name}.duckdb` with a view on each. Nothing but DuckDB or Polars is needed."
    )
    yield _fenced("sh", f'mart query "SELECT * FROM {name}.{first} LIMIT 10"')
    yield _fenced(
        "python",
        f'import duckdb\n\nwith duckdb.connect("{folder}/{name}.duckdb", read_only=True) as mart:\n'
        f'    mart.sql("SELECT * FROM {name}.{first} LIMIT 10").show()',
    )
    yield _fenced("python", f'import polars as pl\n\n{first} = pl.scan_parquet("{folder}/{first}/*.parquet")')
    if hidden := [f"`{t.short_name}.{column}`" for t in tables for column in sorted(plan.withheld(t.name))]:
        yield f"Columns with a label are sensitive and left out of these files: {_listed(hidden)}."


def _tables(tables: Sequence[PlannedTable]) -> Iterator[str]:
    yield "## Tables"
    for table in tables:
        yield f"### {table.short_name}"
        yield f"{_one_line(table.description)} {_grain(table)}".rstrip()
        yield _grid(
            ("Column", "Type", "Meaning", "Unit", "Label"),
            [
                (
                    f"`{column.name}`",
                    f"`{column.type}`",
                    column.meaning,
                    column.unit,
                    ", ".join(column.labels),
                )
                for column in table.columns
            ],
        )
        if table.checks:
            yield "Checked before each publication:"
            yield "\n".join(dict.fromkeys(_promised(check) for check in table.checks))


def _grain(table: PlannedTable) -> str:
    """Return what one row is and how the table is kept, in sentences."""
    sentences = [f"One row for each {_listed(f'`{column}`' for column in table.key)}."] if table.key else []
    if table.kind == "view":
        sentences.append("A view, computed when it is read.")
    if table.partition:
        sentences.append(f"Kept by {table.partition.grain} of `{table.partition.column}`.")
    return " ".join(sentences)


def _promised(check: PlannedCheck) -> str:
    return f"- {_one_line(check.check.says)}" + (
        "" if check.check.blocks else " *(reported, does not block)*"
    )


def _metrics(mart: PlannedMart) -> Iterator[str]:
    if mart.metrics is None or not mart.metrics.metrics:
        return
    yield "## Metrics"
    yield _grid(
        ("Metric", "Meaning", "Computed as", "Unit", "Cut by", "Owner", "Version"),
        [
            (
                f"**{metric.title}** `{name}`",
                metric.says,
                f"`{_one_line(metric.expression)}` of `{metric.table}`",
                metric.unit,
                ", ".join(metric.dimensions),
                metric.owner,
                str(metric.version),
            )
            for name, metric in mart.metrics.metrics.items()
        ],
    )


def _promises(mart: PlannedMart) -> Iterator[str]:
    if not mart.slos:
        return
    yield "## Promises"
    yield "\n".join(_promise(slo) for slo in mart.slos)


def _promise(slo: Slo) -> str:
    name, window = slo.metadata.name, slo.spec.timeWindow[0]
    share = "of the measurements" if slo.spec.budgetingMethod == "Occurrences" else "of the time"
    over = f"over {_duration(window.duration)}" if window.isRolling else f"in each {_each(window.duration)}"
    objectives = "; ".join(
        f"{_objective(slo.sli, objective)}, {_percent(objective.target)} {share} {over}"
        for objective in slo.spec.objectives
    )
    sentence = f"- **{slo.metadata.displayName or name}** (`{name}`): {objectives}."
    return f"{sentence} {_one_line(slo.spec.description)}".rstrip()


def _objective(sli: str, objective: Objective) -> str:
    value, bound = objective.value, _BOUNDS[objective.op]
    match sli, objective.op:
        case "staleness", "lte":
            return f"never more than {_seconds(value)} behind"
        case "staleness", _:
            return f"{bound} {_seconds(value)} behind"
        case "latency", _:
            return f"answers take {bound} {_seconds(value)}"
        case "success_rate", _:
            return f"{bound} {_percent(value)} of the runs succeed"
    return f"{sli.replace('_', ' ')} {bound} {_percent(value)}"


def _access(mart: PlannedMart) -> Iterator[str]:
    yield "## Who may read it"
    if mart.access is None or not mart.access.roles:
        yield "Nobody is named in `access.yaml` yet, and what is not granted is denied."
        return
    yield "\n".join(_role(name, role) for name, role in mart.access.roles.items())


def _role(name: str, role: Role) -> str:
    tables = "all tables" if "*" in role.may_read else _listed(f"`{table}`" for table in role.may_read)
    sentences = [f"- **{name}** reads {tables}."]
    for table, columns in role.columns.items():
        sentences.append(f"Of `{table}` only {_listed(f'`{column}`' for column in columns)}.")
    for table, condition in role.rows.items():
        sentences.append(f"Of `{table}` only rows with `{_one_line(condition)}`.")
    if role.masks:
        masks = _listed(f"{label} ({_mask(mask)})" for label, mask in role.masks.items())
        sentences.append(f"By label: {masks}; every other one is redacted.")
    if group := role.smallest_group:
        sentences.append(f"Figures only over groups of at least {group.at_least} {group.of}.")
    return " ".join(sentences)


def _mask(mask: Mask) -> str:
    match mask:
        case Band(band=width):
            return f"band of {width:g}"
        case Prefix(prefix=length):
            return f"prefix of {length}"
    return mask


def _runbooks(mart: PlannedMart) -> Iterator[str]:
    if not mart.runbooks:
        return
    yield "## When something is wrong"
    yield "\n".join(
        f"- [{book.alert}](runbooks/{book.alert}.md), for {book.owner}, reviewed on {book.reviewed}"
        for book in mart.runbooks
    )


_AFTERWARDS = {
    "keep": "kept as it is",
    "archive": "archived",
    "downsample": "kept in coarser form",
    "drop": "deleted",
}
_BOUNDS = {"lte": "at most", "lt": "less than", "gte": "at least", "gt": "more than"}
_UNITS = {
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
    "M": "month",
    "Q": "quarter",
    "Y": "year",
}


def _duration(text: str) -> str:
    """Return a duration of the declarations or of OpenSLO in words: ``3y`` is 3 years."""
    spelled = re.fullmatch(r"([0-9]+)([a-zA-Z]+)", text)
    return _counted(int(spelled[1]), _UNITS[spelled[2]]) if spelled and spelled[2] in _UNITS else text


def _each(text: str) -> str:
    """Return a duration as it stands after ``every``: ``1mo`` is month."""
    return _duration(text).removeprefix("1 ")


def _seconds(value: float) -> str:
    """Return seconds in the largest unit that says them exactly; days from two of them on."""
    for unit, seconds, least in (("day", 86400, 172800), ("hour", 3600, 3600), ("minute", 60, 60)):
        if value >= least and value % seconds == 0:
            return _counted(int(value // seconds), unit)
    return f"{value:g} second" + ("" if value == 1 else "s")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")


def _percent(share: float) -> str:
    return f"{share * 100:.10g} %"


def _cadence(cadence: str, zone: str) -> str:
    if cadence == "stream":
        return "as a stream"
    if cadence.startswith("every "):
        return f"every {_each(cadence.removeprefix('every '))}"
    if daily := re.fullmatch(r"([0-9]+) ([0-9]+) \* \* \*", cadence):
        return f"every day at {int(daily[2]):02}:{int(daily[1]):02} ({zone})"
    return f"by the schedule `{cadence}` ({zone})"


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, without the columns that are empty in every row."""
    filled = [number for number in range(len(head)) if any(row[number] for row in rows)]
    lines = [[head[number] for number in filled], ["---"] * len(filled)]
    lines += [[_cell(row[number]) for number in filled] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"
