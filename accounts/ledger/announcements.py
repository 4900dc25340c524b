"""Of what automations, and whoever else listens to events, were told.

That something was told is a fact beside it, written once the server has the event. What a killed run could not tell
is therefore found, and told, by the next one.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select

from accounts.ledger.bulk import among, insert_into
from accounts.models import Announcement
from accounts.vocabulary import About


def untold(about: About, fact: Any) -> ColumnElement[bool]:
    """SQL: nobody was told of the row whose id is `fact`."""
    return ~exists(select(Announcement.fact_id).where(Announcement.about == about, Announcement.fact_id == fact))


def told_among(connection: Connection, about: About, facts: Iterable[int]) -> set[int]:
    """Those of these that are told."""
    known = select(Announcement.fact_id).where(Announcement.about == about)
    return set(connection.scalars(known.where(among(connection, Announcement.fact_id, sorted(facts)))))


def mark(connection: Connection, told: Iterable[tuple[About, int]], at: datetime) -> None:
    """These are told. Two runs may have told the same at the same time; the first one's word stands."""
    rows = [{"about": about, "fact_id": fact_id, "told_at": at} for about, fact_id in told]
    once = insert_into(connection, Announcement).on_conflict_do_nothing(index_elements=["about", "fact_id"])
    connection.execute(once, rows)
