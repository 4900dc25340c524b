"""Somebody new in a buying group, by a rep's word: a stakeholder whom nobody may write to before consent is known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from accounts.errors import Refused
from accounts.identity import email_hash, normalise_email
from accounts.ledger.suppressions import forgotten_among
from accounts.models import Account, Stakeholder
from accounts.vocabulary import ConsentBasis


@dataclass(frozen=True, slots=True)
class Newcomer:
    email: str
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    consent: ConsentBasis | None = None


def seat(connection: Connection, account_id: int, who: Newcomer, now: datetime) -> int:
    """The id of the new row. Somebody who stands elsewhere as well waits until a person has said whose they are.

    Raises Refused for somebody who asked to be erased.
    """
    address = normalise_email(who.email)
    hashed = email_hash(address)
    if forgotten_among(connection, {hashed}):
        raise Refused("this person asked to be erased", cure="leave them out")
    elsewhere = update(Stakeholder).where(Stakeholder.email == address, ~Stakeholder.is_home)
    is_shared = bool(connection.execute(elsewhere.values(owner_conflict=True)).rowcount)
    values: dict[str, Any] = {
        "account_id": account_id, "email": address, "email_hash": hashed, "title": who.title,
        "first_name": who.first_name, "last_name": who.last_name, "consent_basis": who.consent,
        "consent_at": now if who.consent else None, "owner_conflict": is_shared,
    }  # fmt: skip
    # new people are new facts: tracking looks for their role, planning at the group
    connection.execute(update(Account).where(Account.id == account_id).values(tracked_rules=None, replan_at=now))
    return int(connection.execute(insert(Stakeholder).values(**values).returning(Stakeholder.id)).scalar_one())


def find(connection: Connection, account_id: int, email: str) -> int | None:
    """Who has this address in the account already."""
    there = and_(Stakeholder.account_id == account_id, Stakeholder.email == normalise_email(email))
    return connection.scalar(select(Stakeholder.id).where(there))
