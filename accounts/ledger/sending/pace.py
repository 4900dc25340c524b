"""What has left of late, counted for the limits of accounts/pace.py; and the one door through which paced claims go.

The touches themselves are counted, so there is no second book to disagree with them: what is being sent, was sent or
failed, and what nobody knows, by the time of its claim. What came back unsent does not count.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import groupby, repeat
from typing import Any

from sqlalchemy import Connection, Select, String, and_, cast, func, literal, select, text

from accounts.ledger.bulk import among
from accounts.models import Certificate, PlanMember, Touch
from accounts.pace import Meter, MeterKey, Pace
from accounts.vocabulary import TouchState

#: One paced claim at a time: what two count at once, both would take. Any number nobody else uses.
PACING = 0x7A4D03

_LEFT = (TouchState.SENDING, TouchState.SENT, TouchState.FAILED, TouchState.UNKNOWN)


class Meters(dict[MeterKey, Meter]):
    """The meters of an installation, read as they are asked for. For one transaction, and one at a time."""

    def __init__(self, connection: Connection, pace: Pace, now: datetime) -> None:
        super().__init__()
        self._connection, self._pace, self._now = connection, pace, now
        if connection.dialect.name == "postgresql":  # on SQLite the write transaction itself sees to it
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PACING})

    def read(self, keys: Collection[MeterKey]) -> None:
        """Have the meters of these keys ready, as far as there is a limit for them."""
        new = {key: Meter(spans) for key in sorted({*keys} - {*self}) if (spans := self._pace.spans(key))}
        for of, group in groupby(new, lambda key: key.of):
            wanted = {key.which: new[key] for key in group}
            for which, at, count in _departures(self._connection, of, wanted, self._now):
                wanted[which].taken.extend(repeat(at, count))
        self.update(new)


def _departures(
    connection: Connection, of: str, wanted: dict[str, Meter], now: datetime
) -> Iterator[tuple[str, datetime, int]]:
    """(which one, time of claim, how many) of what left within the meters' reach, in order of time."""
    since = now - max(meter.reach for meter in wanted.values())
    for which, at, count in connection.execute(_query(connection, of, list(wanted), since)):
        if at > now - wanted[which].reach:
            yield which, at, count


def _query(connection: Connection, of: str, which: Sequence[str], since: datetime) -> Select[Any]:
    """A claim needs a live certificate, so only plans whose certificate ended after `since` can hold any of them."""
    alive = and_(Certificate.plan_id == Touch.plan_id, Certificate.expires_at > since)
    member = and_(PlanMember.plan_id == Touch.plan_id, PlanMember.touch_id == Touch.id)
    recent = (Touch.state.in_(_LEFT), Touch.claimed_at > since)
    counted = (Touch.claimed_at, func.count())
    if of == "all":
        query = select(literal(""), *counted).join(Certificate, alive).group_by(Touch.claimed_at)
    elif of == "sender":
        ids = [int(id) for id in which]
        query = select(cast(Touch.rep_id, String), *counted).join(Certificate, alive)
        query = query.where(among(connection, Touch.rep_id, ids)).group_by(Touch.rep_id, Touch.claimed_at)
    else:
        domain: Any = PlanMember.domain_hash
        query = select(domain, *counted).join(Certificate, alive).join(PlanMember, member)
        query = query.where(among(connection, domain, which)).group_by(domain, Touch.claimed_at)
    return query.where(*recent).order_by(Touch.claimed_at)
