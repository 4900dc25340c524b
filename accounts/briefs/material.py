"""What a brief is written from: facts about a rep's accounts as frozen values, read once, machines already left out.

Every fact carries the id of its row, since a brief may state nothing it cannot prove: `evidence("signal", 4711)` is
``signal:4711``. Names were cleaned on the way in (`clean`): a name may hold line breaks, terminal codes or novels.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from accounts.ahead import Leaving
from accounts.briefs.rhythm import USUAL, Manner
from accounts.sla.owed import Owing
from accounts.vocabulary import Answer, EmailStatus, HoldCause, HoldScope, Reason, Role, SignalKind

#: Ids of the rows a statement rests on: ``("signal:12", "touch:7")``.
Evidence = tuple[str, ...]


def evidence(kind: str, *ids: object) -> Evidence:
    """The proof of a statement: the table's name and the row's id, once for each id."""
    return tuple(f"{kind}:{id_}" for id_ in ids)


def unique(proof: Evidence) -> Evidence:
    """Each id once, in the order of first mention."""
    return tuple(dict.fromkeys(proof))


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, and the ids of the rows that prove it."""

    text: str
    evidence: Evidence


def clean(value: str | None) -> str:
    """One line of visible characters, whatever somebody typed into a name."""
    if value and value.isprintable():  # nearly all are
        return " ".join(value.split())
    kept = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in value or "")
    return " ".join(kept.split())


@lru_cache(maxsize=8192)
def clip(value: str, words: int, letters: int = 80) -> str:
    """At most so many words and letters; what was cut is shown by an ellipsis."""
    parts = value.split()
    short = " ".join(parts[:words])
    if len(parts) <= words and len(short) <= letters:
        return short
    return short[: letters - 1].rstrip(" ,;:.") + "…"


@dataclass(frozen=True, slots=True)
class Sign:
    """Something a person did, or that became of a person's mailbox."""

    #: The signal's id.
    id: int
    kind: SignalKind
    #: The stakeholder's id; None when only the company is known.
    person: int | None
    at: datetime
    #: Content key of the e-mail it answers to.
    content: str | None = None
    #: It came in since the last brief.
    is_new: bool = False

    @property
    def evidence(self) -> Evidence:
        return evidence("signal", self.id)


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail that marketing sent."""

    #: The touch's id.
    id: int
    person: int
    content: str
    at: datetime

    @property
    def evidence(self) -> Evidence:
        return evidence("touch", self.id)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What planning currently answers for a person."""

    answer: Answer
    reason: Reason | None
    content: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """A stakeholder as a rep knows them."""

    id: int
    name: str
    email: str
    role: Role
    email_status: EmailStatus = EmailStatus.OK
    opted_out_at: datetime | None = None
    #: Latest thing this person did of their own accord, ever.
    last_sign: Sign | None = None
    outlook: Outlook | None = None
    #: What leaves to them within the next seven days, in its order, if nobody reacts and nothing changes.
    leaving: tuple[Leaving, ...] = ()
    #: Nothing leaves to them, as long as a brake holds.
    is_braked: bool = False
    #: What marketing sent them, ever: ids of the touches, and keys of their contents.
    touches: tuple[int, ...] = ()
    contents: frozenset[str] = frozenset()
    #: A rep called them the wrong person, and nobody took it back.
    is_wrong: bool = False

    @property
    def is_there(self) -> bool:
        """Still at the company as far as we know; who opted out of marketing mail still is."""
        return self.email_status not in (EmailStatus.BOUNCED, EmailStatus.LEFT)

    @property
    def takes_part(self) -> bool:
        """In the decision, as far as we know: still there, and nobody called them the wrong person."""
        return self.is_there and not self.is_wrong

    @property
    def takes_mail(self) -> bool:
        return self.email_status == EmailStatus.OK and self.opted_out_at is None


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the account between stages, or its refusal."""

    id: int
    from_stage: str | None
    to_stage: str
    at: datetime
    refused_reason: str | None = None

    @property
    def evidence(self) -> Evidence:
        return evidence("stage_change", self.id)


@dataclass(frozen=True, slots=True)
class Held:
    """A hold on an account or a person."""

    id: int
    scope: HoldScope
    person: int | None
    cause: HoldCause
    by: str
    starts_at: datetime
    ends_at: datetime | None = None
    released_at: datetime | None = None

    @property
    def evidence(self) -> Evidence:
        return evidence("hold", self.id)

    @property
    def over_at(self) -> datetime | None:
        """When it ended or will end; None for a hold without an end."""
        ends = [at for at in (self.ends_at, self.released_at) if at is not None]
        return min(ends, default=None)

    def stands(self, as_of: datetime) -> bool:
        return self.starts_at <= as_of and (self.over_at is None or self.over_at > as_of)


@dataclass(frozen=True, slots=True)
class SalesTouch:
    """The last thing sales itself did: a call, a meeting or an e-mail."""

    id: int
    kind: str
    person: int | None
    at: datetime

    @property
    def evidence(self) -> Evidence:
        return evidence("activity", self.id)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who was seen or named and may belong to the group; nobody has said yet whether they do."""

    #: The proposal's id.
    id: int
    name: str
    title: str
    #: ``event attended on 2026-11-20 (fair)``
    why: str
    at: datetime

    @property
    def evidence(self) -> Evidence:
        return evidence("proposal", self.id)


