"""Signals in the ledger: recorded once, whose they are found out, and read again.

Recording is an insert and survives a kill by itself; what a signal does comes later, see applying.py.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, select
from sqlalchemy import Row as ResultRow

from accounts.fingerprints import fingerprint, stored_name
from accounts.garbage import uncollected
from accounts.ledger.announcements import untold
from accounts.ledger.bulk import spelt
from accounts.ledger.driver import Form, Row, insert_new, rows
from accounts.ledger.signals.whose import Incoming, Whose, find_owners
from accounts.ledger.unapplied import is_applied
from accounts.ledger.weeks import in_any_week
from accounts.machines import own_verdict
from accounts.models import Account, Signal, Stakeholder, Unapplied
from accounts.outcomes import read_kind
from accounts.vocabulary import About, SignalKind
from accounts.weeks import week_of

__all__ = [
    "EARLIEST", "Incoming", "Known", "Recorded", "Reply", "count_waiting", "first_since", "owner_of", "read_known",
    "read_signals", "record", "unannounced_replies",
]  # fmt: skip

#: One encoder for all: `json.dumps` with a default makes a new one each time.
_in_ascii = json.JSONEncoder(default=str).encode

_COLUMNS = (
    "fingerprint", "source", "source_id", "kind", "account_id", "stakeholder_id", "touch_id", "email_hash",
    "occurred_at", "received_at", "received_week", "is_machine", "machine_reason", "machine_confidence", "data",
)  # fmt: skip

_KNOWN = """
    SELECT source_id, kind, occurred_at, received_at, email_hash, account_id FROM signal
     WHERE fingerprint {among:fingerprints}"""


#: Nothing we hear of is older: where programs know no time, they write their calendar's first day, 1970 or the year 1.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: A kind's plain name: drivers look twice at anything but a plain text.
_NAMES = {kind: str(kind.value) for kind in SignalKind}
_NOT_JUDGED = (False, None, None)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the signals that were told."""

    new: int = 0
    #: Told before, by source and source_id.
    duplicates: int = 0
    #: About people who asked to be erased: not stored.
    forgotten: int = 0


class Reply(NamedTuple):
    """That somebody of an account answered."""

    id: int
    account: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """A signal that is in the ledger already."""

    kind: str
    occurred_at: datetime
    received_at: datetime
    #: `owner_of` whoever it is about.
    owner: str

    def is_told_again_by(self, signal: Incoming) -> bool:
        """The same event of the same person, and not another one under the same name."""
        at = signal.occurred_at if EARLIEST <= signal.occurred_at < self.received_at else self.received_at
        return self.kind == read_kind(signal.kind) and self.occurred_at == at


@uncollected()
def record(
    connection: Connection, incoming: Sequence[Incoming], received_at: datetime, owners: Sequence[Whose] | None = None
) -> Recorded:
    """Store signals, each once; whose they are is found by the clues they bring (or given by `owners`, in order).

    A signal about nobody we know is stored as well, with the hash of its address. A time in the future is a clock that
    is wrong, one before EARLIEST is none at all: they count as the time of receipt. Raises ValueError for a time
    without a zone.
    """
    owners = find_owners(connection, incoming) if owners is None else owners
    write = Form.of(connection).write
    at_most, received, week = received_at.astimezone(UTC), write(received_at), week_of(received_at)
    told: dict[str, Row] = {}
    forgotten = 0
    for signal, whose in zip(incoming, owners, strict=True):
        if whose.is_forgotten:
            forgotten += 1
            continue
        source, source_id, said, at, *_, is_dated, content, data = signal
        at, name = at if at.tzinfo is UTC else _utc(at), stored_name(source_id)
        print_ = fingerprint(source, name, at if is_dated else None)
        if print_ not in told:
            kind, data = _understood(said, content, data)
            told[print_] = (
                print_, source, name, _NAMES[kind], whose.account_id, whose.stakeholder_id, whose.touch_id,
                whose.email_hash, write(at) if EARLIEST <= at < at_most else received, received, week,
                *_judged(kind, data), _as_json(data) if data else None,
            )  # fmt: skip
    ordered = sorted(told.values(), key=_in_the_indexes)
    new = insert_new(connection, "signal", _COLUMNS, ordered, queue="unapplied")
    return Recorded(new, len(incoming) - forgotten - new, forgotten)


def _in_the_indexes(row: Row) -> int:
    """Neighbours in the indexes are written together."""
    return row[4] or 0


