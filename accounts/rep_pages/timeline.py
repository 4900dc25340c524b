"""What happened at an account, as lines: what sales did, what marketing sent, what people did, what was decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from accounts.briefs.material import clean
from accounts.briefs.news import stage_label
from accounts.briefs.saying import HELD_FOR, did, title_of
from accounts.playbook import Play
from accounts.vocabulary import ActivityKind, Direction, HoldCause, SignalKind

#: Letters of a text that somebody typed.
_LONGEST = 160


class Source(StrEnum):
    """Where a line comes from; the page writes it beside the line, so that no colour has to."""

    SALES = "sales"
    MARKETING = "marketing"
    BUYER = "buyer"
    STAGE = "stage"
    HOLD = "hold"
    RELEASE = "release"
    ANSWER = "answer"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Source.SALES: "Sales",
    Source.MARKETING: "Marketing",
    Source.BUYER: "Buyer",
    Source.STAGE: "Stage",
    Source.HOLD: "Hold",
    Source.RELEASE: "Hold",
    Source.ANSWER: "Rep",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the history. What `word` and `more` are depends on the source."""

    at: datetime
    source: Source
    id: int
    #: The stakeholder's id.
    person: int | None
    #: Kind of the activity, signal or answer; content of a mail; stage; cause of a hold.
    word: str
    #: Subject of the activity; content a signal answers to; stage before; who held or released; what an answer did.
    more: str | None
    #: Direction of the activity; why a move was refused; who answered, by name.
    note: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A page of it, latest first."""

    entries: tuple[Entry, ...]
    page: int
    #: Whether there is an older page.
    goes_on: bool


def say(entry: Entry, people: Mapping[int, str], play: Play, account: str) -> str:
    """``Bob Example replied to “Three numbers”``."""
    return _SAYS[entry.source](entry, people.get(entry.person or 0), play, account)


def _sales(entry: Entry, person: str | None, play: Play, account: str) -> str:
    kind = entry.word if entry.word in list(ActivityKind) else "activity"
    if entry.note == Direction.INBOUND:
        said = f"{kind.capitalize()} from {person or 'them'}"
    else:
        said = kind.capitalize() + (f" with {person}" if person else "")
    subject = clean(entry.more)[:_LONGEST]
    return f"{said}: {subject}" if subject else said


def _marketing(entry: Entry, person: str | None, play: Play, account: str) -> str:
    return f"“{title_of(entry.word, play, account)}” to {person or 'somebody who was erased'}"


def _buyer(entry: Entry, person: str | None, play: Play, account: str) -> str:
    title = title_of(entry.more, play, account) if entry.more else None
    return f"{person or 'Somebody there'} {did(SignalKind(entry.word), title)}"


def _stage(entry: Entry, person: str | None, play: Play, account: str) -> str:
    before, after = stage_label(entry.more or "", play), stage_label(entry.word, play)
    if entry.note:
        return f"Stays in {before}: the move to {after} was refused ({clean(entry.note)})"
    return f"From {before} to {after}" if before else f"Now {after}"


def _hold(entry: Entry, person: str | None, play: Play, account: str) -> str:
    whom = person or "The whole account"
    cause = HELD_FOR[HoldCause(entry.word)] if entry.word in list(HoldCause) else ""
    return f"{whom} on hold {cause}".rstrip()


def _release(entry: Entry, person: str | None, play: Play, account: str) -> str:
    return f"{person or 'The whole account'} released by {clean(entry.more) or 'nobody known'}"


def _answer(entry: Entry, person: str | None, play: Play, account: str) -> str:
    who = clean(entry.note) or "Somebody"
    about = f" about {person}" if person else ""
    return f"{who}: {clean(entry.more)}" if entry.more else f"{who} answered “{entry.word.replace('_', ' ')}”{about}"


_SAYS = {
    Source.SALES: _sales,
    Source.MARKETING: _marketing,
    Source.BUYER: _buyer,
    Source.STAGE: _stage,
    Source.HOLD: _hold,
    Source.RELEASE: _release,
    Source.ANSWER: _answer,
}
