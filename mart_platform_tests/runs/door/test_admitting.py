"""Admission: who waits for whom, and when an account is empty."""

import threading
from dataclasses import replace
from datetime import date

import pytest

from mart_platform.gate.questions import Refused
from mart_platform.runs.door.admitting import Spending, Turnstile
from mart_platform.runs.door.limits import Holder, Limit, Limits
from mart_platform.spec.budgets import Lane

ADA, BEN = Holder("principal", "ada"), Holder("principal", "ben")
TODAY, TOMORROW = date(2026, 11, 2), date(2026, 11, 3)


def limits(*at_once: Limit, lane: Lane = "ad-hoc", spend: tuple[Limit, ...] = ()) -> Limits:
    return Limits(lane, (), seconds=None, rows=None, memory=None, at_once=at_once, spend=spend)


class Query(threading.Thread):
    """Passes the turnstile, says so, and stays until it is told to end."""

    def __init__(self, turnstile: Turnstile, its: Limits) -> None:
        super().__init__(daemon=True)
        self.turnstile, self.its = turnstile, its
        self.inside, self.ending = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self.turnstile.passed(self.its, patience=30):
            self.inside.set()
            self.ending.wait(30)

    def end(self) -> None:
        self.ending.set()
        self.join(30)


def waits(query: Query) -> bool:
    return not query.inside.wait(0.2)


def test_a_query_waits_until_a_place_of_its_lane_is_free() -> None:
    turnstile = Turnstile({"dashboard": 1, "ad-hoc": 2})
    first, second, third = (Query(turnstile, limits()) for _ in range(3))
    running = [query for query in (first, second, third) if query.inside.wait(0.5)]
    assert len(running) == 2
    (waiting,) = {first, second, third} - set(running)
    running[0].end()
    assert waiting.inside.wait(5)
    for query in (running[1], waiting):
        query.end()
    again = [Query(turnstile, limits()) for _ in range(2)]
    for query in again:
        assert query.inside.wait(5)
    for query in again:
        query.end()


def test_a_full_lane_holds_up_no_other_lane() -> None:
    turnstile = Turnstile({"dashboard": 1, "ad-hoc": 1})
    adhoc = [Query(turnstile, limits()) for _ in range(3)]
    dashboard = Query(turnstile, limits(lane="dashboard"))
    assert dashboard.inside.wait(5)
    for query in (dashboard, *adhoc):
        query.ending.set()


def test_who_came_first_goes_first() -> None:
    turnstile = Turnstile({"dashboard": 1, "ad-hoc": 1})
    first = Query(turnstile, limits())
    assert first.inside.wait(5)
    second = Query(turnstile, limits())
    assert waits(second)
    third = Query(turnstile, limits())
    assert waits(third)
    first.end()
    assert second.inside.wait(5)
    assert waits(third)
    second.end()
    assert third.inside.wait(5)
    third.end()


def test_a_query_that_waits_for_its_principal_holds_up_nobody_else() -> None:
    turnstile = Turnstile({"dashboard": 1, "ad-hoc": 5})
    of_ada = [Query(turnstile, limits(Limit(1, ADA))) for _ in range(2)]
    assert sum(query.inside.wait(0.5) for query in of_ada) == 1
    of_ben = Query(turnstile, limits(Limit(1, BEN)))
    assert of_ben.inside.wait(5)
    for query in (*of_ada, of_ben):
        query.ending.set()


def test_a_query_for_which_there_is_no_place_in_time_is_told_whose_limit_it_was() -> None:
    turnstile = Turnstile({"dashboard": 1, "ad-hoc": 5})
    first = Query(turnstile, limits(Limit(1, ADA)))
    assert first.inside.wait(5)
    with (
        pytest.raises(Refused, match="principal ada: 1") as refused,
        turnstile.passed(limits(Limit(1, ADA)), patience=0.1),
    ):
        raise AssertionError
    assert refused.value.code == "busy"
    first.end()
    with turnstile.passed(limits(Limit(1, ADA)), patience=0.1):
        pass


def test_of_one_principal_no_more_wait_than_leave_room_for_others() -> None:
    turnstile = Turnstile({"dashboard": 1, "ad-hoc": 1})
    of_ada, of_ben = (replace(limits(), holders=(holder,)) for holder in (ADA, BEN))
    first = Query(turnstile, of_ada)
    assert first.inside.wait(5)
    waiting = [Query(turnstile, of_ada) for _ in range(16)]
    assert waits(waiting[-1])
    with pytest.raises(Refused, match="16 queries of principal ada wait") as refused:
        turnstile.passed(of_ada, patience=30).__enter__()
    assert refused.value.code == "busy"
    ben = Query(turnstile, of_ben)
    for query in (first, *waiting):
        query.end()
    assert ben.inside.wait(5)
    ben.end()


def test_a_query_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    turnstile, cancel = Turnstile({"dashboard": 1, "ad-hoc": 1}), threading.Event()
    first = Query(turnstile, limits())
    assert first.inside.wait(5)
    cancel.set()
    with (
        pytest.raises(Refused, match="cancelled"),
        turnstile.passed(limits(), patience=30, cancel=cancel),
    ):
        raise AssertionError
    first.end()
    with turnstile.passed(limits(), patience=0.1):
        pass


def test_an_account_that_a_query_would_overdraw_is_named_and_begins_anew_the_next_day() -> None:
    spending = Spending()
    its = limits(spend=(Limit(10.0, ADA), Limit(3.0, BEN)))
    assert spending.over(its, 3.0, TODAY) is None
    spending.spend([ADA, BEN], 2.0, TODAY)
    over = spending.over(its, 1.5, TODAY)
    assert over is not None
    assert over.holder == BEN
    assert spending.over(its, 1.5, TOMORROW) is None
    spending.spend([ADA], 1.0, TOMORROW)
    assert (spending.spent(ADA, TOMORROW), spending.spent(BEN, TOMORROW)) == (1.0, 0.0)
