"""What providers posted: kept as it came, read once, then only remembered.

A post is known by its name, so one that comes again is not kept again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, func, select, text, update

from accounts.ledger.bulk import among
from accounts.ledger.driver import Form, insert_new, rows
from accounts.models import Webhook

#: One reader at a time: two would do the same work twice. Any number nobody else uses.
READING = 0x7A4D04

_COLUMNS = ("provider", "name", "digest", "received_at", "content_type", "body", "state")
_KNOWN = "SELECT provider, name, digest FROM webhook WHERE name {among:names}"


class Kept(StrEnum):
    """What became of a post at the door."""

    NEW = "new"
    #: The same bytes under the same name: a repetition.
    AGAIN = "again"
    #: Other bytes under a name that was used before.
    FORGED = "forged"


@dataclass(frozen=True, slots=True)
class Post:
    """A post that proved to be the provider's own."""

    provider: str
    name: str
    digest: str
    received_at: datetime
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A post that was not read yet."""

    id: int
    post: Post


def keep(connection: Connection, posts: Sequence[Post]) -> list[Kept]:
    """Store posts, each once; what became of each, in order."""
    known = _digests(connection, posts)
    kept, fresh = [], list[Post]()
    for post in posts:
        digest = known.get(_called(post))
        if digest is None:
            known[_called(post)] = post.digest
            fresh.append(post)
            kept.append(Kept.NEW)
        else:
            kept.append(Kept.AGAIN if digest == post.digest else Kept.FORGED)
    if _insert(connection, fresh) == len(fresh):
        return kept
    # another process was faster with some of these names, and has said what stands under them
    stored = _digests(connection, posts)
    return [one if stored[_called(post)] == post.digest else Kept.FORGED for one, post in zip(kept, posts, strict=True)]


def _digests(connection: Connection, posts: Sequence[Post]) -> dict[tuple[str, str], str]:
    """What is known by the names of these posts."""
    names = sorted({post.name for post in posts})
    return {(provider, name): digest for provider, name, digest in rows(connection, _KNOWN, names=names)}


def _called(post: Post) -> tuple[str, str]:
    return post.provider, post.name


def _insert(connection: Connection, posts: Sequence[Post]) -> int:
    """How many were not there."""
    write = Form.of(connection).write
    values = [
        (post.provider, post.name, post.digest, write(post.received_at), post.content_type, post.body, "waiting")
        for post in posts
    ]
    return insert_new(connection, "webhook", _COLUMNS, values)


def read_waiting(connection: Connection, most: int, octets: int) -> list[Waiting]:
    """The oldest posts that wait: at most so many, and not much more than so many octets of bodies."""
    sizes = connection.execute(
        select(Webhook.id, func.length(Webhook.body)).where(_IS_WAITING).order_by(Webhook.id).limit(most)
    )
    ids: list[int] = []
    room = octets
    for id, size in sizes:
        if ids and size > room:
            break
        ids.append(id)
        room -= size
    these = select(Webhook.__table__).where(among(connection, Webhook.id, ids), _IS_WAITING).order_by(Webhook.id)
    return [
        Waiting(row.id, Post(row.provider, row.name, row.digest, row.received_at, row.content_type, row.body))
        for row in connection.execute(these)
    ]


def all_wait(connection: Connection, ids: Sequence[int]) -> bool:
    """Whether nobody has read any of these yet; then nobody does until the end of this transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": READING})
    waiting = select(func.count()).select_from(Webhook).where(among(connection, Webhook.id, ids), _IS_WAITING)
    return connection.scalar(waiting) == len(ids)


def mark_read(connection: Connection, ids: Sequence[int]) -> None:
    """Their signals are in the ledger; the bodies, which hold addresses, go."""
    done = update(Webhook).where(among(connection, Webhook.id, ids))
    connection.execute(done.values(state="read", body=None))


def mark_unreadable(connection: Connection, errors: Sequence[tuple[int, str]]) -> None:
    """These could not be read at all, and are in quarantine: id and reason."""
    mark = update(Webhook).where(Webhook.id == bindparam("post")).values(
        state="unreadable", body=None, error=bindparam("why")
    )  # fmt: skip
    if errors:
        connection.execute(mark, [{"post": id, "why": why[:300]} for id, why in errors])


def forget_read(connection: Connection, before: datetime) -> int:
    """Delete what was received before and has been read; returns how many."""
    old = delete(Webhook).where(Webhook.state != "waiting", Webhook.received_at < before)
    return connection.execute(old).rowcount


def count_waiting(connection: Connection) -> int:
    """Posts that were not read yet."""
    return connection.scalar(select(func.count()).select_from(Webhook).where(_IS_WAITING)) or 0


_IS_WAITING = text("state = 'waiting'")
