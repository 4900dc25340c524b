"""Objections and wished-for topics, as reps heard them: open until somebody says that they are settled."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, insert, select, update

from accounts.ledger.bulk import among
from accounts.models import Objection


@dataclass(frozen=True, slots=True)
class OpenObjection:
    id: int
    account_id: int
    stakeholder_id: int | None
    #: `objection` or `topic`.
    kind: str
    words: str
    at: datetime


def open_objections(connection: Connection, accounts: Collection[int]) -> dict[int, list[OpenObjection]]:
    """Account -> what is open there, the longest-standing first; one query."""
    query = _open().where(among(connection, Objection.account_id, sorted(accounts))).order_by(Objection.at)
    found: dict[int, list[OpenObjection]] = {}
    for row in connection.execute(query):
        found.setdefault(row.account_id, []).append(OpenObjection(*row))
    return found


def raise_objection(
    connection: Connection, account_id: int, stakeholder_id: int | None, kind: str, words: str, *,
    rep_id: int | None, at: datetime,
) -> tuple[int, bool]:  # fmt: skip
    """The id of its row, and whether it is new: the same words are one as long as they are open."""
    person = Objection.stakeholder_id.is_not_distinct_from(stakeholder_id)
    same = _open().where(Objection.account_id == account_id, person, Objection.kind == kind, Objection.words == words)
    known = connection.execute(same).first()
    if known is not None:
        return known.id, False
    row = insert(Objection).values(
        account_id=account_id, stakeholder_id=stakeholder_id, rep_id=rep_id, kind=kind, words=words, at=at
    )
    return connection.execute(row.returning(Objection.id)).scalar_one(), True


def close(connection: Connection, account_id: int, id: int, *, by: str, at: datetime) -> str | None:
    """Its kind, or None where nothing of that number is open in the account."""
    here = update(Objection).where(_is(account_id, id), Objection.closed_at.is_(None))
    return connection.scalar(here.values(closed_at=at, closed_by=by).returning(Objection.kind))


def exists(connection: Connection, account_id: int, id: int) -> bool:
    """Whether the account has one of that number, open or closed."""
    return connection.scalar(select(Objection.id).where(_is(account_id, id))) is not None


def _is(account_id: int, id: int) -> ColumnElement[bool]:
    return and_(Objection.id == id, Objection.account_id == account_id)


def _open() -> Select[Any]:
    columns = (getattr(Objection, name) for name in OpenObjection.__slots__)
    return select(*columns).where(Objection.closed_at.is_(None))
