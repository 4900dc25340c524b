"""What a rep corrects about a person: name, title, address, that they are gone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from accounts.errors import Refused
from accounts.identity import email_hash, normalise_email
from accounts.ledger.people.newcomers import find
from accounts.ledger.suppressions import read_suppressions
from accounts.models import Account, Stakeholder
from accounts.vocabulary import EmailStatus

#: Suppressions that are about a mailbox and not about the person who had it.
_OF_A_MAILBOX = frozenset({"bounced"})


def correct(connection: Connection, stakeholder_id: int, values: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    """Write what differs; the names of the columns that changed. The account is tracked and planned again.

    A complaint stays one, whatever else is said of the mailbox.
    """
    row = connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == stakeholder_id)).one()
    changed = {name: value for name, value in values.items() if row._mapping[name] != value}
    if row.email_status == EmailStatus.COMPLAINED:
        changed.pop("email_status", None)
    if changed:
        again = {"tracked_rules": None, "replan_at": now}
        connection.execute(update(Account).where(Account.id == row.account_id).values(**again))
        connection.execute(update(Stakeholder).where(Stakeholder.id == stakeholder_id).values(**changed))
    return tuple(sorted(changed))


def new_address(connection: Connection, account_id: int, stakeholder_id: int, email: str) -> dict[str, Any]:
    """The columns of a person with this address from now on; a bounce spoke of the old one.

    A no stays a no: raises Refused when either address may not be written to, or somebody else has the new one.
    """
    address = normalise_email(email)
    row = connection.execute(
        select(Stakeholder.email_hash, Stakeholder.email_status).where(Stakeholder.id == stakeholder_id)
    ).one()
    other = find(connection, account_id, address)
    if other is not None and other != stakeholder_id:
        raise Refused(f"{address} is in this account already", where="email", cure="correct that person instead")
    reasons = {reason for hashed in (row.email_hash, email_hash(address))
               for reason, _, _ in read_suppressions(connection, hashed)}  # fmt: skip
    if reasons - _OF_A_MAILBOX:
        raise Refused("nobody may write to this person any more", where="email", cure="leave the address as it is")
    status = EmailStatus.OK if row.email_status == EmailStatus.BOUNCED else row.email_status
    return {"email": address, "email_hash": email_hash(address), "email_status": status}
