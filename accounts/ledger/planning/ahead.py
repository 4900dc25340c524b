"""What leaves at some accounts in the days to come, read and looked at when somebody asks; nothing of it is stored."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from accounts.ahead import Ahead, Leaving
from accounts.ledger.planning.brakes import braked_people
from accounts.ledger.planning.snapshots import read_accounts, read_standing
from accounts.playbook import Play

#: How far anybody looks ahead.
AHEAD = timedelta(days=7)


class Coming(NamedTuple):
    """What leaves at an account within the days that were asked for, in the order of leaving."""

    account_id: int
    leaving: tuple[Leaving, ...]
    #: People to whom nothing leaves as long as a brake holds.
    braked: frozenset[int]

    def to(self, person_id: int) -> tuple[Leaving, ...]:
        """What leaves to this person."""
        return tuple(one for one in self.leaving if one.person_id == person_id)


def coming(
    connection: Connection, ids: Collection[int], play: Play, now: datetime, ahead: timedelta = AHEAD
) -> Iterator[Coming]:
    """What leaves at each of these accounts from `now` on, in the order of their ids; a fixed number of queries."""
    standing = read_standing(connection, play, now)
    braked = braked_people(connection, play.key, ids)
    days = Ahead(play, now, now + ahead, standing.seen)
    for read in read_accounts(connection, ids, play, now, standing):
        people = frozenset(person.id for person in read.account.people)
        leaving = () if people <= braked else days.look(read.account, people & braked)
        yield Coming(read.account.id, tuple(leaving), people & braked)
