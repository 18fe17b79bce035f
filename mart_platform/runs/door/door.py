"""The path of a governed query: every door of the platform leads through here.

Its steps, in this order, each of which is timed and leaves its mark in the audit log: authenticate; resolve
the policy; parse, allow, rewrite (the gate); price; look into the cache; admit; execute; account. No record,
no answer.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mart_platform.gate.policies import Policy
from mart_platform.gate.questions import Refused
from mart_platform.planning.plan import Plan
from mart_platform.ports import AuditUnavailable, Cancel, Form, Platform
from mart_platform.runs.access.authenticating import Authenticator
from mart_platform.runs.access.callers import Caller
from mart_platform.runs.door.accounting import Trail, receipt_of
from mart_platform.runs.door.answering import Answered, Answerer, OverBudget
from mart_platform.runs.door.asking import Asked, Receipt, Reply
from mart_platform.runs.door.granted import Approved, Granted
from mart_platform.runs.door.limits import Limits, limits_of
from mart_platform.runs.door.policies import kept_policy
from mart_platform.runs.door.pricing import Estimate
from mart_platform.runs.door.published import Publications
from mart_platform.runs.door.reading import Reader, Understood
from mart_platform.runs.door.recalling import recall
from mart_platform.spec.entries import Outcome, QueryEntry
from mart_platform.spec.problems import UserError


class Door:
    """Answers governed queries on published marts. Safe for many threads."""

    def __init__(self, platform: Platform, plan_of: Callable[[], Plan]) -> None:
        settings = plan_of().settings
        self.platform, self.currency, self.each = platform, settings.currency, settings.serving.each
        self.prices = settings.serving.prices
        self._authenticator = Authenticator(platform, plan_of)
        self._publications = Publications(platform, plan_of)
        self._granted = Granted(platform.directory, plan_of)
        self._reader = Reader(self._publications)
        self._answerer = Answerer(platform, settings.serving, self._publications)
        self._running = _Running()
        self._policies_kept: set[str] = set()
        recall(platform, self._answerer)
        self.refresh()

    def connect(self, name: str, secret: str, client: str) -> Caller:
        """Return who has this secret. Raises NotConnected."""
        return self._authenticator.with_secret(name, secret, client)

    def connect_with_token(self, token: str, client: str) -> Caller:
        """Return who has this token, of ours or a JSON Web Token. Raises NotConnected."""
        return self._authenticator.with_token(token, client)

    def connect_again(self, caller: Caller) -> Caller:
        """Return somebody who has connected as they are now. Raises NotConnected where they may no more."""
        return self._authenticator.again(caller)

    def refresh(self) -> None:
        """Look for new publications and new rights; queries that run end on what they began with."""
        self._granted.refresh()
        self._publications.refresh()

    def may_read(self, caller: Caller) -> dict[str, dict[str, str]]:
        """Return the tables ``mart.table`` that a caller may read: for each column its mask, as a word."""
        return self._granted.policy(caller, self._granted.approved).shown()

    def ask(self, caller: Caller, asked: Asked, cancel: Cancel | None = None) -> Reply:
        """Return the answer of a query with its receipt.

        Raises Refused with what may be said of why there is none, and AuditUnavailable when the query cannot
        be put on record.
        """
        trail = Trail(caller, asked, self.platform.clock.wall())
        with self._recording(trail), self._running:
            return self._reply(trail, cancel)

    def estimate(self, caller: Caller, asked: Asked) -> Estimate:
        """Return what a query will cost. Raises Refused, which is put on record as that of a query is."""
        trail = Trail(caller, asked, self.platform.clock.wall())
        with self._recording(trail):
            policy = self._granted.policy(caller, self._granted.approved)
            return self._answerer.estimate(self._understood(trail, policy))

    def encode(self, reply: Reply, form: Form) -> Iterator[bytes]:
        """Yield an answer's bytes in a form."""
        return self.platform.queries.encode(reply.result, form)

    def receipt(self, caller: Caller, identity: str) -> Receipt:
        """Return the receipt of one of the caller's own queries, on marts that its token is good for.

        Raises LookupError when there is none.
        """
        sealed = self.platform.audit.find(identity)
        entry = sealed.entry if sealed else None
        if sealed is None or not isinstance(entry, QueryEntry) or entry.principal != caller.principal:
            raise LookupError(identity)
        if caller.scope and not entry.versions.keys() <= set(caller.scope):
            raise LookupError(identity)
        try:
            opened = {
                mart: self._publications.called(mart, str(number)) for mart, number in entry.versions.items()
            }
        except UserError as gone:
            raise LookupError(identity) from gone
        return receipt_of(sealed, entry, opened, self.currency)

    @property
    def is_open(self) -> bool:
        """Whether queries are taken."""
        return not self._running.closed

    def close(self, patience: float = 30.0) -> None:
        """Take no more queries, wait for those that run, and end what is left after ``patience`` seconds."""
        self._running.close(patience)
        self.platform.queries.close()
        self._publications.close()
        self.platform.audit.close()

    @contextmanager
    def _recording(self, trail: Trail) -> Iterator[None]:
        """Put on record why a query got no answer, also where that is a bug of ours."""
        try:
            yield
        except Refused as refused:
            self.platform.audit.append(trail.ended(_outcome(refused, trail), refused))
            raise
        except AuditUnavailable:
            raise
        except Exception as error:  # a bug of ours leaves a record too, and is raised again
            if not trail.is_ended:
                what = f"{type(error).__name__}: {error}"
                bug = Refused("our_bug", "Something went wrong here.", detail=what)
                self.platform.audit.append(trail.ended("failed", bug))
            raise

    def _understood(self, trail: Trail, policy: Policy) -> Understood:
        question = self._reader.question(trail.asked.text)
        trail.was_parsed(question)
        query = self._reader.understood(question, trail.asked, policy)
        trail.was_checked(query.checked)
        return query

    def _reply(self, trail: Trail, cancel: Cancel | None) -> Reply:
        caller, approved = trail.caller, self._granted.approved
        with trail.step("policy"):
            policy = self._granted.policy(caller, approved)
        with trail.step("gate"):
            query = self._understood(trail, policy)
        with trail.step("price"):
            rights = approved.of(query.checked.versions)
            limits = limits_of(trail.asked, caller, rights, self.each, bounded=query.checked.bounded)
            trail.was_priced(limits.lane, self._answerer.estimate(query))
        query, answered = self._answered(query, trail, policy, limits, cancel)
        try:
            return self._on_record(query, trail, answered, approved)
        except BaseException:  # nobody will send it, whatever stood in the way: it may be a file
            answered.result.close()
            raise

    def _answered(
        self, query: Understood, trail: Trail, policy: Policy, limits: Limits, cancel: Cancel | None
    ) -> tuple[Understood, Answered]:
        """Return the answer, and the query that gave it: over a budget, the same one on an aggregate."""
        try:
            return query, self._answerer.answered(query, trail, limits, cancel)
        except OverBudget as over:
            ways = [
                (self._answerer.estimate(instead).price, elsewhere, instead)
                for elsewhere, instead in self._reader.cheaper(query, trail.asked, policy)
            ]
            if not ways:
                raise
            price, elsewhere, instead = min(ways, key=lambda way: way[0])
            try:
                answered = self._answerer.answered(instead, trail, limits, cancel)
            except OverBudget:
                raise over.with_remedy(elsewhere.remedy(price)) from None
            trail.was_answered_from(elsewhere.aggregate, instead.checked)
            return instead, answered

    def _on_record(self, query: Understood, trail: Trail, answered: Answered, approved: Approved) -> Reply:
        """Return the answer, once it is written down that it was given."""
        trail.was_answered(answered.result, answered.bytes_read, self.prices)
        if trail.asked.receipt:
            with trail.step("digest"):
                trail.known["answer"] = self.platform.queries.digest(answered.result)
        self._keep_policy(query.checked.policies, trail.caller, approved)
        entry = trail.ended("cached" if answered.cached else "answered")
        sealed = self.platform.audit.append(entry)
        return Reply(answered.result, receipt_of(sealed, entry, query.opened, self.currency))

    def _keep_policy(self, digest: str, caller: Caller, approved: Approved) -> None:
        """Keep what a policy is made of, so that an answer under it can be made again."""
        if digest not in self._policies_kept:
            self.platform.audit.keep_policy(digest, kept_policy(caller, approved.rights))
            self._policies_kept.add(digest)


class _Running:
    """Counts the queries that run, so that the door can be closed when the last one has ended."""

    def __init__(self) -> None:
        self.closed = False
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            if self.closed:
                raise Refused("closing", "The door is closing.", "Ask again in a moment.")
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def close(self, patience: float) -> None:
        with self._changed:
            self.closed = True
            self._changed.wait_for(lambda: self._count == 0, patience)


def _outcome(refused: Refused, trail: Trail) -> Outcome:
    """Return how a query ended: it failed if it had begun to run, else it was refused."""
    if refused.code == "cancelled":
        return "cancelled"
    return "failed" if "execute" in trail.steps else "refused"
