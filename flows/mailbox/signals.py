"""From a mail that was understood and matched to the signals it is, one set for each mail.

A bounce or a departure is believed when it is about a mail that we sent: anybody can write that somebody is gone. A no
is always believed. What is about nobody is kept as `unknown`, without a word of it, and left to a person.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind
from flows.mailbox.matching import By, Match
from flows.mailbox.optouts import asks_for_no_more, asks_in_subject
from flows.mailbox.understood import Bounce, Kind, Understood

SOURCE = "mailbox"
#: A line that is shown to people.
_LINE = 300
#: Matches that name a mail we sent, or somebody who got one.
_ABOUT_OURS = (By.MESSAGE_ID, By.RETURN_PATH, By.PROVIDER_ID, By.SUBJECT, By.ADDRESS)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail as it stands in the mailbox."""

    #: The same for every copy of it, whatever its UID.
    digest: str
    #: ``INBOX/1700000000/42``: folder, UIDVALIDITY, UID, for whoever wants to read it.
    place: str
    subject: str
    received_at: datetime


def signals_of(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    """What is told to the intake: nothing for mails of our own, else one signal, or one for each lost recipient."""
    if match.is_ours and mail.kind in _WRITTEN:
        return []
    rules = _RULES if match.brief_id is None else _OF_BRIEFS
    return rules.get(mail.kind, _unknown)(mail, match, arrived)


_WRITTEN = (Kind.REPLY, Kind.OUT_OF_OFFICE, Kind.LEFT_COMPANY, Kind.AUTO_REPLY, Kind.UNKNOWN)


def _reply(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    no_more = _no_more(mail, match, arrived)
    if match.by is By.NOBODY:
        return no_more or _unknown(mail, match, arrived)
    said = {"subject": printable(arrived.subject)[:_LINE], "words": printable(mail.words)}
    return [_signal(SignalKind.REPLIED, mail, match, arrived, mail.sender, said), *no_more]


def _no_more(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    """A no that was written instead of clicked. It needs no name: the address may be imported tomorrow."""
    line = asks_for_no_more(mail.words) or asks_in_subject(arrived.subject)
    said = {"evidence": printable(line)[:_LINE]}
    return [_signal(SignalKind.UNSUBSCRIBED, mail, match, arrived, mail.sender, said, number=1)] if line else []


def _away(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    if match.by is By.NOBODY:
        return _unknown(mail, match, arrived)
    said = {"until": mail.back_at.isoformat()} if mail.back_at else {}
    return [_signal(SignalKind.OUT_OF_OFFICE, mail, match, arrived, mail.sender, said)]


def _left(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    if match.by not in _ABOUT_OURS:
        return _unknown(mail, match, arrived)
    named = mail.departure
    said: dict[str, Any] = {}
    if named and (named.name or named.address):
        said["replacement"] = {"name": printable(named.name)[:_LINE], "email": printable(named.address)[:_LINE]}
    return [_signal(SignalKind.LEFT_COMPANY, mail, match, arrived, mail.sender, said)]


def _bounced(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    """A mail of ours has one reader; the report of a mail that is not known may speak of several."""
    if match.by not in _ABOUT_OURS or mail.bounce is None:
        return _unknown(mail, match, arrived)
    if match.touch_id is not None:
        return [_signal(SignalKind.BOUNCED, mail, match, arrived, None, _why(mail.bounce))]
    lost = {bounce.recipient: bounce for bounce in mail.bounces if bounce.recipient}
    return [
        _signal(SignalKind.BOUNCED, mail, match, arrived, address, _why(bounce), number)
        for number, (address, bounce) in enumerate(lost.items())
    ] or _unknown(mail, match, arrived)


def _brief_bounced(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    said = _why(mail.bounce) if mail.bounce else {}
    return [_signal(SignalKind.BRIEF_BOUNCED, mail, match, arrived, None, {**said, "brief": match.brief_id})]


def _delayed(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    if match.touch_id is None:
        return _unknown(mail, match, arrived)
    return [_signal(SignalKind.DEFERRED, mail, match, arrived, None, _why(mail.bounce) if mail.bounce else {})]


def _complained(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    """Also about somebody we do not know: the address may be imported tomorrow."""
    recipient = mail.complaint.recipient if mail.complaint else ""
    if match.touch_id is None and not recipient:
        return _unknown(mail, match, arrived)
    said = {"feedback": printable(mail.complaint.feedback_type)[:_LINE]} if mail.complaint else {}
    address = None if match.touch_id is not None else recipient
    return [_signal(SignalKind.COMPLAINED, mail, match, arrived, address, said)]


def _unknown(mail: Understood, match: Match, arrived: Arrived) -> list[Incoming]:
    """Kept without its words: where it stands and what it seems to be."""
    about = {"brief": match.brief_id} if match.brief_id is not None else {}
    said = {"mail": mail.kind.value, "matched": match.by.value, "place": arrived.place, **about}
    sender = None if match.touch_id is not None or match.is_ours else mail.sender
    return [_incoming(SignalKind.UNKNOWN, match, arrived, sender, said)]


Rule = Callable[[Understood, Match, Arrived], list[Incoming]]

_RULES: Mapping[Kind, Rule] = {
    Kind.REPLY: _reply,
    Kind.OUT_OF_OFFICE: _away,
    Kind.LEFT_COMPANY: _left,
    Kind.BOUNCE: _bounced,
    Kind.DELIVERY_DELAY: _delayed,
    Kind.COMPLAINT: _complained,
}
_OF_BRIEFS: Mapping[Kind, Rule] = {Kind.BOUNCE: _brief_bounced}
"""Kinds without a rule are kept as `unknown`."""


def _why(bounce: Bounce) -> dict[str, Any]:
    """As accounts/outcomes and the counts of bounces read it, and as people do."""
    said = {
        "bounce": "hard" if bounce.is_hard else "soft", "action": bounce.action.value, "reason": bounce.cause.value,
        "enhanced": bounce.enhanced, "reply": printable(bounce.diagnostic)[:_LINE] or bounce.smtp_reply,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def _signal(
    kind: SignalKind, mail: Understood, match: Match, arrived: Arrived, address: str | None, said: dict[str, Any],
    number: int = 0,
) -> Incoming:  # fmt: skip
    told = {
        "mail": mail.kind.value, "matched": match.by.value, "evidence": printable(mail.evidence)[:_LINE],
        "confidence": round(mail.confidence, 2), "place": arrived.place,
    }  # fmt: skip
    return _incoming(kind, match, arrived, address, {**told, **said}, number)


def _incoming(
    kind: SignalKind, match: Match, arrived: Arrived, address: str | None, said: dict[str, Any], number: int = 0
) -> Incoming:
    return Incoming(
        SOURCE, f"{arrived.digest}.{number}", kind, arrived.received_at, touch_id=match.touch_id,
        email=address or None, data=said,
    )  # fmt: skip


def printable(text: str) -> str:
    """Without what no database and no page wants: control characters, halves of letters."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
