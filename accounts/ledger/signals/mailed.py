"""What an address was sent of late: for answers that do not say which mail they answer."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from accounts.ledger.driver import Form, rows
from accounts.models import Rep
from accounts.vocabulary import TouchState

_LEFT = ", ".join(f"'{state}'" for state in (TouchState.SENT, TouchState.SENDING, TouchState.UNKNOWN))
_MAILED = f"""
    SELECT stakeholder.email, touch.id, touch.content, touch.provider_id, {{time:touch.claimed_at}}
      FROM stakeholder JOIN touch ON touch.stakeholder_id = stakeholder.id
     WHERE stakeholder.email {{among:addresses}} AND touch.state IN ({_LEFT}) AND touch.claimed_at >= :since
     ORDER BY touch.claimed_at DESC, touch.id DESC"""


@dataclass(frozen=True, slots=True)
class Mailed:
    """One mail that left us."""

    touch_id: int
    content: str
    #: The provider's own name for it; some put it into the Message-ID.
    provider_id: str | None
    at: datetime


def mailed_to(connection: Connection, addresses: Collection[str], since: datetime) -> dict[str, list[Mailed]]:
    """Mails to each of these addresses (normalised) since then, the latest first."""
    found: dict[str, list[Mailed]] = defaultdict(list)
    read = Form.of(connection).read
    for address, touch, content, name, at in rows(connection, _MAILED, addresses=sorted(addresses), since=since):
        found[address].append(Mailed(touch, content, name, read(at)))
    return found


def known_touches(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """Touch -> the address it went to, for those of these ids that this ledger has."""
    return dict(rows(connection, "SELECT id, address FROM touch WHERE id {among:ids}", ids=sorted(set(ids))))


def reps_among(connection: Connection, addresses: Collection[str]) -> set[str]:
    """Which of these addresses are those of our reps."""
    return set(connection.scalars(select(Rep.email).where(Rep.email.in_(sorted(addresses)))))
