"""Claiming touches to send them, and keeping what became of each.

Order of truth: the claim is durable, then bytes leave, then the outcome is durable. Whatever dies in between leaves a
row in `sending`; once its lease is over it is `unknown`, listed, and never sent again by itself (touches.py).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError

from accounts.calendar import Calendar, place_of
from accounts.ledger.bulk import UpdateTouches, as_list, chunks, in_one_piece, listed, pieces, spelt
from accounts.ledger.driver import SQLITE
from accounts.ledger.locks import SAID_BY_PEOPLE
from accounts.ledger.planning.brakes import brakes_touch
from accounts.ledger.planning.touches import move, replan_accounts_of
from accounts.ledger.sending.pace import Meters
from accounts.ledger.sending.refusals import refusal_of, said
from accounts.ledger.signals import bounces
from accounts.models import Account, PlanMember, Stakeholder, Touch
from accounts.pace import MeterKey, Pace, allot
from accounts.playbook import Window
from accounts.seals import Sealed
from accounts.touch_states import Refusal
from accounts.types import Key, Utc
from accounts.vocabulary import TouchState

Work = TypeVar("Work")

#: Touches claimed at once: what a power cut can make unknown. 50 to 200 bound it at almost no cost.
BATCH = 200
#: Touches a paced claim looks at in search of some that may go: one saturated domain must not hide the others.
FURTHEST = 5_000
#: How often a claim, or a record, is tried when another transaction gets into its way; a second time is rare already.
RACES = 5
#: PostgreSQL's word for two transactions that wait for each other.
DEADLOCK = "40P01"
#: First wait after "later"; doubles with each attempt.
FIRST_RETRY = timedelta(minutes=15)
LONGEST_RETRY = timedelta(hours=4)
#: A server that says "later" this often means no.
MOST_ATTEMPTS = 8
#: The time of the claim, in statements that are made once.
_NOW: Any = bindparam("now", type_=Utc())
#: Said so that no index answers it: rows are named by their ids as well, while PostgreSQL's statistics know next to
#: nothing of what was just certified, and would walk all of it for each batch.
_CERTIFIED = Touch.state.concat(literal_column("''")) == spelt(TouchState.CERTIFIED)
#: The fields of `Claimed`, in their order.
_CLAIMED = (
    Touch.id, Touch.account_id, Touch.stakeholder_id, Touch.address, Touch.play, Touch.play_version, Touch.stage,
    Touch.content, Touch.content_digest, Touch.attempts, Touch.not_after,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claimed:
    """A touch that is ours to send, as the database has it at the moment of the claim."""

    id: int
    account_id: int
    stakeholder_id: int
    address: str
    play: str
    play_version: str
    stage: str
    content: str
    content_digest: str
    #: How often a server was asked to take it, this time included.
    attempts: int
    not_after: datetime | None

    @property
    def seal(self) -> str:
        """What this row is worth compared with what was certified; see accounts/seals.py."""
        return Sealed(
            self.id, self.stakeholder_id, self.address, self.content, self.content_digest, self.stage, self.play_version
        ).seal


@dataclass(frozen=True, slots=True)
class Claim:
    """One look at a plan: what we may send, whom somebody said no for, whose window is closed."""

    #: Rows looked at; 0 says that nothing is left to claim now.
    looked: int
    touches: tuple[Claimed, ...] = ()
    #: touch id -> reason, of those that were cancelled or came too late.
    refused: Mapping[int, str] = field(default_factory=dict)
    #: Those whose window is closed; they wait for its opening.
    postponed: int = 0
    #: Those for whom a limit of the pace is full; they wait for their turn.
    paced: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed touch: sent, failed, unknown; certified for "later", cancelled for "not this".

    Certified without a time to try again: nobody was asked to take it, and the claim counts as no attempt.
    """

    touch_id: int
    state: TouchState
    reason: str | None = None
    error: str | None = None
    provider: str | None = None
    provider_id: str | None = None
    retry_at: datetime | None = None


