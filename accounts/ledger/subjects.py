"""Whom a command means: an account by its key, or a person by address, as rows of the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy import Connection, select

from accounts.errors import NotFound
from accounts.identity import normalise_email
from accounts.ledger.bulk import among
from accounts.models import Account, Stakeholder
from accounts.vocabulary import HoldScope


@dataclass(frozen=True, slots=True)
class Subject:
    """An account, or one person in it."""

    account_id: int
    account: str
    stakeholder_id: int | None = None
    email: str | None = None

    @property
    def scope(self) -> HoldScope:
        return HoldScope.ACCOUNT if self.stakeholder_id is None else HoldScope.STAKEHOLDER

    @property
    def tag(self) -> str:
        """As the audit names it: without an address, since the audit outlives an erasure."""
        return f"account:{self.account}" if self.stakeholder_id is None else f"stakeholder:{self.stakeholder_id}"


def find_subjects(connection: Connection, who: str, account: str | None = None) -> list[Subject]:
    """The account with this key, or the person with this address in every account (or in the one that is named).

    Raises NotFound, with what looks alike.
    """
    found = _people(connection, normalise_email(who), account) if "@" in who else _account(connection, who.strip())
    if not found:
        raise NotFound(f"nobody and nothing is called {who!r}", cure=_cure(connection, who))
    return found


def account_keys(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Account ids to keys."""
    named = select(Account.id, Account.key).where(among(connection, Account.id, sorted(ids)))
    return {row.id: row.key for row in connection.execute(named)}


def _people(connection: Connection, email: str, account: str | None) -> list[Subject]:
    query = (
        select(Account.id, Account.key, Stakeholder.id, Stakeholder.email)
        .join(Stakeholder, Stakeholder.account_id == Account.id)
        .where(Stakeholder.email == email, *([Account.key == account] if account else []))
        .order_by(Stakeholder.id)
    )
    return [Subject(*row) for row in connection.execute(query)]


def _account(connection: Connection, key: str) -> list[Subject]:
    rows = connection.execute(select(Account.id, Account.key).where(Account.key == key))
    return [Subject(*row) for row in rows]


def _cure(connection: Connection, who: str) -> str:
    column = Stakeholder.email if "@" in who else Account.key
    alike = get_close_matches(who.strip().lower(), list(connection.scalars(select(column).limit(20_000))), n=3)
    return f"did you mean {' or '.join(alike)}?" if alike else "give an account's key or a person's address"
