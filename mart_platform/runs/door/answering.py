"""A query that may run gets its answer: from the cache, else from the engine, within its budgets."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date

from mart_platform.gate.erring import refused_by_engine
from mart_platform.gate.masks import mask_variables
from mart_platform.gate.questions import Refused
from mart_platform.ports import Cancel, Execution, ExecutionEnded, Platform, Result
from mart_platform.runs.door.accounting import Trail
from mart_platform.runs.door.admitting import Spending, Turnstile
from mart_platform.runs.door.caching import Answers, key_of
from mart_platform.runs.door.limits import Limit, Limits, holders_of
from mart_platform.runs.door.pricing import Estimate, Experience, bytes_read
from mart_platform.runs.door.published import Publications
from mart_platform.runs.door.reading import Understood
from mart_platform.spec.entries import QueryEntry
from mart_platform.spec.problems import UserError
from mart_platform.spec.settings import ServingSettings
from mart_platform.spec.words import bytes_of

_DASHBOARDS = 16
"""So many dashboard queries run at once; more of them would only wait for each other inside the engine."""
_PATIENCE = 20.0
"""Seconds that a query waits for its turn."""
_LONGEST, _MOST_ROWS = 60.0, 5_000_000
"""What holds where no budget says anything."""


class OverBudget(Refused):
    """A query that would cost more than is left of somebody's budget of today."""

    def __init__(self, limit: Limit, spent: float, estimate: Estimate) -> None:
        super().__init__(
            "over_budget",
            f"{limit.holder} may spend {limit.most:g} a day and has spent {spent:.6f}; "
            f"this query would cost about {estimate.price:.6f}.",
            "Read fewer columns, or a smaller table; the account begins anew at midnight in UTC.",
        )

    def with_remedy(self, remedy: str) -> Refused:
        """Return the same refusal with a better way out."""
        return Refused(self.code, self.sentence, remedy)


@dataclass(frozen=True)
class Answered:
    """An answer, whether it was kept from before, and how many bytes of Parquet were read for it."""

    result: Result
    cached: bool
    bytes_read: int


@dataclass
class Answerer:
    """Runs queries within their limits. Safe for many threads."""

    platform: Platform
    settings: ServingSettings
    publications: Publications
    spending: Spending = field(default_factory=Spending)
    experience: Experience = field(init=False)
    turnstile: Turnstile = field(init=False)
    _answers: Answers = field(init=False)

    def __post_init__(self) -> None:
        self.experience = Experience(self.settings.prices)
        self.turnstile = Turnstile({"dashboard": _DASHBOARDS, "ad-hoc": self.settings.workers})
        self._answers = Answers(bytes_of(self.settings.cache))

    def estimate(self, query: Understood) -> Estimate:
        """Return what a query will cost."""
        return self.experience.estimate(query.question.fingerprint, query.checked.reads, query.sizes)

    def answered(self, query: Understood, trail: Trail, limits: Limits, cancel: Cancel | None) -> Answered:
        """Return the answer of a query. Raises OverBudget for one that costs too much, and Refused."""
        key = None if query.checked.volatile else key_of(query.checked, trail.asked.parameters)
        with trail.step("cache"):
            kept = self._answers.of(key) if key else None
        if kept is not None:
            _refuse_more_rows(kept, limits)
            return Answered(kept, cached=True, bytes_read=0)
        self._refuse_over_budget(query, limits)
        read = bytes_read(query.checked.reads, query.sizes)
        result = self._run(query, trail, limits, read, cancel)
        self.experience.learn(query.question.fingerprint, result.cpu_seconds)
        return Answered(self._answers.keep(key, result) if key else result, cached=False, bytes_read=read)

    def recall(self, entry: QueryEntry, *, of_today: bool) -> None:
        """Learn from a query of before; one of today counts towards what was spent."""
        if entry.outcome == "answered":
            self.experience.learn(entry.fingerprint, entry.cpu_seconds)
        if of_today:
            holders = holders_of(entry.principal, entry.roles, entry.versions)
            self.spending.spend(holders, entry.price, entry.at.date())

    def _run(
        self, query: Understood, trail: Trail, limits: Limits, read: int, cancel: Cancel | None
    ) -> Result:
        execution = Execution(
            sql=query.checked.sql,
            versions=query.checked.versions,
            parameters=trail.asked.parameters,
            variables=mask_variables_of(self.platform, self.settings) if query.checked.keyed else {},
            lane=limits.lane,
            seconds=limits.seconds.most if limits.seconds else _LONGEST,
            rows=int(limits.rows.most) if limits.rows else _MOST_ROWS,
            memory=limits.memory,
        )
        with ExitStack() as held:
            with trail.step("wait"):
                held.enter_context(self.turnstile.passed(limits, _PATIENCE, cancel))
            self._refuse_over_budget(query, limits)  # those that it waited for have spent something since
            held.enter_context(self.publications.reading(query.opened.values()))
            try:
                with trail.step("execute"):
                    result = self.platform.queries.run(execution, cancel)
            except ExecutionEnded as ended:
                self._charge(limits, ended.cpu_seconds, 0)
                trail.was_ended(ended.cpu_seconds, self.settings.prices)
                refused = refused_by_engine(ended, query.question, execution)
                raise self._with_its_limit(refused, limits, ended.cpu_seconds) from ended
            except UserError as error:  # the disk is full, or a file is gone
                raise Refused(
                    "not_ready", "The platform cannot answer this now.", "Try again later.", detail=str(error)
                ) from error
            self._charge(limits, result.cpu_seconds, read)  # before the next one is let in
            return result

    def _with_its_limit(self, refused: Refused, limits: Limits, cpu_seconds: float) -> Refused:
        """Return a refusal that says whose limit ended a query too, and what it had cost by then."""
        limit = {"too_long": limits.seconds, "too_many_rows": limits.rows}.get(refused.code)
        if limit is None:
            return refused
        price = self.settings.prices.of(cpu_seconds, 0)
        whose = f"That is the limit of {limit.holder}; by then it had cost {price:.6f}."
        return Refused(refused.code, f"{refused.sentence} {whose}", refused.remedy, refused.detail)

    def _refuse_over_budget(self, query: Understood, limits: Limits) -> None:
        estimate = self.estimate(query)
        if over := self.spending.over(limits, estimate.price, self._today()):
            raise OverBudget(over, self.spending.spent(over.holder, self._today()), estimate)

    def _charge(self, limits: Limits, cpu_seconds: float, read: int) -> None:
        self.spending.spend(limits.holders, self.settings.prices.of(cpu_seconds, read), self._today())

    def _today(self) -> date:
        return self.platform.clock.wall().date()


def mask_variables_of(platform: Platform, settings: ServingSettings) -> dict[str, bytes]:
    """Return the variables of the key of masks. Raises Refused where the platform has no key."""
    try:
        return mask_variables(platform.secrets.secret(settings.mask_key).encode())
    except UserError as error:
        raise Refused(
            "not_ready",
            "A mask of this answer needs a key, and the platform has none.",
            "Tell the platform's team.",
            detail=str(error),
        ) from error


def _refuse_more_rows(kept: Result, limits: Limits) -> None:
    """Raise Refused where somebody else's kept answer has more rows than this caller may have."""
    if limits.rows and kept.rows > limits.rows.most:
        told = f"The answer has too many rows: {limits.rows.holder} may have {limits.rows.most:g}."
        raise Refused("too_many_rows", told, "Aggregate, or filter more.")
