"""What a mail in the reply mailbox turned out to be. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from accounts.vocabulary import BounceAction

#: What follows from a bounce.
Action = BounceAction


class Kind(StrEnum):
    """What a mail is; exactly one."""

    REPLY = "reply"
    BOUNCE = "bounce"
    #: The server goes on trying; nothing is decided.
    DELIVERY_DELAY = "delivery_delay"
    COMPLAINT = "complaint"
    OUT_OF_OFFICE = "out_of_office"
    LEFT_COMPANY = "left_company"
    #: Wants a person to prove being one before the mail is handed over.
    CHALLENGE = "challenge"
    #: A program's answer that says nothing about the reader: receipts, tickets, "delivered".
    AUTO_REPLY = "auto_reply"
    #: Newsletters, empty mail, what cannot be read. Left to a person.
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a mail came back. Where `accounts.touch_states.Refusal` has the same cause, it has the same name."""

    NO_SUCH_MAILBOX = "no_such_mailbox"
    NO_SUCH_DOMAIN = "no_such_domain"
    MAILBOX_DISABLED = "mailbox_disabled"
    BAD_ADDRESS = "bad_address"
    PERSON_LEFT = "person_left"
    ADDRESS_MOVED = "address_moved"
    MAILBOX_FULL = "mailbox_full"
    GREYLISTED = "greylisted"
    SERVER_BUSY = "server_busy"
    NOT_AUTHENTICATED = "not_authenticated"
    SENDER_BLOCKLISTED = "sender_blocklisted"
    SENDER_REFUSED = "sender_refused"
    LOGIN_REFUSED = "login_refused"
    REFUSED_AS_SPAM = "refused_as_spam"
    REFUSED_BY_POLICY = "refused_by_policy"
    TOO_MANY = "too_many"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"

    @property
    def action(self) -> Action:
        return ACTIONS[self]


C, A = Cause, Action

ACTIONS: Mapping[Cause, Action] = {
    C.NO_SUCH_MAILBOX: A.NEVER_AGAIN,
    C.NO_SUCH_DOMAIN: A.NEVER_AGAIN,
    C.MAILBOX_DISABLED: A.NEVER_AGAIN,
    C.BAD_ADDRESS: A.NEVER_AGAIN,
    C.PERSON_LEFT: A.ASK_REPLACEMENT,
    C.ADDRESS_MOVED: A.ASK_REPLACEMENT,
    C.MAILBOX_FULL: A.MAILBOX_FULL,
    C.GREYLISTED: A.RETRY_LATER,
    C.SERVER_BUSY: A.RETRY_LATER,  # unreachable, broken, looping: the reader's server has a bad day
    C.NOT_AUTHENTICATED: A.OUR_FAULT,
    C.SENDER_BLOCKLISTED: A.OUR_FAULT,
    C.SENDER_REFUSED: A.OUR_FAULT,
    C.LOGIN_REFUSED: A.OUR_FAULT,
    C.REFUSED_AS_SPAM: A.OUR_FAULT,
    C.REFUSED_BY_POLICY: A.OUR_FAULT,
    C.TOO_MANY: A.OUR_FAULT,
    C.TOO_LARGE: A.OUR_FAULT,
    C.MALFORMED: A.OUR_FAULT,
    C.UNKNOWN: A.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Bounce:
    """One recipient whom a mail did not reach."""

    cause: Cause
    #: The address will not work on another day either: `accounts.outcomes` marks and suppresses it. Soft ones pause.
    is_hard: bool
    #: Whom we wrote to: the original recipient where the server names it, else the final one. Empty when unknown.
    recipient: str
    #: Where the mail was forwarded to, if that is another address.
    final_recipient: str = ""
    #: ``5.1.1``
    enhanced: str | None = None
    #: ``550``
    smtp_reply: int | None = None
    #: The server's own words, one line, up to 500 characters.
    diagnostic: str = ""

    @property
    def action(self) -> Action:
        return self.cause.action


@dataclass(frozen=True, slots=True)
class Complaint:
    """Somebody pressed "this is spam"; their provider reports it, often without telling who it was."""

    #: ``abuse``, ``fraud``, ``virus``, ``not-spam`` … as the provider says it.
    feedback_type: str
    #: Who complains, where the provider names them; redacted addresses are left out.
    recipient: str = ""
    #: The provider's program.
    reporter: str = ""


@dataclass(frozen=True, slots=True)
class Departure:
    """A person has left; who is named as the one to write to instead."""

    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """One mail, understood. What does not apply is empty."""

    kind: Kind
    #: The line it rests on, up to 200 characters.
    evidence: str
    #: 0 to 1; below 0.6 a person should look.
    confidence: float
    bounces: tuple[Bounce, ...] = ()
    complaint: Complaint | None = None
    #: Out of office: the first moment at which the person is at the desk again, UTC.
    back_at: datetime | None = None
    departure: Departure | None = None
    #: A reply's own words, without what it quotes, up to 2,000 characters.
    words: str = ""
    #: Message-IDs with angle brackets that this mail is about, the surest first: our own is among them, if any is.
    about: tuple[str, ...] = ()
    #: Addresses it came back to, bare: the return path of our mail is among them, if the server kept it.
    returned_to: tuple[str, ...] = ()
    #: Who wrote the mail that is attached to this one, bare addresses.
    written_by: tuple[str, ...] = ()
    #: Bare address of who wrote this.
    sender: str = ""

    @property
    def bounce(self) -> Bounce | None:
        """The gravest one: hard before soft."""
        return min(self.bounces, key=lambda bounce: not bounce.is_hard, default=None)
