"""An answer made again from its entry in the audit log: same versions, same policy, same rows."""

from dataclasses import dataclass

from mart_platform.gate.questions import Refused
from mart_platform.planning.plan import Plan
from mart_platform.ports import Execution, ExecutionEnded, Platform
from mart_platform.runs.door.answering import mask_variables_of
from mart_platform.runs.door.asking import Asked
from mart_platform.runs.door.policies import policy_from
from mart_platform.runs.door.published import Publications
from mart_platform.runs.door.reading import Reader
from mart_platform.spec.entries import QueryEntry
from mart_platform.spec.problems import UserError


@dataclass(frozen=True)
class Replayed:
    """How an answer came out again. ``same`` is None where the first one left no digest to compare with."""

    entry: QueryEntry
    rows: int
    answer: str
    same: bool | None


def replay(platform: Platform, plan: Plan, identity: str) -> Replayed:
    """Answer a query again as it was answered, and compare the rows whatever their order.

    Raises UserError when there is no such answer, or when what it was made of is not there any more.
    """
    entry = _entry(platform, identity)
    text = platform.audit.policy(entry.policies)
    if text is None:
        raise UserError(f"The policy {entry.policies} of the answer {identity} is not kept any more.")
    policy, publications = policy_from(text), Publications(platform, lambda: plan)
    if policy.digest != entry.policies:
        raise UserError(
            f"The policy {entry.policies} is made otherwise by this version of the platform; "
            "replay the answer with the version that gave it."
        )
    asked = Asked(
        entry.text, entry.parameters, {mart: str(number) for mart, number in entry.versions.items()}
    )
    reader = Reader(publications)
    try:
        query = reader.understood(reader.question(asked.text), asked, policy)
        execution = Execution(
            sql=query.checked.sql,
            versions=query.checked.versions,
            parameters=entry.parameters,
            variables=mask_variables_of(platform, plan.settings.serving) if query.checked.keyed else {},
            rows=max(entry.rows, 1),
        )
        with publications.reading(query.opened.values()):
            result = platform.queries.run(execution)
    except (Refused, ExecutionEnded) as ended:
        raise UserError(f"The answer {identity} cannot be given again: {ended}") from ended
    finally:
        publications.close()
    answer = platform.queries.digest(result)
    result.close()
    same = (result.rows, answer) == (entry.rows, entry.answer) if entry.answer else None
    return Replayed(entry, result.rows, answer, same)


def _entry(platform: Platform, identity: str) -> QueryEntry:
    sealed = platform.audit.find(identity)
    if sealed is None or not isinstance(sealed.entry, QueryEntry):
        raise UserError(f"There is no query {identity} in the audit log.")
    if not sealed.entry.has_answer:
        raise UserError(f"The query {identity} was {sealed.entry.outcome}, so there is nothing to replay.")
    return sealed.entry