def claim(
    connection: Connection, plan_id: int, now: datetime, *, by: str, window: Window, limit: int = BATCH,
    pace: Pace | None = None, names: Callable[[int], str] | None = None,
) -> Claim:  # fmt: skip
    """Take up to `limit` certified touches of a plan to send them, asking every "no" once more at this moment.

    Refused ones are cancelled with their reason, late ones expire, and ones outside their window wait for its opening;
    braked ones are left alone. With a `pace`, those whose domain, sender or installation has had its share wait for
    their turn, and the next in line go instead. Two senders never get the same row. Raises IntegrityError when the lock
    refuses for any other reason than a "no" that came while we were claiming.

    names: touch id -> Message-ID, kept with the claim, so that later events find their touch by it.
    """
    return _undisturbed(
        connection, lambda: _claim_once(connection, plan_id, now, by, window, limit, pace, names or _nameless)
    )


def _claim_once(
    connection: Connection, plan_id: int, now: datetime, by: str, window: Window, limit: int, pace: Pace | None,
    names: Callable[[int], str | None],
) -> Claim:  # fmt: skip
    meters = Meters(connection, pace, now) if pace else None
    search = _Search(connection, plan_id, now, window)
    while len(search.free) < limit and search.looked < FURTHEST and search.look(limit, meters):
        if meters is None:  # whoever may go is found at once, and the rest of the plan need not be looked at
            break
    found = _take(connection, {touch_id: names(touch_id) for touch_id in search.free}, now, by)
    touches = tuple(sorted(found, key=lambda touch: touch.id))
    taken = {touch.id for touch in touches}
    search.ask_against([touch_id for touch_id in search.free if touch_id not in taken])
    move(connection, search.late, TouchState.EXPIRED, now=now)
    move(connection, search.refused, TouchState.CANCELLED, now=now)
    search.postpone()
    return Claim(search.looked, touches, search.late | search.refused, len(search.closed), len(search.paced))


class Queue(NamedTuple):
    """Those of a plan that wait for their turn, and when the first of them has it."""

    length: int
    next_at: datetime | None


def queue_of(connection: Connection, plan_id: int, now: datetime) -> Queue:
    """Who waits at `now` because a limit of the pace is full."""
    waits = (Touch.state == TouchState.CERTIFIED, Touch.reason == Refusal.PACED, Touch.retry_at > now)
    query = select(func.count(), func.min(Touch.retry_at)).where(Touch.plan_id == plan_id, *waits)
    return Queue(*connection.execute(query).one())


@dataclass(slots=True)
class _Search:
    """Goes through the certified touches of a plan, in their order, and sorts them out."""

    connection: Connection
    plan_id: int
    now: datetime
    window: Window
    looked: int = 0
    #: The touch up to which it has come.
    last: int = 0
    free: list[int] = field(default_factory=list)
    late: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    closed: dict[int, datetime] = field(default_factory=dict)
    paced: dict[int, datetime] = field(default_factory=dict)

    def look(self, limit: int, meters: Meters | None) -> bool:
        """Sort out the next rows; whether there may be more of them.

        Whoever may be claimed at once is not asked here: the claim asks, and those it leaves are asked why. A turn is
        not given to somebody who cannot take it.
        """
        asked = {"plan": self.plan_id, "now": self.now, "most": limit, "after": self.last}
        look = _look(self.connection.dialect.name, is_paced=meters is not None)
        rows = [_Seen(*row) for row in pieces(self.connection, look, asked)]
        closed = _closed(rows, self.window, self.now)
        against = self.ask_against([row.id for row in rows if row.id in closed or meters])
        self.closed |= {touch_id: opens for touch_id, opens in closed.items() if touch_id not in against}
        open_ = [row for row in rows if row.id not in closed and row.id not in against]
        self.free += [row.id for row in open_] if meters is None else self._in_turn(open_, meters, limit)
        self.looked += len(rows)
        self.last = rows[-1].id if rows else self.last
        return len(rows) == limit

    def ask_against(self, touch_ids: Sequence[int]) -> Mapping[int, str]:
        """Those of them that must not leave, each with its reason; what becomes of them is noted."""
        if not touch_ids:
            return {}
        dialect = self.connection.dialect.name
        asked = {"ids": as_list(dialect, touch_ids), "now": self.now}
        against = dict(self.connection.execute(_reasons(dialect, refusal_of), asked).tuples().all())
        for touch_id, reason in against.items():
            (self.late if reason == Refusal.TOO_LATE else self.refused)[touch_id] = reason
        return against

    def _in_turn(self, rows: Sequence["_Seen"], meters: Meters, limit: int) -> tuple[int, ...]:
        waiting = [(row.id, _counted_for(row)) for row in rows]
        meters.read({key for _, keys in waiting for key in keys})
        turns = allot(waiting, meters, self.now, limit - len(self.free))
        self.paced |= turns.later
        return turns.now

    def postpone(self) -> None:
        """Nobody looks at them again before their time."""
        for waits, reason in ((self.closed, None), (self.paced, Refusal.PACED.value)):
            rows = [{"touch_id": touch_id, "retry_at": at, "reason": reason} for touch_id, at in waits.items()]
            _POSTPONE.perform(self.connection, rows)