def read_known(connection: Connection, source: str, ids: Sequence[str]) -> dict[str, Known]:
    """Signals that this door, whose signals are not dated, told before, by its own names for them."""
    names = {stored_name(id): id for id in ids}
    read = Form.of(connection).read
    told = rows(connection, _KNOWN, fingerprints=sorted(fingerprint(source, name) for name in names))
    return {
        names[name]: Known(kind, read(at), read(got), owner_of(hashed, account))
        for name, kind, at, got, hashed, account in told
    }


def owner_of(email_hash: str | None, account_id: int | None) -> str:
    """What tells apart whose signals are: the beginning of a person's hash, else the account. No address in it: names
    of signals outlive an erasure."""
    return email_hash[:16] if email_hash else str(account_id)


def first_since(connection: Connection, moment: datetime) -> int:
    """A lower bound of the ids of all signals that happened or came in at `moment` or later.

    Nothing happens after it came in, and ids grow as signals come in: "of this account, lately" is a range of the
    account's index, however long its history is.
    """
    # The sum keeps PostgreSQL from walking the primary key for its first fitting row.
    query = select(func.min(Signal.id + 0)).where(Signal.received_at >= moment)
    return connection.scalar(query) or 0


def unannounced_replies(connection: Connection, since: datetime, at: datetime) -> list[Reply]:
    """People's replies of `since` up to `at` that nobody who listens was told of, the oldest first."""
    query = (
        select(Signal.id, Account.key, Signal.received_at)
        .join(Account, Account.id == Signal.account_id)
        .where(Signal.kind == spelt(SignalKind.REPLIED), Signal.received_at > since, Signal.received_at <= at)
        .where(is_applied(), Signal.is_machine.is_(False), untold(About.REPLY, Signal.id))
        .order_by(Signal.id)
    )
    return [Reply(*row) for row in connection.execute(query)]


def count_waiting(connection: Connection) -> int:
    """Signals that were recorded and not applied yet."""
    return connection.scalar(select(func.count()).select_from(Unapplied)) or 0


def read_signals(
    connection: Connection,
    *,
    account: str | None = None,
    email: str | None = None,
    kinds: Collection[str] = (),
    limit: int = 50,
) -> list[ResultRow[Any]]:
    """The latest signals, latest first, with account key, address and whether they were applied; all of them, or of one
    account or address."""
    query = (
        select(Signal.__table__, Account.key.label("account"), Stakeholder.email, is_applied().label("applied"))
        .outerjoin(Account, Account.id == Signal.account_id)
        .outerjoin(Stakeholder, Stakeholder.id == Signal.stakeholder_id)
        .order_by(Signal.occurred_at.desc(), Signal.id.desc())
        .limit(limit)
    )  # fmt: skip
    if account is not None:
        query = query.where(Account.key == account, in_any_week())
    if email is not None:
        query = query.where(Stakeholder.email == email)
    return list(connection.execute(query.where(Signal.kind.in_(list(kinds))) if kinds else query))


def fingerprint_of(signal: Incoming) -> str:
    """What the signal is known by once it is recorded."""
    at = _utc(signal.occurred_at) if signal.is_dated else None
    return fingerprint(signal.source, stored_name(signal.source_id), at)


def _understood(said: str, content: str | None, data: Mapping[str, Any]) -> tuple[SignalKind, Mapping[str, Any]]:
    """The kind, and the data with what no column has room for."""
    kind = read_kind(said)
    if content:
        data = {**data, "content": content}
    if kind is SignalKind.UNKNOWN and said != SignalKind.UNKNOWN:
        data = {**data, "kind": said}
    return kind, data


def _judged(kind: SignalKind, data: Mapping[str, Any]) -> tuple[bool, str | None, float | None]:
    verdict = own_verdict(kind, data)
    return (verdict.is_machine, verdict.reason, verdict.confidence) if verdict else _NOT_JUDGED


def _as_json(data: Mapping[str, Any]) -> str:
    """The fast encoder writes other letters as they are; erasing somebody looks for names as ASCII writes them."""
    try:
        written = orjson.dumps(data, default=str)
    except TypeError:  # half characters, numbers beyond 64 bits
        return _in_ascii(data)
    return written.decode() if written.isascii() else _in_ascii(data)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone is not a time: {moment.isoformat()}")
    return moment.astimezone(UTC)
