"""What leaves at some accounts in the days to come, read and looked at when somebody asks; nothing of it is stored."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, select

from accounts.ahead import Ahead, Leaving
from accounts.ledger.bulk import among
from accounts.ledger.planning.brakes import braked_people
from accounts.ledger.planning.snapshots import read_accounts, read_standing
from accounts.models import Decision
from accounts.playbook import Play
from accounts.vocabulary import Answer

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
    """What leaves at each of these accounts from `now` on, in the order of their ids; a fixed number of queries.

    Where another play does the planning, only its latest answers are known: each person's next mail, at the earliest.
    """
    standing = read_standing(connection, play, now)
    braked = braked_people(connection, play.key, ids)
    days = Ahead(play, now, now + ahead, standing.seen)
    accounts = [read.account for read in read_accounts(connection, ids, play, now, standing)]
    elsewhere = [account.id for account in accounts if account.play not in (None, play.key)]
    answered = _answered(connection, elsewhere, now, now + ahead) if elsewhere else {}
    for account in accounts:
        people = frozenset(person.id for person in account.people)
        if people <= braked:
            yield Coming(account.id, (), people)
        elif account.id in answered:
            yield Coming(account.id, tuple(answered[account.id]), people & braked)
        else:
            yield Coming(account.id, tuple(days.look(account, people & braked)), people & braked)


def _answered(
    connection: Connection, ids: Sequence[int], now: datetime, until: datetime
) -> dict[int, list[Leaving]]:  # fmt: skip
    """Account -> each person's next mail before `until`, as planning answered when it looked last."""
    query = select(Decision.account_id, Decision.until, Decision.stakeholder_id, Decision.content).where(
        among(connection, Decision.account_id, ids), Decision.answer != Answer.NEVER,
        Decision.content.is_not(None), Decision.until < until,
    )  # fmt: skip
    found: dict[int, list[Leaving]] = {id: [] for id in ids}
    for account, at, person, content in connection.execute(query.order_by(Decision.until, Decision.stakeholder_id)):
        found[account].append(Leaving(max(at, now), person, content))
    return found