class _Seen(NamedTuple):
    """A certified touch at the look: where its reader is, and where it is paced, what its departure counts for."""

    id: int
    timezone: str | None
    country: str | None
    account_country: str | None
    rep_id: int | None = None
    domain_hash: str | None = None


def _counted_for(row: _Seen) -> list[MeterKey]:
    keys = [MeterKey("all")]
    if row.rep_id is not None:
        keys.append(MeterKey("sender", str(row.rep_id)))
    if row.domain_hash is not None:
        keys.append(MeterKey("domain", row.domain_hash))
    return keys


def _undisturbed(connection: Connection, work: Callable[[], Work]) -> Work:
    """What `work` comes to; done anew, a few times, when another transaction got into its way."""
    for patience in reversed(range(RACES)):
        try:
            with connection.begin_nested():
                return work()
        except DBAPIError as error:
            if not (patience and _came_meanwhile(error)):
                raise
    raise AssertionError("the last attempt returns or raises")


def _came_meanwhile(error: DBAPIError) -> bool:
    """Whether the lock speaks of a "no" that was committed after we had looked, which looking again finds; or whether
    two transactions waited for each other and this one had to give way."""
    said = any(f"lock: {name}" in str(error.orig) for name in SAID_BY_PEOPLE)
    return said or getattr(error.orig, "sqlstate", None) == DEADLOCK


def record(connection: Connection, outcomes: Sequence[Outcome], now: datetime, *, by: str | None = None) -> None:
    """The outcomes of a batch, in one transaction; the accounts are planned again.

    A row that has left `sending` by other means (its lease was over) takes `sent` only. by: the worker who claimed
    them; its word about a row that somebody else has claimed since says nothing of that claim.
    """
    _undisturbed(connection, lambda: _record_once(connection, outcomes, now, by))


def _record_once(connection: Connection, outcomes: Sequence[Outcome], now: datetime, by: str | None) -> None:
    _RECORD.perform(connection, [_values(outcome, now) | {"worker": by} for outcome in outcomes])
    bounces.report(connection, outcomes, now)
    replan_accounts_of(connection, [outcome.touch_id for outcome in outcomes], now)


def still_allowed(
    connection: Connection, touch_ids: Sequence[int], now: datetime, *, by: str | None = None
) -> dict[int, str | None]:
    """Touch id -> why a claimed touch must not begin any more, or None: every "no" and every brake, asked once more.

    `braked`: nobody said no, so it may be certified again. `not_ours`: it has left `sending` without us, or (`by`) is
    somebody else's by now; nothing is left to be recorded. Any other reason is one to cancel it for. Takes no lock.
    """
    answers: dict[int, str | None] = dict.fromkeys(touch_ids, Refusal.NOT_OURS)
    for ids in chunks(touch_ids):
        answers |= dict(connection.execute(_reconsidered(ids, now, by)).tuples().all())
    return answers


def retry_at(
    attempts: int, now: datetime, not_after: datetime | None, asked: timedelta | None = None
) -> datetime | None:
    """When to try again after this many attempts: later each time, a last time at the deadline; None: no more.

    asked: how long the provider wants us to stay away; never less than that, unless the deadline comes first.
    """
    if attempts >= MOST_ATTEMPTS or (not_after is not None and now >= not_after):
        return None
    wait: timedelta = FIRST_RETRY * 2 ** (attempts - 1)
    again = now + max(min(wait, LONGEST_RETRY), asked or timedelta(0))
    return again if not_after is None else min(again, not_after)


def _nameless(_touch_id: int) -> None:
    return None


