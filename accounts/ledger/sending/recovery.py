"""Taking up what a killed sender had claimed, by what its journal tells.

it has an outcome            that outcome
it had begun to leave        unknown: it may have arrived
it had not begun             certified again: nothing of it had left
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, select, text, update

from accounts.ledger.bulk import among
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Outcome
from accounts.models import Touch
from accounts.touch_states import Refusal
from accounts.vocabulary import TouchState

T = TouchState


@dataclass(frozen=True, slots=True)
class TakenUp:
    """What became of the touches a dead sender had claimed."""

    #: They may have arrived.
    unknown: tuple[int, ...] = ()
    #: Nothing of them had left: they may be claimed again.
    again: tuple[int, ...] = ()
    #: Outcomes that were known and had not been kept yet, by state.
    answered: Mapping[TouchState, int] = field(default_factory=dict)


def in_the_name_of(connection: Connection, worker: str) -> None:
    """For the length of this transaction nobody takes up what `worker` left, and nobody else is it.

    PostgreSQL still carries out the commit that a process had asked for when it was killed: whoever takes up waits for
    that, or touches would be claimed behind their back. SQLite dies with its process.
    """
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(sha256(worker.encode()).digest()[:8], signed=True)
        connection.execute(_LOCK, {"key": key})


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")


def take_up(
    connection: Connection, worker: str, told: Mapping[int, Outcome | None] | None, now: datetime
) -> TakenUp:  # fmt: skip
    """Give every touch that `worker` left in `sending` what its journal tells. Twice changes nothing.

    told: touch id -> outcome, None for one that had begun to leave; None instead of all: nobody knows about any.
    The worker must be dead. A touch whose lease was over before (`unknown`) takes `sent` only.
    """
    in_the_name_of(connection, worker)
    left = _left_by(connection, worker)
    sending = [touch for touch, state in left.items() if state is T.SENDING]
    known = {touch: outcome for touch, outcome in (told or {}).items() if outcome is not None and touch in left}
    begun = [touch for touch in sending if told is None or (touch in told and touch not in known)]
    again = [touch for touch in sending if told is not None and touch not in told]
    lost = [Outcome(touch, T.UNKNOWN, Refusal.NO_ANSWER, "the sender died before the answer came") for touch in begun]
    claims.record(connection, [*known.values(), *lost], now)
    give_back(connection, again, now)
    _sent_when_claimed(connection, [touch for touch, outcome in known.items() if outcome.state is T.SENT])
    return TakenUp(
        (*begun, *(touch for touch in sending if touch in known and known[touch].state is T.UNKNOWN)),
        tuple(again),
        Counter(outcome.state for touch, outcome in known.items() if left[touch] is T.SENDING or _is_sent(outcome)),
    )


def give_back(connection: Connection, touch_ids: Sequence[int], now: datetime, *, by: str | None = None) -> None:
    """Claimed touches that had not begun are certified again, as if they had never been claimed."""
    if touch_ids:
        claims.record(connection, [Outcome(touch_id, T.CERTIFIED) for touch_id in touch_ids], now, by=by)


def _is_sent(outcome: Outcome) -> bool:
    return outcome.state is T.SENT


def _left_by(connection: Connection, worker: str) -> dict[int, TouchState]:
    rows = select(Touch.id, Touch.state).where(Touch.state.in_((T.SENDING, T.UNKNOWN)), Touch.claimed_by == worker)
    return {touch: TouchState(state) for touch, state in connection.execute(rows.order_by(Touch.id).with_for_update())}


def _sent_when_claimed(connection: Connection, touch_ids: list[int]) -> None:
    """They left in the hour of their claim, whenever somebody comes to take them up."""
    if touch_ids:
        rows = update(Touch).where(among(connection, Touch.id, touch_ids), Touch.state == T.SENT)
        connection.execute(rows.values(sent_at=Touch.claimed_at))
