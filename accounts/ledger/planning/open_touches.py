"""Touches that wait in a send plan when somebody says something: taken back in the same transaction.

While somebody answers, no plan is frozen, so that nothing is planned meanwhile from answers that are about to change.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select, text

from accounts.ledger.planning.touches import move
from accounts.models import Account, Stakeholder, Touch
from accounts.vocabulary import TouchState

#: What has not been claimed yet; a touch in `sending` may have left.
WAITING = (TouchState.PLANNED, TouchState.CERTIFIED)


class TouchRow(NamedTuple):
    """A touch as a rep asks about it."""

    id: int
    stakeholder_id: int | None
    content: str
    state: TouchState
    due_at: datetime
    not_after: datetime | None
    sent_at: datetime | None
    claimed_at: datetime | None


def no_freeze(connection: Connection) -> None:
    """No plan is frozen until the transaction ends; one that has begun is waited for. SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("LOCK TABLE send_plan IN SHARE ROW EXCLUSIVE MODE"))


def keep_still(connection: Connection, account_id: int) -> None:
    """No freeze, and no planning of this account, until the transaction ends.

    Touches before their account, as whoever claims them locks both.
    """
    no_freeze(connection)
    if connection.dialect.name != "sqlite":
        waiting = select(Touch.id).where(Touch.account_id == account_id, Touch.state.in_(WAITING))
        connection.execute(waiting.order_by(Touch.id).with_for_update())
        connection.execute(select(Account.id).where(Account.id == account_id).with_for_update())


def read_touch(connection: Connection, account_id: int, touch_id: int) -> TouchRow | None:
    """A touch of this account, or None."""
    query = _touches().where(Touch.id == touch_id, Touch.account_id == account_id)
    row = connection.execute(query).one_or_none()
    return _as_touch(row)


def find_touch(connection: Connection, stakeholder_id: int, content: str) -> TouchRow | None:
    """What became of a content for a person; None: it was never planned."""
    query = _touches().where(Touch.stakeholder_id == stakeholder_id, Touch.content == content)
    row = connection.execute(query).one_or_none()
    return _as_touch(row)


def take_back(
    connection: Connection, reasons: Mapping[int, str], now: datetime, *, content: str | None = None
) -> list[int]:
    """Planned touches of these people (stakeholder -> reason), of one content or all; the ids of those taken back."""
    query = select(Touch.id, Touch.stakeholder_id).where(
        Touch.stakeholder_id.in_(list(reasons)), Touch.state.in_(WAITING)
    )
    if content is not None:
        query = query.where(Touch.content == content)
    why = {touch: str(reasons[person]) for touch, person in connection.execute(query) if person is not None}
    return move(connection, dict(why), TouchState.CANCELLED, now=now, sources=WAITING)


def people_of(connection: Connection, account_id: int) -> list[int]:
    """Ids of the account's stakeholders."""
    return list(connection.scalars(select(Stakeholder.id).where(Stakeholder.account_id == account_id)))


def _touches() -> Select[Any]:
    return select(*(getattr(Touch, name) for name in TouchRow._fields))


def _as_touch(row: Any) -> TouchRow | None:
    return TouchRow(*row)._replace(state=TouchState(row.state)) if row else None
