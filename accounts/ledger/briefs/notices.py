"""What a rep must hear at once: replies, booked meetings and complaints that put a hold on an account of theirs.

Each is told once. It is claimed before the mail leaves; a claim that nobody settled was that of a process that died,
and it is told again after a while: hearing it twice costs a glance, not hearing it costs the deal.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from accounts.ledger.bulk import insert_into
from accounts.ledger.reps.spokesmen import Speaker, read_rep, who_is_told
from accounts.models import Account, Hold, Notice, Signal, Stakeholder
from accounts.vocabulary import BriefState, HoldCause

#: What is older is in the rep's brief.
FRESH = timedelta(days=3)
#: A claim that is older belongs to a process that died.
STUCK_AFTER = timedelta(minutes=15)
TOLD_AT_ONCE = (HoldCause.REPLY, HoldCause.MEETING, HoldCause.COMPLAINT)


@dataclass(frozen=True, slots=True)
class News:
    """One hold that a buyer caused, and whom to tell."""

    hold_id: int
    cause: HoldCause
    kind: str
    at: datetime
    held_until: datetime | None
    account_id: int
    account_key: str
    account_name: str
    #: Of the one who did it; None where only the account is known.
    person: str | None
    title: str | None
    email: str | None
    #: Words and subject of a reply.
    data: dict[str, Any]
    rep_id: int
    rep_name: str
    rep_email: str
    rep_timezone: str | None


def untold(connection: Connection, now: datetime) -> list[News]:
    """What no rep was told yet, the oldest first: the account's owner, or who stands in while the owner is away."""
    waits = or_(
        Notice.hold_id.is_(None),
        and_(Notice.state == BriefState.SENDING, Notice.claimed_at <= now - STUCK_AFTER),
        Notice.state == BriefState.PLANNED,
    )
    query = (
        select(
            Hold.id, Hold.cause, Signal.kind, Signal.occurred_at, Hold.ends_at, Account.id.label("account"),
            Account.key, Account.name,
            Stakeholder.first_name, Stakeholder.last_name, Stakeholder.title, Stakeholder.email, Signal.data,
            Account.owner_id,
        )
        .join(Signal, Signal.id == Hold.signal_id)
        .join(Account, Account.id == Hold.account_id)
        .outerjoin(Stakeholder, Stakeholder.id == Signal.stakeholder_id)
        .outerjoin(Notice, Notice.hold_id == Hold.id)
        .where(Hold.cause.in_(TOLD_AT_ONCE), Signal.is_machine.is_(False), waits)
        .where(Signal.received_at > now - FRESH, Signal.received_at <= now, Account.owner_id.is_not(None))
        .order_by(Hold.id)
    )  # fmt: skip
    found = connection.execute(query).all()
    told = who_is_told(connection, {row.owner_id for row in found}, now)
    reps = {id: read_rep(connection, id) for id in sorted(set(told.values()))}
    return [_news(row, told[row.owner_id], reps[told[row.owner_id]]) for row in found]


def claim(connection: Connection, news: News, now: datetime) -> bool:
    """Whether this process may tell it; false when another one does."""
    insert = insert_into(connection, Notice)
    free = or_(
        Notice.state == BriefState.PLANNED,
        and_(Notice.state == BriefState.SENDING, Notice.claimed_at <= now - STUCK_AFTER),
    )
    statement = insert.on_conflict_do_update(
        index_elements=["hold_id"], set_={"state": BriefState.SENDING, "claimed_at": now}, where=free
    )
    row = {"hold_id": news.hold_id, "rep_id": news.rep_id, "state": BriefState.SENDING, "claimed_at": now}
    return connection.execute(statement.values(row).returning(Notice.hold_id)).first() is not None


def settle(connection: Connection, hold_id: int, state: BriefState, now: datetime, error: str | None = None) -> None:
    """How it ended; `planned`: the next run tries again."""
    ended = {"state": state, "delivered_at": now if state is BriefState.DELIVERED else None, "error": error}
    connection.execute(update(Notice).where(Notice.hold_id == hold_id).values(**ended))


def _news(row: Any, rep_id: int, rep: Speaker) -> News:
    name = " ".join(filter(None, (row.first_name, row.last_name)))
    return News(
        row.id, HoldCause(row.cause), row.kind, row.occurred_at, row.ends_at, row.account, row.key, row.name,
        name or row.email, row.title, row.email, row.data if isinstance(row.data, dict) else {}, rep_id, rep.name,
        rep.by, rep.timezone,
    )  # fmt: skip
