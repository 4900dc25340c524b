"""Addresses nobody may write to, as hashes: what outlives an erasure and every import."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from accounts.ledger.bulk import insert_into
from accounts.ledger.driver import rows
from accounts.models import ADDRESS_ONLY, Suppression

#: The reason of people who asked to be erased: nothing about them is stored again.
FORGOTTEN = "forgotten"
_FORGOTTEN = f"""
    SELECT asked.value FROM {{each:hashes}}
     WHERE EXISTS (SELECT 1 FROM suppression WHERE email_hash = asked.value AND reason = '{FORGOTTEN}')"""


def suppress(connection: Connection, entries: Iterable[tuple[str, str, datetime]]) -> None:
    """(hash of the address, reason, since when) each; of several times the earliest stays."""
    values = [{"email_hash": email_hash, "reason": reason, "at": at} for email_hash, reason, at in entries]
    if not values:
        return
    insert = insert_into(connection, Suppression)
    earliest = insert.on_conflict_do_update(
        index_elements=["email_hash", "reason"],
        index_where=ADDRESS_ONLY,
        set_={"at": insert.excluded.at},
        where=insert.excluded.at < Suppression.at,
    )
    connection.execute(earliest, values)


def forgotten_among(connection: Connection, email_hashes: Collection[str]) -> set[str]:
    """Those of the hashes whose owners asked to be erased."""
    return {found for (found,) in rows(connection, _FORGOTTEN, hashes=list(email_hashes))} if email_hashes else set()


def read_suppressions(connection: Connection, email_hash: str) -> Sequence[tuple[str, datetime, datetime | None]]:
    """Reason, since when and until when, of one address."""
    query = select(Suppression.reason, Suppression.at, Suppression.expires_at)
    found = connection.execute(query.where(Suppression.email_hash == email_hash).order_by(Suppression.at))
    return [(row.reason, row.at, row.expires_at) for row in found]
