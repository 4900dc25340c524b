"""Who speaks for an account: its owner, the backup of an owner who is away, whoever stands in for that one, the owner's
manager.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, Connection, and_, bindparam, literal_column, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from accounts.identity import normalise_email
from accounts.ledger.sla.facts import read_desks
from accounts.models import Account, Rep
from accounts.sla.hours import on_duty

_IS_AWAY = and_(Rep.away_from <= bindparam("now"), or_(Rep.away_until.is_(None), Rep.away_until > bindparam("now")))
#: Made once, as each page of a rep asks them.
_KNOWN = select(Rep.id, Rep.email, Rep.name, Rep.timezone)
_BY_ID = _KNOWN.where(Rep.id == bindparam("rep"))
_BY_ADDRESS = _KNOWN.where(Rep.email == bindparam("address"))
_OWNER = (
    select(Rep.id, Rep.manager_email, _IS_AWAY.label("is_away"))
    .join(Account, Account.owner_id == Rep.id)
    .where(Account.id == bindparam("account"))
)
_AWAY = select(Rep.id).where(_IS_AWAY)
#: Somebody as people call them: the rep with that address by name, unless two share it; others as they signed.
CALLED = """
    COALESCE((SELECT rep.name FROM rep WHERE rep.email = {who} AND rep.name <> '' AND NOT EXISTS
              (SELECT 1 FROM rep AS namesake WHERE namesake.name = rep.name AND namesake.id <> rep.id)), {who})"""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who answers, as far as we know them."""

    #: As it is written down: a rep's address, or the name they gave.
    by: str
    #: As others are told.
    name: str
    rep_id: int | None = None
    timezone: str | None = None

    @property
    def zone(self) -> tzinfo:
        """Their own clock; UTC where nobody knows it."""
        try:
            return ZoneInfo(self.timezone) if self.timezone else UTC
        except (ZoneInfoNotFoundError, ValueError):
            return UTC


def called(column: InstrumentedAttribute[Any]) -> ColumnElement[str]:
    """Whoever stands in this column, as people call them; made for statements that select from its table."""
    return literal_column(CALLED.format(who=f'{column.class_.__tablename__}."{column.key}"'))


def who_says(connection: Connection, by: str, rep_id: int | None = None) -> Speaker:
    """The rep with this id, or with this address; somebody else by the name they gave."""
    query = _BY_ID if rep_id is not None else _BY_ADDRESS
    rep = connection.execute(query, {"rep": rep_id, "address": normalise_email(by)}).one_or_none()
    return Speaker(rep.email, rep.name, rep.id, rep.timezone) if rep else Speaker(by, by)


def read_rep(connection: Connection, rep_id: int) -> Speaker:
    """A rep as somebody who answers."""
    return who_says(connection, "", rep_id)


def speaks_for(connection: Connection, speaker: Speaker, account_id: int, now: datetime) -> bool:
    """Whether this is the account's owner, who stands in for an owner who is away, or the owner's manager."""
    owner = connection.execute(_OWNER, {"account": account_id, "now": now}).one_or_none()
    if owner is None:
        return False
    if owner.id == speaker.rep_id or owner.manager_email == normalise_email(speaker.by):
        return True
    return bool(owner.is_away) and owner.id in stands_in_for(connection, speaker.rep_id, now)


def stands_in_for(connection: Connection, rep_id: int | None, now: datetime) -> frozenset[int]:
    """The reps who are away and for whom this one answers: the backup they named, and who is told in their place."""
    away = frozenset(connection.scalars(_AWAY, {"now": now}))
    desks = read_desks(connection) if away and rep_id is not None else {}
    return frozenset(
        id for id in away & desks.keys() - {rep_id} if rep_id in (desks[id].backup, on_duty(id, desks, now).id)
    )


def who_is_told(connection: Connection, owners: Collection[int], now: datetime) -> dict[int, int]:
    """Owner -> who hears of their accounts: they, or while they are away whoever stands in."""
    desks = read_desks(connection) if owners else {}
    return {owner: on_duty(owner, desks, now).id for owner in owners}


def reps_among(connection: Connection, names: Iterable[str]) -> frozenset[str]:
    """Those of these, as they are written down, who are reps or managers of reps."""
    by_address = {normalise_email(name): name for name in names}
    if not by_address:
        return frozenset()
    query = select(Rep.email, Rep.manager_email).where(
        or_(Rep.email.in_(by_address), Rep.manager_email.in_(by_address))
    )
    known = {address for row in connection.execute(query) for address in row}
    return frozenset(name for address, name in by_address.items() if address in known)
