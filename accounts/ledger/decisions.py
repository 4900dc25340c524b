"""The latest answers as they stand: how many people get what, and why the others do not."""

from sqlalchemy import Connection, func, select

from accounts.models import Decision
from accounts.vocabulary import Answer, Reason


def count_reasons(connection: Connection, play: str) -> dict[tuple[Answer, Reason | None], int]:
    """People by answer and reason, most frequent first."""
    query = (
        select(Decision.answer, Decision.reason, func.count())
        .where(Decision.play == play)
        .group_by(Decision.answer, Decision.reason)
        .order_by(func.count().desc(), Decision.reason)
    )
    return {(Answer(answer), reason and Reason(reason)): count for answer, reason, count in connection.execute(query)}
