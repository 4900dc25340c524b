"""Reps' yes to the first mail of an account, where the play asks for one."""

from datetime import datetime

from sqlalchemy import Connection

from accounts.ledger.bulk import insert_into
from accounts.models import Approval


def approve(connection: Connection, account_id: int, *, by: str, at: datetime) -> bool:
    """False: somebody said yes before."""
    row = insert_into(connection, Approval).values(account_id=account_id, by=by, at=at).on_conflict_do_nothing()
    return connection.execute(row.returning(Approval.account_id)).first() is not None
