"""Ways to a rep: e-mail, Slack, Microsoft Teams, a task in the CRM. The same brief, the same links, one state; letters
and notices take them too.

    cards.py      a brief as cards, for channels that lay it out themselves
    email.py  slack.py  teams.py  crm_task.py      one provider, one file, with its error table
    registry.py   which of them are open

A channel that cannot be used says so the way mail does: `NotSent` (permanent or not), `Unreachable`, `OutcomeUnknown`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from accounts.briefs import Brief
from accounts.ledger.reps.profiles import Reader
from flows.briefs.links import Links
from flows.briefs.mailing import Page


@dataclass(frozen=True, slots=True)
class Message:
    """One brief for one rep, as every channel gets it."""

    brief_id: int
    brief: Brief
    reader: Reader
    #: Answers and pages, by signed links.
    links: Links
    #: The brief as HTML and text.
    page: Page
    #: The present.
    now: datetime
    #: Account id -> what has been answered about it since, as sentences.
    answered: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """A letter or a notice for one reader: a few sentences and where they lead."""

    #: What it is, and its number: ``letter`` 17.
    about: str
    id: int
    reader: Reader
    headline: str
    lines: tuple[str, ...]
    #: Words on it, and the address.
    links: tuple[tuple[str, str], ...]
    #: The same as HTML and text.
    page: Page
    #: The present.
    now: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """A channel took it. by: who exactly; ref: what they call it, where it can be changed."""

    by: str
    ref: str | None = None


#: Sends what was written, once. Raises NotSent or OutcomeUnknown.
Send = Callable[[], Delivered]


class RepChannel(Protocol):
    """A way to a rep."""

    name: str
    #: Whether a delivered message can be changed; then `Delivered.ref` says which it is.
    changes: bool

    def reaches(self, reader: Reader) -> bool:
        """Whether this rep can be told this way at all."""
        ...

    def write(self, message: Message) -> Send:
        """Everything that can go wrong before anything leaves. Raises Refused, SettingsRefused."""
        ...

    def write_note(self, note: Note) -> Send:
        """The same for a letter or a notice."""
        ...

    def update(self, message: Message, ref: str) -> None:
        """Shows in a delivered message what has been answered; doing it again changes nothing.

        Raises NotSent, for good where the channel cannot change what it took; OutcomeUnknown.
        """
        ...

    def close(self) -> None: ...
