"""From stored posts to signals: in batches, each a transaction, nothing lost on the way.

What makes no sense goes into quarantine with a reason and as it came; the elements around it are taken.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine

from accounts.garbage import uncollected
from accounts.ledger.engine import reading, writing
from accounts.ledger.importing import quarantine
from accounts.ledger.importing.quarantine import Reason
from accounts.ledger.signals.recorded import Incoming, Recorded, record
from accounts.ledger.signals.webhooks import (
    Post,
    Waiting,
    all_wait,
    forget_read,
    mark_read,
    mark_unreadable,
    read_waiting,
)
from flows.webhooks import NOES, Event, Reader, Unreadable
from flows.webhooks.contacts import DATASET, name_contacts
from flows.webhooks.registry import READERS

#: Posts and octets of one transaction: some 10,000 events, a fraction of a second.
POSTS, OCTETS = 200, 4_000_000
#: How long it is remembered that a post came; longer than anybody tries again, and than a token of Mailgun's is good.
REMEMBERED = timedelta(days=7)

#: What a value that is none makes Python say; anything else is our own mistake.
NO_SENSE = (Unreadable, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


@dataclass(slots=True)
class Understood:
    """What became of the posts that waited."""

    posts: int = 0
    recorded: list[Recorded] = field(default_factory=list)
    quarantined: int = 0
    #: Kinds nobody knows, as they were written.
    unknown: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Refused:
    """An element, or a whole post, that makes no sense."""

    post: Post
    #: As it came, as text.
    written: str
    reason: Reason
    whole: bool = False


def read_posts(engine: Engine, now: datetime) -> Understood:
    """Everything that waits, as signals. Running it again records nothing twice."""
    understood = Understood()
    with uncollected():
        while _read_some(engine, now, understood):
            pass
    with writing(engine) as connection:
        forget_read(connection, now - REMEMBERED)
    return understood


def _read_some(engine: Engine, now: datetime, understood: Understood) -> bool:
    """Whether there was anything. A signal that the ledger will not have does not hold up the others for ever: then
    one post is taken by itself, signal by signal. If it is the ledger that is ill, that fails as well."""
    try:
        return _read_lot(engine, now, understood, POSTS, _record_all)
    except Exception:
        return _read_lot(engine, now, understood, 1, _record_each)


def _read_lot(engine: Engine, now: datetime, understood: Understood, most: int, record_: "Recording") -> bool:
    """Understood while others may write; whoever finds that another reader was faster looks again."""
    with reading(engine) as connection:
        waiting = read_waiting(connection, most, OCTETS)
    if not waiting:
        return False
    signals: list[Incoming] = []
    refused: list[Refused] = []
    broken: list[tuple[int, str]] = []
    for one in waiting:
        wrong = understand(one.post, signals)
        refused.extend(wrong)
        broken.extend((one.id, each.reason.sentence) for each in wrong if each.whole)
    with writing(engine) as connection:
        if not all_wait(connection, [one.id for one in waiting]):
            return True
        signals, nameless = name_contacts(connection, signals)
        refused.extend(_waits(one, reason, waiting) for one, reason in nameless)
        recorded, not_had = record_(connection, signals, now)
        refused.extend(Refused(waiting[0].post, _written(one._asdict()), _reason(error)) for one, error in not_had)
        quarantine.put_aside(connection, [_aside(one, now) for one in refused])
        mark_read(connection, [one.id for one in waiting])
        mark_unreadable(connection, broken)
    understood.recorded.append(recorded)
    understood.posts += len(waiting)
    understood.quarantined += len(refused)
    understood.unknown |= {signal.kind for signal in signals if "event" in signal.data}
    return True


def _waits(signal: Incoming, reason: Reason, waiting: Sequence[Waiting]) -> Refused:
    post = next(one.post for one in waiting if one.post.provider == signal.source)
    return Refused(post, _written(signal.data["crm_event"]), reason)


NotHad = list[tuple[Incoming, Exception]]
Recording = Callable[[Connection, Sequence[Incoming], datetime], tuple[Recorded, NotHad]]


def _record_all(connection: Connection, signals: Sequence[Incoming], now: datetime) -> tuple[Recorded, NotHad]:
    return record(connection, signals, now), []


def _record_each(connection: Connection, signals: Sequence[Incoming], now: datetime) -> tuple[Recorded, NotHad]:
    counts, not_had = Counter[str](), NotHad()
    for signal in signals:
        try:
            with connection.begin_nested():
                counts.update(asdict(record(connection, [signal], now)))
        except Exception as error:
            not_had.append((signal, error))
    return Recorded(counts["new"], counts["duplicates"], counts["forgotten"]), not_had


def understand(post: Post, signals: list[Incoming]) -> list[Refused]:
    """Appends the post's signals to `signals`; what made no sense is returned."""
    reader = READERS[post.provider]
    try:
        elements = reader.split(post)
    except NO_SENSE as error:
        return [Refused(post, post.body.decode("utf-8", "backslashreplace"), _reason(error), whole=True)]
    refused = []
    translate, add = reader.translate, signals.extend
    for element in elements:
        before = len(signals)
        try:
            add(translate(element, post))
        except NO_SENSE as error:
            del signals[before:]  # all of an element, or nothing
            refused.append(Refused(post, _written(element), _reason(error)))
    return refused


def noes_in(post: Post) -> Iterator[Incoming]:
    """Only what must act at once: opt-outs, complaints, bounces."""
    reader = READERS[post.provider]
    if not any(name in post.body for name in _names_of_noes(post.provider)):
        return
    for element in _elements_of_noes(reader, post):
        try:
            yield from [signal for signal in reader.translate(element, post) if signal.kind in NOES]
        except NO_SENSE:  # it will be put aside when the post is read
            continue


@cache
def _names_of_noes(provider: str) -> tuple[bytes, ...]:
    """As they stand in a body: a look at the bytes is cheaper than one at the elements."""
    return tuple(name.encode() for name in sorted(READERS[provider].noes))


def _elements_of_noes(reader: Reader, post: Post) -> Sequence[Event]:
    try:
        return [element for element in reader.split(post) if reader.name(element) in reader.noes]
    except NO_SENSE:
        return []


def _reason(error: Exception) -> Reason:
    sentence = str(error) if isinstance(error, Unreadable) else f"has not the form of an event ({type(error).__name__})"
    return Reason("event_unreadable", sentence, None, None)


def _written(element: Mapping[str, Any]) -> str:
    """In plain letters, so that half characters and nulls are kept as well."""
    return json.dumps(element, default=str)


def _aside(refused: Refused, now: datetime) -> dict[str, Any]:
    """As a row of `quarantine`."""
    digest = sha256(refused.written.encode("utf-8", "backslashreplace")).hexdigest()
    return {
        "source": refused.post.provider, "dataset": DATASET, "row_number": None, "row": {"": refused.written},
        "row_hash": digest, "fields": None, "key": None, "account": None, "reasons": [refused.reason.as_json()],
        "first_seen": now, "retried_at": None, "resolved_at": None,
    }  # fmt: skip
