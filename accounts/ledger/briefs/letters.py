"""Letters in the ledger: written once for each subject, claimed before they leave, kept with how that ended.

A claim that nobody settled was that of a process that died, and the letter goes again after a while: hearing a warning
twice costs a glance, not hearing it costs the deal. The Message-ID is the same, so most mail programs show one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from accounts.ledger.bulk import insert_into
from accounts.letters import Words
from accounts.models import Letter
from accounts.vocabulary import BriefState

#: What could not be delivered for so long is not tried any more.
FRESH = timedelta(days=3)
#: A claim that is older belongs to a process that died.
STUCK_AFTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that has not arrived yet."""

    id: int
    subject: str
    #: The rep it is for, and whoever stands in for them; None: for the address only.
    rep_id: int | None
    address: str
    words: Words


def write_letter_row(
    connection: Connection, subject: str, kind: str, rep_id: int | None, address: str, payload: Mapping[str, Any],
    now: datetime,
) -> bool:  # fmt: skip
    """Keeps a letter for the next delivery, in the caller's transaction; False: this subject has one already.

    subject: what it is about, once each: ``lease:7:ending``. rep_id: of the rep it is for; while they are away, it goes
    to their backup. payload: `accounts.letters.Words(…).payload()`.
    """
    row = {
        "subject": subject, "kind": kind, "rep_id": rep_id, "address": address, "payload": dict(payload),
        "written_at": now, "state": BriefState.PLANNED,
    }  # fmt: skip
    insert = insert_into(connection, Letter).on_conflict_do_nothing(index_elements=["subject"])
    return connection.execute(insert.values(row).returning(Letter.id)).first() is not None


def waiting_letters(connection: Connection, now: datetime) -> list[Waiting]:
    """What is to be delivered at `now`, the oldest first."""
    query = select(Letter.id, Letter.subject, Letter.rep_id, Letter.address, Letter.payload)
    fresh = query.where(_free(now), Letter.written_at <= now, Letter.written_at > now - FRESH).order_by(Letter.id)
    return [
        Waiting(id, subject, rep_id, address, Words.of(payload))
        for id, subject, rep_id, address, payload in connection.execute(fresh)
    ]


def claim_letter(connection: Connection, letter_id: int, now: datetime) -> bool:
    """Whether this process may send it; False when another one does. Commit before the bytes leave."""
    claim = update(Letter).where(Letter.id == letter_id, _free(now))
    return connection.execute(claim.values(state=BriefState.SENDING, claimed_at=now)).rowcount == 1


def settle_letter(
    connection: Connection, letter_id: int, state: BriefState, now: datetime, error: str | None = None
) -> None:
    """How it ended; `planned`: the next run tries again."""
    ended = {"state": state, "delivered_at": now if state is BriefState.DELIVERED else None, "error": error}
    connection.execute(update(Letter).where(Letter.id == letter_id).values(**ended))


def _free(now: datetime) -> Any:
    died = and_(Letter.state == BriefState.SENDING, Letter.claimed_at <= now - STUCK_AFTER)
    return or_(Letter.state == BriefState.PLANNED, died)
