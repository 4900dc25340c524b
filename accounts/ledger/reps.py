"""Reps as those we write to."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

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