@lru_cache(maxsize=8)
def _look(dialect: str, *, is_paced: bool) -> Select[Any]:
    """The next certified touches of a plan as `_Seen`. Of: plan, now, after (a touch id), most.

    Made once: making it costs thirty times what asking it costs.
    """
    member = and_(PlanMember.plan_id == Touch.plan_id, PlanMember.touch_id == Touch.id)
    plan: Any = bindparam("plan", type_=Key)
    # PostgreSQL would take the order of an equality from the primary key, and pass all touches of other plans.
    of_plan = Touch.plan_id == plan if dialect == "sqlite" else Touch.plan_id.between(plan, plan)
    rows = (
        select(
            Touch.id, Touch.timezone, Stakeholder.country, Account.country.label("account_country"),
            *([Touch.rep_id, PlanMember.domain_hash] if is_paced else []),
        )
        .outerjoin(Stakeholder, Stakeholder.id == Touch.stakeholder_id)
        .outerjoin(Account, Account.id == Touch.account_id)
        .where(
            of_plan, Touch.state == spelt(TouchState.CERTIFIED),
            Touch.id > bindparam("after", type_=Key), or_(Touch.retry_at.is_(None), Touch.retry_at <= _NOW),
            ~brakes_touch(),
        )
        .order_by(Touch.plan_id, Touch.id)
        .limit(bindparam("most", type_=Integer))
    )  # fmt: skip
    if is_paced:
        rows = rows.outerjoin(PlanMember, member)
    return in_one_piece(dialect, rows.with_for_update(of=Touch, skip_locked=True) if dialect == "postgresql" else rows)


@lru_cache(maxsize=8)
def _reasons(dialect: str, refusal: Callable[[Any], Any]) -> Select[Any]:
    """Certified touches that must not leave, each with the reason. Of: ids, now. Made once as `_look` is."""
    reason = refusal(_NOW)
    return (
        select(Touch.id, reason)
        .outerjoin(Stakeholder, Stakeholder.id == Touch.stakeholder_id)
        .outerjoin(Account, Account.id == Touch.account_id)
        .where(listed(dialect, Touch.id, "ids"), _CERTIFIED, reason.is_not(None))
    )


def _reconsidered(touch_ids: Sequence[int], now: datetime, by: str | None) -> Select[Any]:
    """Claimed touches with what speaks against them now; those that are ours no longer do not come back."""
    against = case((brakes_touch(), said(Refusal.BRAKED)), else_=null())
    ours = [Touch.id.in_(touch_ids), Touch.state == TouchState.SENDING, *([Touch.claimed_by == by] if by else [])]
    return (
        select(Touch.id, func.coalesce(refusal_of(now), against))
        .outerjoin(Stakeholder, Stakeholder.id == Touch.stakeholder_id)
        .outerjoin(Account, Account.id == Touch.account_id)
        .where(*ours)
    )


def _take(
    connection: Connection, names: Mapping[int, str | None], now: datetime, by: str
) -> list[Claimed]:  # fmt: skip
    """Compare and set, with every check inside: what changed since the look is not taken. names: as in `claim`."""
    if not names:
        return []
    if connection.dialect.name == "sqlite":
        return _take_and_read(connection, names, now, by)
    asked = {"ids": list(names), "names": list(names.values()), "now": now, "worker": by}
    return [Claimed(*row) for row in connection.execute(_taking("postgresql", refusal_of), asked)]


def _take_and_read(connection: Connection, names: Mapping[int, str | None], now: datetime, by: str) -> list[Claimed]:
    """On SQLite nobody else writes before our transaction is over: what we took can be read back in one piece."""
    asked = {"names": json.dumps(names), "now": now, "worker": by}
    taken = connection.execute(_taking("sqlite", refusal_of), asked).rowcount
    rows = pieces(connection, _taken(), {**asked, "ids": as_list("sqlite", list(names))}) if taken else []
    if len(rows) != taken:
        raise AssertionError(f"{taken} touches were taken, and {len(rows)} are ours")
    return [Claimed(*(*row, not_after and SQLITE.read(not_after))) for *row, not_after in rows]


