"""Whose turn it is to be briefed: by their own hour and rhythm, or at once since an account of theirs turned hot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import Connection, func, select

from accounts.briefs.rhythm import Every, is_due
from accounts.ledger.briefs.readers import watches
from accounts.ledger.briefs.written import DIGEST, JUMP, Look, digests
from accounts.models import Account, Brief, Rep, SlaClock
from accounts.playbook import Play
from accounts.sla.hours import calendar_of
from accounts.vocabulary import BriefState, Duty

#: A jump in heat that nobody told for so long is no jump any more.
FRESH = timedelta(hours=24)
#: At most one jump is told in such a time.
ONE_A_DAY = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class Wish:
    """When a rep wants to be briefed."""

    rep: int
    timezone: str | None
    hour: time
    every: Every


def read_wishes(connection: Connection, play: Play) -> dict[int, Wish]:
    """Of every rep; what they have not said is as the play says."""
    query = select(Rep.id, Rep.timezone, Rep.brief_hour, Rep.brief_every)
    return {
        id: Wish(
            id, zone, play.briefs.hour if hour is None else time(hour % 24),
            Every(every if every in set(Every) else play.briefs.every),
        )
        for id, zone, hour, every in connection.execute(query)
    }  # fmt: skip


def who_wants_any(wishes: Mapping[int, Wish]) -> set[int]:
    return {rep for rep, wish in wishes.items() if wish.every is not Every.OFF}


def whose_hour(connection: Connection, play: Play, wishes: Mapping[int, Wish], now: datetime) -> set[int]:
    """The reps whose digest is due at `now`, whether or not there is anything to tell."""
    past = digests(connection, now)
    return {
        rep
        for rep, wish in wishes.items()
        if is_due(wish.every, wish.hour, calendar_of(play, wish.timezone), past.get(rep, ()), now)
    }


def jumps(
    connection: Connection, play: Play, looks: Sequence[Look], wishes: Mapping[int, Wish], now: datetime
) -> dict[int, int]:  # fmt: skip
    """Rep -> the account of theirs that turned hot since anybody told them: one a day, in their working hours."""
    turned_hot = (
        select(SlaClock.account_id, Account.owner_id, SlaClock.started_at)
        .join(Account, Account.id == SlaClock.account_id)
        .where(SlaClock.play == play.key, SlaClock.duty == Duty.CALL, SlaClock.closed_at.is_(None))
        .where(SlaClock.started_at > now - FRESH, SlaClock.started_at <= now)
        .order_by(SlaClock.started_at, SlaClock.id)
    )
    found: dict[int, int] = {}
    rows = connection.execute(turned_hot).all()
    if not rows:
        return found
    watching, last = watches(connection, looks, now), _last_briefs(connection, now)
    for account, owner, since in rows:
        watch = watching.get(owner)
        if watch is None or watch.look.rep_id in found:
            continue
        rep = watch.look.rep_id
        digest, jump = last.get((rep, DIGEST)), last.get((rep, JUMP))
        is_told = (digest is not None and digest >= since) or (jump is not None and jump > now - ONE_A_DAY)
        calendar = calendar_of(play, wishes[rep].timezone)
        if not is_told and calendar.next_allowed(now) == now:
            found[rep] = account
    return found


def _last_briefs(connection: Connection, now: datetime) -> dict[tuple[int, str], datetime]:
    """(rep, kind) -> when the last one was written that is told or on its way."""
    gone = (BriefState.FAILED, BriefState.SUPERSEDED)
    query = (
        select(Brief.rep_id, Brief.kind, func.max(Brief.as_of))
        .where(Brief.as_of <= now, Brief.as_of > now - FRESH, Brief.state.not_in(gone))
        .group_by(Brief.rep_id, Brief.kind)
    )
    return {(rep, kind): at for rep, kind, at in connection.execute(query)}
