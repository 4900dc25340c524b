"""A worker: nurture runs in a process of their own, as the product does them, and a diary of what it claimed.

The diary stands beside the product and not in it: for each claim, the clock before and after, so that the judgement
can say which no was in force when.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.pool import Pool

from accounts.errors import TandemError
from accounts.ledger.engine import open_ledger
from accounts.ledger.sending import claims
from flows import nurturing
from flows.sending import leaving
from tests.chaos.board import Board
from tests.chaos.history import AtStatement, Run, Strike
from tests.chaos.records import Record
from tests.chaos.world import LOOSE, play, settings

#: What a worker may run into here: a database that is gone, a full disk, a mail server that does not answer, Ctrl-C.
TROUBLES = (OperationalError, InterfaceError, TandemError, OSError, KeyboardInterrupt)


@dataclass(frozen=True, slots=True)
class Errand:
    """What a worker is sent to do."""

    slot: int
    run: Run
    now: datetime
    home: Path
    url: str
    port: int


def work(errand: Errand, board: Board, record: Record) -> None:
    """What the process does. What it may run into is written down and is no reason to fail; anything else is a mistake
    in the product."""
    engine = open_ledger(errand.url)
    if errand.run.strike is not None:
        _strike_at(errand.run.strike, board, record)
    with diary(record), _batches_of(errand.run.batch):
        for _ in range(errand.run.retries + 1):
            try:
                _nurture(engine, errand, record)
                return
            except TROUBLES as error:
                record.write("trouble", connections=errand.run.connections, **_said(error))
            except Exception as error:
                record.write("mistake", **_said(error))
                raise


def _said(error: BaseException) -> dict[str, Any]:
    return {"pid": os.getpid(), "error": type(error).__name__, "said": " ".join(str(error).split())[:300]}


def _nurture(engine: Engine, errand: Errand, record: Record) -> None:
    house = settings(errand.home, errand.url, errand.port, errand.run.connections)
    done = nurturing.nurture(engine, house, play(), errand.now, limits=LOOSE, live=True)
    record.write("done", slot=errand.slot, sent=done.sent, unknown=done.unknown, later=done.later,
                 stopped=[one[:200] for one in done.stopped])  # fmt: skip


@contextmanager
def diary(record: Record) -> Iterator[None]:
    """Every claim of this process is written down before its bytes can leave."""
    real = claims.claim

    def witnessed(connection: Connection, plan_id: int, now: datetime, **options: Any) -> claims.Claim:
        before = time.monotonic()
        claim = real(connection, plan_id, now, **options)
        touches = [touch.id for touch in claim.touches]
        record.write("claimed", pid=os.getpid(), before=before, now=now, touches=touches)
        return claim

    claims.claim = witnessed
    try:
        yield
    finally:
        claims.claim = real


@contextmanager
def _batches_of(size: int) -> Iterator[None]:
    """Claims of this size, so that small worlds give several batches."""
    defaults = leaving.despatch.__kwdefaults__
    usual, defaults["batch"] = defaults["batch"], size
    try:
        yield
    finally:
        defaults["batch"] = usual


def _strike_at(strike: AtStatement, board: Board, record: Record) -> None:
    """Count this process's statements, or its commits, and strike before the right one or right after it."""
    count = 0

    def deed() -> None:
        nonlocal count
        count += 1  # once
        record.write("struck", deed=strike.deed)
        if strike.deed is Strike.KILL_WORKER:
            os.kill(os.getpid(), signal.SIGKILL)
        board.kill_postmaster()

    def before(*_: object) -> None:
        nonlocal count
        count += 1
        if count == strike.number and not strike.after:
            deed()

    def after(*_: object) -> None:
        if count == strike.number and strike.after:
            deed()

    if strike.commit:  # SQLAlchemy tells of a commit beforehand; the next thing after it is the way back into the pool
        event.listen(Engine, "commit", before)
        event.listen(Pool, "checkin", after)
    else:
        event.listen(Engine, "before_cursor_execute", before)
        event.listen(Engine, "after_cursor_execute", after)
