"""The latest answers as they stand: how many people get what, and why the others do not."""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, and_, exists, func, select

from accounts.ledger.announcements import told_among
from accounts.ledger.bulk import spelt
from accounts.models import Account, Decision, Stakeholder
from accounts.vocabulary import About, Answer, Reason


class Silenced(NamedTuple):
    """People who get nothing since one look of planning, because facts about their accounts are too old."""

    play: str
    at: datetime
    people: int

    @property
    def id(self) -> int:
        """The look as a number, such as rows have: it has no row of its own."""
        named = sha256(f"{self.play} {self.at.isoformat()}".encode()).digest()
        return int.from_bytes(named[:8]) >> 1


def unannounced_silence(connection: Connection, since: datetime, now: datetime) -> list[Silenced]:
    """Looks that silenced people, and of which nobody was told: an answer that stays keeps its first time."""
    looked = (Decision.reason == spelt(Reason.STALE_CRM), Decision.as_of > since, Decision.as_of <= now)
    query = select(Decision.play, Decision.as_of, func.count()).where(*looked).group_by(Decision.play, Decision.as_of)
    found = [Silenced(*row) for row in connection.execute(query.order_by(Decision.as_of, Decision.play))]
    told = told_among(connection, About.STALE, [one.id for one in found]) if found else set()
    return [one for one in found if one.id not in told]


def undecided(connection: Connection, play: str, now: datetime) -> list[str]:
    """Accounts of the play, by key, that sales has made contact with and planning has not looked at since."""
    since = and_(Decision.stakeholder_id == Stakeholder.id, Decision.reason.is_distinct_from(Reason.NOT_CONTACTED))
    not_looked_at = ~exists(select(Decision.stakeholder_id).where(since))
    people = exists(select(Stakeholder.id).where(Stakeholder.account_id == Account.id, not_looked_at))
    waiting = (Account.play == play, Account.replan_at <= now, Account.first_contacted_at <= now)
    return list(connection.scalars(select(Account.key).where(*waiting, people).order_by(Account.key)))


def count_reasons(connection: Connection, play: str) -> dict[tuple[Answer, Reason | None], int]:
    """People by answer and reason, most frequent first."""
    query = (
        select(Decision.answer, Decision.reason, func.count())
        .where(Decision.play == play)
        .group_by(Decision.answer, Decision.reason)
        .order_by(func.count().desc(), Decision.reason)
    )
    return {(Answer(answer), reason and Reason(reason)): count for answer, reason, count in connection.execute(query)}


class Planned(NamedTuple):
    """What planning last said of somebody's next mail."""

    content: str | None
    not_after: datetime | None


def read_decision(connection: Connection, stakeholder_id: int) -> Planned | None:
    """None: planning has not looked at them yet."""
    row = connection.execute(
        select(Decision.content, Decision.not_after).where(Decision.stakeholder_id == stakeholder_id)
    ).one_or_none()
    return Planned(*row) if row else None
