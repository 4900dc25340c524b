"""How the messages of each play, and to each recipient domain, fared: bounces and complaints against what was sent.

Asked before every run that sends, so what is counted first is the harm, which is little; only for those it points at is
counted what was sent. A message counts from the last time its brake was released: nobody is stopped twice for the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, select

from accounts.identity import domain_hash, domain_of
from accounts.models import Brake, Certificate, PlanMember, Signal, Touch
from accounts.reputation import Record, Tolerance
from accounts.vocabulary import BrakeScope, SignalKind, TouchState

#: Written out, since an index of these kinds only is not used for values that are bound later.
_HARMFUL: list[ColumnElement[str]] = [
    literal_column(f"'{kind}'") for kind in (SignalKind.BOUNCED, SignalKind.COMPLAINED)
]
_LEFT = (TouchState.SENT, TouchState.FAILED)


class _Harm(NamedTuple):
    touch_id: int
    kind: str
    play: str
    address: str
    claimed_at: datetime


#: What a brake can be pulled on: a play, or a recipient domain.
_Subject = tuple[BrakeScope, str]


def records(connection: Connection, tolerance: Tolerance, now: datetime) -> list[Record]:
    """The record of every play and every recipient domain that has seen `tolerance.least` of either harm of late."""
    since = now - timedelta(days=tolerance.days)
    released = _released(connection, since)
    harm: dict[_Subject, list[_Harm]] = defaultdict(list)
    for one in _harm(connection, since):
        for subject in ((BrakeScope.PLAY, one.play), (BrakeScope.DOMAIN, domain_of(one.address))):
            if one.claimed_at > released.get(subject, since):
                harm[subject].append(one)
    return [
        _record(connection, subject, ones, released.get(subject, since))
        for subject, ones in sorted(harm.items())
        if len(ones) >= tolerance.least
    ]


def _record(connection: Connection, subject: _Subject, harm: Iterable[_Harm], since: datetime) -> Record:
    scope, target = subject
    bounced = {one.touch_id for one in harm if one.kind == SignalKind.BOUNCED}
    complained = {one.touch_id for one in harm if one.kind == SignalKind.COMPLAINED}
    sent = _count_sent(connection, scope, target, since)
    return Record(scope, target, since, sent, len(bounced), len(complained))


def _harm(connection: Connection, since: datetime) -> Iterator[_Harm]:
    """Hard bounces of, and complaints about, messages that left since then."""
    is_hard = func.coalesce(Signal.data["bounce"].as_string(), "") != "soft"
    query = (
        select(Touch.id, Signal.kind, Touch.play, Touch.address, Touch.claimed_at)
        .join(Touch, Touch.id == Signal.touch_id)
        .where(Signal.kind.in_(_HARMFUL), Signal.occurred_at > since)
        .where(Touch.claimed_at > since, is_hard)
    )
    yield from (_Harm(*row) for row in connection.execute(query))


def _count_sent(connection: Connection, scope: BrakeScope, target: str, since: datetime) -> int:
    """A claim needs a live certificate, so only plans whose certificate ended since then can hold any of them."""
    alive = and_(Certificate.plan_id == Touch.plan_id, Certificate.expires_at > since)
    query = select(func.count()).select_from(Touch).join(Certificate, alive)
    if scope is BrakeScope.DOMAIN:
        member = and_(PlanMember.plan_id == Touch.plan_id, PlanMember.touch_id == Touch.id)
        query = query.join(PlanMember, member)
    return connection.execute(
        query.where(Touch.state.in_(_LEFT), Touch.claimed_at > since, _is_about(scope, target))
    ).scalar_one()


def _is_about(scope: BrakeScope, target: str) -> ColumnElement[bool]:
    return Touch.play == target if scope is BrakeScope.PLAY else PlanMember.domain_hash == domain_hash(target)


def _released(connection: Connection, since: datetime) -> dict[_Subject, datetime]:
    """When somebody last let each of them go on, where that was after `since`."""
    query = (
        select(Brake.scope, Brake.target, func.max(Brake.released_at))
        .where(Brake.released_at > since)
        .group_by(Brake.scope, Brake.target)
    )
    return {(BrakeScope(scope), target): at for scope, target, at in connection.execute(query)}