@dataclass(frozen=True, slots=True)
class Objected:
    """What a buyer holds against us, or wants to hear about; nobody has answered it yet."""

    #: The objection's id.
    id: int
    words: str
    person: int | None
    at: datetime
    #: Something they want to hear about, rather than something against us.
    is_topic: bool = False

    @property
    def evidence(self) -> Evidence:
        return evidence("objection", self.id)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a rep answered about the account, by link or by command."""

    #: The answer's id.
    id: int
    #: `hold`, `veto`, `seat` …: accounts.answers.kinds
    kind: str
    #: The rep who said it; None when it was nobody we know.
    rep: int | None
    by: str
    #: What changed because of it: ``No mail to Bob Example until 3 December.``
    sentence: str
    at: datetime

    @property
    def evidence(self) -> Evidence:
        return evidence("rep_answer", self.id)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The account came to this rep from another one."""

    id: int
    from_rep: str
    at: datetime

    @property
    def evidence(self) -> Evidence:
        return evidence("handover", self.id)


@dataclass(frozen=True, slots=True)
class Absent:
    """A rep who is away, and whose account somebody else looks after meanwhile."""

    id: int
    name: str
    until: datetime | None

    @property
    def evidence(self) -> Evidence:
        return evidence("rep", self.id)


@dataclass(frozen=True, slots=True)
class AccountMaterial:
    """One account: its people, and what happened around the time since the last brief."""

    id: int
    key: str
    name: str
    stage: str
    people: tuple[Person, ...]
    #: People's acts and what became of mailboxes: the last five weeks, and whatever came in since the last brief.
    signs: tuple[Sign, ...] = ()
    #: What marketing sent since the last brief, oldest first.
    mails: tuple[Mail, ...] = ()
    #: Since the last brief.
    moves: tuple[Move, ...] = ()
    #: Holds that stand, and those that began or ended since the last brief.
    holds: tuple[Held, ...] = ()
    sales_touch: SalesTouch | None = None
    #: Who waits for the rep's word, the latest first.
    newcomers: tuple[Newcomer, ...] = ()
    #: What sales owes by the ledger, and whether the ledger kept a clock here lately: then it has the last word.
    owing: Owing | None = None
    is_clocked: bool = False
    #: Objections and topics that nobody has answered, the latest first.
    objections: tuple[Objected, ...] = ()
    #: What reps answered since the last brief, the latest first.
    answers: tuple[Answered, ...] = ()
    handover: HandedOver | None = None
    #: Whose account it is, when its rep is away.
    absent: Absent | None = None
    #: Where its news begin, when that is not where the rep's last brief ended.
    since: datetime | None = None

    @property
    def new_signs(self) -> tuple[Sign, ...]:
        return tuple(sign for sign in self.signs if sign.is_new)

    def person(self, id_: int | None) -> Person | None:
        """Who has this id, if it is anybody of this account."""
        return next((person for person in self.people if person.id == id_), None)


@dataclass(frozen=True, slots=True)
class RepMaterial:
    """One rep: where the last brief ended, and the accounts on which something may have changed since."""

    id: int
    name: str
    email: str
    timezone: str | None
    #: The last brief told everything up to here; for the first brief a week ago.
    since: datetime
    is_first: bool
    accounts: tuple[AccountMaterial, ...]
    #: Briefs of which nobody knows whether they arrived: (id, as of).
    doubtful: tuple[tuple[int, datetime], ...] = ()
    #: How long the brief may be, by what became of the last ones.
    manner: Manner = USUAL
    #: The end of an absence since the last brief.
    back_since: datetime | None = None
