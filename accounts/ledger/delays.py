"""A rep's "not yet" to one content for one person; the latest word counts."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, select

from accounts.ledger.bulk import insert_into
from accounts.models import Delay


def delay(connection: Connection, stakeholder_id: int, content: str, until: datetime, *, by: str, at: datetime) -> bool:
    """Planning waits until then; False: it did so already."""
    before = connection.scalar(select(Delay.until).where(_is(stakeholder_id, content)))
    if before == until:
        return False
    said = {"until": until, "by": by, "at": at}
    row = insert_into(connection, Delay).values(stakeholder_id=stakeholder_id, content=content, **said)
    connection.execute(row.on_conflict_do_update(index_elements=["stakeholder_id", "content"], set_=said))
    return True


def withdraw(connection: Connection, stakeholder_id: int, content: str) -> None:
    """It waits for nothing any more."""
    connection.execute(delete(Delay).where(_is(stakeholder_id, content)))


def _is(stakeholder_id: int, content: str) -> ColumnElement[bool]:
    return and_(Delay.stakeholder_id == stakeholder_id, Delay.content == content)
