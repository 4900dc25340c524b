"""What comes back, and what it does: one table from a signal's kind to its effects.

Effects are values; `accounts.ledger.effects` performs them. Each is monotone (the earliest opt-out, the latest end of a
pause, the graver state of an address), so signals that arrive late, twice or in any order lead to the same state.
A kind that is not in the table has no effect: it is kept, it may weigh something, and it changes nobody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.identity import normalise_email
from accounts.playbook import Pauses
from accounts.vocabulary import BounceAction, EmailStatus, HoldCause, SignalKind

#: A soft bounce (mailbox full, server busy) says: not today.
SOFT_BOUNCE_PAUSE = timedelta(days=3)
#: A full mailbox is emptied by people who come back to it, not overnight.
FULL_MAILBOX_PAUSE = timedelta(days=7)
#: An absence note without a date that we can read.
UNDATED_ABSENCE = timedelta(days=7)
#: No absence note silences a person for longer; "back on 1.1.2099" is a joke or a misread date.
LONGEST_ABSENCE = timedelta(days=90)

#: What a wish can be at most: days between two mails, letters of a topic.
LONGEST_INTERVAL, LONGEST_TOPIC = 365, 40

#: Nor does a meeting that lies further ahead than this.
FURTHEST_MEETING = timedelta(days=180)

#: Letters of a name that somebody's note gives, and of an address (RFC 5321, 4.5.3.1).
LONGEST_NAME, LONGEST_ADDRESS = 80, 254

_KINDS = {kind.value: kind for kind in SignalKind}
_ACTIONS = {action.value: action for action in BounceAction}

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
)


@dataclass(frozen=True, slots=True)
class Happening:
    """A signal, as far as the table looks at it."""

    kind: SignalKind
    occurred_at: datetime
    #: A bounce that will never be different; unclassified bounces count as such, since writing on harms the sender.
    is_hard: bool = True
    #: What follows from a bounce, where its reader found out; `unknown`: `is_hard` decides.
    action: BounceAction = BounceAction.UNKNOWN
    #: A bounce that says that the person is gone, not only the address.
    person_left: bool = False
    #: Who is named instead of somebody who left: name and address, either may be missing.
    successor: tuple[str | None, str | None] = (None, None)
    #: When an absent person is back, or when a booked meeting takes place; the end of a pause somebody asked for.
    until: datetime | None = None
    #: What somebody chose on the preference page.
    every_days: int | None = None
    topic: str | None = None

    @classmethod
    def read(cls, kind: str, occurred_at: datetime, data: Mapping[str, Any] | None) -> "Happening":
        """From a stored signal. `data` may say ``bounce: soft``, ``action`` (a BounceAction), ``reason``, ``until: <ISO
        8601>``, ``replacement: {name, email}``, ``every_days`` and ``topic``; anything else is ignored."""
        said = data if isinstance(data, Mapping) else {}
        topic = said.get("topic")
        return cls(
            read_kind(kind),
            occurred_at,
            is_hard=said.get("bounce") != "soft",
            action=_ACTIONS.get(str(said.get("action")), BounceAction.UNKNOWN),
            person_left=said.get("reason") == "person_left",
            successor=_read_successor(said.get("replacement")),
            until=read_instant(said.get("until")),
            every_days=_read_days(said.get("every_days")),
            topic=topic if isinstance(topic, str) and 0 < len(topic) <= LONGEST_TOPIC else None,
        )


def _read_days(value: object) -> int | None:
    """A number of days, from JSON or from a cell of a file."""
    days = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5 else value
    return days if type(days) is int and 0 < days <= LONGEST_INTERVAL else None


def _read_successor(named: object) -> tuple[str | None, str | None]:
    """A name and an address as somebody's note gives them; what cannot be either is left out."""
    if not isinstance(named, Mapping):
        return None, None
    name, email = (named.get(key) for key in ("name", "email"))
    plain = " ".join(name.split())[:LONGEST_NAME] if isinstance(name, str) else ""
    return plain or None, read_address(email)


def read_address(value: object) -> str | None:
    """An e-mail address in its normal form; None for what cannot be one."""
    if not isinstance(value, str):
        return None
    address = normalise_email(value)
    local, _, domain = address.rpartition("@")
    return (
        address
        if local and "." in domain and len(address) <= LONGEST_ADDRESS and address.split() == [address]
        else None
    )


def read_kind(kind: str) -> SignalKind:
    """The kind by its name; any other name is `unknown`."""
    return _KINDS.get(kind) or _KINDS.get(kind.strip().lower(), SignalKind.UNKNOWN)


