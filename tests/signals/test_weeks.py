"""The way from an account to its signals leads through the weeks they came in, so that storing them stays cheap."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from accounts.ledger.engagement import scores
from accounts.ledger.engine import reading, writing
from accounts.ledger.pages import account_page, timeline
from accounts.ledger.signals import recorded as signals
from accounts.ledger.sla import facts as sla_facts
from accounts.models import Signal
from accounts.rep_pages.timeline import Source
from accounts.weeks import week_of
from tests.cast import NOW, World
from tests.signals.post import RULES, signal, tell

ALICE = "alice@acme.example"
WEEK = timedelta(days=7)
KEY = "ix_signal_received_week_account_id"

Question = Callable[[Connection, int], Any]
QUESTIONS: dict[str, Question] = {
    "the score": lambda connection, account: scores.read_engagement(connection, [account], RULES, NOW),
    "a score anew": lambda connection, account: scores.recompute(connection, [account]),
    "the history": lambda connection, account: timeline.read_history(connection, account, NOW),
    "the page": lambda connection, account: account_page.read_account_facts(connection, account, NOW),
    "the last word": lambda connection, account: sla_facts.last_words(connection, [account], NOW),
    "the list": lambda connection, account: signals.read_signals(connection, account="acme"),
}


def test_weeks_are_counted_from_1970_and_change_together_everywhere() -> None:
    weeks = [week_of(NOW + n * WEEK) for n in range(-3, 3)]
    assert weeks == list(range(weeks[0], weeks[0] + 6))


def test_signals_of_weeks_far_apart_are_all_found(world: World) -> None:
    """Weeks in which nothing came in lie between them."""
    acme = world.accounts["acme"]
    for weeks in (120, 40, 1, 0):
        tell(world.engine, signal("clicked", ALICE, NOW - weeks * WEEK), now=NOW - weeks * WEEK)
    with reading(world.engine) as connection:
        history = timeline.read_history(connection, acme, NOW)
        assert [one.source for one in history.entries].count(Source.BUYER) == 4
        assert len(scores.read_told(connection, [acme], RULES)[acme]) == 4
        assert len(scores.read_told(connection, [acme], RULES, since=NOW - 50 * WEEK)[acme]) == 3
        stored = connection.execute(select(Signal.received_week, Signal.received_at)).all()
    assert {row.received_week for row in stored} == {week_of(row.received_at) for row in stored}
    assert len({row.received_week for row in stored}) == 4


def test_a_statement_about_any_week_is_compiled_once(world: World) -> None:
    """SQLAlchemy remembers a statement only if it knows how to tell all of its parts from others."""
    compiled: dict[Any, Any] = {}
    with reading(world.engine.execution_options(compiled_cache=compiled)) as connection:
        for account in (world.accounts["acme"], world.accounts["globex"]):
            assert sla_facts.last_words(connection, [account], NOW) is not None
            assert len(compiled) == 1


def test_nothing_is_found_where_no_signal_ever_came_in(world: World) -> None:
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(Signal)) == 0
        assert scores.read_told(connection, [world.accounts["acme"]], RULES) == {}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("question", list(QUESTIONS))
def test_whoever_asks_for_the_signals_of_an_account_finds_them_by_the_index(world: World, question: str) -> None:
    """An index that begins with the week is of no use to a query that names none."""
    asked: list[tuple[str, Any]] = []
    tell(world.engine, signal("clicked", ALICE))
    with writing(world.engine) as connection:
        event.listen(connection, "before_cursor_execute", lambda _c, _k, said, values, *_: asked.append((said, values)))
        QUESTIONS[question](connection, world.accounts["acme"])
        about = [(said, values) for said, values in asked if "signal.received_week" in said]
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", values).all() for said, values in about]
    steps = [step.detail for plan in plans for step in plan]
    assert any(f"SEARCH signal USING INDEX {KEY} (received_week=? AND account_id=?)" in step for step in steps), steps
