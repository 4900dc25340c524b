"""What recorded signals do, done once: effects, machine verdicts, scores.

Everything about a batch happens in one transaction that also takes it out of the queue: a kill loses nothing, since
what was not applied is still waiting, and repeats nothing. The rows come straight from the driver, since every delivery
of every mail passes here.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, delete, text, update

from accounts.engagement import NOBODY, Told
from accounts.garbage import uncollected
from accounts.ledger.bulk import among
from accounts.ledger.driver import Form, rows
from accounts.ledger.engagement import scores
from accounts.ledger.engagement.weighing import weighing_for
from accounts.ledger.signals.effects import Caused, perform
from accounts.ledger.signals.recorded import fingerprint_of, first_since, record
from accounts.ledger.signals.whose import Incoming, Whose, find_owners
from accounts.ledger.unapplied import APPLIED, QUEUED
from accounts.ledger.weeks import weekly
from accounts.machines import JUDGED, WINDOW, Mailed, Trace, Verdict, judge
from accounts.models import Signal, Unapplied
from accounts.outcomes import ARRIVALS, READ_DATA, TABLE, Happening, effects_of, read_kind
from accounts.playbook import Pauses, Play
from accounts.vocabulary import SignalKind
from accounts.weeks import week_of

#: One applier at a time: scores are read, added to and written. Any number nobody else uses.
APPLYING = 0x7A4D01

_NEEDED = ", ".join(f"'{kind.value}'" for kind in sorted({*READ_DATA, *JUDGED}))
_COLUMNS = f"""
    SELECT id, kind, account_id, stakeholder_id, touch_id, email_hash, {{time:occurred_at}}, is_machine,
           machine_confidence, CASE WHEN kind IN ({_NEEDED}) THEN CAST(data AS TEXT) END
      FROM signal"""
_WAITING = f"{_COLUMNS} WHERE id IN ({QUEUED} ORDER BY signal_id LIMIT :most) ORDER BY id"
_JUDGED = ", ".join(f"'{kind.value}'" for kind in sorted(JUDGED))
_NEIGHBOURS = f"""{_COLUMNS}
     WHERE {{weekly:week}} AND account_id {{among:accounts}} AND id >= :earliest AND kind IN ({_JUDGED}, 'delivered')
       AND (touch_id {{among:touches}} OR (stakeholder_id {{among:people}} AND kind <> 'delivered'))
       AND occurred_at BETWEEN :first AND :last AND {APPLIED}"""
_THESE = f"{_COLUMNS} WHERE fingerprint {{among:fingerprints}} AND id IN ({QUEUED})"
_MAILED = """
    SELECT id, COALESCE(sent_at, claimed_at),
           (SELECT COUNT(DISTINCT url) FROM content_link WHERE content_link.content_digest = touch.content_digest)
      FROM touch WHERE id {among:touches}"""


_NO_DATA: Mapping[str, Any] = MappingProxyType({})


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
    machine_confidence: float | None
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


@uncollected()
def apply_waiting(connection: Connection, play: Play, now: datetime, limit: int = 5_000) -> Applied:
    """Apply the oldest waiting signals, at most `limit`; `signals` is 0 when none is left."""
    one_at_a_time(connection)
    waiting = _read(connection, _WAITING, most=limit)
    if not waiting:
        return Applied()
    verdicts, earlier = _judge(connection, waiting)
    performed = perform(connection, list(_effects(waiting, play)), now, _arrived(waiting))
    _mark_applied(connection, waiting)
    _mark_machines(connection, {said.id: said.machine_confidence for said in (*waiting, *earlier)}, verdicts)
    machines = {id for id, verdict in verdicts.items() if verdict.is_machine}
    scores.add(connection, _weighing(waiting, machines, weighing_for(connection, play).kinds), play)
    turned = {said.account_id for said in earlier if said.id in machines and not said.is_machine and said.account_id}
    scores.recompute(connection, turned)
    replies = {said.account_id for said in waiting if said.kind == SignalKind.REPLIED and said.account_id}
    machine = sum(said.is_machine or said.id in machines for said in waiting)
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


def act_on_noes(connection: Connection, signals: Sequence[Incoming], now: datetime) -> int:
    """The same for many that somebody else tells us of: opt-outs, complaints, bounces. Returns how many people it met.

    One that was applied before does nothing; the hold of a complaint belongs to its signal, so it is made once.
    """
    record(connection, signals, now)
    told = _read(connection, _THESE, fingerprints=[fingerprint_of(signal) for signal in signals])
    caused = [
        Caused(effect, said.id, said.account_id, said.stakeholder_id, said.touch_id, said.email_hash)
        for said in told
        for effect in effects_of(Happening.read(said.kind, said.occurred_at, said.data), Pauses())
    ]
    perform(connection, caused, now)
    return len(told)


def one_at_a_time(connection: Connection) -> None:
    """Scores stay as they are until the end of this transaction. On SQLite the write transaction itself sees to it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLYING})


def _read(connection: Connection, query: str, **values: Any) -> list[Said]:
    read, found = Form.of(connection).read, rows(connection, weekly(connection, query), **values)
    return [
        Said(id, kind, account, person, touch, hashed, read(at), bool(machine), sure, _data(data) if data else _NO_DATA)
        for id, kind, account, person, touch, hashed, at, machine, sure, data in found
    ]


