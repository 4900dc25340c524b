"""How the messages of each play, and to each recipient domain, fared: bounces and complaints against what was sent.

Asked before every run that sends, so what is counted first is the harm, which is little; only for those it points at is
counted what was sent. A message counts from the last time its brake was released: nobody is stopped twice for the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal_column, or_, select

from accounts.identity import domain_hash, domain_of
from accounts.ledger.bulk import among
from accounts.models import Brake, Certificate, PlanMember, Signal, Touch
from accounts.reputation import Record, Tolerance
from accounts.vocabulary import BounceAction, BrakeScope, SignalKind, TouchState

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
    suspects = {subject: ones for subject, ones in sorted(harm.items()) if len(ones) >= tolerance.least}
    sent = _count_sent(connection, {subject: released.get(subject, since) for subject in suspects})
    return [_record(subject, ones, released.get(subject, since), sent[subject]) for subject, ones in suspects.items()]


def _record(subject: _Subject, harm: Iterable[_Harm], since: datetime, sent: int) -> Record:
    bounced = {one.touch_id for one in harm if one.kind == SignalKind.BOUNCED}
    complained = {one.touch_id for one in harm if one.kind == SignalKind.COMPLAINED}
    return Record(*subject, since, sent, len(bounced), len(complained))


def _harm(connection: Connection, since: datetime) -> Iterator[_Harm]:
    """Hard bounces of, refusals of our mail, and complaints about, messages that left since then."""
    refused = func.coalesce(Signal.data["action"].as_string(), "") == BounceAction.OUR_FAULT
    is_hard = or_(func.coalesce(Signal.data["bounce"].as_string(), "") != "soft", refused)
    query = (
        select(Touch.id, Signal.kind, Touch.play, Touch.address, Touch.claimed_at)
        .join(Touch, Touch.id == Signal.touch_id)
        .where(Signal.kind.in_(_HARMFUL), Signal.occurred_at > since)
        .where(Touch.claimed_at > since, is_hard)
    )
    yield from (_Harm(*row) for row in connection.execute(query))


def _count_sent(connection: Connection, since: Mapping[_Subject, datetime]) -> dict[_Subject, int]:
    """What left for each of them since then. Most count from the same time, and are counted together."""
    counts = dict.fromkeys(since, 0)
    for scope, moment in {(scope, moment) for (scope, _), moment in since.items()}:
        targets = [target for (of, target), at in since.items() if (of, at) == (scope, moment)]
        counted = _count_plays if scope is BrakeScope.PLAY else _count_domains
        counts |= {(scope, target): count for target, count in counted(connection, targets, moment)}
    return counts


def _count_plays(connection: Connection, plays: Sequence[str], since: datetime) -> Iterator[tuple[str, int]]:
    query = _left(Touch.play, since).where(Touch.play.in_(plays)).group_by(Touch.play)
    yield from connection.execute(query).tuples()


def _count_domains(connection: Connection, domains: Sequence[str], since: datetime) -> Iterator[tuple[str, int]]:
    names = {domain_hash(domain): domain for domain in domains}
    member = and_(PlanMember.plan_id == Touch.plan_id, PlanMember.touch_id == Touch.id)
    query = _left(PlanMember.domain_hash, since).join(PlanMember, member)
    of_these = query.where(among(connection, PlanMember.domain_hash, list(names))).group_by(PlanMember.domain_hash)
    yield from ((names[hashed], count) for hashed, count in connection.execute(of_these))


def _left(column: Any, since: datetime) -> Select[Any]:
    """How many left, by `column`. A claim needs a live certificate, so only plans whose certificate ended since then
    can hold any of them."""
    alive = and_(Certificate.plan_id == Touch.plan_id, Certificate.expires_at > since)
    counted = select(column, func.count()).select_from(Touch).join(Certificate, alive)
    return counted.where(Touch.state.in_(_LEFT), Touch.claimed_at > since)


def _released(connection: Connection, since: datetime) -> dict[_Subject, datetime]:
    """When somebody last let each of them go on, where that was after `since`."""
    query = (
        select(Brake.scope, Brake.target, func.max(Brake.released_at))
        .where(Brake.released_at > since)
        .group_by(Brake.scope, Brake.target)
    )
    return {(BrakeScope(scope), target): at for scope, target, at in connection.execute(query)}