@lru_cache(maxsize=8)
def _taking(dialect: str, refusal: Callable[[Any], Any]) -> Any:
    """The UPDATE that claims, made once as `_look` is. Of: the touches with their names, now, worker."""
    is_named, name = _named(dialect)
    allowed = exists(
        select(Stakeholder.id)
        .join(Account, Account.id == Stakeholder.account_id)
        .where(Stakeholder.id == Touch.stakeholder_id, refusal(_NOW).is_(None))
        .correlate(Touch)
    )
    taken = update(Touch).where(is_named, _CERTIFIED, allowed, ~brakes_touch())
    values = {
        "state": TouchState.SENDING, "claimed_at": _NOW, "claimed_by": bindparam("worker", type_=String),
        "attempts": Touch.attempts + 1, "message_id": func.coalesce(name, Touch.message_id),
        "retry_at": None, "reason": None, "error": None,
    }  # fmt: skip
    claiming = taken.values(values)
    return claiming if dialect == "sqlite" else claiming.returning(*_CLAIMED)


@cache
def _taken() -> Select[Any]:
    """What one transaction took, on SQLite. Of: ids, now, worker."""
    worker = bindparam("worker", type_=String)
    ours = (Touch.state == spelt(TouchState.SENDING), Touch.claimed_by == worker, Touch.claimed_at == _NOW)
    return in_one_piece("sqlite", select(*_CLAIMED).where(listed("sqlite", Touch.id, "ids"), *ours))


def _named(dialect: str) -> tuple[ColumnElement[bool], ColumnElement[str]]:
    """That a touch is one of the named ones, and its name there: all of them in one parameter or two."""
    if dialect == "sqlite":
        names = bindparam("names", type_=String)
        key = func.json_each(names).table_valued("key").c.key
        return Touch.id.in_(select(cast(key, Key))), func.json_extract(names, "$." + cast(Touch.id, String))
    listed: tuple[Any, Any] = ARRAY(BigInteger), ARRAY(String)
    ids, names = (bindparam(of, type_=kind) for of, kind in zip(("ids", "names"), listed, strict=True))
    rows = func.unnest(ids, names).table_valued(column("id", Key), column("name", String), name="named")
    named = rows.render_derived()
    return Touch.id == named.c.id, named.c.name


def _closed(looked: Iterable[_Seen], window: Window, now: datetime) -> dict[int, datetime]:
    """Touch id -> the next opening, of those whose reader's window is closed at `now`."""
    calendars: dict[tuple[str | None, ...], datetime | None] = {}
    closed: dict[int, datetime] = {}
    for row in looked:
        place = (row.timezone, row.country, row.account_country)
        if place not in calendars:
            reader = place_of(window, timezone=place[0], country=place[1], account_country=place[2])
            calendars[place] = Calendar(window, reader).next_allowed(now)
        opens = calendars[place]
        if opens != now:
            closed[row.id] = opens or now + LONGEST_RETRY
    return closed


_POSTPONE = UpdateTouches(
    "retry_at = {retry_at}, reason = {reason}", {"retry_at": "timestamptz", "reason": "text"},
    "touch.state || '' = 'certified'",
)  # fmt: skip
_RECORD = UpdateTouches(
    "state = {state}, reason = {reason}, error = {error}, provider = {provider}, provider_id = {provider_id}, "
    "retry_at = {retry_at}, sent_at = {sent_at}, attempts = CASE WHEN {state} = 'certified' AND {retry_at} IS NULL "
    "AND touch.attempts > 0 THEN touch.attempts - 1 ELSE touch.attempts END",
    {
        "state": "text", "reason": "text", "error": "text", "provider": "text", "provider_id": "text",
        "retry_at": "timestamptz", "sent_at": "timestamptz", "worker": "text",
    },
    "(touch.state = 'sending' OR touch.state = 'unknown' AND {state} = 'sent') "
    "AND ({worker} IS NULL OR touch.claimed_by = {worker})",
)  # fmt: skip


def _values(outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "touch_id": outcome.touch_id, "state": outcome.state.value, "reason": outcome.reason and str(outcome.reason),
        "error": _line(outcome.error), "provider": outcome.provider, "provider_id": outcome.provider_id,
        "retry_at": outcome.retry_at, "sent_at": now if outcome.state is TouchState.SENT else None,
    }  # fmt: skip


def _line(said: str | None) -> str | None:
    """At most what the column holds, on one line."""
    return " ".join(said.split())[:300] if said else None
