"""A brief as cards, one an account: words in labelled parts, and answers as links. What each means is decided before;
how it looks is the channel's business.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from accounts.briefs import LABELS, AccountBrief
from accounts.briefs.account import SETTLED, STOP
from flows.channels.reps import Message

#: How an answered account begins.
DONE = "✓ "


@dataclass(frozen=True, slots=True)
class Button:
    """An answer: the kind of link it is (flows.briefs.links.KINDS), its words, and where it leads."""

    kind: str
    label: str
    url: str

    @property
    def token(self) -> str:
        """The signed part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Part:
    """A labelled part of an account; `buttons` belong to its lines."""

    label: str
    lines: tuple[str, ...]
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One account."""

    title: str
    #: Why it stands here, and its stage.
    place: str
    headline: str
    is_late: bool
    parts: tuple[Part, ...]
    answers: tuple[Button, ...]
    #: What has been answered since, as sentences.
    answered: tuple[str, ...] = ()


def cards_of(message: Message) -> tuple[Card, ...]:
    """The accounts of a brief, the most important first."""
    return tuple(_card(account, message) for account in message.brief.accounts)


def _card(account: AccountBrief, message: Message) -> Card:
    buttons = (Button(one.kind, one.label, message.links(one.kind, account.id, one.subject)) for one in account.answers)
    return Card(
        title=account.title,
        place=f"{account.why[:1].upper()}{account.why[1:]} · {account.stage}",
        headline=account.headline.text,
        is_late=account.is_late,
        parts=tuple(part for part in _parts(account, message) if part.lines),
        answers=tuple(buttons),
        answered=tuple(message.answered.get(account.id, ())),
    )


def _parts(account: AccountBrief, message: Message) -> Iterator[Part]:
    """In the order of the e-mail. Parts with links of their own are said here, the others as the brief says them."""
    own = {"group": _group, "question": _question, "objections": _objections, "planned": _planned, "asset": _asset}
    said = account.parts()
    if account.absence:
        yield Part("", (account.absence.text,))
    for name, label in LABELS.items():
        if name in own:
            yield own[name](account, message, label)
        elif name != "answers":
            yield Part(label, tuple(said[name]))


def _group(account: AccountBrief, _: Message, label: str) -> Part:
    seats = (
        f"{seat.mark} {seat.name}, {seat.role}" + (f": {seat.note}" if seat.note else "") for seat in account.group
    )
    return Part(label, (*seats, *([account.more_seats.text] if account.more_seats else [])))


def _question(account: AccountBrief, message: Message, label: str) -> Part:
    asked = account.question
    if asked is None:
        return Part(label, ())
    return Part(
        label, (asked.text,), (Button(asked.kind, "Answer", message.links(asked.kind, account.id, asked.subject)),)
    )


def _objections(account: AccountBrief, message: Message, label: str) -> Part:
    buttons = (
        Button("close_objection", _about(SETTLED, one.text), message.links("close_objection", account.id, one.id))
        for one in account.objections
    )
    return Part(label, tuple(one.text for one in account.objections), tuple(buttons))


def _planned(account: AccountBrief, message: Message, label: str) -> Part:
    lines = [f"{mail.when}  {mail.what}" for mail in account.planned]
    buttons = (
        Button("veto", _about(STOP, mail.what), message.links("veto", account.id, mail.person))
        for mail in account.planned
    )
    return Part(label, (*lines, *([account.more_planned.text] if account.more_planned else [])), tuple(buttons))


def _asset(account: AccountBrief, _: Message, label: str) -> Part:
    asset = account.asset
    if asset is None:
        return Part(label, ())
    return Part(
        label, tuple(filter(None, (asset.title, asset.talking_point))), (Button("asset", "Open it", asset.url),)
    )


def _about(label: str, what: str) -> str:
    """``Stop before then: “Five years of cost” to Bob Example``: a button stands away from its line."""
    return f"{label}: {what}"
