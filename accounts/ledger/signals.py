"""Signals in the ledger: recorded once, and their effects applied once.

Recording is an insert and survives a kill by itself. Applying happens later, in one transaction that also sets
`applied_at`: a kill in between loses nothing, since what was not applied is still waiting.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, text, update

from accounts.engagement import NOBODY, Told, weight_of
from accounts.ledger import scores
from accounts.ledger.bulk import chunks, insert_into
from accounts.ledger.effects import Caused, perform
from accounts.ledger.whose import Incoming, Whose, find_owners
from accounts.machines import SUSPECTS, TOO_FAST, Trace, machines, own_reason
from accounts.models import Account, Signal, Stakeholder
from accounts.outcomes import TABLE, Happening, effects_of, read_kind
from accounts.playbook import Pauses, Play
from accounts.vocabulary import SignalKind

__all__ = [
    "Applied", "Incoming", "Known", "Recorded", "apply_waiting", "count_waiting", "opt_out", "read_known",
    "read_signals", "record",
]  # fmt: skip

#: One applier at a time: scores are read, added to and written. Any number nobody else uses.
APPLYING = 0x7A4D01


@dataclass(frozen=True, slots=True)
class Recorded:
    new: int = 0
    #: Told before, by (source, source_id).
    duplicates: int = 0
    #: About people who asked to be erased: not stored.
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """A signal that is in the ledger already."""

    kind: str
    occurred_at: datetime
    received_at: datetime

    def is_told_again_by(self, signal: Incoming) -> bool:
        """The same event, and not another one under the same name."""
        return self.kind == read_kind(signal.kind) and self.occurred_at == min(signal.occurred_at, self.received_at)


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


def record(
    connection: Connection, incoming: Sequence[Incoming], received_at: datetime, owners: Sequence[Whose] | None = None
) -> Recorded:
    """Store signals, each once; whose they are is found by the clues they bring (or given by `owners`, in order).

    A signal about nobody we know is stored as well, with the hash of its address. A time in the future is a clock that
    is wrong: it counts as the time of receipt.
    """
    owners = find_owners(connection, incoming) if owners is None else owners
    kept = [(signal, whose) for signal, whose in zip(incoming, owners, strict=True) if not whose.is_forgotten]
    rows = {(row["source"], row["source_id"]): row for row in (_row(*pair, received_at) for pair in reversed(kept))}
    known = _known(connection, list(rows))
    fresh = [row for key, row in reversed(rows.items()) if key not in known]
    if fresh:
        insert = insert_into(connection, Signal)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["source", "source_id"]), fresh)
    return Recorded(len(fresh), len(kept) - len(fresh), len(incoming) - len(kept))


def opt_out(connection: Connection, signal: Incoming, now: datetime) -> bool:
    """Record an opt-out and let it act in the same transaction; whether anybody was found whom it is about.

    The signal goes on waiting like any other, for its part in the score: effects are monotone, so the second time they
    change nothing.
    """
    whose = find_owners(connection, [signal])[0]
    if whose.email_hash is None and not whose.is_forgotten:
        return False
    record(connection, [signal], now, [whose])
    caused = [
        Caused(effect, 0, whose.account_id, whose.stakeholder_id, whose.touch_id, whose.email_hash)
        for effect in effects_of(Happening(SignalKind.UNSUBSCRIBED, now), Pauses())
        if not whose.is_forgotten
    ]
    perform(connection, caused, now)
    return True


def apply_waiting(connection: Connection, play: Play, now: datetime, limit: int = 5_000) -> Applied:
    """Apply the oldest waiting signals, at most `limit`; `signals` is 0 when none is left."""
    _one_at_a_time(connection)
    waiting = _read_waiting(connection, limit)
    if not waiting:
        return Applied()
    verdicts = _judge(connection, waiting)
    performed = perform(connection, list(_effects(waiting, play)), now)
    _mark_applied(connection, waiting, now)
    turned = _mark_machines(connection, waiting, verdicts)
    scores.add(connection, _weighing(waiting, verdicts, play), play.engagement)
    scores.recompute(connection, play.engagement, turned)
    kinds = Counter(row.kind for row in waiting)
    replies = {row.account_id for row in waiting if row.kind == SignalKind.REPLIED and row.account_id}
    machine = sum(row.id in verdicts for row in waiting)
    return Applied(len(waiting), kinds, machine, performed.settled, frozenset(replies), performed.vacancies)


def read_known(connection: Connection, source: str, ids: Sequence[str]) -> dict[str, Known]:
    """Signals that this door told before, by its own names for them."""
    names = {_name(id): id for id in ids}
    found: dict[str, Known] = {}
    for chunk in chunks(sorted(names)):
        told = Signal.source_id.in_(chunk) & (Signal.source == source)
        query = select(Signal.source_id, Signal.kind, Signal.occurred_at, Signal.received_at).where(told)
        found.update((names[name], Known(kind, at, received)) for name, kind, at, received in connection.execute(query))
    return found


def count_waiting(connection: Connection) -> int:
    """Signals that were recorded and not applied yet."""
    return connection.scalar(select(func.count()).select_from(Signal).where(Signal.applied_at.is_(None))) or 0


def read_signals(
    connection: Connection,
    *,
    account: str | None = None,
    email: str | None = None,
    kinds: Collection[str] = (),
    limit: int = 50,
) -> list[Row[Any]]:
    """The latest signals, latest first, with account key and address; all of them, or of one account or address."""
    query = (
        select(Signal.__table__, Account.key.label("account"), Stakeholder.email)
        .outerjoin(Account, Account.id == Signal.account_id)
        .outerjoin(Stakeholder, Stakeholder.id == Signal.stakeholder_id)
        .order_by(Signal.occurred_at.desc(), Signal.id.desc())
        .limit(limit)
    )  # fmt: skip
    if account is not None:
        query = query.where(Account.key == account)
    if email is not None:
        query = query.where(Stakeholder.email == email)
    return list(connection.execute(query.where(Signal.kind.in_(list(kinds))) if kinds else query))


def _row(signal: Incoming, whose: Whose, received_at: datetime) -> dict[str, Any]:
    kind = read_kind(signal.kind)
    data = dict(signal.data)
    if kind is SignalKind.UNKNOWN and signal.kind != SignalKind.UNKNOWN:
        data["kind"] = signal.kind
    if signal.content:
        data["content"] = signal.content
    reason = own_reason(data) if kind in SUSPECTS else None
    return {
        "source": signal.source, "source_id": _name(signal.source_id), "kind": kind.value,
        "account_id": whose.account_id, "stakeholder_id": whose.stakeholder_id, "touch_id": whose.touch_id,
        "email_hash": whose.email_hash, "occurred_at": min(signal.occurred_at, received_at), "received_at": received_at,
        "is_machine": reason is not None, "machine_reason": reason, "data": data or None,
    }  # fmt: skip


def _name(source_id: str) -> str:
    """The door's name for it as it fits the column; an overlong one by its digest."""
    fits = len(source_id) <= 120 and "\0" not in source_id
    return source_id if fits else sha256(source_id.encode()).hexdigest()


