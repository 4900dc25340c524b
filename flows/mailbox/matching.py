"""Which mail of ours is a mail about, and whose word is it?

Asked in this order: a Message-ID of ours that it names; the return path of ours that it came back to; the provider's
name for our mail, where the provider put that into the Message-ID; the subject, among the mails its sender got of late;
any mail that its sender got of late; the sender alone. The first two are signed, so nobody can make them up. A report
that gives back the mail of another house is about that one, whoever should have got it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from accounts.identity import domain_of, normalise_email
from accounts.ledger.signals.mailed import Mailed, known_touches, mailed_to, reps_among
from accounts.ledger.signals.whose import Incoming, find_owners
from accounts.playbook import Play
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.mailbox.saying import plain
from flows.mailbox.understood import Kind, Understood

#: How the Message-ID of a brief begins, see flows/briefs/mailing.py.
_BRIEF = "tandem-brief"
#: Letters of a subject that tell it from others.
LEAST_SUBJECT = 8


class By(StrEnum):
    """What a match rests on, the surest first."""

    MESSAGE_ID = "message_id"
    RETURN_PATH = "return_path"
    PROVIDER_ID = "provider_id"
    SUBJECT = "subject"
    #: Its sender, or the one it came back from, got mail of ours of late.
    ADDRESS = "address"
    #: Somebody of an account who got none.
    ACCOUNT = "account"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Read:
    """A mail as it is matched."""

    understood: Understood
    subject: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Match:
    """What a mail is about. Of a brief's bounce, the brief."""

    by: By
    touch_id: int | None = None
    brief_id: int | None = None
    #: Written by one of us: a rep who answers, a copy of our own mail.
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What our mails can be known by."""

    secret: str
    #: Domains whose people are our own.
    our_domains: frozenset[str]
    #: Content -> its subject, whatever its variables were filled with.
    subjects: Mapping[str, re.Pattern[str]]
    window: timedelta


def match(connection: Connection, mails: Sequence[Read], marks: Marks) -> list[Match]:
    """One Match for each mail, in order. A few queries for all of them."""
    ledger = _Ledger(connection, mails, marks)
    return [_match(mail, ledger, marks) for mail in mails]


def subjects_of(play: Play) -> dict[str, re.Pattern[str]]:
    """Content -> what its subjects look like, for those that say enough to be known by."""
    return {step.key: shape for step in play.steps if (shape := _shape(step.subject))}


_VARIABLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")


def _shape(subject: str) -> re.Pattern[str] | None:
    said = [plain(piece) for piece in _VARIABLE.split(subject)]
    if sum(map(len, said)) < LEAST_SUBJECT:
        return None
    return re.compile(".{0,120}?".join(re.escape(piece).replace(r"\ ", r"\s+") for piece in said))


class _Ledger:
    """What the ledger knows about these mails, read once."""

    def __init__(self, connection: Connection, mails: Sequence[Read], marks: Marks) -> None:
        signed = [id for mail in mails for id, _ in _signed(mail.understood, marks.secret)]
        self.touches = known_touches(connection, signed)
        addresses = {address for mail in mails for address in _parties(mail.understood)}
        since = min((mail.received_at for mail in mails), default=None)
        self.mailed = mailed_to(connection, addresses, since - marks.window) if since and addresses else {}
        self.reps = reps_among(connection, addresses)
        asked = sorted(addresses)
        clues = [Incoming("", "", SignalKind.REPLIED, mails[0].received_at, email=address) for address in asked]
        owners = find_owners(connection, clues) if clues else []
        self.known = {address for address, whose in zip(asked, owners, strict=True) if whose.account_id}

    def mailed_before(self, mail: Read, window: timedelta) -> list[Mailed]:
        """What those in this mail were sent of late, the latest first."""
        mailed = [one for address in _parties(mail.understood) for one in self.mailed.get(address, ())]
        return [one for one in mailed if mail.received_at - window <= one.at <= mail.received_at + _SKEW]


#: Clocks of two servers differ.
_SKEW = timedelta(minutes=10)


def _match(mail: Read, ledger: _Ledger, marks: Marks) -> Match:
    sender = normalise_email(mail.understood.sender)
    is_ours = sender in ledger.reps or domain_of(sender) in marks.our_domains
    for id, by in _signed(mail.understood, marks.secret):
        if id in ledger.touches:
            return Match(by, id, is_ours=is_ours)
    for id, by in _briefs(mail.understood, marks.secret):
        return Match(by, brief_id=id, is_ours=is_ours)
    mailed = ledger.mailed_before(mail, marks.window)
    if named := _by_provider(mail.understood.about, mailed):
        return Match(By.PROVIDER_ID, named, is_ours=is_ours)
    if mail.understood.kind in _REPORTS and _is_of_another_house(mail.understood, marks.our_domains):
        return Match(By.NOBODY, is_ours=is_ours)
    if named := _by_subject(plain(mail.subject), mailed, marks.subjects):
        return Match(By.SUBJECT, named, is_ours=is_ours)
    known = any(address in ledger.known for address in _parties(mail.understood))
    return Match(By.ADDRESS if mailed else By.ACCOUNT if known else By.NOBODY, is_ours=is_ours)


_REPORTS = (Kind.BOUNCE, Kind.DELIVERY_DELAY)


def _is_of_another_house(mail: Understood, ours: frozenset[str]) -> bool:
    """What it gives back was written elsewhere, by its author and its name: providers give ours names of their own."""
    houses = [[domain_of(one.strip("<>")) for one in told] for told in (mail.written_by, mail.about)]
    return all(houses) and all(ours.isdisjoint(told) for told in houses)


def _signed(mail: Understood, secret: str) -> Iterable[tuple[int, By]]:
    """Touches that are named by something only we can have written."""
    for message_id in mail.about:
        if touch := tokens.touch_of(message_id, secret):
            yield touch, By.MESSAGE_ID
    for address in mail.returned_to:
        returned = tokens.returned(address, secret)
        if returned and returned.about == "touch":
            yield returned.id, By.RETURN_PATH


def _briefs(mail: Understood, secret: str) -> Iterable[tuple[int, By]]:
    """Briefs that are named in the same way."""
    for message_id in mail.about:
        name, _, token = message_id.strip("<>").partition("@")[0].partition(".")
        if name == _BRIEF and (brief := tokens.verify("brief", token, secret)):
            yield brief, By.MESSAGE_ID
    for address in mail.returned_to:
        returned = tokens.returned(address, secret)
        if returned and returned.about == "brief":
            yield returned.id, By.RETURN_PATH


def _parties(mail: Understood) -> list[str]:
    """Whose word it may be: who wrote it, whom a bounce or a complaint is about."""
    told = [bounce.recipient for bounce in mail.bounces] + ([mail.complaint.recipient] if mail.complaint else [])
    wrote = [mail.sender] if mail.kind not in (Kind.BOUNCE, Kind.DELIVERY_DELAY, Kind.COMPLAINT) else []
    return list(dict.fromkeys(normalise_email(address) for address in (*told, *wrote) if address))


def _by_provider(about: Iterable[str], mailed: Sequence[Mailed]) -> int | None:
    """Amazon SES, for one, writes a Message-ID of its own: its name for the mail, at its domain."""
    names = {part for id in about for part in (id, id.strip("<>"), id.strip("<>").partition("@")[0])}
    return next((one.touch_id for one in mailed if one.provider_id and one.provider_id in names), None)


def _by_subject(subject: str, mailed: Sequence[Mailed], subjects: Mapping[str, re.Pattern[str]]) -> int | None:
    shapes = ((one, subjects.get(one.content)) for one in mailed)
    return next((one.touch_id for one, shape in shapes if shape and shape.search(subject)), None)
