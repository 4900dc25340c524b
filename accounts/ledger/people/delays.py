"""A rep's "not yet" to one content for one person; the latest word counts, and of words that stand beside each other
the latest day."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from accounts.models import Delay


def delay(
    connection: Connection, stakeholder_id: int, content: str, until: datetime, *, by: str, at: datetime,
    beside: Collection[str] = (),
) -> bool:  # fmt: skip
    """Planning waits until then; False: that was said already.

    beside: whose earlier words it stands beside, and does not replace.
    """
    before = said_by(connection, stakeholder_id, content)
    if {who: day for who, day in before.items() if who not in beside} == {by: until}:
        return False
    connection.execute(delete(Delay).where(_is(stakeholder_id, content), Delay.by.not_in(beside)))
    said = {"stakeholder_id": stakeholder_id, "content": content, "by": by, "until": until, "at": at}
    connection.execute(insert(Delay).values(said))
    return True


def withdraw(connection: Connection, stakeholder_id: int, content: str, at: datetime) -> int:
    """Take back whatever keeps this mail waiting at that moment; how many words it was."""
    return connection.execute(delete(Delay).where(_is(stakeholder_id, content), Delay.until > at)).rowcount


def said_by(connection: Connection, stakeholder_id: int, content: str) -> Mapping[str, datetime]:
    """Who said so, and until when."""
    query = select(Delay.by, Delay.until).where(_is(stakeholder_id, content)).order_by(Delay.until)
    return dict(connection.execute(query).tuples().all())


def _is(stakeholder_id: int, content: str) -> ColumnElement[bool]:
    return and_(Delay.stakeholder_id == stakeholder_id, Delay.content == content)
