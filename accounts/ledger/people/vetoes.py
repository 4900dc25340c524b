"""Vetoes: a rep's no to one content for one person, or to all mail for that person."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select

from accounts.models import Account, Stakeholder, Veto


def veto(
    connection: Connection, stakeholder_id: int, content: str | None, *, by: str, at: datetime, note: str | None = None
) -> int:
    """Say no, to one content or (None) to all; the id of the veto, also when they had said so already."""
    stands = connection.scalar(select(Veto.id).where(_is(stakeholder_id, content), Veto.by == by).limit(1))
    if stands is not None:
        return stands
    row = insert(Veto).values(stakeholder_id=stakeholder_id, content=content, by=by, at=at, note=note)
    return connection.execute(row.returning(Veto.id)).scalar_one()


def said_by(connection: Connection, stakeholder_id: int, content: str | None) -> list[str]:
    """Who said exactly this."""
    return list(connection.scalars(select(Veto.by).where(_is(stakeholder_id, content))))


def withdraw(connection: Connection, stakeholder_id: int, content: str | None) -> int:
    """Take exactly this veto back; how many rows it was."""
    return connection.execute(delete(Veto).where(_is(stakeholder_id, content))).rowcount


def read_vetoes(
    connection: Connection, account: str | None = None
) -> Sequence[Row[tuple[str, str, str | None, str, datetime]]]:
    """Account, address, content (None: all mail), who said so and when."""
    query = (
        select(Account.key, Stakeholder.email, Veto.content, Veto.by, Veto.at)
        .join(Stakeholder, Stakeholder.id == Veto.stakeholder_id)
        .join(Account, Account.id == Stakeholder.account_id)
        .order_by(Veto.at, Veto.id)
    )
    return connection.execute(query if account is None else query.where(Account.key == account)).all()


def _is(stakeholder_id: int, content: str | None) -> ColumnElement[bool]:
    what = Veto.content.is_(None) if content is None else Veto.content == content
    return and_(Veto.stakeholder_id == stakeholder_id, what)
