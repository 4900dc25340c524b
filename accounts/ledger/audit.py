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
    """One entry, in the caller's transaction. `before` and `after` are JSON values, times as text."""
    _one_at_a_time(connection)
    prev_hash = connection.scalar(select(Audit.hash).order_by(Audit.id.desc()).limit(1)) or GENESIS
    entry = {
        "at": at.astimezone(UTC), "actor": actor, "action": action, "subject": subject,
        "before": _plain(before), "after": _plain(after), "prev_hash": prev_hash,
    }  # fmt: skip
    connection.execute(insert(Audit).values(**entry, hash=_hash(entry)))


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


def _one_at_a_time(connection: Connection) -> None:
    """On SQLite the write transaction itself sees to it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHAINING})


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
