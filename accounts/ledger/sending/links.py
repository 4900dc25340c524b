"""Links of what was sent: where each led, so that a click arrives there after the content was changed or removed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from accounts.ledger.bulk import insert_into
from accounts.models import ContentLink, Touch


class Link(NamedTuple):
    """Where a link leads. `title`: of a document, which has a page of its own in between."""

    url: str
    title: str | None = None


def remember_links(connection: Connection, links: Mapping[str, Sequence[Link]]) -> None:
    """Notes the links of contents: content digest -> links in their order. Knowing them already is fine."""
    rows = [
        {"content_digest": digest, "number": number, "url": link.url, "title": link.title}
        for digest, of_content in links.items()
        for number, link in enumerate(of_content)
    ]
    if rows:
        connection.execute(insert_into(connection, ContentLink).on_conflict_do_nothing(), rows)


def destination(connection: Connection, touch_id: int, number: int) -> Link | None:
    """Where link `number` of a touch leads, or None when no such link was ever sent."""
    query = (
        select(ContentLink.url, ContentLink.title)
        .join(Touch, Touch.content_digest == ContentLink.content_digest)
        .where(Touch.id == touch_id, ContentLink.number == number)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Link(*row)
