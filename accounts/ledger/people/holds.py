"""Holds: who put one on an account or a person, why, until when, and who took it off."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, null, or_, select, update

from accounts.ledger.announcements import untold
from accounts.ledger.bulk import among, insert_into
from accounts.ledger.subjects import Subject
from accounts.models import Account, Hold, Stakeholder
from accounts.vocabulary import About, HoldCause, HoldScope, PauseClock

#: What a rep may release; a legal hold needs somebody to say its name.
RELEASABLE: tuple[HoldCause, ...] = tuple(cause for cause in HoldCause if cause is not HoldCause.LEGAL)


@dataclass(frozen=True, slots=True)
class SignalHold:
    """A hold that a reply, a meeting or a complaint causes."""

    signal_id: int
    account_id: int
    cause: HoldCause
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenHold:
    id: int
    scope: HoldScope
    account: str
    #: The person's address; None for a hold on the whole account.
    email: str | None
    cause: HoldCause
    by: str
    note: str | None
    starts_at: datetime
    ends_at: datetime | None


def place(
    connection: Connection, subject: Subject, cause: HoldCause, *, by: str, starts_at: datetime,
    ends_at: datetime | None = None, note: str | None = None, clock: PauseClock | None = None,
    beside: Collection[str] = (),
) -> int:  # fmt: skip
    """Hold `subject`; the id of the hold. The latest word counts: it ends earlier holds of the same cause by people.

    clock: what it does with the steps whose time comes meanwhile; None: as the play says. beside: whose earlier holds
    it stands beside, and does not end.

    Saying the same thing again changes nothing.
    """
    same = and_(_open(starts_at), _on(subject), Hold.cause == cause, Hold.signal_id.is_(None), Hold.by.not_in(beside))
    ends_alike = Hold.ends_at.is_(None) if ends_at is None else Hold.ends_at == ends_at
    said_alike = and_(func.coalesce(Hold.note, "") == (note or ""), func.coalesce(Hold.clock, "") == (clock or ""))
    said_before = connection.scalar(select(Hold.id).where(same, Hold.by == by, ends_alike, said_alike))
    others = same if said_before is None else and_(same, Hold.id != said_before)
    connection.execute(update(Hold).where(others).values(ends_at=starts_at))  # replaced, which is not released
    if said_before is not None:
        return said_before
    row = insert(Hold).values(
        scope=subject.scope, account_id=subject.account_id, stakeholder_id=subject.stakeholder_id, cause=cause, by=by,
        note=note, starts_at=starts_at, ends_at=ends_at, clock=clock,
    )  # fmt: skip
    return connection.execute(row.returning(Hold.id)).scalar_one()


def release(
    connection: Connection, subject: Subject, *, by: str, at: datetime, causes: Collection[HoldCause] = RELEASABLE
) -> list[int]:
    """End every open hold on exactly this account, or exactly this person; the ids of those that were open."""
    held = update(Hold).where(_open(at), _on(subject), Hold.cause.in_(list(causes)))
    return list(connection.scalars(held.values(released_at=at, released_by=by).returning(Hold.id)))


def open_holds(connection: Connection, at: datetime, subject: Subject | None = None) -> list[OpenHold]:
    """Holds that are on at that moment, the longest-standing first."""
    query = (
        select(Hold.__table__, Account.key, Stakeholder.email)
        .join(Account, Account.id == Hold.account_id)
        .outerjoin(Stakeholder, Stakeholder.id == Hold.stakeholder_id)
        .where(_open(at), *([] if subject is None else [_on(subject)]))
        .order_by(Hold.starts_at, Hold.id)
    )
    return [_as_open(row) for row in connection.execute(query)]


def unannounced(connection: Connection, at: datetime) -> list[OpenHold]:
    """Holds on whole accounts that are on and that nobody who listens was told of, the oldest first."""
    query = (
        select(Hold.__table__, Account.key, null().label("email"))
        .join(Account, Account.id == Hold.account_id)
        .where(_open(at), Hold.scope == HoldScope.ACCOUNT, untold(About.HOLD, Hold.id))
        .order_by(Hold.id)
    )
    return [_as_open(row) for row in connection.execute(query)]


def hold_for_signals(connection: Connection, wanted: Sequence[SignalHold]) -> set[int]:
    """One hold per signal, however often it is told; the accounts that are held by them.

    A signal older than a rep's release of the account holds nothing: the rep knew better by then.
    """
    released = _last_releases(connection, {hold.account_id for hold in wanted})
    news = [hold for hold in wanted if hold.account_id not in released or hold.starts_at > released[hold.account_id]]
    rows = [
        {
            "scope": HoldScope.ACCOUNT, "account_id": hold.account_id, "cause": hold.cause, "by": "signal",
            "starts_at": hold.starts_at, "ends_at": hold.ends_at, "signal_id": hold.signal_id,
        }
        for hold in news
    ]  # fmt: skip
    if rows:
        connection.execute(insert_into(connection, Hold).on_conflict_do_nothing(index_elements=["signal_id"]), rows)
    return {hold.account_id for hold in news}


def _last_releases(connection: Connection, accounts: Iterable[int]) -> dict[int, datetime]:
    of_these = among(connection, Hold.account_id, sorted(accounts))
    released = and_(of_these, Hold.scope == HoldScope.ACCOUNT, Hold.released_at.is_not(None))
    query = select(Hold.account_id, func.max(Hold.released_at)).where(released).group_by(Hold.account_id)
    return {account: at for account, at in connection.execute(query) if at is not None}


def _open(at: datetime) -> ColumnElement[bool]:
    return and_(Hold.released_at.is_(None), Hold.starts_at <= at, or_(Hold.ends_at.is_(None), Hold.ends_at > at))


def _on(subject: Subject) -> ColumnElement[bool]:
    person = (
        Hold.stakeholder_id.is_(None)
        if subject.stakeholder_id is None
        else Hold.stakeholder_id == subject.stakeholder_id
    )
    return and_(Hold.account_id == subject.account_id, person)


def _as_open(row: Any) -> OpenHold:
    scope, cause = HoldScope(row.scope), HoldCause(row.cause)
    return OpenHold(row.id, scope, row.key, row.email, cause, row.by, row.note, row.starts_at, row.ends_at)
