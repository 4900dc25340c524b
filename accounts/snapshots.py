"""What planning knows of an account at one moment: facts only, no decisions. The ledger reads them, tests write them.

Tuples with names, since half a million of them are made in a full planning run: a frozen dataclass costs three times
as much to make.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from accounts.heard import Heard
from accounts.vocabulary import ConsentBasis, EmailStatus, HoldCause, PauseClock, Role


class Person(NamedTuple):
    """A stakeholder, as far as it matters for the next touch. All times are aware UTC."""

    id: int
    email: str
    role: str = Role.UNKNOWN
    timezone: str | None = None
    country: str | None = None
    consent_basis: str | None = ConsentBasis.LEGITIMATE_INTEREST
    consent_at: datetime | None = None
    email_status: str = EmailStatus.OK
    opted_out_at: datetime | None = None
    #: Away by their own word (out of office), until then.
    paused_until: datetime | None = None
    #: The address stands in several accounts and nobody has decided which one writes, or another one does.
    owner_conflict: bool = False
    #: Suppressed until then; `FOR_EVER` when without end; None when not suppressed.
    suppressed_until: datetime | None = None
    #: Since when we know them in this role; None when no change is on record.
    role_since: datetime | None = None
    #: Contents this person had, or can no longer get.
    used: Sequence[str] = ()
    #: The latest touch, or when the latest one that failed or expired was due.
    last_at: datetime | None = None
    #: By their own wish: least time between two mails, and the only topic they want mail about.
    mail_every: timedelta | None = None
    only_topic: str | None = None
    #: The content that planning found too late to be sent unasked when it looked last.
    late: str | None = None


class Hold(NamedTuple):
    """A stop of a whole account (`person_id` None) or of one person. `ends_at` None: until somebody releases it."""

    cause: HoldCause
    starts_at: datetime
    ends_at: datetime | None
    person_id: int | None = None
    by: str = ""
    clock: str = PauseClock.HOLD


class Mail(NamedTuple):
    """A mail of the last weeks that counts for caps: a touch of ours (`content` set) or a rep's own e-mail."""

    person_id: int | None
    content: str | None
    at: datetime


class OpenTouch(NamedTuple):
    """A touch in a send plan that has not left yet."""

    content: str
    due: datetime
    not_after: datetime | None
    timezone: str | None
    timezone_source: str | None


class Limits(NamedTuple):
    """What the rep who works on the account asked for, as long as their lease stands."""

    until: datetime
    people: frozenset[int] = frozenset()
    topics: frozenset[str] = frozenset()
    #: Touches of ours to the whole group in any seven days; None: as many as the play says.
    per_week: int | None = None


class Account(NamedTuple):
    """A target account with its buying group and what happened lately. Sequences of mails are newest first."""

    id: int
    key: str
    stage: str
    people: Sequence[Person] = ()
    stage_entered_at: datetime | None = None
    first_contacted_at: datetime | None = None
    #: The play the account is in; None: in none yet.
    play: str | None = None
    tier: str | None = None
    industry: str | None = None
    territory: str | None = None
    timezone: str | None = None
    country: str | None = None
    owner_timezone: str | None = None
    #: When the CRM last confirmed these facts.
    synced_at: datetime | None = None
    #: When a rep said yes to the first touch.
    approved_at: datetime | None = None
    holds: Sequence[Hold] = ()
    mails: Sequence[Mail] = ()
    #: person id -> the touch that is on its way.
    open: Mapping[int, OpenTouch] = {}
    #: person id -> content -> when a rep said no; the content None stands for all mail.
    vetoes: Mapping[int, Mapping[str | None, datetime]] = {}
    #: (person id, content) -> when somebody said "better late than never".
    reprieves: Mapping[tuple[int, str], datetime] = {}
    #: (person id, content) -> until when a rep wants it to wait.
    delays: Mapping[tuple[int, str], datetime] = {}
    limits: Limits | None = None
    #: (person id, content) -> until when it stays away, since somebody cancelled the send plan it was in.
    cancelled: Mapping[tuple[int, str], datetime] = {}
    #: What reps heard there and nobody has answered yet.
    heard: Sequence[Heard] = ()
