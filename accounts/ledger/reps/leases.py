"""Leases: whose account it is while they work it, what they ask of marketing meanwhile, and when that ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, insert, or_, select, update

from accounts.answers.said import Limits
from accounts.ledger.bulk import among
from accounts.models import Account, Activity, Lease, Rep
from accounts.playbook import LeaseRule

#: Who ends a lease that nobody renewed.
LAPSED = "nobody renewed it"


@dataclass(frozen=True, slots=True)
class Leased:
    """A lease that stands."""

    id: int
    account_id: int
    rep_id: int
    rep: str
    taken_at: datetime
    renewed_at: datetime
    ends_at: datetime
    limits: Limits


def read_lease(connection: Connection, account_id: int, now: datetime) -> Leased | None:
    """The lease on an account at `now`, or None."""
    return read_leases(connection, [account_id], now).get(account_id)


def read_leases(connection: Connection, accounts: Collection[int], now: datetime) -> dict[int, Leased]:
    """Account -> its lease, of those that have one; one query."""
    query = (
        select(Lease.__table__, Rep.name)
        .join(Rep, Rep.id == Lease.rep_id)
        .where(among(connection, Lease.account_id, sorted(accounts)), Lease.ended_at.is_(None), Lease.ends_at > now)
    )
    return {row.account_id: _as_leased(row) for row in connection.execute(query)}


def read_limits(connection: Connection, now: datetime) -> dict[int, Limits]:
    """Account -> what is asked of marketing there, of all leases that stand and ask for anything."""
    stands = and_(Lease.ended_at.is_(None), Lease.taken_at <= now, Lease.ends_at > now)
    query = select(Lease.__table__, Rep.name).join(Rep, Rep.id == Lease.rep_id).where(stands, _asks_for_something())
    return {row.account_id: _as_leased(row).limits for row in connection.execute(query)}


def take(connection: Connection, account_id: int, rep_id: int, rule: LeaseRule, now: datetime) -> Leased:
    """The account is this rep's from now on; one that stands is renewed, and keeps its limits whoever's it was."""
    end_overdue(connection, now, [account_id])
    standing = read_lease(connection, account_id, now)
    values = {"rep_id": rep_id, "renewed_at": now, "ends_at": now + rule.lasts, "noticed_at": None}
    if standing is None:
        connection.execute(insert(Lease).values(account_id=account_id, taken_at=now, **values))
    else:
        connection.execute(update(Lease).where(Lease.id == standing.id).values(**values))
    return read_leases(connection, [account_id], now)[account_id]


def limit(connection: Connection, lease: Leased, asked: Limits) -> Limits:
    """The limits of a lease, changed as asked; those it has now."""
    was = lease.limits
    limits = Limits(
        was.people if asked.people is None else tuple(sorted(asked.people)),
        was.topics if asked.topics is None else tuple(sorted(asked.topics)),
        was.per_week if asked.per_week is None else asked.per_week,
        was.ads if asked.ads is None else asked.ads,
    )
    values = {
        "people": list(limits.people or ()), "topics": list(limits.topics or ()),
        "touches_per_week": limits.per_week or None, "ads": limits.ads,
    }  # fmt: skip
    connection.execute(update(Lease).where(Lease.id == lease.id).values(**values))
    return limits


def end(connection: Connection, lease_id: int, *, by: str, at: datetime) -> None:
    """It ends now, and its limits with it."""
    connection.execute(update(Lease).where(Lease.id == lease_id).values(ended_at=at, ended_by=by))


def end_overdue(connection: Connection, now: datetime, accounts: Collection[int] | None = None) -> list[int]:
    """Leases that nobody renewed in time are over; the accounts they lay on, which are planned again."""
    over = and_(Lease.ended_at.is_(None), Lease.ends_at <= now)
    if accounts is not None:
        over = and_(over, among(connection, Lease.account_id, sorted(accounts)))
    lapsed = update(Lease).where(over).values(ended_at=Lease.ends_at, ended_by=LAPSED).returning(Lease.account_id)
    ended = sorted(connection.scalars(lapsed))
    if ended:
        connection.execute(update(Account).where(among(connection, Account.id, ended)).values(replan_at=now))
    return ended


def renew_by_activity(connection: Connection, accounts: Collection[int], rule: LeaseRule, now: datetime) -> int:
    """Real contact of an account's owner takes the lease, or renews it; how many leases changed.

    What happened before a lease ended takes no new one. An activity that names no rep is the owner's.
    """
    end_overdue(connection, now, accounts)
    owners = or_(Activity.rep_id == Account.owner_id, Activity.rep_id.is_(None))
    latest = (
        select(Account.id, Account.owner_id, func.max(Activity.occurred_at).label("at"))
        .join(Activity, Activity.account_id == Account.id)
        .where(among(connection, Account.id, sorted(accounts)), Account.owner_id.is_not(None), owners)
        .where(Activity.is_contact.is_(True), Activity.occurred_at > now - rule.lasts, Activity.occurred_at <= now)
        .group_by(Account.id, Account.owner_id)
    )
    worked = {row.id: (row.owner_id, row.at) for row in connection.execute(latest)}
    standing = read_leases(connection, list(worked), now)
    ended = _last_ends(connection, worked)
    fresh: list[dict[str, Any]] = []
    renewed = 0
    for account, (owner, at) in worked.items():
        lease = standing.get(account)
        if lease is None and (account not in ended or at > ended[account]):
            times = {"taken_at": at, "renewed_at": at, "ends_at": at + rule.lasts}
            fresh.append({"account_id": account, "rep_id": owner, "ads": True, **times})
        elif lease is not None and lease.rep_id == owner and at > lease.renewed_at:
            values = {"renewed_at": at, "ends_at": max(lease.ends_at, at + rule.lasts), "noticed_at": None}
            connection.execute(update(Lease).where(Lease.id == lease.id).values(**values))
            renewed += 1
    if fresh:
        connection.execute(insert(Lease), fresh)
    return renewed + len(fresh)


def ending(connection: Connection, rule: LeaseRule, now: datetime) -> list[Leased]:
    """Leases whose rep has not been told yet that they are about to lapse; marked as told.

    Only those with limits: the end of one without changes nothing for anybody.
    """
    near = and_(Lease.ended_at.is_(None), Lease.ends_at > now, Lease.ends_at <= now + rule.notice)
    query = select(Lease.__table__, Rep.name).join(Rep, Rep.id == Lease.rep_id)
    query = query.where(near, _asks_for_something(), Lease.noticed_at.is_(None))
    found = [_as_leased(row) for row in connection.execute(query)]
    told = among(connection, Lease.id, sorted(lease.id for lease in found))
    if found:
        connection.execute(update(Lease).where(told).values(noticed_at=now))
    return found


def naming(connection: Connection, people: Collection[int]) -> list[dict[str, Any]]:
    """Leases whose rep wants nobody to write to one of these people."""
    rows = connection.execute(select(Lease.id, Lease.account_id, Lease.people).where(_is_filled(Lease.people)))
    return [{"id": row.id, "account_id": row.account_id} for row in rows if set(people) & set(row.people)]


def forget(connection: Connection, people: Collection[int]) -> int:
    """These people stand in no limit any more; how many leases named one."""
    gone, changed = set(people), 0
    for id, listed in connection.execute(select(Lease.id, Lease.people).where(_is_filled(Lease.people))).all():
        left = [person for person in listed if person not in gone]
        if left != listed:
            connection.execute(update(Lease).where(Lease.id == id).values(people=left))
            changed += 1
    return changed


def _last_ends(connection: Connection, accounts: Mapping[int, Any]) -> dict[int, datetime]:
    over = and_(among(connection, Lease.account_id, sorted(accounts)), Lease.ended_at.is_not(None))
    ended = select(Lease.account_id, func.max(Lease.ended_at)).where(over).group_by(Lease.account_id)
    return {account: at for account, at in connection.execute(ended) if at is not None}


def _asks_for_something() -> ColumnElement[bool]:
    return or_(
        Lease.touches_per_week.is_not(None), Lease.ads.is_(False), _is_filled(Lease.people), _is_filled(Lease.topics)
    )


def _is_filled(column: Any) -> ColumnElement[bool]:
    """A JSON list with something in it."""
    return and_(column.is_not(None), cast(column, Text).not_in(["null", "[]"]))


def _as_leased(row: Any) -> Leased:
    limits = Limits(tuple(row.people or ()), tuple(row.topics or ()), row.touches_per_week or 0, row.ads)
    return Leased(
        row.id, row.account_id, row.rep_id, row.name, row.taken_at, row.renewed_at, row.ends_at, limits
    )  # fmt: skip
