"""What a rep heard steers what is said next: an objection, or a wish, and the contents that speak of it. Pure.

By which words a topic is known stands in `play.yaml` (`heard: cost: [price, expensive]`); a topic is known by its own
name as well. What one person said steers what that person gets, what was said of the account what everybody gets, for
as long as it is open.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar


class Heard(NamedTuple):
    """An objection or a wish that is open, and the topics of contents it is about."""

    #: The objection's id.
    id: int
    words: str
    at: datetime
    topics: frozenset[str]
    #: Who said it; None: the account.
    person: int | None = None


class About(Protocol):
    """A content, as far as it matters here."""

    @property
    def topics(self) -> Sequence[str]: ...


Content = TypeVar("Content", bound=About)


def topics_in(words: str, known_by: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The topics that these words are about: a word counts from its beginning on, so that "price" finds "prices"."""
    said = words.casefold()
    return frozenset(topic for topic, marks in known_by.items() if any(_stands_in(mark, said) for mark in marks))


def applies(heard: Iterable[Heard], person: int) -> frozenset[str]:
    """The topics that steer what this person gets."""
    return frozenset().union(*(one.topics for one in heard if one.person in (None, person)))


def asked_first(contents: Iterable[Content], topics: Collection[str]) -> list[Content]:
    """Contents about what was heard come first, each sort in the order it had."""
    return sorted(contents, key=lambda content: set(content.topics).isdisjoint(topics))


def why(heard: Iterable[Heard], person: int, topics: Collection[str]) -> Heard | None:
    """What a content about these topics answers: the latest that this person, or somebody of the account, said."""
    fitting = (one for one in heard if one.person in (None, person) and not one.topics.isdisjoint(topics))
    return max(fitting, key=lambda one: one.at, default=None)


def _stands_in(mark: str, said: str) -> bool:
    return re.search(rf"\b{re.escape(mark.casefold())}", said) is not None
