"""In which accounts one address stands."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from accounts.models import Account, Stakeholder


class Namesake(NamedTuple):
    """The same address in another account."""

    account_id: int
    stakeholder_id: int
    #: Of the account.
    name: str
    owner_id: int | None


def namesakes(connection: Connection, email: str, account_id: int) -> list[Namesake]:
    """Where else this address stands."""
    query = (
        select(Account.id, Stakeholder.id, Account.name, Account.division, Account.owner_id)
        .join(Stakeholder, Stakeholder.account_id == Account.id)
        .where(Stakeholder.email == email, Account.id != account_id)
        .order_by(Account.id)
    )
    return [
        Namesake(account, person, f"{name} {division or ''}".strip(), owner)
        for account, person, name, division, owner in connection.execute(query)
    ]
