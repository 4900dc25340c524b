"""Choices of the preference page: recorded, effective and audited in one transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from accounts.ledger import audit
from accounts.ledger.planning.open_touches import no_freeze
from accounts.ledger.planning.touches import move
from accounts.ledger.signals.applying import act_at_once
from accounts.ledger.signals.whose import Incoming
from accounts.models import Decision, Stakeholder, Touch
from accounts.preferences import STOPPED_BY, Choice
from accounts.vocabulary import Answer, TouchState


def content_of(connection: Connection, touch_id: int) -> str | None:
    """Key of the content a touch carried; None for a touch that never was."""
    return connection.scalar(select(Touch.content).where(Touch.id == touch_id))


def prefer(connection: Connection, signal: Incoming, choice: Choice, now: datetime) -> bool:
    """Let a choice act for everybody who has this address; whether anybody was found.

    signal: kind `preferred` with the data of accounts/preferences.py, or `unsubscribed` for none at all.
    """
    if choice in STOPPED_BY:
        no_freeze(connection)  # or it would plan by the wish of before, and nobody would take that back
    before = _read(connection, signal.touch_id)
    whose = act_at_once(connection, signal, now)
    if whose is None:
        return False
    if choice in STOPPED_BY:
        _stop_what_is_planned(connection, [row.id for row in before], choice, now)
    for was, is_now in zip(before, _read(connection, signal.touch_id), strict=True):
        audit.append(
            connection, actor="recipient", action="preference", subject=f"stakeholder:{was.id}", at=now,
            before=_plain(was), after={"choice": choice.value, **_plain(is_now)},
        )  # fmt: skip
    return True


def _stop_what_is_planned(connection: Connection, people: list[int], choice: Choice, now: datetime) -> None:
    """What was decided or planned before was decided under another wish: planning decides it again."""
    reason = STOPPED_BY[choice].value
    leaving = select(Touch.id).where(
        Touch.stakeholder_id.in_(people), Touch.state.in_((TouchState.PLANNED, TouchState.CERTIFIED))
    )
    move(connection, dict.fromkeys(connection.scalars(leaving), reason), TouchState.CANCELLED, now=now)
    decided = (Decision.stakeholder_id.in_(people), Decision.answer == Answer.TOUCH)
    connection.execute(update(Decision).where(*decided).values(answer=Answer.WAIT, reason=reason, until=now))


def _read(connection: Connection, touch_id: int | None) -> list[Row[Any]]:
    """The rows of the person a touch went to, one for each account they stand in."""
    return list(connection.execute(_people(touch_id)))


def _people(touch_id: int | None) -> Select[Any]:
    meant = select(Stakeholder.email_hash).join(Touch, Touch.stakeholder_id == Stakeholder.id)
    return (
        select(
            Stakeholder.id, Stakeholder.opted_out_at, Stakeholder.paused_until, Stakeholder.mail_every_days,
            Stakeholder.only_topic,
        )
        .where(Stakeholder.email_hash.in_(meant.where(Touch.id == touch_id)))
        .order_by(Stakeholder.id)
    )  # fmt: skip


def _plain(row: Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name != "id" and value is not None}
