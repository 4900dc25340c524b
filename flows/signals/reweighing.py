"""Scores made anew after a marketer changed what signals weigh, and the accounts that this moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.engagement import Moved
from accounts.ledger.engagement import scores
from accounts.ledger.engine import reading, writing
from accounts.ledger.signals.applying import one_at_a_time
from accounts.ledger.subjects import account_keys
from accounts.playbook import Play

#: Accounts named in a report; the others are counted.
NAMED = 20


@dataclass(frozen=True, slots=True)
class Shift:
    """An account whose score moved. Places count from 1; None: it had or has no score."""

    account: str
    before: float
    after: float
    place_before: int | None
    place_after: int | None


@dataclass(frozen=True, slots=True)
class Rescored:
    """What new weights did."""

    #: People whose score was made anew.
    people: int = 0
    #: Accounts whose score moved visibly; and the ones that moved most, by the size of the move.
    moved: int = 0
    most: tuple[Shift, ...] = ()


def rescore(engine: Engine, play: Play, now: datetime) -> Rescored:
    """Scores by the play's weights of today, where they were made by others. Doing it again changes nothing."""
    with reading(engine) as connection:
        if not scores.needs_reweighing(connection, play):
            return Rescored()
    with writing(engine) as connection:
        return _reweigh(connection, play, now, NAMED)


def try_weights(engine: Engine, play: Play, now: datetime, named: int = NAMED) -> Rescored:
    """What `rescore` would do; nothing is kept."""
    with writing(engine) as connection:
        found = _reweigh(connection, play, now, named)
        connection.rollback()
    return found


def _reweigh(connection: Connection, play: Play, now: datetime, named: int) -> Rescored:
    one_at_a_time(connection)
    found = scores.reweigh(connection, play, now)
    return Rescored(found.people, len(found.moved), _named(connection, found.moved[:named]))


def _named(connection: Connection, moved: Sequence[Moved]) -> tuple[Shift, ...]:
    keys = account_keys(connection, {one.account for one in moved})
    return tuple(Shift(keys[one.account], one.before, one.after, one.place_before, one.place_after) for one in moved)
