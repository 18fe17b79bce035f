"""Labels of sensitive data: they follow a value into every column that may tell about it."""

from collections.abc import Iterable, Iterator, Mapping

from mart_platform.planning.plan import PlannedTable
from mart_platform.spec.columns import NO_LABEL, Column, LabelsDropped
from mart_platform.spec.problems import Origin, Problem, nearest
from mart_platform.spec.sources import EXTRA_COLUMN

Tables = Mapping[str, PlannedTable]


def labels_of(spec: Column, shown: Iterable[str], tables: Tables) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the labels of a column, and those that its declaration drops with the reason.

    ``shown`` are the columns ``schema.table.column`` that its values may tell about: those that it is made
    of, conditions, windows and counts included. By which rows a query chooses is not among them.
    """
    inherited, reasons = inherited_labels(shown, tables), _reasons(spec)
    carried = (inherited.keys() - reasons.keys()).union(spec.labels)
    return tuple(sorted(carried)), {label: reasons[label] for label in sorted(inherited.keys() & reasons)}


def inherited_labels(shown: Iterable[str], tables: Tables) -> dict[str, str]:
    """Return the labels that come with columns, each with the first column that brings it."""
    found: dict[str, str] = {}
    for origin in sorted(shown):
        table, column = origin.rsplit(".", 1)
        for label in _labels_in(tables.get(table), column):
            found.setdefault(label, origin)
    return found


def labels_problems(
    name: str, spec: Column, shown: Iterable[str], tables: Tables, origin: Origin
) -> Iterator[Problem]:
    """Yield why the labels that a column declares cannot stand: each that is dropped needs a reason."""
    inherited, place = inherited_labels(shown, tables), origin.place("columns", name, "label")
    if spec.label == NO_LABEL and inherited:
        brings = ", ".join(f"'{label}' of {column}" for label, column in inherited.items())
        remedy = f"Write 'label: {{drop: [{', '.join(inherited)}], because: \"…\"}}', or leave it out."
        yield Problem(
            place, f"column '{name}' would carry {brings}, and nothing says why it does not.", remedy
        )
    for label in sorted(_reasons(spec).keys() - inherited.keys()):
        said = f"column '{name}' drops the label '{label}', which nothing that it is made of carries."
        yield Problem(place, said, nearest(label, inherited) if inherited else "Leave it out.")


def _reasons(spec: Column) -> dict[str, str]:
    """Return the labels that a declaration drops, each with the reason."""
    if not isinstance(spec.label, LabelsDropped):
        return {}
    return dict.fromkeys(spec.label.dropped, " ".join(spec.label.because.split()))


def _labels_in(table: PlannedTable | None, column: str) -> Iterable[str]:
    """Return the labels of a column of a table.

    What a delivery holds beyond its contract may be anything that is in the table, under another name.
    """
    if table is None:
        return ()
    if column == EXTRA_COLUMN:
        return sorted(table.labels)
    return next((found.labels for found in table.columns if found.name == column), ())
