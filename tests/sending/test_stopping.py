"""Ctrl-C and SIGTERM: what is on its way gets there, what was claimed besides is given back, and then the process ends
as it always does. A real process, the real signal, at the moments of the claim."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update

from accounts.ledger.engine import open_ledger, reading, writing
from accounts.models import Account, Touch
from accounts.pace import Pace, Rate
from accounts.vocabulary import TouchState
from flows.channels.email import Outgoing, Sent
from flows.channels.email.memory import Memory
from flows.clock import running
from flows.sending.journal import Journal, journals_in
from flows.sending.leaving import despatch
from flows.sending.recovering import recover
from flows.sending.stopping import Stop, stopping
from tests.cast import NOW, World
from tests.nursery import NURSERY
from tests.sending.crowd import plan_for_many
from tests.sending.nurse import mailroom

T = TouchState
PEOPLE = 9

#: How the statements begin in whose middle, or right after which, the signal comes.
CLAIM, COMMITTED = "UPDATE touch SET state=", ""


def _send_until(url: str, plan_id: int, home: Path, number: int, statement: str, arrived: Any) -> None:
    """What the process does. Ends with 0 when it was interrupted and could do all of its work again afterwards."""
    engine = open_ledger(url)
    _strike(engine, number, statement)
    memory = _Telling(arrived)
    try:
        with Journal.open(home, engine) as journal:
            despatch(engine, mailroom(), plan_id, NOW, memory, batch=3, journal=journal)
    except KeyboardInterrupt:  # its traceback stands, and with it every frame that was at work
        assert T.SENDING not in _states(engine), "nothing stays claimed"
        with Journal.open(home, engine) as journal:
            despatch(engine, mailroom(), plan_id, NOW, memory, batch=3, journal=journal)
    engine.dispose()


class _Telling(Memory):
    """Tells another process what it takes."""

    def __init__(self, arrived: Any) -> None:
        super().__init__()
        self._arrived = arrived

    def send(self, message: Outgoing) -> Sent:
        self._arrived.put(message.recipient)
        return super().send(message)


def _strike(engine: Engine, number: int, statement: str) -> None:
    """Once: in the middle of the second statement that begins so, or between the second commit and what follows."""
    left = [2]

    def strike(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), number)

    if statement:
        event.listen(engine, "after_cursor_execute", lambda _c, _k, said, *_: said.startswith(statement) and strike())
    else:
        event.listen(engine, "commit", strike)


@pytest.mark.parametrize("statement", [CLAIM, COMMITTED], ids=["in the claim", "at a commit"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)], ids=str)
def test_a_signal_at_the_claim_ends_the_process_and_leaves_nothing_open(
    world: World, tmp_path: Path, number: int, code: int, statement: str
) -> None:
    plan_id = plan_for_many(world, PEOPLE)
    url, arrived = world.engine.url.render_as_string(hide_password=False), NURSERY.SimpleQueue()
    process = NURSERY.Process(target=_send_until, args=(url, plan_id, tmp_path, number, statement, arrived))
    process.start()
    process.join(20)
    assert process.exitcode == code, "the signal had its usual effect, and did not have to wait for it"
    first = [arrived.get() for _ in range(_sent(world))]
    assert T.SENDING not in _states(world.engine)
    assert T.UNKNOWN not in _states(world.engine)
    recover(world.engine, tmp_path, NOW)
    assert journals_in(tmp_path) == []
    rest = Memory()
    despatch(world.engine, mailroom(), plan_id, NOW, rest)
    everybody = sorted([*first, *(message.recipient for message in rest.sent)])
    assert everybody == [f"p{n}@globex.example" for n in range(PEOPLE)], "each got it once"
    assert arrived.empty()


def test_whoever_has_a_handler_of_their_own_is_told_what_was_done(world: World) -> None:
    """As Prefect has: the signal comes back to it when nothing is open any more."""
    plan_id, heard = plan_for_many(world, PEOPLE), []
    usual = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append((number, list(memory.sent))))
    memory = _Struck(2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        done = despatch(world.engine, mailroom(), plan_id, NOW, memory, batch=3)
    finally:
        signal.signal(signal.SIGTERM, usual)
    assert done.stopped == "interrupted by SIGTERM"
    assert heard == [(signal.SIGTERM, memory.sent)]
    assert 2 <= len(memory.sent) == done.outcomes[T.SENT] < PEOPLE
    assert _states(world.engine).count(T.CERTIFIED) == PEOPLE - len(memory.sent)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nobody_waits_for_a_turn_after_ctrl_c(world: World) -> None:
    plan_id = plan_for_many(world, PEOPLE)
    soon = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    memory, pace = _Struck(1, soon.start), Pace(all=Rate(minute=1))
    usual = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        done = despatch(
            world.engine, mailroom(), plan_id, NOW, memory, clock=running(NOW), pace=pace,
            patience=timedelta(minutes=5),
        )  # fmt: skip
    finally:
        soon.join()
        signal.signal(signal.SIGINT, usual)
    assert done.stopped == "interrupted by SIGINT"
    assert len(memory.sent) == 1


def test_outside_the_main_thread_nothing_is_installed() -> None:
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with stopping() as stop:
            seen.append((before == [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)], bool(stop)))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(True, False)]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop
    finally:
        signal.signal(signal.SIGINT, usual)


def test_who_asks_twice_is_heard_once() -> None:
    stop = Stop()
    stop.ask(signal.SIGINT, None)
    stop.ask(signal.SIGTERM, None)
    assert stop.by is signal.SIGTERM
    assert stop.wait(0)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_interrupted_statement_keeps_no_lock_while_its_traceback_stands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever else Ctrl-C comes: this process can write again at once."""
    monkeypatch.setattr("accounts.ledger.engine.BUSY_SECONDS", 0.1)
    engine = open_ledger(world.engine.url.render_as_string())

    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            raise KeyboardInterrupt

    event.listen(engine, "after_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt) as interrupted, writing(engine) as connection:
        connection.execute(select(Account.id))
    with writing(engine) as connection:
        connection.execute(update(Account).values(industry="Metals"))
    assert interrupted.tb is not None
    engine.dispose()


class _Struck(Memory):
    """Somebody strikes while the n-th message is handed over."""

    def __init__(self, at: int, strike: Callable[[], None]) -> None:
        super().__init__()
        self._at, self._strike = at, strike

    def send(self, message: Outgoing) -> Sent:
        sent = super().send(message)
        if len(self.sent) == self._at:
            self._strike()
        return sent


def _states(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(select(Touch.state)))


def _sent(world: World) -> int:
    return _states(world.engine).count(T.SENT)
