"""Touches whose outcome nobody knew: settled by what comes back, or by a person's word.

Evidence is a signal that names the touch (by its number or its Message-ID). It outranks a person: what was said never
to have left, and then comes back, was sent; if planning has chosen it again meanwhile, it does not leave again.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Update, case, exists, func, or_, select, update

from accounts.errors import NotFound, Refused
from accounts.ledger.bulk import among
from accounts.ledger.planning.results import reprieve
from accounts.ledger.planning.touches import move
from accounts.ledger.weeks import in_any_week
from accounts.models import Signal, Touch
from accounts.outcomes import SETTLING
from accounts.touch_states import Refusal
from accounts.vocabulary import SignalKind, TouchState

T = TouchState


def prove_sent(connection: Connection, touches: Sequence[int]) -> list[int]:
    """These are proven to have left: whatever is not known to be over becomes `sent`; the accounts they belong to."""
    not_sent = select(Touch.id).where(among(connection, Touch.id, sorted(set(touches))), Touch.state != T.SENT)
    open_ = list(connection.scalars(not_sent)) if touches else []
    if not open_:  # nearly always
        return []
    these = among(connection, Touch.id, open_)
    waits = Touch.state.in_((T.PLANNED, T.CERTIFIED)) & Touch.message_id.is_not(None)
    stays = {"state": T.CANCELLED, "reason": Refusal.HAD_LEFT, "retry_at": None}
    connection.execute(update(Touch).where(these, waits).values(stays))
    return list(connection.scalars(_sent().where(these).returning(Touch.account_id)))


def prove_dropped(connection: Connection, touches: Sequence[int]) -> list[int]:
    """These will not be delivered, says the provider: unknown ones have failed; the accounts they belong to."""
    if not touches:
        return []
    these = among(connection, Touch.id, sorted(set(touches)))
    return list(connection.scalars(_failed().where(these).returning(Touch.account_id)))


def settle_by_evidence(connection: Connection) -> list[int]:
    """For touches that became `unknown` only after the proof was in; the accounts they belong to."""
    unknown = select(Touch.id).where(Touch.state == T.UNKNOWN)
    sent = list(connection.scalars(unknown.where(_signalled(SETTLING))))
    dropped = list(connection.scalars(unknown.where(_signalled({SignalKind.DROPPED}))))
    return [*prove_sent(connection, sent), *prove_dropped(connection, dropped)]


def settle(connection: Connection, touch_id: int, *, arrived: bool, by: str, now: datetime) -> TouchState:
    """A person's word about an unknown touch: it was sent, or it was not and planning may choose it again.

    Returns the state it has now. Raises NotFound; Refused for a touch whose outcome is known, and for one said not to
    have left although something came back.
    """
    touch = connection.execute(select(Touch).where(Touch.id == touch_id)).one_or_none()
    if touch is None:
        raise NotFound(f"no touch {touch_id}", cure="tandem touches --state unknown lists those to settle")
    if touch.state != T.UNKNOWN:
        raise Refused(
            f"touch {touch_id} is {touch.state}: nothing to settle", cure="tandem touches --state unknown lists what is"
        )
    its_own = (Signal.account_id == touch.account_id) & (Signal.touch_id == touch_id)
    proof = connection.scalar(
        select(Signal.kind).where(in_any_week(), its_own, Signal.kind.in_(sorted(SETTLING))).limit(1)
    )
    if proof is not None and not arrived:
        raise Refused(f"touch {touch_id} did leave: it was {proof}", cure="tandem settle it as sent")
    to = T.SENT if arrived else T.CANCELLED
    move(connection, {touch_id: f"settled by {by}"}, to, now=now)
    if arrived:
        connection.execute(update(Touch).where(Touch.id == touch_id).values(sent_at=touch.claimed_at or now))
    return to


def let_go(connection: Connection, touches: Sequence[int], *, by: str, now: datetime) -> None:
    """Better late than never: planning may choose these expired ones again, and their lateness counts from now."""
    rows = select(Touch.id, Touch.stakeholder_id, Touch.content).where(Touch.state == T.EXPIRED)
    expired = connection.execute(rows.where(among(connection, Touch.id, list(touches)))).all()
    move(connection, {touch.id: f"late, let go by {by}" for touch in expired}, T.CANCELLED, now=now)
    reprieve(connection, [(touch.stakeholder_id, touch.content) for touch in expired], by=by, at=now)


def leave_out(connection: Connection, touches: Sequence[int]) -> None:
    """These expired ones are decided about: they stay expired, and nobody is asked again."""
    these = among(connection, Touch.id, list(touches))
    connection.execute(update(Touch).where(these, Touch.state == T.EXPIRED).values(reason=Refusal.LEFT_OUT))


def _sent() -> Update:
    """What was cancelled counts only when it had been claimed: no other has a Message-ID to be told by.

    What a provider had dropped, and what arrived all the same, was sent: in whatever order the two are told.
    """
    dropped = (Touch.state == T.FAILED) & (Touch.reason == Refusal.DROPPED_BY_PROVIDER)
    open_ = or_(Touch.state == T.UNKNOWN, dropped, (Touch.state == T.CANCELLED) & Touch.message_id.is_not(None))
    sent_at = func.coalesce(Touch.sent_at, Touch.claimed_at, Touch.due_at)
    kept = case((Touch.state == T.CANCELLED, Touch.reason), else_=None)
    return update(Touch).where(open_).values(state=T.SENT, sent_at=sent_at, reason=kept)


def _failed() -> Update:
    failed = {"state": T.FAILED, "reason": Refusal.DROPPED_BY_PROVIDER}
    return update(Touch).where(Touch.state == T.UNKNOWN).values(failed)


def _signalled(kinds: frozenset[SignalKind] | set[SignalKind]) -> ColumnElement[bool]:
    """By way of the account, whose signals are few; no index leads from a touch to its signals."""
    its_own = (Signal.account_id == Touch.account_id) & (Signal.touch_id == Touch.id)
    return exists(select(Signal.id).where(in_any_week(), its_own, Signal.kind.in_(sorted(kinds))))
