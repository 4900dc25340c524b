"""How far each folder of the reply mailbox was read."""

from datetime import datetime

from sqlalchemy import Connection, case, func, select

from accounts.ledger.bulk import insert_into
from accounts.models import MailboxState


def last_read(connection: Connection, folder: str, uidvalidity: int) -> int | None:
    """The UID up to which it was read; None: never, or its UIDs mean other mails by now."""
    query = select(MailboxState.last_uid).where(MailboxState.folder == folder, MailboxState.uidvalidity == uidvalidity)
    return connection.scalar(query)


def read_up_to(connection: Connection, folder: str, uidvalidity: int, uid: int, now: datetime) -> None:
    """It was read up to there. Of two readers at a time the one who got further counts; other UIDs begin anew."""
    insert = insert_into(connection, MailboxState)
    new = insert.excluded
    further = case((MailboxState.last_uid > new.last_uid, MailboxState.last_uid), else_=new.last_uid)
    same = MailboxState.uidvalidity == new.uidvalidity
    statement = insert.on_conflict_do_update(
        index_elements=["folder"],
        set_={
            "last_uid": case((same, further), else_=new.last_uid),
            "uidvalidity": new.uidvalidity,
            "read_at": new.read_at,
        },
    )
    row = {"folder": folder, "uidvalidity": uidvalidity, "last_uid": uid, "read_at": now}
    connection.execute(statement, row)


def latest_reading(connection: Connection) -> datetime | None:
    """When a folder was last read at all."""
    return connection.scalar(select(func.max(MailboxState.read_at)))
