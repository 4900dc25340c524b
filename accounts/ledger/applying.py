"""What recorded signals do, done once: effects, machine verdicts, scores.

Everything about a batch happens in one transaction that also sets `applied_at`: a kill loses nothing, since what was
not applied is still waiting, and repeats nothing. The rows come straight from the driver, since every delivery of every
mail passes here.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, text, update

from accounts.engagement import NOBODY, Told
from accounts.ledger import scores
from accounts.ledger.bulk import among
from accounts.ledger.driver import Form, rows
from accounts.ledger.effects import Caused, perform
from accounts.ledger.signals import record
from accounts.ledger.whose import Incoming, Whose, find_owners
from accounts.machines import TOO_FAST, Trace, machines
from accounts.models import Signal
from accounts.outcomes import ARRIVALS, READ_DATA, TABLE, Happening, SettleTouch, effects_of
from accounts.playbook import Pauses, Play
from accounts.vocabulary import SignalKind

#: One applier at a time: scores are read, added to and written. Any number nobody else uses.
APPLYING = 0x7A4D01

_NEEDED = ", ".join(f"'{kind.value}'" for kind in sorted({*READ_DATA, SignalKind.CLICKED}))
_COLUMNS = f"""
    SELECT id, kind, account_id, stakeholder_id, touch_id, email_hash, occurred_at, is_machine,
           CASE WHEN kind IN ({_NEEDED}) THEN CAST(data AS TEXT) END
      FROM signal"""
_WAITING = f"{_COLUMNS} WHERE applied_at IS NULL ORDER BY id LIMIT :most"
_CLICKS_NEAR = f"""{_COLUMNS}
     WHERE stakeholder_id {{among:people}} AND kind = 'clicked' AND occurred_at BETWEEN :first AND :last
       AND applied_at IS NOT NULL"""
_SAME_TOUCHES = f"""{_COLUMNS}
     WHERE touch_id {{among:touches}} AND kind IN ('clicked', 'delivered')
       AND occurred_at BETWEEN :first AND :last AND applied_at IS NOT NULL"""


class Said(NamedTuple):
    """A signal as applying needs it."""

    id: int
    kind: str
    account_id: int | None
    stakeholder_id: int | None
    touch_id: int | None
    email_hash: str | None
    occurred_at: datetime
    is_machine: bool
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """What one batch of signals did."""

    signals: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    machine: int = 0
    #: Touches whose outcome was unknown and is now known.
    settled: int = 0
    #: Accounts that a reply came from.
    replies: frozenset[int] = frozenset()
    #: Account and role of people who left or whose address is dead.
    vacancies: tuple[tuple[int, str], ...] = ()


def apply_waiting(connection: Connection, play: Play, now: datetime, limit: int = 5_000) -> Applied:
    """Apply the oldest waiting signals, at most `limit`; `signals` is 0 when none is left."""
    _one_at_a_time(connection)
    waiting = _read(connection, _WAITING, most=limit)
    if not waiting:
        return Applied()
    verdicts, earlier = _judge(connection, waiting)
    performed = perform(connection, list(_effects(waiting, play)), now)
    _mark_applied(connection, waiting, now)
    _mark_machines(connection, verdicts)
    scores.add(connection, _weighing(waiting, verdicts, play), play.engagement)
    turned = {said.account_id for said in earlier if said.id in verdicts and not said.is_machine and said.account_id}
    scores.recompute(connection, play.engagement, turned)
    replies = {said.account_id for said in waiting if said.kind == SignalKind.REPLIED and said.account_id}
    machine = sum(said.is_machine or said.id in verdicts for said in waiting)
    kinds = Counter(said.kind for said in waiting)
    return Applied(len(waiting), kinds, machine, performed.settled, frozenset(replies), performed.vacancies)


def opt_out(connection: Connection, signal: Incoming, now: datetime) -> bool:
    """Record an opt-out and let it act in the same transaction; whether anybody was found whom it is about."""
    return act_at_once(connection, signal, now) is not None


def act_at_once(connection: Connection, signal: Incoming, now: datetime) -> Whose | None:
    """Record a signal and let it act in the same transaction; whose it is, or None when nobody was found.

    For what a person says about their own mail: no pause of a play is in it. The signal goes on waiting like any other,
    for its part in the score: effects are monotone, so the second time they change nothing.
    """
    whose = find_owners(connection, [signal])[0]
    if whose.email_hash is None and not whose.is_forgotten:
        return None
    record(connection, [signal], now, [whose])
    caused = [
        Caused(effect, 0, whose.account_id, whose.stakeholder_id, whose.touch_id, whose.email_hash)
        for effect in effects_of(Happening.read(signal.kind, now, signal.data), Pauses())
        if not whose.is_forgotten
    ]
    perform(connection, caused, now)
    return whose


def _one_at_a_time(connection: Connection) -> None:
    """On SQLite the write transaction itself sees to it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLYING})


