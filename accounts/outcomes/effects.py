"""What a signal can do, as values: `accounts.ledger.signals.effects` performs them.

Each is monotone (the earliest opt-out, the latest end of a pause, the graver state of an address), so signals that
arrive late, twice or in any order lead to the same state.
"""

from dataclasses import dataclass
from datetime import datetime

from accounts.vocabulary import EmailStatus, HoldCause

#: States of an address, graver ones later; only a graver one replaces another.
GRAVITY: tuple[EmailStatus, ...] = (EmailStatus.OK, EmailStatus.BOUNCED, EmailStatus.LEFT, EmailStatus.COMPLAINED)


@dataclass(frozen=True, slots=True)
class OptOut:
    """The person wants no more mail from us, at any address and in any account."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Suppress:
    """Nobody writes to this address again, whoever imports it. Kept as a hash, survives erasure."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MarkBounced:
    """The address does not exist; the seat in the buying group is empty until somebody finds the right one."""


@dataclass(frozen=True, slots=True)
class MarkComplained:
    """The person called us spam."""


@dataclass(frozen=True, slots=True)
class MarkLeft:
    """The person no longer works there; the seat in the buying group is empty."""


@dataclass(frozen=True, slots=True)
class PausePerson:
    """Nothing for this person until then; colleagues go on."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Prefer:
    """What the person wants from then on; of several choices the latest counts. None: no such wish."""

    at: datetime
    every_days: int | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class HoldAccount:
    """Nothing for anybody in the account; without an end it waits for a rep's release."""

    cause: HoldCause
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Propose:
    """Somebody was named who may belong to the buying group; a rep decides. Nobody is written to by this."""

    name: str | None
    email: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SettleTouch:
    """Proof that the message left: a touch with unknown outcome was sent."""


@dataclass(frozen=True, slots=True)
class FailTouch:
    """Proof that the message will never arrive: a touch with unknown outcome failed."""


@dataclass(frozen=True, slots=True)
class FailBrief:
    """A brief never reached its rep, whatever was said when it left."""

    brief_id: int
    error: str


Effect = (
    OptOut
    | Suppress
    | MarkBounced
    | MarkComplained
    | MarkLeft
    | PausePerson
    | Prefer
    | HoldAccount
    | Propose
    | SettleTouch
    | FailTouch
    | FailBrief
)
