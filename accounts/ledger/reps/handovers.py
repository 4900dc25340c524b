"""Accounts that change hands: noted where the change is written, settled once: lease, planned mail, both reps told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, insert, or_, select, update
from sqlalchemy.orm import aliased

from accounts.briefs.material import clean
from accounts.models import Account, Handover, Hold, Lease, Rep, Touch
from accounts.vocabulary import HoldCause


@dataclass(frozen=True, slots=True)
class Change:
    """An account that changed hands, and what nobody has settled yet."""

    id: int
    account_id: int
    account: str
    name: str
    from_rep_id: int | None
    to_rep_id: int | None
    from_name: str | None
    from_email: str | None
    to_name: str | None
    to_email: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An account that was a rep's, and whose it is now."""

    account: str
    #: The rep who has it; None: nobody.
    owner: str | None
    #: When it was theirs last.
    at: datetime

    @property
    def sentence(self) -> str:
        return f"{self.account} is no longer yours: {self.owner or 'nobody'} has it now."


def given_up(connection: Connection, rep_id: int, account_id: int) -> GivenUp | None:
    """None for an account that this rep never had."""
    query = (
        select(Account.name, Account.division, Rep.name.label("owner"), Handover.at)
        .join(Handover, Handover.account_id == Account.id)
        .outerjoin(Rep, Rep.id == Account.owner_id)
        .where(Account.id == account_id, Handover.from_rep_id == rep_id)
        .order_by(Handover.at.desc(), Handover.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return GivenUp(clean(f"{row.name} {row.division or ''}"), clean(row.owner) or None, row.at) if row else None


def note(connection: Connection, changed: Select[Any]) -> None:
    """Rows of (account, the rep before, the rep from now on, when), before the account is written."""
    columns = ["account_id", "from_rep_id", "to_rep_id", "at"]
    connection.execute(insert(Handover).from_select(columns, changed))


def unsettled(connection: Connection, now: datetime) -> list[Change]:
    """Those nobody has settled, the earliest first."""
    before, after = aliased(Rep), aliased(Rep)
    query = (
        select(
            Handover.id, Account.id, Account.key, Account.name, Account.division, Handover.from_rep_id,
            Handover.to_rep_id, before.name, before.email, after.name, after.email, Handover.at,
        )
        .join(Account, Account.id == Handover.account_id)
        .outerjoin(before, before.id == Handover.from_rep_id)
        .outerjoin(after, after.id == Handover.to_rep_id)
        .where(Handover.moved.is_(None), Handover.at <= now)
        .order_by(Handover.id)
    )  # fmt: skip
    return [
        Change(id, account, key, f"{name} {division or ''}".strip(), *rest)
        for id, account, key, name, division, *rest in connection.execute(query)
    ]


def settle(connection: Connection, change: Change, now: datetime) -> dict[str, list[int]] | None:
    """Move what was the old rep's: the ids of leases and holds; None: another run settled it.

    Holds stand where they are and bind the new owner, who may release them; a lease becomes theirs with its limits, or
    ends where nobody follows.
    """
    mine = update(Handover).where(Handover.id == change.id, Handover.moved.is_(None))
    lasts = and_(Hold.released_at.is_(None), or_(Hold.ends_at.is_(None), Hold.ends_at > now))
    placed = and_(Hold.account_id == change.account_id, Hold.cause == HoldCause.REP, Hold.by == change.from_email)
    holds = sorted(connection.scalars(select(Hold.id).where(placed, lasts)))
    lease = update(Lease).where(Lease.account_id == change.account_id, Lease.ended_at.is_(None))
    handed = (
        lease.values(ended_at=now, ended_by="the account has no owner")
        if change.to_rep_id is None
        else lease.values(rep_id=change.to_rep_id, noticed_at=None)
    )
    leases = sorted(connection.scalars(handed.returning(Lease.id)))
    moved = {"holds": holds, "leases": leases}
    return moved if connection.execute(mine.values(moved=moved)).rowcount else None


def signed_by_others(connection: Connection, account_id: int, rep_id: int | None) -> Sequence[int]:
    """Whose planned mail bears another rep's name than this one's: ids of stakeholders."""
    query = select(Touch.stakeholder_id).where(
        Touch.account_id == account_id, Touch.rep_id.is_distinct_from(rep_id), Touch.stakeholder_id.is_not(None)
    )
    return [person for person in connection.scalars(query.distinct()) if person is not None]