def _read(connection: Connection, query: str, **values: Any) -> list[Said]:
    read = Form.of(connection).read
    return [
        Said(id, kind, account, person, touch, hashed, read(at), bool(machine), _data(data))
        for id, kind, account, person, touch, hashed, at, machine, data in rows(connection, query, **values)
    ]


def _data(value: str | None) -> Mapping[str, Any]:
    said = json.loads(value) if value else None
    return said if isinstance(said, dict) else {}


def _effects(waiting: Iterable[Said], play: Play) -> Iterator[Caused]:
    settled = SettleTouch()
    for said in waiting:
        if said.kind in ARRIVALS:  # nine signals of ten, and all they can do is settle a touch
            if said.touch_id:
                yield Caused(settled, said.id, said.account_id, said.stakeholder_id, said.touch_id, said.email_hash)
        elif said.kind in TABLE:
            for effect in effects_of(Happening.read(said.kind, said.occurred_at, said.data), play.pauses):
                yield Caused(effect, said.id, said.account_id, said.stakeholder_id, said.touch_id, said.email_hash)


def _judge(connection: Connection, waiting: Sequence[Said]) -> tuple[dict[int, str], list[Said]]:
    """Machine verdicts on clicks, by their timing; and the earlier signals that were looked at beside them.

    What a signal says of itself was judged when it was recorded.
    """
    clicks = [said for said in waiting if said.kind == SignalKind.CLICKED]
    deliveries = [said for said in waiting if said.kind == SignalKind.DELIVERED]
    beside = _clicks_near(connection, clicks) + _same_touches(connection, clicks + deliveries)
    earlier = {said.id: said for said in beside}
    clicked = {said.touch_id for said in (*clicks, *earlier.values()) if said.kind == SignalKind.CLICKED}
    judged = [*earlier.values(), *clicks, *(said for said in deliveries if said.touch_id in clicked)]
    return machines([_trace(said) for said in judged]), list(earlier.values())


def _clicks_near(connection: Connection, clicks: Sequence[Said]) -> list[Said]:
    """Applied clicks of the same people from the span of time in which these happened."""
    people = sorted({said.stakeholder_id for said in clicks if said.stakeholder_id})
    return _read(connection, _CLICKS_NEAR, people=people, **_span(clicks)) if people else []


def _same_touches(connection: Connection, about: Sequence[Said]) -> list[Said]:
    """Applied deliveries and clicks of the same messages, from that span."""
    touches = sorted({said.touch_id for said in about if said.touch_id})
    return _read(connection, _SAME_TOUCHES, touches=touches, **_span(about)) if touches else []


def _span(about: Sequence[Said]) -> dict[str, datetime]:
    """What lies outside of it can make none of these a machine's, so history costs nothing."""
    times = [said.occurred_at for said in about]
    return {"first": min(times) - TOO_FAST, "last": max(times) + TOO_FAST}


def _trace(said: Said) -> Trace:
    return Trace(said.id, SignalKind(said.kind), said.stakeholder_id, said.occurred_at, said.data, said.touch_id)


def _mark_applied(connection: Connection, waiting: Sequence[Said], now: datetime) -> None:
    applied = update(Signal).where(among(connection, Signal.id, [said.id for said in waiting]))
    connection.execute(applied.values(applied_at=now))


def _mark_machines(connection: Connection, verdicts: Mapping[int, str]) -> None:
    mark = update(Signal).where(Signal.id == bindparam("signal"), Signal.is_machine.is_(False))
    marked = mark.values(is_machine=True, machine_reason=bindparam("why"))
    if verdicts:
        connection.execute(marked, [{"signal": id, "why": why} for id, why in sorted(verdicts.items())])


def _weighing(waiting: Iterable[Said], verdicts: Collection[int], play: Play) -> dict[int, list[Told]]:
    """What adds to scores, by account: signals that people made and that weigh something."""
    weighing = {kind.value: kind for kind, weight in play.engagement.weights.items() if weight}
    told: dict[int, list[Told]] = {}
    for said in waiting:
        if said.kind in weighing and said.account_id and not said.is_machine and said.id not in verdicts:
            one = Told(said.id, said.stakeholder_id or NOBODY, weighing[said.kind], said.occurred_at)
            told.setdefault(said.account_id, []).append(one)
    return told
