"""Who speaks for an account: its owner, the backup of an owner who is away, the owner's manager."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, and_, or_, select
from sqlalchemy.orm import aliased

from accounts.identity import normalise_email
from accounts.models import Account, Rep


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


def who_says(connection: Connection, by: str, rep_id: int | None = None) -> Speaker:
    """The rep with this id, or with this address; somebody else by the name they gave."""
    known = Rep.id == rep_id if rep_id is not None else Rep.email == normalise_email(by)
    rep = connection.execute(select(Rep.id, Rep.email, Rep.name, Rep.timezone).where(known)).one_or_none()
    return Speaker(rep.email, rep.name, rep.id, rep.timezone) if rep else Speaker(by, by)


def read_rep(connection: Connection, rep_id: int) -> Speaker:
    """A rep as somebody who answers."""
    return who_says(connection, "", rep_id)


def speaks_for(connection: Connection, speaker: Speaker, account_id: int, now: datetime) -> bool:
    """Whether this is the account's owner, the backup of an owner who is away, or the owner's manager."""
    owner = aliased(Rep)
    away = and_(owner.away_from <= now, or_(owner.away_until.is_(None), owner.away_until > now))
    rights = [owner.manager_email == normalise_email(speaker.by)]
    if speaker.rep_id is not None:
        rights += [owner.id == speaker.rep_id, and_(away, owner.backup_id == speaker.rep_id)]
    theirs = select(Account.id).join(owner, owner.id == Account.owner_id).where(Account.id == account_id, or_(*rights))
    return connection.scalar(theirs) is not None


def are_reps(connection: Connection, names: list[str]) -> bool:
    """Whether one of these, as they are written down, is a rep."""
    addresses = {normalise_email(name) for name in names}
    return connection.scalar(select(Rep.id).where(Rep.email.in_(addresses)).limit(1)) is not None
