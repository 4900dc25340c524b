"""Touches on their way out: claimed, given an outcome, given up, taken back.

Order of truth: the claim is durable, then bytes leave, then the outcome is durable. Whatever dies in between leaves a
row in `sending`; once its lease is over it is `unknown`, listed, and never sent again by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Case,
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    null,
    or_,
    select,
    update,
)  # fmt: skip
from sqlalchemy.orm import aliased

from accounts.calendar import Calendar, place_of
from accounts.errors import NotFound, Refused
from accounts.ledger.brakes import brakes_touch
from accounts.ledger.bulk import chunks
from accounts.ledger.planning import reprieve
from accounts.models import Account, Hold, PlanMember, Stakeholder, Suppression, Touch, Veto
from accounts.playbook import Window
from accounts.seals import Sealed
from accounts.touch_states import Refusal, may_move, sources_of
from accounts.vocabulary import EmailStatus, HoldCause, HoldScope, Reason, TouchState

#: Touches claimed at once: what a power cut can make unknown. 50 to 200 bound it at almost no cost.
BATCH = 100
#: How long a claim waits for its outcome before it counts as unknown.
LEASE = timedelta(minutes=30)
#: First wait after "later"; doubles with each attempt.
FIRST_RETRY = timedelta(minutes=15)
LONGEST_RETRY = timedelta(hours=4)
#: A server that says "later" this often means no.
MOST_ATTEMPTS = 8


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
    not_after: datetime | None
    #: Claims so far, this one included.
    attempts: int

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed touch: sent, failed, unknown; certified for "later", cancelled for "not this"."""

    touch_id: int
    state: TouchState
    reason: str | None = None
    error: str | None = None
    provider: str | None = None
    provider_id: str | None = None
    retry_at: datetime | None = None


def claim(
    connection: Connection, plan_id: int, now: datetime, *, by: str, window: Window, limit: int = BATCH
) -> Claim:  # fmt: skip
    """Take up to `limit` certified touches of a plan to send them, asking every "no" once more at this moment.

    Refused ones are cancelled with their reason, late ones expire, and ones outside their window wait for its opening;
    braked ones are left alone. Two senders never get the same row. Raises IntegrityError when the lock refuses.
    """
    looked = connection.execute(_look(connection, plan_id, now, limit)).all()
    refused = {row.id: row.refusal for row in looked if row.refusal is not None}
    closed = _closed(looked, refused, window, now)
    for opens in set(closed.values()):
        later = [touch_id for touch_id, at in closed.items() if at == opens]
        connection.execute(update(Touch).where(Touch.id.in_(later)).values(retry_at=opens))
    late = {touch_id: reason for touch_id, reason in refused.items() if reason == Refusal.TOO_LATE}
    move(connection, late, TouchState.EXPIRED, now=now)
    cancelled = {touch_id: reason for touch_id, reason in refused.items() if touch_id not in late}
    move(connection, cancelled, TouchState.CANCELLED, now=now)
    free = [row.id for row in looked if row.id not in refused and row.id not in closed]
    rows = connection.execute(_take(free, now, by)).all() if free else []
    touches = tuple(sorted((Claimed(*row) for row in rows), key=lambda touch: touch.id))
    return Claim(len(looked), touches, refused, len(closed))


def name_messages(connection: Connection, message_ids: Mapping[int, str]) -> None:
    """Keep each claimed touch's Message-ID, in the claim's own transaction: later events find their touch by it."""
    if message_ids:
        named = update(Touch).where(Touch.id == bindparam("touch_id")).values(message_id=bindparam("name"))
        connection.execute(named, [{"touch_id": touch, "name": name} for touch, name in message_ids.items()])


