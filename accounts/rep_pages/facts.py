"""One account as its page shows it: facts of one moment, read at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from accounts.briefs.material import AccountMaterial
from accounts.engagement import Reading
from accounts.rep_pages.timeline import History
from accounts.vocabulary import Duty, Side


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise that is running; `person` is a name."""

    id: int
    side: Side
    duty: Duty
    person: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Proposed:
    """Somebody who may belong to the group. Without an address they can only be taken in with one."""

    id: int
    name: str
    title: str
    why: str
    has_address: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """A rep works on this account themselves; while it stands, their limits bind every play."""

    rep: str
    ends_at: datetime
    touches_per_week: int | None
    people: tuple[int, ...]
    topics: tuple[str, ...]
    ads: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """An objection that is open, or a topic somebody wants to hear about."""

    id: int
    kind: str
    words: str
    person: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A rep's standing no: to one content for a person, or (None) to all mail."""

    person: int
    content: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Put:
    """A mail a rep put off."""

    person: int
    content: str
    until: datetime
    by: str


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What a form about the account has to know. `material` is what briefs are written from, so that page and brief say
    the same."""

    material: AccountMaterial
    owner: str | None
    #: Whether the first touch waits for a rep's yes.
    awaits_approval: bool
    #: Who may belong to the group; nobody has said yet.
    proposals: tuple[Proposed, ...]
    lease: Lease | None
    heard: tuple[Heard, ...]
    refused: tuple[Refused, ...]
    put_off: tuple[Put, ...]

    @property
    def names(self) -> Mapping[int, str]:
        """Stakeholder -> how they are called."""
        return {person.id: person.name for person in self.material.people}


@dataclass(frozen=True, slots=True)
class AccountPage:
    """All of it."""

    facts: AccountFacts
    reading: Reading
    clocks: tuple[Clock, ...]
    history: History
