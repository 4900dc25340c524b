"""What killed senders left behind on this machine is taken up: their journals say what had left and what had not.

Touches whose journal lies on another machine, or nowhere, wait for the end of their lease
(accounts/ledger/planning/touches.py).
"""

from collections import Counter
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from accounts.ledger.engine import writing
from accounts.ledger.sending.recovery import TakenUp, take_up
from accounts.vocabulary import TouchState
from flows.sending.journal import is_held, journals_in, left_behind


def recover(engine: Engine, folder: Path, now: datetime) -> TakenUp:
    """Take up every journal in `folder` whose sender is dead; the living are left alone.

    Killed in the middle of it, or run by two at once, it comes to the same: a journal goes when all it tells stands in
    the ledger.
    """
    unknown: list[int] = []
    again: list[int] = []
    answered: Counter[TouchState] = Counter()
    for path in journals_in(folder):
        with left_behind(path, engine) as told:
            if told is None:
                continue
            with writing(engine) as connection:
                done = take_up(connection, told.worker, told.touches, now)
        unknown += done.unknown
        again += done.again
        answered.update(done.answered)
    return TakenUp(tuple(unknown), tuple(again), dict(answered))


def alive(folder: Path) -> list[str]:
    """The workers whose journal in `folder` is in use: they will say themselves what became of their claims."""
    return [path.stem for path in journals_in(folder) if is_held(path)]
