"""Links of reps in the ledger: whose they are, whether they were taken back, and that they were used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from accounts.ledger import audit
from accounts.models import Account, Brief, Rep

USED, REFUSED, REVOKED = "rep-link", "rep-link-refused", "rep-links-revoked"

#: Made once, as each page of a rep asks them.
_HOLDER = (
    select(Rep.id, Rep.name, Rep.email, Rep.timezone, Account.key, Rep.links_from, Brief.as_of)
    .select_from(Rep)
    .outerjoin(Account, Account.id == bindparam("account"))
    .outerjoin(Brief, Brief.id == bindparam("brief"))
    .where(Rep.id == bindparam("rep"))
)
_PAYLOAD = select(Brief.payload).where(Brief.id == bindparam("brief"), Brief.rep_id == bindparam("rep"))
_OPENED = (
    update(Brief).where(Brief.id == bindparam("brief"), Brief.opened_at.is_(None)).values(opened_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Holder:
    """The rep a link was made for."""

    id: int
    name: str
    email: str
    timezone: str | None
    #: The account it is about, by its key; None: about no single one.
    account: str | None = None
    #: Links from before this moment open nothing.
    links_from: datetime | None = None
    #: When the brief was written in which the link stands; None: it stands in none.
    briefed_at: datetime | None = None

    @property
    def subject(self) -> str:
        """What the link is about, as the audit names it."""
        return f"account:{self.account}" if self.account else f"rep:{self.id}"

    def took_back(self, issued: date) -> bool:
        """Whether a link of that day is worthless by now. Of the very day, the time of its brief decides."""
        if self.links_from is None:
            return False
        if self.briefed_at is not None:
            return self.briefed_at < self.links_from
        return issued <= self.links_from.date()


@dataclass(frozen=True, slots=True)
class Use:
    """Somebody opened or answered what a link leads to. `after` holds no token and no word of theirs."""

    holder: Holder
    action: str
    at: datetime
    after: dict[str, Any]
    #: The brief a person read by it.
    read: int | None = None


def read_holder(connection: Connection, rep_id: int, brief_id: int = 0, account_id: int = 0) -> Holder | None:
    """Whose link it is; None for a rep nobody knows."""
    about = {"rep": rep_id, "brief": brief_id, "account": account_id}
    row = connection.execute(_HOLDER, about).one_or_none()
    return Holder(*row) if row else None


def note_uses(connection: Connection, uses: Sequence[Use]) -> None:
    """Each in the audit; and that its brief was read."""
    entries = (audit.Entry(one.holder.email, one.action, one.holder.subject, one.at, after=one.after) for one in uses)
    audit.append_all(connection, list(entries))
    for one in uses:
        if one.read:
            note_opened(connection, one.read, one.at)


def note_opened(connection: Connection, brief_id: int, now: datetime) -> None:
    """That a person read this brief; the first time counts."""
    connection.execute(_OPENED, {"brief": brief_id, "now": now})


def read_payload(connection: Connection, brief_id: int, rep_id: int) -> dict[str, Any] | None:
    """A brief of this rep, as it was stored."""
    payload: dict[str, Any] | None = connection.scalar(_PAYLOAD, {"brief": brief_id, "rep": rep_id})
    return payload


def revoke(connection: Connection, rep_id: int, *, by: str, now: datetime) -> None:
    """All links this rep has by now open nothing any more; those of the next brief do."""
    before = connection.scalar(select(Rep.links_from).where(Rep.id == rep_id))
    connection.execute(update(Rep).where(Rep.id == rep_id).values(links_from=now))
    audit.append(
        connection, actor=by, action=REVOKED, subject=f"rep:{rep_id}", at=now,
        before={"links_from": before}, after={"links_from": now},
    )  # fmt: skip
