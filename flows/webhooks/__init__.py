"""What providers post to us: proved, kept as it came, answered; understood afterwards.

One file a provider: how it proves that a post is its own, and the table of its event names. They stand here and not
with the sending side, since the web app needs these and none of that, and HubSpot has no sending side. What they have
in common is in this file; keeping is in `reception`, understanding in `reading`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind

JSON = "application/json"
#: One element of a post, as the provider wrote it.
Event = Mapping[str, Any]


class Forged(Exception):
    """A post that does not prove to be the provider's. What is wrong with it is nobody's business but ours."""


class Unreadable(Exception):
    """A post, or an element of one, that makes no sense; the sentence is for whoever looks into quarantine."""


class Later(Exception):
    """It cannot be proved right now: the provider's own certificate cannot be had. It will come again."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it reached us. Header names in small letters; `uri` is the address the provider was told."""

    uri: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


class Door(Protocol):
    """The receiving end of one provider."""

    #: Media types it posts; another one is answered with 415.
    content_types: tuple[str, ...]
    #: Octets a post may have; more is answered with 413.
    most: int
    #: Whether proving takes long, or asks the network, and so must not hold up other requests.
    may_wait: bool

    def prove(self, call: Call, now: datetime) -> str | None:
        """The provider's own name for the post, where it is proved as well. Raises Forged, Later."""
        ...

    def confirm(self, call: Call) -> bool:
        """Whether the post was a question about the subscription, which is answered by now. Raises Later."""
        ...


class Plain:
    """What most doors are: JSON, proved by what is in the request, nothing but events."""

    content_types: tuple[str, ...] = (JSON,)
    most = 5_000_000
    may_wait = False

    def confirm(self, call: Call) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Reader:
    """How the posts of one provider are understood. Needs no secret."""

    #: The elements of a post. Raises Unreadable for a post that has none.
    split: Callable[[Post], Sequence[Event]]
    #: The provider's name for what happened.
    name: Callable[[Event], object]
    #: An element as signals: mostly one. Raises Unreadable, or what Python raises for a value that is none.
    translate: Callable[[Event, Post], Iterable[Incoming]]
    #: Names that may be somebody's no.
    noes: frozenset[str]


#: Signals that must reach the claim at once.
NOES = frozenset({SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED, SignalKind.BOUNCED})


def names_of_noes(events: Mapping[str, SignalKind], *more: str) -> frozenset[str]:
    """From the table of event names; `more`: names that are a no now and then."""
    return frozenset({*(name for name, kind in events.items() if kind in NOES), *more})
