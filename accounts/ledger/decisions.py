"""The latest answers as they stand: how many people get what, and why the others do not."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, exists, func, select

from accounts.models import Account, Decision, Stakeholder
from accounts.vocabulary import Answer, Reason


def count_new(connection: Connection, play: str, reason: Reason, now: datetime) -> int:
    """People whom planning told so at `now` and not before: an answer that stays keeps the time it was first given."""
    new = (Decision.play == play, Decision.reason == reason, Decision.as_of == now)
    return connection.scalar(select(func.count()).select_from(Decision).where(*new)) or 0


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