def read_instant(value: object) -> datetime | None:
    """ISO 8601 as aware UTC (a time without a zone is UTC); None for anything that is not a time."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def effects_of(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    """Everything this signal does; empty for most of them."""
    rule = TABLE.get(happening.kind)
    return rule(happening, pauses) if rule else ()


def _arrived(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (SettleTouch(),)


def _taken(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (SettleTouch(),)


def _dropped(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (FailTouch(),)


def _unsubscribed(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    return OptOut(at), Suppress("opted_out", at), SettleTouch()


def _complained(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    hold = HoldAccount(HoldCause.COMPLAINT, at, None)
    return OptOut(at), Suppress("complained", at), MarkComplained(), hold, SettleTouch()


def _bounced(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    """By what follows from it; unclassified ones by hard and soft. Each of them left us: not a second time."""
    rule = BOUNCES.get(happening.action) or (_dead if happening.is_hard else _later)
    return (*rule(happening, pauses), SettleTouch())


def _dead(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return MarkBounced(), Suppress("bounced", happening.occurred_at)


def _replaced(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    """Either way the seat is empty; only of somebody who left is it said that they are gone."""
    if happening.person_left:
        return MarkLeft(), Suppress("left", happening.occurred_at)
    return _dead(happening, pauses)


def _later(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (PausePerson(happening.occurred_at + SOFT_BOUNCE_PAUSE),)


def _full(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (PausePerson(happening.occurred_at + FULL_MAILBOX_PAUSE),)


def _no_fault(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    """They refuse us, whoever reads there: the brakes count it, the person is not to blame."""
    return ()


def _left(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at, (name, email) = happening.occurred_at, happening.successor
    named = (Propose(name, email, at),) if name or email else ()
    return MarkLeft(), Suppress("left", at), *named, SettleTouch()


def _replied(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    return HoldAccount(HoldCause.REPLY, at, at + pauses.after_reply), SettleTouch()


def _away(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    until = min(happening.until or at + UNDATED_ABSENCE, at + LONGEST_ABSENCE)
    return (PausePerson(until), SettleTouch()) if until > at else (SettleTouch(),)


def _preferred(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    until = min(happening.until or at, at + LONGEST_ABSENCE)
    if until > at:  # a pause leaves the other wishes as they are
        return PausePerson(until), SettleTouch()
    return Prefer(at, happening.every_days, happening.topic), SettleTouch()


def _meeting_booked(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    meets = min(max(happening.until or at, at), at + FURTHEST_MEETING)
    return (HoldAccount(HoldCause.MEETING, at, meets + pauses.after_meeting),)


def _meeting_held(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    return (HoldAccount(HoldCause.MEETING, at, at + pauses.after_meeting),)


Rule = Callable[[Happening, Pauses], tuple[Effect, ...]]

BOUNCES: Mapping[BounceAction, Rule] = {
    BounceAction.NEVER_AGAIN: _dead,
    BounceAction.ASK_REPLACEMENT: _replaced,
    BounceAction.RETRY_LATER: _later,
    BounceAction.MAILBOX_FULL: _full,
    BounceAction.OUR_FAULT: _no_fault,
}
"""`unknown` has no row: whether it is hard decides."""

TABLE: Mapping[SignalKind, Rule] = {
    SignalKind.DELIVERED: _arrived,
    SignalKind.OPENED: _arrived,  # a machine that opens or clicks for the reader proves just as well that it arrived
    SignalKind.CLICKED: _arrived,
    SignalKind.ACCEPTED: _taken,
    SignalKind.DEFERRED: _taken,  # the provider has it and goes on trying
    SignalKind.DROPPED: _dropped,  # the person's address is not at fault: the provider's own list or filter may be
    SignalKind.BOUNCED: _bounced,  # "sent" as well: it left us, and must not leave a second time
    SignalKind.COMPLAINED: _complained,  # the only one that waits for a person: colleagues are next to complain
    SignalKind.UNSUBSCRIBED: _unsubscribed,  # no hold: one person's no never closes the group
    SignalKind.PREFERRED: _preferred,  # the person's own words; only the opt-out says more
    SignalKind.REPLIED: _replied,  # the account, not the person: the rep has the word now
    SignalKind.OUT_OF_OFFICE: _away,  # the person, not the account: colleagues are at their desks
    SignalKind.LEFT_COMPANY: _left,  # suppressed as well: the next import brings the old address again
    SignalKind.MEETING_BOOKED: _meeting_booked,  # from the booking on, until some days after the meeting
    SignalKind.MEETING_HELD: _meeting_held,
}
"""Kinds without a row: visits, downloads, forms, webinars and ads (they weigh something, see engagement.py);
`unknown`."""

#: Kinds that say no more than that a message arrived.
ARRIVALS: frozenset[SignalKind] = frozenset(kind for kind, rule in TABLE.items() if rule is _arrived)

#: Kinds whose rules look into the data of the signal.
READ_DATA: frozenset[SignalKind] = frozenset(
    {
        SignalKind.BOUNCED, SignalKind.LEFT_COMPANY, SignalKind.OUT_OF_OFFICE, SignalKind.MEETING_BOOKED,
        SignalKind.PREFERRED,
    }
)  # fmt: skip

#: Kinds that prove that a message arrived, or at least left for good.
SETTLING: frozenset[SignalKind] = frozenset(
    {
        SignalKind.ACCEPTED, SignalKind.DELIVERED, SignalKind.DEFERRED, SignalKind.OPENED, SignalKind.CLICKED,
        SignalKind.BOUNCED, SignalKind.COMPLAINED, SignalKind.UNSUBSCRIBED, SignalKind.REPLIED,
        SignalKind.OUT_OF_OFFICE, SignalKind.LEFT_COMPANY, SignalKind.PREFERRED,
    }
)  # fmt: skip

#: A no that counts without knowing whose it is: the address is enough.
NO_NEEDS_NO_NAME: frozenset[SignalKind] = frozenset(
    {SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED, SignalKind.BOUNCED, SignalKind.LEFT_COMPANY}
)
