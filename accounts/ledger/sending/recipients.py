"""Who gets a message, with every fact the words and the envelope need: one row per touch, one query per batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, func, literal, select

from accounts.identity import normalise_email
from accounts.ledger.bulk import as_list, chunks, in_one_piece, listed, pieces
from accounts.models import Account, Rep, Stakeholder, Touch

#: What stands for a touch that does not exist: a preview of something that is not planned.
NO_TOUCH = 0


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person, their account and the rep who writes, for one content. None: nobody knows."""

    touch_id: int
    stakeholder_id: int
    account_id: int
    #: Key of the content, and the digest that was certified; the digest is None when nothing is planned.
    content: str
    content_digest: str | None
    address: str
    first_name: str | None
    last_name: str | None
    title: str | None
    role: str
    account_key: str
    account_name: str
    industry: str | None
    territory: str | None
    #: The rep of the touch, or else the owner of the account.
    rep_name: str | None
    rep_email: str | None


#: What a recipient is made of after the touch's own columns, in the order of its fields.
_FACTS: tuple[Any, ...] = (
    Stakeholder.first_name, Stakeholder.last_name, Stakeholder.title, Stakeholder.role,
    Account.key, Account.name, Account.industry, Account.territory, Rep.name, Rep.email,
)  # fmt: skip
_WRITER = Rep.id == func.coalesce(Touch.rep_id, Account.owner_id)


def read_recipients(connection: Connection, touch_ids: Sequence[int]) -> dict[int, Recipient]:
    """Touch id -> recipient, with the address that was certified. Touches that do not exist are left out."""
    found: dict[int, Recipient] = {}
    dialect = connection.dialect.name
    for ids in chunks(list(touch_ids)):
        rows = pieces(connection, _of_touches(dialect), {"ids": as_list(dialect, ids)})
        found.update((row[0], Recipient(*row)) for row in rows)
    return found


@cache
def _of_touches(dialect: str) -> Select[Any]:
    """Of: ids. Made once: sending asks it for every batch, and making it costs more than the answer."""
    found = (
        select(
            Touch.id, Touch.stakeholder_id, Touch.account_id, Touch.content, Touch.content_digest, Touch.address,
            *_FACTS,
        )
        .join(Stakeholder, Stakeholder.id == Touch.stakeholder_id)
        .join(Account, Account.id == Touch.account_id)
        .outerjoin(Rep, _WRITER)
        .where(listed(dialect, Touch.id, "ids"))
    )  # fmt: skip
    return in_one_piece(dialect, found)


def read_readers(connection: Connection, email: str, content: str, *, account: str | None = None) -> list[Recipient]:
    """The rows of a person as recipients of a content: the one it is planned for or went to first, then their home.

    Several when the person stands in several accounts; `account` (key) chooses one. Empty for a stranger.
    """
    query = (
        select(
            func.coalesce(Touch.id, NO_TOUCH), Stakeholder.id, Account.id, literal(content), Touch.content_digest,
            func.coalesce(Touch.address, Stakeholder.email), *_FACTS,
        )
        .select_from(Stakeholder)
        .join(Account, Account.id == Stakeholder.account_id)
        .outerjoin(Touch, and_(Touch.stakeholder_id == Stakeholder.id, Touch.content == content))
        .outerjoin(Rep, _WRITER)
        .where(Stakeholder.email == normalise_email(email))
        .order_by(Touch.id.is_(None), Stakeholder.is_home.desc(), Stakeholder.id)
    )  # fmt: skip
    if account is not None:
        query = query.where(Account.key == account)
    return [Recipient(*row) for row in connection.execute(query)]
