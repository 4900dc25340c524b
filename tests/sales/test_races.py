"""A rep answers while a plan is being frozen, certified or claimed: nothing leaves that the answer forbids.

On PostgreSQL each meets the other in the middle of its transaction; on SQLite they take turns.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from accounts.answers import Limits
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import plans
from accounts.tick import decide
from tests.cast import NOW, World
from tests.sales.desk import PLAY_IN_USE, decided, kept, say, touches
from tests.sending.desk import certified, certify, claim, states

DECEMBER = datetime(2026, 12, 2, 23, 0, tzinfo=UTC)
PATIENCE = 20.0

#: What is said -> the reason that planning gives from then on.
NOES: dict[str, tuple[Callable[[World], object], str]] = {
    "a person": (
        lambda world: say(world, "limits", limits=Limits(people=(world.people["alice"],))),
        "person_off_limits",
    ),
    "a topic": (lambda world: say(world, "limits", limits=Limits(topics=("cost",))), "topic_off_limits"),
    "a delay": (lambda world: say(world, "delay", person="alice", until=DECEMBER), "delayed_by_rep"),
    "a hold": (lambda world: say(world, "hold"), "account_held"),
}
every_no = pytest.mark.parametrize(("answer", "reason"), NOES.values(), ids=NOES)


def ask(world: World, **limits: Any) -> object:
    return say(world, "limits", limits=Limits(**limits))


class Meanwhile:
    """Something another connection does, begun in the middle of what this one does."""

    def __init__(self, engine: Engine, work: Callable[[], object]) -> None:
        self._engine = engine
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._work, args=(work,))

    def begin(self) -> None:
        """Returns when it waits for us, or is done; on SQLite it can only wait."""
        self._thread.start()
        ends = time.monotonic() + PATIENCE
        while self._engine.dialect.name == "postgresql" and self._thread.is_alive() and not self._waits():
            assert time.monotonic() < ends
            time.sleep(0.01)

    def end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        assert self._failed == []

    def _work(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            self._failed.append(error)

    def _waits(self) -> bool:
        with reading(self._engine) as connection:
            return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


@every_no
def test_said_while_a_plan_is_being_frozen(world: World, answer: Callable[[World], object], reason: str) -> None:
    decide(world.engine, PLAY_IN_USE, NOW)
    meanwhile = Meanwhile(world.engine, lambda: answer(world))
    with writing(world.engine) as connection:
        assert plans.freeze(connection, PLAY_IN_USE, NOW)
        meanwhile.begin()
    meanwhile.end()
    assert [row[1:] for row in touches(world, "alice")] == [("cancelled", reason)]
    assert decided(world, "alice") == ("wait", reason)


@every_no
def test_a_plan_is_frozen_while_it_is_being_said(world: World, answer: Callable[[World], object], reason: str) -> None:
    decide(world.engine, PLAY_IN_USE, NOW)

    def freeze() -> None:
        with writing(world.engine) as connection:
            plans.freeze(connection, PLAY_IN_USE, NOW)

    meanwhile = Meanwhile(world.engine, freeze)
    with Before(world.engine, "INSERT INTO rep_answer", meanwhile.begin):
        answer(world)
    meanwhile.end()
    assert touches(world, "alice") == []
    assert decided(world, "alice") == ("wait", reason)
    assert states(world)["ivan"] == "planned"


@every_no
def test_said_of_what_is_certified_and_claimed_afterwards(
    world: World, answer: Callable[[World], object], reason: str
) -> None:
    plan = certified(world)
    answer(world)
    claim(world, plan)
    assert [row[1:] for row in touches(world, "alice")] == [("cancelled", reason)]
    assert states(world)["ivan"] == "sending"


def test_said_between_the_freeze_and_the_certificate(world: World) -> None:
    decide(world.engine, PLAY_IN_USE, NOW)
    with writing(world.engine) as connection:
        plan = plans.freeze(connection, PLAY_IN_USE, NOW)
    assert plan is not None
    ask(world, people=(world.people["alice"],))
    certify(world, plan)
    claim(world, plan)
    assert (states(world)["alice"], states(world)["ivan"]) == ("cancelled", "sending")


def test_two_who_answer_in_the_same_moment_are_both_kept(world: World) -> None:
    one = Meanwhile(world.engine, lambda: say(world, "hold", until=DECEMBER))
    with Before(world.engine, "INSERT INTO rep_answer", one.begin):
        say(world, "hold", "acme")
    one.end()
    assert len(kept(world)) == 2


class Before:
    """Once, right before the first statement that begins so."""

    def __init__(self, engine: Engine, words: str, happens: Callable[[], None]) -> None:
        self._engine, self._words, self._happens, self._happened = engine, words, happens, False

    def __enter__(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._watch)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._watch)
        assert self._happened, f"nothing began with {self._words!r}"

    def _watch(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(self._words) and not self._happened:
            self._happened = True
            self._happens()
