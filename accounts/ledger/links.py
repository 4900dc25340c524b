"""Links of what was sent: where each led, so that a click arrives there after the content was changed or removed."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from accounts.ledger.bulk import insert_into
from accounts.models import ContentLink, Touch


def remember_links(connection: Connection, links: Mapping[str, Sequence[str]]) -> None:
    """Notes the links of contents: content digest -> addresses in their order. Knowing them already is fine."""
    rows = [
        {"content_digest": digest, "number": number, "url": url}
        for digest, urls in links.items()
        for number, url in enumerate(urls)
    ]
    if rows:
        connection.execute(insert_into(connection, ContentLink).on_conflict_do_nothing(), rows)


def destination(connection: Connection, touch_id: int, number: int) -> str | None:
    """Where link `number` of a touch leads, or None when no such link was ever sent."""
    query = (
        select(ContentLink.url)
        .join(Touch, Touch.content_digest == ContentLink.content_digest)
        .where(Touch.id == touch_id, ContentLink.number == number)
    )
    return connection.scalar(query)