def _data(value: str) -> Mapping[str, Any]:
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError:  # half characters, numbers beyond 64 bits
        said = json.loads(value)
    return said if isinstance(said, dict) else _NO_DATA


def _arrived(waiting: Iterable[Said]) -> set[int]:
    """Touches of nine signals of ten: all these can do is settle them."""
    return {said.touch_id for said in waiting if said.touch_id and said.kind in ARRIVALS}


def _effects(waiting: Iterable[Said], play: Play) -> Iterator[Caused]:
    """Of all other signals."""
    for said in waiting:
        if said.kind in TABLE and said.kind not in ARRIVALS:
            for effect in effects_of(Happening.read(said.kind, said.occurred_at, said.data), play.pauses):
                yield Caused(effect, said.id, said.account_id, said.stakeholder_id, said.touch_id, said.email_hash)


def _judge(connection: Connection, waiting: Sequence[Said]) -> tuple[dict[int, Verdict], list[Said]]:
    """Verdicts on clicks and downloads, and the earlier ones that were judged anew beside them.

    Whoever is judged is judged with all of their neighbours, so that the order of arrival does not matter. What other
    kinds say of themselves was judged when they were recorded.
    """
    clicks = [said for said in waiting if said.kind in JUDGED]
    about = clicks + [said for said in waiting if said.kind == SignalKind.DELIVERED]
    if not about:
        return {}, []
    earliest = first_since(connection, _span(about)["first"] - WINDOW)  # of neighbours' neighbours as well
    beside = _neighbours(connection, about, earliest)
    earlier = [said for said in beside.values() if said.kind in JUDGED]
    if not (clicks or earlier):
        return {}, []
    beside |= _neighbours(connection, earlier, earliest)
    touches = {said.touch_id for said in (*clicks, *beside.values())}
    deliveries = [said for said in about if said.kind == SignalKind.DELIVERED and said.touch_id in touches]
    traces = [_trace(said) for said in (*clicks, *deliveries, *beside.values())]
    verdicts = judge(traces, _mails(connection, touches))
    fully_seen = {said.id for said in (*clicks, *earlier)}
    return {id: verdict for id, verdict in verdicts.items() if id in fully_seen}, earlier


def _neighbours(connection: Connection, about: Sequence[Said], earliest: int) -> dict[int, Said]:
    """Applied clicks and downloads of the same people, and those and deliveries of the same mails, around that time.

    earliest: no id of theirs is lower.
    """
    people = sorted({said.stakeholder_id for said in about if said.stakeholder_id and said.kind in JUDGED})
    touches = sorted({said.touch_id for said in about if said.touch_id})
    accounts = sorted({said.account_id for said in about if said.account_id})
    if not accounts or not (people or touches):
        return {}
    span = _span(about)
    near = _read(
        connection, _NEIGHBOURS, accounts=accounts, people=people, touches=touches, earliest=earliest,
        week=week_of(span["first"]), **span,
    )  # fmt: skip
    return {said.id: said for said in near}


def _span(about: Sequence[Said]) -> dict[str, datetime]:
    """What lies outside of it says nothing of any of these, so history costs nothing."""
    times = [said.occurred_at for said in about]
    return {"first": min(times) - WINDOW, "last": max(times) + WINDOW}


def _mails(connection: Connection, touches: Iterable[int | None]) -> dict[int, Mailed]:
    """When these mails left, and how many links they have."""
    ids, read = sorted(touch for touch in touches if touch), Form.of(connection).read
    found = rows(connection, _MAILED, touches=ids) if ids else ()
    return {id: Mailed(links, read(left_at) if left_at else None) for id, left_at, links in found}


def _trace(said: Said) -> Trace:
    return Trace(said.id, read_kind(said.kind), said.stakeholder_id, said.occurred_at, said.data, said.touch_id)


def _mark_applied(connection: Connection, waiting: Sequence[Said]) -> None:
    done = delete(Unapplied).where(among(connection, Unapplied.signal_id, [said.id for said in waiting]))
    connection.execute(done)


def _mark_machines(connection: Connection, known: Mapping[int, float | None], verdicts: Mapping[int, Verdict]) -> None:
    """Writes what is surer than it was before: verdicts only ever grow."""
    values = [
        {"signal": id, "machine": verdict.is_machine, "why": verdict.reason, "sure": verdict.confidence}
        for id, verdict in sorted(verdicts.items())
        if verdict.confidence > (known[id] or 0.0)
    ]
    if values:
        mark = update(Signal).where(Signal.id == bindparam("signal"))
        mark = mark.values(is_machine=bindparam("machine"), machine_reason=bindparam("why"))
        connection.execute(mark.values(machine_confidence=bindparam("sure")), values)


def _weighing(
    waiting: Iterable[Said], verdicts: Collection[int], kinds: Mapping[str, SignalKind]
) -> dict[int, list[Told]]:
    """What adds to scores, by account: signals that people made and that weigh something in any play."""
    told: dict[int, list[Told]] = {}
    for said in waiting:
        if said.kind in kinds and said.account_id and not said.is_machine and said.id not in verdicts:
            one = Told(said.id, said.stakeholder_id or NOBODY, kinds[said.kind], said.occurred_at)
            told.setdefault(said.account_id, []).append(one)
    return told
