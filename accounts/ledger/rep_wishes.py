"""How often a rep wants to be briefed, by their own word."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from accounts.ledger import audit
from accounts.models import Rep


def read_every(connection: Connection, rep_id: int) -> str | None:
    """Their word; None: as the settings say."""
    every: str | None = connection.scalar(select(Rep.brief_every).where(Rep.id == rep_id))
    return every


def wish_every(connection: Connection, rep_id: int, every: str, *, by: str, now: datetime) -> bool:
    """From the next brief on; whether it is something new."""
    before = read_every(connection, rep_id)
    if before == every:
        return False
    connection.execute(update(Rep).where(Rep.id == rep_id).values(brief_every=every))
    audit.append(
        connection, actor=by, action="brief-every", subject=f"rep:{rep_id}", at=now, before={"every": before},
        after={"every": every},
    )  # fmt: skip
    return True
