"""Links of reps in the ledger: whose they are, whether they were taken back, and that they were used."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from accounts.ledger import audit
from accounts.models import Account, Brief, Rep

USED, REFUSED, REVOKED = "rep-link", "rep-link-refused", "rep-links-revoked"


@dataclass(frozen=True, slots=True)
class Holder:
    """The rep a link was made for."""

    id: int
    name: str
    email: str
    timezone: str | None
    #: Links from before this moment open nothing.
    links_from: datetime | None = None
    #: When the brief was written in which the link stands; None: it stands in none.
    briefed_at: datetime | None = None

    def took_back(self, issued: date) -> bool:
        """Whether a link of that day is worthless by now. Of the very day, the time of its brief decides."""
        if self.links_from is None:
            return False
        if self.briefed_at is not None:
            return self.briefed_at < self.links_from
        return issued <= self.links_from.date()


def read_holder(connection: Connection, rep_id: int, brief_id: int = 0) -> Holder | None:
    """Whose link it is; None for a rep nobody knows."""
    query = (
        select(Rep.id, Rep.name, Rep.email, Rep.timezone, Rep.links_from, Brief.as_of)
        .outerjoin(Brief, Brief.id == brief_id)
        .where(Rep.id == rep_id)
    )
    row = connection.execute(query).one_or_none()
    return Holder(*row) if row else None


def note_use(
    connection: Connection, holder: Holder, account_id: int, *, action: str, now: datetime, after: dict[str, Any]
) -> None:
    """An audit entry: who opened or answered what. `after` holds no token and no word of theirs."""
    key = connection.scalar(select(Account.key).where(Account.id == account_id)) if account_id else None
    subject = f"account:{key}" if key else f"rep:{holder.id}"
    audit.append(connection, actor=holder.email, action=action, subject=subject, at=now, after=after)


def note_opened(connection: Connection, brief_id: int, now: datetime) -> None:
    """That a person read this brief; the first time counts."""
    connection.execute(update(Brief).where(Brief.id == brief_id, Brief.opened_at.is_(None)).values(opened_at=now))


def read_payload(connection: Connection, brief_id: int, rep_id: int) -> dict[str, Any] | None:
    """A brief of this rep, as it was stored."""
    query = select(Brief.payload).where(Brief.id == brief_id, Brief.rep_id == rep_id)
    payload: dict[str, Any] | None = connection.scalar(query)
    return payload


def revoke(connection: Connection, rep_id: int, *, by: str, now: datetime) -> None:
    """All links this rep has by now open nothing any more; those of the next brief do."""
    before = connection.scalar(select(Rep.links_from).where(Rep.id == rep_id))
    connection.execute(update(Rep).where(Rep.id == rep_id).values(links_from=now))
    audit.append(
        connection, actor=by, action=REVOKED, subject=f"rep:{rep_id}", at=now,
        before={"links_from": before}, after={"links_from": now},
    )  # fmt: skip
