"""Reads a mart's folder."""

from collections.abc import Iterator

from mart_platform.reading.files import Files
from mart_platform.reading.located_yaml import Document, documents
from mart_platform.reading.models import read_models
from mart_platform.reading.validating import Declaration, declared
from mart_platform.spec.access import Access
from mart_platform.spec.marts import Mart
from mart_platform.spec.metrics import Metrics
from mart_platform.spec.problems import Origin, Problem, nearest
from mart_platform.spec.runbooks import Runbook
from mart_platform.spec.slos import Slo
from mart_platform.spec.warehouse import DeclaredMart, DeclaredRunbook, DeclaredSlo


def read_mart(files: Files, name: str) -> DeclaredMart | None:
    """Return the mart of one folder, or None when its ``mart.yaml`` is not valid."""
    folder = f"marts/{name}"
    document = _required(files, f"{folder}/mart.yaml", "it declares the mart.")
    tables = read_models(files, f"{folder}/tables", name)
    objectives = files.documents(f"{folder}/slos.yaml") if f"{folder}/slos.yaml" in files else []
    slos = tuple(_read_slos(files, objectives, name))
    runbooks = tuple(_read_runbooks(files, folder, objectives))
    metrics, metrics_origin = _read_optional(files, f"{folder}/metrics.yaml", Metrics)
    access, access_origin = _read_optional(files, f"{folder}/access.yaml", Access)
    if document is None:
        return None
    files.agree(document, "mart", name)
    mart = declared(Mart, document, files.problems)
    if mart is None:
        return None
    return DeclaredMart(
        spec=mart,
        origin=document.origin,
        tables=tables,
        slos=slos,
        runbooks=runbooks,
        metrics=metrics,
        metrics_origin=metrics_origin,
        access=access,
        access_origin=access_origin,
    )


def _required(files: Files, file: str, why: str) -> Document | None:
    if file not in files:
        files.problem(file, f"the file is missing: {why}", "Write it.")
        return None
    return files.document(file)


def _read_optional(
    files: Files, file: str, kind: type[Declaration]
) -> tuple[Declaration | None, Origin | None]:
    document = files.document(file) if file in files else None
    if document is None:
        return None, None
    return declared(kind, document, files.problems), document.origin


def _read_slos(files: Files, objectives: list[Document], mart: str) -> Iterator[DeclaredSlo]:
    """Yield the valid objectives; each is about this mart, has a name of its own and a runbook."""
    named: set[str] = set()
    for document in objectives:
        service, name = document.field("spec", "service"), document.field("metadata", "name")
        if isinstance(service, str) and service != mart:
            found = f"'spec.service' is '{service}', which is not this mart."
            place = document.origin.place("spec", "service")
            files.problems.append(Problem(place, found, f"Write 'service: {mart}'."))
        if isinstance(name, str):
            _has_runbook(files, document, f"marts/{mart}/runbooks/{name}.md", again=name in named)
            named.add(name)
        if slo := declared(Slo, document, files.problems):
            yield DeclaredSlo(slo, document.origin)


def _has_runbook(files: Files, document: Document, runbook: str, *, again: bool) -> None:
    name, place = document.field("metadata", "name"), document.origin.place("metadata", "name")
    if again:
        found = f"'{name}' is the name of an SLO above."
        files.problems.append(Problem(place, found, "Give each a name of its own."))
    elif runbook not in files:
        found = f"the SLO '{name}' has no runbook."
        files.problems.append(Problem(place, found, f"Write {runbook}: what to do when it is broken."))


def _read_runbooks(files: Files, folder: str, objectives: list[Document]) -> Iterator[DeclaredRunbook]:
    """Yield the valid runbooks; each is named after an SLO of this mart."""
    names = [str(document.field("metadata", "name")) for document in objectives]
    unknown = not names and f"{folder}/slos.yaml" in files  # nothing could be read of it, which is reported
    for path in files.within(f"{folder}/runbooks"):
        text = files.text(str(path))
        front, body = _front_matter(files, str(path), text) if text is not None else (None, "")
        if front is None:
            continue
        files.agree(front, "alert", path.stem)
        if path.stem not in names and not unknown:
            files.problem(str(path), f"'{path.stem}' is no SLO of this mart.", nearest(path.stem, names))
        if runbook := declared(Runbook, front, files.problems):
            yield DeclaredRunbook(runbook, front.origin, body)


def _front_matter(files: Files, file: str, text: str) -> tuple[Document | None, str]:
    """Split a runbook into what stands between its two lines ``---`` and the Markdown below them."""
    first, *rest = text.split("\n")
    if first.rstrip() != "---" or "---" not in (fences := [line.rstrip() for line in rest]):
        files.problem(
            file, "the runbook has no front matter.", "Begin with alert, owner and reviewed between ---."
        )
        return None, text
    end = fences.index("---")
    found = documents("\n".join(rest[:end]), file, files.problems, first_line=2)
    return found[0] if found else None, "\n".join(rest[end + 1 :]).lstrip("\n")
