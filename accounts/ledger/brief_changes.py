"""On which accounts something may have happened since their rep was last told: what decides whether anything is read.

While a rep is away, whoever stands in is told of their accounts. The rep hears all of it when they are back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, union_all

from accounts.briefs.material import Absent, clean
from accounts.ledger.brief_facts import LATE, signals_of_people
from accounts.ledger.briefs import Look
from accounts.ledger.bulk import chunks
from accounts.ledger.sla_facts import read_desks
from accounts.models import Account, Handover, Hold, Proposal, Rep, RepAnswer, Signal, SlaClock, StageChange, Touch
from accounts.sla.hours import Desk, on_duty
from accounts.vocabulary import Side

#: Reps that one question asks about.
REPS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Watch:
    """A rep's accounts as somebody looks at them: the rep, or who stands in for them."""

    look: Look
    owner: int
    absent: Absent | None = None


def watches(connection: Connection, looks: Sequence[Look], now: datetime) -> dict[int, Watch]:
    """Owner -> who is told of their accounts, as far as that is one of `looks`; nobody is told while they are away."""
    by_rep, desks = {look.rep_id: look for look in looks}, read_desks(connection)
    names = dict(connection.execute(select(Rep.id, Rep.name)).tuples().all()) if any_away(desks, now) else {}
    found: dict[int, Watch] = {}
    for owner, desk in desks.items():
        reader = on_duty(owner, desks, now)
        if reader.is_away(now) or reader.id not in by_rep:
            continue
        look = by_rep[reader.id]
        if reader.id == owner:
            found[owner] = Watch(look, owner)
        else:
            absent = Absent(owner, clean(names[owner]), desk.away_until)
            found[owner] = Watch(_of_absent(look, by_rep.get(owner), desk), owner, absent)
    return found


def any_away(desks: Mapping[int, Desk], now: datetime) -> bool:
    return any(desk.is_away(now) for desk in desks.values())


def _of_absent(look: Look, theirs: Look | None, desk: Desk) -> Look:
    """Where news begin for who stands in: at first where the absent rep's last brief ended, later at their own."""
    if theirs is None or desk.away_from is None or look.since >= desk.away_from:
        return look
    return replace(look, since=theirs.since, is_first=theirs.is_first, known=theirs.known)


def readers_with_changes(connection: Connection, looks: Sequence[Look], as_of: datetime) -> set[int]:
    """Ids of the reps of whom anything has to be read at all."""
    watching = watches(connection, looks, as_of)
    some = chunks(list(watching.values()), REPS_AT_ONCE)
    found = (changed(connection, {watch.owner: watch for watch in part}, as_of) for part in some)
    return {watch.look.rep_id for part in found for watch in part.values()}


def changed(connection: Connection, watching: Mapping[int, Watch], as_of: datetime) -> dict[int, Watch]:
    """Account -> its watch, of every account with something that may be news; each reader's together."""
    since = min(watch.look.since for watch in watching.values())
    theirs = select(Account.id).where(Account.owner_id.in_(list(watching)))
    happened = _happened(theirs, since, as_of).subquery()
    query = (
        select(Account.owner_id, Account.id, func.max(happened.c.at))
        .join(happened, happened.c.account_id == Account.id)
        .where(Account.owner_id.in_(list(watching)))
        .group_by(Account.owner_id, Account.id)
    )
    found = [
        (watching[owner].look.rep_id, account, watching[owner])
        for owner, account, latest in connection.execute(query)
        if latest > watching[owner].look.since - LATE
    ]
    return {account: watch for _, account, watch in sorted(found, key=lambda one: one[:2])}


def _happened(theirs: Select[Any], since: datetime, as_of: datetime) -> Any:
    """(account, when) of all that may be news; a question becomes news again when its answer falls due.

    Signals are found by the time they came in, whoever's they are; the rest account by account: each by its index.
    """
    came_in = signals_of_people(Signal.account_id, Signal.received_at.label("at")).where(
        Signal.received_at > since - LATE, Signal.received_at <= as_of
    )
    fell_due = select(SlaClock.account_id, SlaClock.due_at.label("at")).where(
        SlaClock.side == Side.SALES, SlaClock.due_at > since, SlaClock.due_at <= as_of,
        or_(SlaClock.closed_at.is_(None), SlaClock.closed_at > as_of),
    )  # fmt: skip
    others = [
        select(account_id, at).where(account_id.in_(theirs), at > since, at <= as_of)
        for account_id, at in (
            (Touch.account_id, Touch.sent_at),
            (StageChange.account_id, StageChange.at),
            (Hold.account_id, Hold.starts_at),
            (Hold.account_id, Hold.ends_at),
            (Proposal.account_id, Proposal.proposed_at),
            (RepAnswer.account_id, RepAnswer.at),
            (Handover.account_id, Handover.at),
        )
    ]
    return union_all(came_in, fell_due, *others)
