"""Reps as those we write to: by which channel and how often they want it, and who stands in while they are away."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from accounts.errors import InputRefused
from accounts.ledger import audit
from accounts.ledger.bulk import among, insert_into
from accounts.models import Rep


@dataclass(frozen=True, slots=True)
class Reader:
    """A rep, and how they want to be told."""

    id: int
    name: str
    email: str
    slack_id: str | None = None
    #: By which channel; None: as the settings say.
    channel: str | None = None


def read_readers(connection: Connection) -> dict[int, Reader]:
    """All reps, by id; a name is one line, whatever the CRM has."""
    query = select(Rep.id, Rep.name, Rep.email, Rep.slack_id, Rep.brief_channel)
    return {
        id: Reader(id, " ".join(name.split()), email, slack_id, channel)
        for id, name, email, slack_id, channel in connection.execute(query)
    }


def managers_at(connection: Connection, addresses: Collection[str], now: datetime) -> dict[str, int]:
    """Address -> the rep who has it. A manager who was none is one from now on: by their links they see what their reps
    owe and answer for them. The next import knows their name; until they choose, they are told by e-mail."""
    wanted = sorted(addresses)
    insert = insert_into(connection, Rep).on_conflict_do_nothing(index_elements=["email"])
    rows = [{"email": address, "name": address, "brief_channel": "email"} for address in wanted]
    new = connection.scalars(insert.values(rows).returning(Rep.id)).all() if rows else ()
    for id in new:
        audit.append(connection, actor="tandem", action="manager-known", subject=f"rep:{id}", at=now)
    query = select(Rep.email, Rep.id).where(among(connection, Rep.email, wanted))
    return dict(connection.execute(query).tuples().all()) if wanted else {}


def slack_id_of(connection: Connection, rep_id: int) -> str | None:
    """As whom Slack knows them."""
    return connection.scalar(select(Rep.slack_id).where(Rep.id == rep_id))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a rep wants to be briefed, and at which full hour of their own day; None: as the play says."""

    every: str | None
    hour: int | None


def rhythm_of(connection: Connection, rep_id: int) -> Rhythm:
    """By their own word."""
    row = connection.execute(select(Rep.brief_every, Rep.brief_hour).where(Rep.id == rep_id)).one()
    return Rhythm(row.brief_every, row.brief_hour)


def wish_rhythm(connection: Connection, rep_id: int, wanted: Rhythm, *, by: str, now: datetime) -> bool:
    """How often and when, from the next brief on. False: as before."""
    values = {"brief_every": wanted.every, "brief_hour": wanted.hour}
    return _change(connection, rep_id, "brief-rhythm", values, by=by, now=now)


def wish_channel(connection: Connection, rep_id: int, channel: str | None, *, by: str, now: datetime) -> bool:
    """By which channel they are told first, from the next brief on; None: as the settings say. False: as before."""
    return _change(connection, rep_id, "brief-channel", {"brief_channel": channel}, by=by, now=now)


@dataclass(frozen=True, slots=True)
class Absence:
    """From when to when a rep is away, and who stands in."""

    since: datetime
    until: datetime | None
    backup_id: int | None


def absence_of(connection: Connection, rep_id: int, now: datetime) -> Absence | None:
    """The one that lasts, or is to come; None: they are there."""
    query = select(Rep.away_from, Rep.away_until, Rep.backup_id).where(Rep.id == rep_id, Rep.away_from.is_not(None))
    row = connection.execute(query).one_or_none()
    return Absence(*row) if row and (row.away_until is None or row.away_until > now) else None


def go_away(
    connection: Connection, rep_id: int, since: datetime | None, until: datetime | None, backup_id: int | None, *,
    by: str, now: datetime,
) -> bool:  # fmt: skip
    """From when to when they are away, and who stands in; all None: they are there. False: as before.

    until None with a `since`: nobody knows yet. Raises InputRefused for a way back before the way out, and for who
    would stand in for themselves.
    """
    if since and until and until <= since:
        raise InputRefused(f"{until:%Y-%m-%d} is not after {since:%Y-%m-%d}", where="until", cure="name a later day")
    if backup_id == rep_id:
        raise InputRefused("nobody stands in for themselves", where="backup", cure="name a colleague")
    values = {"away_from": since, "away_until": until, "backup_id": backup_id}
    return _change(connection, rep_id, "away", values, by=by, now=now)


def _change(
    connection: Connection, rep_id: int, action: str, values: dict[str, Any], *, by: str, now: datetime
) -> bool:
    columns = [getattr(Rep, name).label(name) for name in values]
    before = dict(connection.execute(select(*columns).where(Rep.id == rep_id)).mappings().one())
    if before == values:
        return False
    connection.execute(update(Rep).where(Rep.id == rep_id).values(**values))
    audit.append(connection, actor=by, action=action, subject=f"rep:{rep_id}", at=now, before=before, after=values)
    return True
