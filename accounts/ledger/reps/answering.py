"""What an answer is about, as rows of the ledger."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from accounts.errors import InputRefused, NotFound
from accounts.models import Account, Stakeholder


class AccountRow(NamedTuple):
    id: int
    key: str
    #: With its division.
    name: str
    owner_id: int | None
    play: str | None


class PersonRow(NamedTuple):
    id: int
    #: In full; the address where nobody told us.
    name: str
    email: str
    role: str
    role_source: str | None
    is_home: bool


def read_account(connection: Connection, id: int) -> AccountRow:
    """Raises NotFound."""
    columns = (Account.id, Account.key, Account.name, Account.division, Account.owner_id, Account.play)
    row = connection.execute(select(*columns).where(Account.id == id)).one_or_none()
    if row is None:
        raise NotFound("there is no such account", where="account", cure="use the form as it was sent")
    is_told = not row.division or row.division.lower() in row.name.lower()
    return AccountRow(row.id, row.key, row.name if is_told else f"{row.name} {row.division}", row.owner_id, row.play)


def read_person(connection: Connection, account_id: int, id: int) -> PersonRow:
    """One of this account. Raises InputRefused for anybody else."""
    people = read_people(connection, account_id, [id])
    if id not in people:
        raise InputRefused("nobody of this account has that number", where="person", cure="choose one of the group")
    return people[id]


def read_people(connection: Connection, account_id: int, ids: list[int]) -> dict[int, PersonRow]:
    """Those of these ids who stand in this account."""
    columns = (
        Stakeholder.id, Stakeholder.first_name, Stakeholder.last_name, Stakeholder.email, Stakeholder.role,
        Stakeholder.role_source, Stakeholder.is_home,
    )  # fmt: skip
    query = select(*columns).where(Stakeholder.account_id == account_id, Stakeholder.id.in_(ids))
    return {
        row.id: PersonRow(
            row.id, f"{row.first_name or ''} {row.last_name or ''}".strip() or row.email, row.email, row.role,
            row.role_source, row.is_home,
        )
        for row in connection.execute(query)
    }  # fmt: skip
