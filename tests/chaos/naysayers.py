"""Who says no while mail is leaving: people who opt out, reps who hold, veto or pull a brake. One process of its own.

They use the doors that people use. Each no is written down with the time at which it was certainly in force.
"""

import os
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from accounts.ledger.engine import open_ledger
from accounts.ledger.signals.recorded import Incoming
from accounts.vocabulary import BrakeScope, SignalKind
from flows.sales import answers
from flows.signals.intake import add_by_hand
from tests.chaos.board import Board
from tests.chaos.history import Naysaying, No
from tests.chaos.records import Record
from tests.chaos.world import CONTENT, REPS, account_key, address, play

#: A no is said again until the database has taken it; for so long at most, in seconds.
PATIENCE = 10.0
REP = next(iter(REPS))

_BRAKES = {No.STOP_ALL: BrakeScope.GLOBAL, No.STOP_ACCOUNT: BrakeScope.ACCOUNT, No.STOP_REP: BrakeScope.REP}


def say_no(url: str, nos: tuple[Naysaying, ...], board: Board, record: Record, now: datetime) -> None:
    """What the process does: each no when its moment has come, then the brakes are let go again."""
    engine = open_ledger(url)
    began = time.monotonic()
    waiting, pulled = list(nos), []
    while waiting or pulled:
        elapsed = time.monotonic() - began
        for one in [one for one in waiting if (board.letters >= one.letter and elapsed >= one.second) or elapsed > 2]:
            waiting.remove(one)
            _say(engine, one, record, now)
            if one.no in _BRAKES:
                pulled.append((elapsed + one.lasts, one))
        for release_at, one in [pair for pair in pulled if board.is_over or elapsed >= pair[0]]:
            pulled.remove((release_at, one))
            _release(engine, one, record, now)
        time.sleep(0.002)


def _say(engine: Engine, one: Naysaying, record: Record, now: datetime) -> None:
    record.write("saying", no=one.no, person=one.person)
    _until_taken(lambda: _WORDS[one.no](engine, one, now))
    record.write("said", no=one.no, person=one.person, now=now)


def _release(engine: Engine, one: Naysaying, record: Record, now: datetime) -> None:
    record.write("releasing", no=one.no, person=one.person)
    _until_taken(lambda: _brake(engine, one, now, released=True))


def _until_taken(say: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            say()
            return
        except (DBAPIError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _opt_out(engine: Engine, one: Naysaying, now: datetime) -> None:
    name = f"chaos-{os.getpid()}-{one.person}"
    signal = Incoming("chaos", name, SignalKind.UNSUBSCRIBED, now, email=address(one.person))
    add_by_hand(engine, play(), signal, now)


def _hold(engine: Engine, one: Naysaying, now: datetime) -> None:
    answers.hold(engine, account_key(one.person), by=REP, now=now)


def _veto(engine: Engine, one: Naysaying, now: datetime) -> None:
    content = CONTENT if one.no is No.VETO_CONTENT else None
    answers.veto(engine, address(one.person), content, by=REP, now=now)


def _brake(engine: Engine, one: Naysaying, now: datetime, *, released: bool = False) -> None:
    target = {No.STOP_ALL: "", No.STOP_ACCOUNT: account_key(one.person), No.STOP_REP: REP}[one.no]
    answers.stop(engine, _BRAKES[one.no], target, by=REP, now=now, released=released)


_WORDS: dict[No, Callable[[Engine, Naysaying, datetime], Any]] = {
    No.OPT_OUT: _opt_out, No.HOLD: _hold, No.VETO: _veto, No.VETO_CONTENT: _veto,
    No.STOP_ALL: _brake, No.STOP_ACCOUNT: _brake, No.STOP_REP: _brake,
}  # fmt: skip
