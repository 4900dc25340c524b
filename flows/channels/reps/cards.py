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
class Line:
    """A sentence, and the answer that belongs to it."""

    text: str
    button: Button | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A labelled part of an account."""

    label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One account."""

    title: str
    #: Its page.
    url: str
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


def foot_of(message: Message) -> tuple[Button, ...]:
    """Where the brief itself can be read, and how often it comes."""
    said = (("brief", "See this brief in the browser"), ("off", "Fewer briefs, or none"), ("away", "I am away"))
    return tuple(Button(kind, label, message.links(kind)) for kind, label in said)


def _card(account: AccountBrief, message: Message) -> Card:
    buttons = (Button(one.kind, one.label, message.links(one.kind, account.id, one.subject)) for one in account.answers)
    return Card(
        title=account.title,
        url=message.links("page", account.id),
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
        yield Part("", (Line(account.absence.text),))
    for name, label in LABELS.items():
        if name in own:
            yield Part(label, tuple(own[name](account, message)))
        elif name != "answers":
            yield Part(label, tuple(map(Line, said[name])))


def _group(account: AccountBrief, _: Message) -> Iterator[Line]:
    for seat in account.group:
        yield Line(f"{seat.mark} {seat.name}, {seat.role}" + (f": {seat.note}" if seat.note else ""))
    if account.more_seats:
        yield Line(account.more_seats.text)


def _question(account: AccountBrief, message: Message) -> Iterator[Line]:
    asked = account.question
    if asked:
        yield Line(asked.text, Button(asked.kind, "Answer", message.links(asked.kind, account.id, asked.subject)))


def _objections(account: AccountBrief, message: Message) -> Iterator[Line]:
    for one in account.objections:
        url = message.links("close_objection", account.id, one.id)
        yield Line(one.text, Button("close_objection", SETTLED, url))


def _planned(account: AccountBrief, message: Message) -> Iterator[Line]:
    for mail in account.planned:
        url = message.links("veto", account.id, mail.person)
        yield Line(f"{mail.when}  {mail.what}", Button("veto", STOP, url))
    if account.more_planned:
        yield Line(account.more_planned.text)


def _asset(account: AccountBrief, _: Message) -> Iterator[Line]:
    if account.asset:
        words = " ".join(filter(None, (account.asset.title, account.asset.talking_point)))
        yield Line(words, Button("asset", "Open it", account.asset.url))