def _known(connection: Connection, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    by_source: dict[str, list[str]] = {}
    for source, source_id in keys:
        by_source.setdefault(source, []).append(source_id)
    for source, ids in by_source.items():
        for chunk in chunks(ids):
            told = connection.scalars(
                select(Signal.source_id).where(Signal.source == source, Signal.source_id.in_(chunk))
            )
            found.update((source, id) for id in told)
    return found


def _one_at_a_time(connection: Connection) -> None:
    """On SQLite the write transaction itself sees to it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLYING})


_COLUMNS = (
    Signal.id, Signal.kind, Signal.account_id, Signal.stakeholder_id, Signal.touch_id, Signal.email_hash,
    Signal.occurred_at, Signal.is_machine, Signal.applied_at, Signal.data,
)  # fmt: skip


def _read_waiting(connection: Connection, limit: int) -> Sequence[Row[Any]]:
    return connection.execute(
        select(*_COLUMNS).where(Signal.applied_at.is_(None)).order_by(Signal.id).limit(limit)
    ).all()


def _effects(rows: Iterable[Row[Any]], play: Play) -> Iterator[Caused]:
    for row in rows:
        if row.kind in TABLE:
            for effect in effects_of(Happening.read(row.kind, row.occurred_at, row.data), play.pauses):
                yield Caused(effect, row.id, row.account_id, row.stakeholder_id, row.touch_id, row.email_hash)


def _judge(connection: Connection, waiting: Sequence[Row[Any]]) -> dict[int, str]:
    """Machine verdicts for these signals and for earlier ones that look different beside them."""
    clicks = [row for row in waiting if row.kind == SignalKind.CLICKED]
    about = [row for row in waiting if row.kind == SignalKind.DELIVERED] + clicks
    earlier = {row.id: row for row in (*_clicks_near(connection, clicks), *_same_touches(connection, about))}
    rows = {**earlier, **{row.id: row for row in waiting}}
    return machines([_trace(row) for row in rows.values() if row.kind in SUSPECTS or row.kind == SignalKind.DELIVERED])


def _clicks_near(connection: Connection, clicks: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """Applied clicks of the same people from the span of time in which these happened."""
    if not clicks:
        return
    first = min(row.occurred_at for row in clicks) - TOO_FAST
    last = max(row.occurred_at for row in clicks) + TOO_FAST
    for chunk in chunks(sorted({row.stakeholder_id for row in clicks if row.stakeholder_id})):
        theirs = Signal.stakeholder_id.in_(chunk) & (Signal.kind == SignalKind.CLICKED)
        then = Signal.occurred_at.between(first, last) & Signal.applied_at.is_not(None)
        yield from connection.execute(select(*_COLUMNS).where(theirs, then))


def _same_touches(connection: Connection, about: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    """Applied deliveries and clicks of the same messages."""
    for chunk in chunks(sorted({row.touch_id for row in about if row.touch_id})):
        relevant = Signal.kind.in_((SignalKind.CLICKED, SignalKind.DELIVERED)) & Signal.applied_at.is_not(None)
        yield from connection.execute(select(*_COLUMNS).where(Signal.touch_id.in_(chunk), relevant))


def _trace(row: Row[Any]) -> Trace:
    data: Mapping[str, Any] = row.data if isinstance(row.data, dict) else {}
    return Trace(row.id, SignalKind(row.kind), row.stakeholder_id, row.occurred_at, data, row.touch_id)


def _mark_applied(connection: Connection, waiting: Sequence[Row[Any]], now: datetime) -> None:
    for chunk in chunks([row.id for row in waiting]):
        connection.execute(update(Signal).where(Signal.id.in_(chunk)).values(applied_at=now))


def _mark_machines(connection: Connection, waiting: Sequence[Row[Any]], verdicts: Mapping[int, str]) -> set[int]:
    """Stores the verdicts; the accounts whose scores held a signal that turns out to be a machine's."""
    if not verdicts:
        return set()
    new = {row.id for row in waiting}
    turned: set[int] = set()
    for chunk in chunks(sorted(verdicts.keys() - new)):
        counted = Signal.id.in_(chunk) & Signal.is_machine.is_(False) & Signal.account_id.is_not(None)
        turned.update(account for account in connection.scalars(select(Signal.account_id).where(counted)) if account)
    mark = update(Signal).where(Signal.id == bindparam("signal"), Signal.is_machine.is_(False))
    marked = mark.values(is_machine=True, machine_reason=bindparam("why"))
    connection.execute(marked, [{"signal": id, "why": why} for id, why in sorted(verdicts.items())])
    return turned


def _weighing(waiting: Iterable[Row[Any]], verdicts: Collection[int], play: Play) -> dict[int, list[Told]]:
    """What adds to scores, by account: signals that people made and that weigh something."""
    told: dict[int, list[Told]] = {}
    for row in waiting:
        kind = SignalKind(row.kind)
        if row.account_id and row.id not in verdicts and weight_of(kind, play.engagement):
            signal = Told(row.id, row.stakeholder_id or NOBODY, kind, row.occurred_at)
            told.setdefault(row.account_id, []).append(signal)
    return told
