"""Touches as they stand: moved along their edges, given up, expired, listed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Connection, Update, bindparam, case, func, or_, select, update

from accounts.ledger.bulk import among, as_list, chunks, listed
from accounts.ledger.planning.brakes import reason_now
from accounts.models import Account, Touch
from accounts.touch_states import OPEN, Refusal, sources_of
from accounts.types import Utc
from accounts.vocabulary import TouchState

#: How long a claim waits for its outcome before it counts as unknown.
LEASE = timedelta(minutes=30)


def give_up_leases(
    connection: Connection, now: datetime, lease: timedelta = LEASE, *, alive: Collection[str] = ()
) -> list[int]:
    """Claims older than `lease` without an outcome become `unknown`: they may have arrived. Returns their ids.

    alive: workers known to be at work, however long it takes them; what they claimed is theirs.
    """
    over = select(Touch.id).where(
        Touch.state == TouchState.SENDING, Touch.claimed_at < now - lease,
        or_(Touch.claimed_by.is_(None), Touch.claimed_by.not_in(alive)),
    )  # fmt: skip
    dead = dict.fromkeys(connection.scalars(over), str(Refusal.NO_ANSWER))
    return move(connection, dead, TouchState.UNKNOWN, now=now)


def expire(connection: Connection, now: datetime) -> list[int]:
    """What is open and past its `not_after` expires, whatever its plan waits for. Returns the touches' ids."""
    waiting = (TouchState.PLANNED, TouchState.CERTIFIED)
    late = select(Touch.id).where(Touch.state.in_(waiting), Touch.not_after < now)
    return move(connection, dict.fromkeys(connection.scalars(late), str(Refusal.TOO_LATE)), TouchState.EXPIRED, now=now)


def move(
    connection: Connection, reasons: Mapping[int, str | None], to: TouchState, *, now: datetime,
    sources: Collection[TouchState] | None = None,
) -> list[int]:  # fmt: skip
    """Take these touches to `to`, each with its reason, along the edges of touch_states.py only.

    sources: only from these states, for a caller who has looked at them without a lock: meanwhile somebody may have
    claimed them. Returns the ids of those that moved; one that cannot get there from where it is stays, which is no
    error. Their accounts are planned again.
    """
    allowed = [state for state in sources_of(to) if sources is None or state in sources]
    moved: list[int] = []
    for reason in dict.fromkeys(reasons.values()):
        for ids in chunks([touch_id for touch_id, why in reasons.items() if why == reason]):
            step = update(Touch).where(Touch.id.in_(ids), Touch.state.in_(allowed))
            moved += connection.scalars(step.values(state=to, reason=reason, retry_at=None).returning(Touch.id))
    replan_accounts_of(connection, moved, now)
    return moved


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
            Touch.id, Touch.state, reason_now(), Account.key, Touch.address, Touch.content, Touch.due_at,
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


def share_done(connection: Connection, plan_ids: Sequence[int]) -> float:
    """How much of these plans intends to leave no more, sent or not: 0 to 1."""
    still = func.sum(case((Touch.state.in_(OPEN), 1), else_=0))
    query = select(func.count(), still).where(among(connection, Touch.plan_id, plan_ids))
    size, waiting = connection.execute(query).one()
    return 1 - (waiting or 0) / size if size else 1.0


def replan_accounts_of(connection: Connection, touch_ids: Sequence[int], now: datetime) -> None:
    """Planning looks at the accounts of these touches at its next tick."""
    dialect = connection.dialect.name
    if touch_ids:
        connection.execute(_replan(dialect), {"ids": as_list(dialect, touch_ids), "now": now})


@cache
def _replan(dialect: str) -> Update:
    """Of: ids of touches, now. Made once: sending asks for it with every batch.

    Colleagues stand in batches of different workers: PostgreSQL locks their accounts in one order, or two workers could
    wait for each other.
    """
    accounts = select(Touch.account_id).where(listed(dialect, Touch.id, "ids"))
    due = update(Account).where(Account.id.in_(accounts))
    if dialect == "postgresql":
        found = select(Account.id).where(Account.id.in_(accounts))
        locked = found.order_by(Account.id).with_for_update(key_share=True).subquery()
        due = update(Account).where(Account.id == locked.c.id)
    return due.values(replan_at=bindparam("now", type_=Utc()))
