"""Reps as those we write to, and by which channel they want it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from accounts.ledger import audit
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


def slack_id_of(connection: Connection, rep_id: int) -> str | None:
    """As whom Slack knows them."""
    return connection.scalar(select(Rep.slack_id).where(Rep.id == rep_id))


def wish_channel(connection: Connection, rep_id: int, channel: str | None, *, by: str, now: datetime) -> bool:
    """By which channel they are told first, from the next brief on; None: as the settings say. False: as before."""
    before: str | None = connection.scalar(select(Rep.brief_channel).where(Rep.id == rep_id))
    if before == channel:
        return False
    connection.execute(update(Rep).where(Rep.id == rep_id).values(brief_channel=channel))
    audit.append(
        connection, actor=by, action="brief-channel", subject=f"rep:{rep_id}", at=now, before={"channel": before},
        after={"channel": channel},
    )  # fmt: skip
    return True
