"""The audit: who did what to whom, when, and what it was before and after. Append-only and hash-chained.

Each entry's hash covers its content and the hash before it, so a change or a gap anywhere shows. The database refuses
UPDATE and DELETE. What a chain alone cannot show is a cut at its end: keep the latest hash somewhere else as well.

Subjects are named without addresses (`stakeholder:17`), since the audit outlives an erasure.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, MetaData, Row, event, insert, select, text

from accounts.models import Audit, Base

#: What the first entry follows.
GENESIS = "0" * 64

#: One writer of the chain at a time. Any number nobody else uses.
CHAINING = 0x7A4D02


@dataclass(frozen=True, slots=True)
class Chain:
    """What `verify` found: entries in order up to the first that is not what was written."""

    entries: int
    broken_at: int | None = None
    why: str | None = None
    #: Hash of the last good entry; a copy of it elsewhere shows a cut.
    head: str = GENESIS

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None


@dataclass(frozen=True, slots=True)
class Entry:
    """What is put on record. `before` and `after` are JSON values, times as text."""

    actor: str
    action: str
    subject: str
    at: datetime
    before: Any = None
    after: Any = None


_HEAD = select(Audit.hash).order_by(Audit.id.desc()).limit(1)
_ADD = insert(Audit)


def append(
    connection: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    at: datetime,
    before: Any = None,
    after: Any = None,
) -> None:
    """One entry, in the caller's transaction."""
    append_all(connection, [Entry(actor, action, subject, at, before, after)])


def append_all(connection: Connection, entries: Sequence[Entry]) -> None:
    """Entries in this order, in the caller's transaction."""
    if not entries:
        return
    _one_at_a_time(connection)
    head, rows = connection.scalar(_HEAD) or GENESIS, []
    for one in entries:
        row = {
            "at": one.at.astimezone(UTC), "actor": one.actor, "action": one.action, "subject": one.subject,
            "before": _plain(one.before), "after": _plain(one.after), "prev_hash": head,
        }  # fmt: skip
        head = _hash(row)
        rows.append({**row, "hash": head})
    connection.execute(_ADD, rows)


def read_audit(connection: Connection, *, subject: str | None = None, limit: int = 50) -> Sequence[Row[Any]]:
    """The latest entries, latest first."""
    query = select(Audit.__table__).order_by(Audit.id.desc()).limit(limit)
    return connection.execute(query if subject is None else query.where(Audit.subject == subject)).all()


def verify(connection: Connection) -> Chain:
    """Walk the whole chain from its first entry; stops at the first that does not fit."""
    head, count = GENESIS, 0
    for row in connection.execute(select(Audit.__table__).order_by(Audit.id)).yield_per(1_000):
        if row.prev_hash != head:
            return Chain(count, row.id, "the entry before it is missing or was replaced", head)
        if row.hash != _hash(row._mapping):
            return Chain(count, row.id, "its content was changed", head)
        head, count = row.hash, count + 1
    return Chain(count, head=head)


def _hash(entry: Any) -> str:
    fields = ("actor", "action", "subject", "before", "after", "prev_hash")
    content = [entry["at"].astimezone(UTC).isoformat(timespec="microseconds"), *(entry[name] for name in fields)]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """As it comes back from the database: times and enums as text, tuples as lists."""
    return None if value is None else json.loads(json.dumps(value, default=str))


_LOCK = text("SELECT pg_advisory_xact_lock(:key)")


def _one_at_a_time(connection: Connection) -> None:
    """On SQLite the write transaction itself sees to it."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"key": CHAINING})


#: The statements that make the table append-only, one by one; safe to run again.
SQLITE: tuple[str, ...] = tuple(
    f"CREATE TRIGGER IF NOT EXISTS audit_refuses_{action} BEFORE {action} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    for action in ("update", "delete")
)
POSTGRESQL: tuple[str, ...] = (
    """CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'the audit is append-only'; END $$""",
    """CREATE OR REPLACE TRIGGER audit_refuses_changes BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()""",
)


def install(connection: Connection) -> None:
    """Make the table append-only, if it is not yet."""
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        connection.exec_driver_sql(statement)


@event.listens_for(Base.metadata, "after_create")
def _install_with_the_tables(_target: MetaData, connection: Connection, **_options: object) -> None:
    install(connection)
