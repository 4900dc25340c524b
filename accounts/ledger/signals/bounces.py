"""A message that was refused because of its reader's address is a bounce: told to the intake like any other.

What a bounce does to a person stands in accounts/outcomes, and the next run of the intake does it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from accounts.ledger.signals.recorded import record
from accounts.ledger.signals.whose import Incoming
from accounts.touch_states import Refusal
from accounts.vocabulary import SignalKind, TouchState

#: Why a message failed -> whether the address is dead for good. Any other reason says nothing about the address.
BOUNCES = {
    Refusal.NO_SUCH_MAILBOX: "hard",
    Refusal.NO_SUCH_DOMAIN: "hard",
    Refusal.MAILBOX_DISABLED: "hard",
    Refusal.MAILBOX_FULL: "soft",
}
#: The door such signals came in by, where the outcome does not say which provider it was.
SOURCE = "smtp"


class Refused(Protocol):
    """As much of an outcome as is looked at here."""

    @property
    def touch_id(self) -> int: ...
    @property
    def state(self) -> TouchState: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def provider(self) -> str | None: ...


def report(connection: Connection, outcomes: Iterable[Refused], now: datetime) -> None:
    """Record a bounce for each touch that failed by its reader's address; once, however often it is told."""
    bounced = [_bounce(one, now) for one in outcomes if one.state is TouchState.FAILED and one.reason in BOUNCES]
    if bounced:
        record(connection, bounced, now)


def _bounce(refused: Refused, now: datetime) -> Incoming:
    said = {"bounce": BOUNCES[Refusal(refused.reason or "")], "reason": refused.reason, "reply": refused.error}
    source_id = f"refused-touch-{refused.touch_id}"
    return Incoming(
        refused.provider or SOURCE, source_id, SignalKind.BOUNCED, now, touch_id=refused.touch_id, data=said
    )