def record(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> int:
    """The outcomes of a batch, in one transaction; returns how many rows took theirs.

    A row that has left `sending` by other means (lease over, settled by an event) takes `sent` only.
    """
    if not outcomes:
        return 0
    settled = update(Touch).where(
        Touch.id == bindparam("touch_id"),
        or_(
            Touch.state == TouchState.SENDING,
            and_(Touch.state == TouchState.UNKNOWN, bindparam("to", type_=String()) == TouchState.SENT),
        ),
    ).values(
        state=bindparam("to"), reason=bindparam("why"), error=bindparam("said"), provider=bindparam("through"),
        provider_id=bindparam("named"), retry_at=bindparam("again_at"),
        sent_at=case((bindparam("to", type_=String()) == TouchState.SENT, now), else_=null()),
    )  # fmt: skip
    result = connection.execute(settled, [_values(outcome) for outcome in outcomes])
    _replan_accounts_of(connection, [outcome.touch_id for outcome in outcomes], now)
    return result.rowcount


def retry_at(attempts: int, now: datetime, not_after: datetime | None) -> datetime | None:
    """When to try again after this many attempts: later each time, a last time at the deadline; None: no more."""
    if attempts >= MOST_ATTEMPTS or (not_after is not None and now >= not_after):
        return None
    wait: timedelta = FIRST_RETRY * 2 ** (attempts - 1)
    again = now + min(wait, LONGEST_RETRY)
    return again if not_after is None else min(again, not_after)


def give_up_leases(connection: Connection, now: datetime, lease: timedelta = LEASE) -> list[int]:
    """Claims older than `lease` without an outcome become `unknown`: they may have arrived. Returns their ids."""
    over = select(Touch.id).where(Touch.state == TouchState.SENDING, Touch.claimed_at < now - lease)
    dead = dict.fromkeys(connection.scalars(over), str(Refusal.NO_ANSWER))
    return move(connection, dead, TouchState.UNKNOWN, now=now)


def expire(connection: Connection, now: datetime) -> list[int]:
    """What is open and past its `not_after` expires, whatever its plan waits for. Returns the touches' ids."""
    waiting = (TouchState.PLANNED, TouchState.CERTIFIED)
    late = select(Touch.id).where(Touch.state.in_(waiting), Touch.not_after < now)
    return move(connection, dict.fromkeys(connection.scalars(late), str(Refusal.TOO_LATE)), TouchState.EXPIRED, now=now)


def move(
    connection: Connection, reasons: Mapping[int, str | None], to: TouchState, *, now: datetime
) -> list[int]:  # fmt: skip
    """Take these touches to `to`, each with its reason, along the edges of touch_states.py only.

    Returns the ids of those that moved; one that cannot get there from where it is stays, which is no error. Their
    accounts are planned again.
    """
    moved: list[int] = []
    for reason in dict.fromkeys(reasons.values()):
        for ids in chunks([touch_id for touch_id, why in reasons.items() if why == reason]):
            step = update(Touch).where(Touch.id.in_(ids), Touch.state.in_(sources_of(to)))
            moved += connection.scalars(step.values(state=to, reason=reason, retry_at=None).returning(Touch.id))
    _replan_accounts_of(connection, moved, now)
    return moved


def settle(connection: Connection, touch_id: int, to: TouchState, *, by: str, now: datetime) -> None:
    """A person's word about a touch: an `unknown` one arrived (`sent`) or was lost (`cancelled`: planning may choose
    it again), an `expired` one may go out late after all (`cancelled`, and its lateness counts from now).

    Raises NotFound, and Refused for a touch that nothing has to be decided about.
    """
    row = connection.execute(select(Touch).where(Touch.id == touch_id)).one_or_none()
    if row is None:
        raise NotFound(f"no touch {touch_id}", cure="tandem touches lists them")
    state = TouchState(row.state)
    if state not in (TouchState.UNKNOWN, TouchState.EXPIRED) or not may_move(state, to):
        raise Refused(
            f"touch {touch_id} is {state} and cannot become {to}", cure="tandem touches shows where it stands"
        )
    move(connection, {touch_id: f"settled by {by}"}, to, now=now)
    if to is TouchState.SENT:
        connection.execute(update(Touch).where(Touch.id == touch_id).values(sent_at=row.claimed_at or now))
    elif state is TouchState.EXPIRED and row.stakeholder_id is not None:
        reprieve(connection, [(row.stakeholder_id, row.content)], by=by, at=now)


def counts_by_state(connection: Connection, plan_id: int) -> dict[TouchState, int]:
    """How many touches of a plan stand where."""
    query = select(Touch.state, func.count()).where(Touch.plan_id == plan_id).group_by(Touch.state)
    return {TouchState(state): count for state, count in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class Listed:
    """A touch as `tandem touches` shows it."""

    id: int
    state: str
    reason: str | None
    account: str
    address: str
    content: str
    due_at: datetime
    not_after: datetime | None
    sent_at: datetime | None
    plan_id: int | None
    error: str | None


def list_touches(
    connection: Connection, *, states: Sequence[TouchState] = (), plan_id: int | None = None, limit: int = 200
) -> list[Listed]:
    """Touches, newest first; of these states, of this plan."""
    query = (
        select(
            Touch.id, Touch.state, Touch.reason, Account.key, Touch.address, Touch.content, Touch.due_at,
            Touch.not_after, Touch.sent_at, Touch.plan_id, Touch.error,
        )
        .join(Account, Account.id == Touch.account_id)
        .order_by(Touch.id.desc())
        .limit(limit)
    )  # fmt: skip
    if states:
        query = query.where(Touch.state.in_(states))
    if plan_id is not None:
        query = query.where(Touch.plan_id == plan_id)
    return [Listed(*row) for row in connection.execute(query)]


def refusal_of(now: datetime) -> Case[str | None]:
    """SQL: the reason why this touch must not leave at `now`, or null. Over touch, its stakeholder and its account.

    The first that is true says why, in the order of accounts/guards.py: what the person said comes first.
    """
    return case(
        (or_(Stakeholder.id.is_(None), Stakeholder.email != Touch.address), _said(Refusal.ADDRESS_CHANGED)),
        (_anybody_at_this_address(_said_no), _said(Reason.OPTED_OUT)),
        (_suppressed(now), _said(Reason.SUPPRESSED)),
        (_anybody_at_this_address(_status(EmailStatus.LEFT)), _said(Reason.LEFT)),
        (_anybody_at_this_address(_status(EmailStatus.BOUNCED)), _said(Reason.BOUNCED)),
        (or_(Stakeholder.consent_basis.is_(None), Stakeholder.consent_at > now), _said(Reason.NO_CONSENT)),
        (or_(Account.first_contacted_at.is_(None), Account.first_contacted_at > now), _said(Reason.NOT_CONTACTED)),
        (Account.stage != Touch.stage, _said(Refusal.STAGE_CHANGED)),
        (_held(now, Hold.cause == HoldCause.REPLY), _said(Reason.PAUSED_AFTER_REPLY)),
        (_held(now, Hold.cause == HoldCause.MEETING), _said(Reason.PAUSED_FOR_MEETING)),
        (_held(now, Hold.scope == HoldScope.ACCOUNT), _said(Reason.ACCOUNT_HELD)),
        (_held(now), _said(Reason.STAKEHOLDER_HELD)),
        (Stakeholder.paused_until > now, _said(Reason.AWAY)),
        (_vetoed(), _said(Reason.VETOED)),
        (Stakeholder.owner_conflict, _said(Reason.OWNER_CONFLICT)),
        (Touch.not_after < now, _said(Refusal.TOO_LATE)),
        else_=null(),
    )


def _look(connection: Connection, plan_id: int, now: datetime, limit: int) -> Select[Any]:
    """The next certified touches of a plan, each with the reason against it and the place of its reader."""
    rows = (
        select(
            Touch.id, refusal_of(now).label("refusal"), Touch.timezone, Stakeholder.country,
            Account.country.label("account_country"),
        )
        .outerjoin(Stakeholder, Stakeholder.id == Touch.stakeholder_id)
        .outerjoin(Account, Account.id == Touch.account_id)
        .where(
            Touch.plan_id == plan_id, Touch.state == TouchState.CERTIFIED,
            or_(Touch.retry_at.is_(None), Touch.retry_at <= now), ~brakes_touch(),
        )
        .order_by(Touch.id)
        .limit(limit)
    )  # fmt: skip
    return rows.with_for_update(of=Touch, skip_locked=True) if connection.dialect.name == "postgresql" else rows


def _take(touch_ids: Sequence[int], now: datetime, by: str) -> Any:
    """Compare and set, with every check inside: what changed since the look is not taken."""
    allowed = exists(
        select(Stakeholder.id)
        .join(Account, Account.id == Stakeholder.account_id)
        .where(Stakeholder.id == Touch.stakeholder_id, refusal_of(now).is_(None))
        .correlate(Touch)
    )
    taken = update(Touch).where(Touch.id.in_(touch_ids), Touch.state == TouchState.CERTIFIED, allowed, ~brakes_touch())
    values = {"state": TouchState.SENDING, "claimed_at": now, "claimed_by": by, "retry_at": None, "error": None}
    return taken.values(**values, attempts=Touch.attempts + 1).returning(
        Touch.id, Touch.account_id, Touch.stakeholder_id, Touch.address, Touch.play, Touch.play_version, Touch.stage,
        Touch.content, Touch.content_digest, Touch.not_after, Touch.attempts,
    )  # fmt: skip


def _closed(
    looked: Iterable[Row[Any]], refused: Mapping[int, str], window: Window, now: datetime
) -> dict[int, datetime]:
    """Touch id -> the next opening, of those whose reader's window is closed at `now`."""
    calendars: dict[tuple[str | None, ...], datetime | None] = {}
    closed: dict[int, datetime] = {}
    for row in looked:
        place = (row.timezone, row.country, row.account_country)
        if place not in calendars:
            reader = place_of(window, timezone=place[0], country=place[1], account_country=place[2])
            calendars[place] = Calendar(window, reader).next_allowed(now)
        opens = calendars[place]
        if row.id not in refused and opens != now:
            closed[row.id] = opens or now + LONGEST_RETRY
    return closed


def _exists(rows: Select[Any]) -> ColumnElement[bool]:
    """Exists for this touch, its stakeholder, its account: however deep the question stands in another one."""
    return exists(rows.correlate(Touch, Stakeholder, Account))


def _said(reason: str) -> ColumnElement[str]:
    return cast(reason, String(40))


def _anybody_at_this_address(condition: Any) -> ColumnElement[bool]:
    """A no counts for the address, in whichever account it was said."""
    namesake = aliased(Stakeholder)
    return _exists(select(namesake.id).where(namesake.email_hash == Stakeholder.email_hash, condition(namesake)))


def _said_no(namesake: Any) -> ColumnElement[bool]:
    return or_(namesake.opted_out_at.is_not(None), namesake.email_status == EmailStatus.COMPLAINED)


def _status(status: EmailStatus) -> Any:
    return lambda namesake: namesake.email_status == status


def _suppressed(now: datetime) -> ColumnElement[bool]:
    """By address, or by domain; the domain's hash stands with the plan's member."""
    holds = or_(Suppression.expires_at.is_(None), Suppression.expires_at > now)
    address = select(Suppression.id).where(Suppression.email_hash == Stakeholder.email_hash, holds)
    domain = (
        select(Suppression.id)
        .join(PlanMember, PlanMember.domain_hash == Suppression.domain_hash)
        .where(PlanMember.plan_id == Touch.plan_id, PlanMember.touch_id == Touch.id)
        .where(Suppression.email_hash.is_(None), holds)
    )
    return or_(_exists(address), _exists(domain))


def _held(now: datetime, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    reaches = or_(Hold.scope == HoldScope.ACCOUNT, Hold.stakeholder_id == Touch.stakeholder_id)
    lasts = and_(Hold.released_at.is_(None), Hold.starts_at <= now, or_(Hold.ends_at.is_(None), Hold.ends_at > now))
    return _exists(select(Hold.id).where(Hold.account_id == Touch.account_id, reaches, lasts, *conditions))


def _vetoed() -> ColumnElement[bool]:
    concerns = or_(Veto.content.is_(None), Veto.content == Touch.content)
    return _exists(select(Veto.id).where(Veto.stakeholder_id == Touch.stakeholder_id, concerns))


def _values(outcome: Outcome) -> dict[str, Any]:
    return {
        "touch_id": outcome.touch_id, "to": outcome.state, "why": outcome.reason, "said": _line(outcome.error),
        "through": outcome.provider, "named": outcome.provider_id, "again_at": outcome.retry_at,
    }  # fmt: skip


def _line(said: str | None) -> str | None:
    """At most what the column holds, on one line."""
    return " ".join(said.split())[:300] if said else None


def _replan_accounts_of(connection: Connection, touch_ids: Sequence[int], now: datetime) -> None:
    for ids in chunks(touch_ids):
        accounts = select(Touch.account_id).where(Touch.id.in_(ids))
        connection.execute(update(Account).where(Account.id.in_(accounts)).values(replan_at=now))
