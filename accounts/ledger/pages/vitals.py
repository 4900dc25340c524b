"""How the ledger is: what came in when, what waits, and for how long. Counts and times only."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, text

from accounts.health import LATELY, Vitals, Waiting
from accounts.ledger.importing.quarantine import count_open, noes_without_a_name
from accounts.ledger.signals import mailboxes
from accounts.models import Account, Brake, Decision, SendPlan, Signal, Touch, Unapplied, Webhook
from accounts.types import Utc
from accounts.vocabulary import PlanState, Reason, TouchState


def read_vitals(connection: Connection, now: datetime) -> Vitals:
    """In a dozen short questions; none of them waits for a writer."""
    lately = now - LATELY
    due = Touch.due_at <= now
    held = _waiting(connection, SendPlan.created_at, SendPlan.state == PlanState.HELD)
    plans = select(SendPlan.id).where(SendPlan.state == PlanState.HELD).order_by(SendPlan.id)
    sources = select(Signal.source, func.max(Signal.received_at, type_=Utc())).where(Signal.received_at > lately)
    return Vitals(
        crm=_by_name(
            connection, select(Account.source, func.max(Account.synced_at, type_=Utc())).group_by(Account.source)
        ),
        signals=_by_name(connection, sources.group_by(Signal.source)),
        mailbox=mailboxes.latest_reading(connection),
        webhooks=_waiting(connection, Webhook.received_at, Webhook.state == "waiting"),
        unapplied=_waiting(connection, Signal.received_at, Signal.id == Unapplied.signal_id),
        queue=_waiting(connection, Touch.due_at, Touch.state == TouchState.CERTIFIED, due),
        sending=_waiting(connection, Touch.claimed_at, Touch.state == TouchState.SENDING),
        unknown=_waiting(connection, Touch.claimed_at, Touch.state == TouchState.UNKNOWN),
        held=held,
        held_plans=tuple(connection.scalars(plans)),
        late=_count(connection, select(func.count()).where(Decision.reason == Reason.LATE_STEP)),
        expired=_count(
            connection, select(func.count()).where(Touch.state == TouchState.EXPIRED, Touch.not_after > lately)
        ),
        sent=_count(connection, select(func.count()).where(Touch.state == TouchState.SENT, Touch.sent_at > lately)),
        quarantined=count_open(connection),
        nameless=noes_without_a_name(connection),
        brakes=_waiting(connection, Brake.at, Brake.released_at.is_(None)),
        size=_size(connection),
    )


def _waiting(connection: Connection, since: Any, *conditions: ColumnElement[bool]) -> Waiting:
    count, first = connection.execute(select(func.count(), func.min(since, type_=Utc())).where(*conditions)).one()
    return Waiting(count, first)


def _by_name(connection: Connection, latest: Select[Any]) -> dict[str, datetime]:
    return {name or "by hand": at for name, at in connection.execute(latest) if at is not None}


def _count(connection: Connection, query: Select[Any]) -> int:
    return connection.scalar(query) or 0


def _size(connection: Connection) -> int:
    asked = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        "postgresql": "SELECT pg_database_size(current_database())",
    }[connection.dialect.name]
    return int(connection.scalar(text(asked)) or 0)
