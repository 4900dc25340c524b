"""Where rows of an import wait to be judged: tables of their own in the ledger's database, made for one import and
dropped after it. Filling them takes no long lock, another connection can read them, and what a killed import leaves
behind is dropped by the next one.

Columns are called as in the table they are for; beside them stand the row's place in its file, its content hash, what
could not be read (`defects`, names between commas), and the row as it came (`raw`).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Engine, Integer, MetaData, String, Table, Text, func, select, text

from accounts.errors import Refused
from accounts.ledger.engine import writing
from accounts.ledger.suppressions import FORGOTTEN
from accounts.models import Account, Activity, Opportunity, Rep, Stakeholder, Suppression
from accounts.types import Key

STAGING = MetaData()
#: Key of the PostgreSQL advisory lock: any number, as long as it is ours.
ONE_IMPORT = 7_251_601


def _staged(name: str, model: Any, columns: Sequence[str], extra: Sequence[str] = ()) -> Table:
    """Columns typed as in the ledger, all of them optional; `extra` ones are texts that only the import needs."""
    known = model.__table__.c
    return Table(
        f"incoming_{name}",
        STAGING,
        Column("entry", Key, primary_key=True, autoincrement=False),
        Column("file", Integer, nullable=False),
        Column("line", Integer, nullable=False),
        *(Column(column, known[column].type) for column in columns),
        *(Column(column, Text) for column in extra),
        Column("row_hash", String(64), nullable=False),
        Column("defects", Text),
        Column("raw", Text, nullable=False),
        Column("is_rejected", Boolean, nullable=False, server_default="0"),
    )


REPS = _staged("reps", Rep, ("email", "name", "manager_email", "timezone", "slack_id"))

ACCOUNTS = _staged(
    "accounts",
    Account,
    ("key", "name", "domain", "division", "tier", "industry", "territory", "country", "timezone", "owner_id", "stage"),
    ("parent", "owner_email"),
)

STAKEHOLDERS = _staged(
    "stakeholders",
    Stakeholder,
    (
        "account_id", "email", "email_hash", "first_name", "last_name", "title", "crm_role", "timezone", "country",
        "language", "consent_basis", "consent_at", "ads_consent_basis", "ads_consent_at",
    ),
    ("account",),
)  # fmt: skip

OPPORTUNITIES = _staged(
    "opportunities",
    Opportunity,
    (
        "source_id", "account_id", "name", "stage", "amount", "currency", "created_at", "close_date", "closed_at",
        "is_open", "is_won", "owner_id",
    ),
    ("account", "owner_email"),
)  # fmt: skip

ACTIVITIES = _staged(
    "activities",
    Activity,
    (
        "source_id", "account_id", "stakeholder_id", "rep_id", "kind", "direction", "outcome", "occurred_at", "subject",
    ),
    ("account", "stakeholder_email", "rep_email"),
)  # fmt: skip

TABLES = {
    "reps": REPS,
    "accounts": ACCOUNTS,
    "stakeholders": STAKEHOLDERS,
    "opportunities": OPPORTUNITIES,
    "activities": ACTIVITIES,
}

#: Which rule turned which row away.
FAILURE = Table(
    "incoming_failure",
    STAGING,
    Column("dataset", String(40), primary_key=True),
    Column("entry", Key, primary_key=True, autoincrement=False),
    Column("rule", String(120), primary_key=True),
)

#: Rows that are new or differ from the ledger, and the accounts they concern (before and after, where a row moved).
CHANGE = Table(
    "incoming_change",
    STAGING,
    Column("dataset", String(40), primary_key=True),
    Column("entry", Key, primary_key=True, autoincrement=False),
    Column("is_new", Boolean, nullable=False),
    Column("account_id", Key),
    Column("former_account_id", Key),
)

#: What identifies a row, by dataset: the index that finds rows standing twice and rows the ledger knows.
KEYS = {
    "reps": ("email",),
    "accounts": ("key",),
    "stakeholders": ("account", "email"),
    "opportunities": ("source_id",),
    "activities": ("source_id",),
}


def filled_columns(dataset: str) -> tuple[str, ...]:
    """The columns a row is staged with, in order; everything but the mark of rejection."""
    return tuple(column.name for column in TABLES[dataset].columns if column.name != "is_rejected")


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[None]:
    """Two imports at once would share these tables: the second is refused. A killed process holds nothing."""
    lock = _lock_file(engine) if engine.dialect.name == "sqlite" else _advisory_lock(engine)
    with lock:
        yield


@contextmanager
def waiting_room(engine: Engine) -> Iterator[None]:
    """Empty staging tables, gone at the end whatever happens."""
    with writing(engine) as connection:
        STAGING.drop_all(connection)
        STAGING.create_all(connection)
        if connection.dialect.name == "postgresql":
            for table in STAGING.tables.values():
                connection.execute(text(f"ALTER TABLE {table.name} SET UNLOGGED"))
    try:
        yield
    finally:
        with writing(engine) as connection:
            STAGING.drop_all(connection)


@contextmanager
def staging(engine: Engine) -> Iterator[Connection]:
    """A transaction in which times without a zone are UTC, as staged ones are."""
    with writing(engine) as connection:
        say_utc(connection)
        yield connection


def say_utc(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))


def stage(connection: Connection, dataset: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append rows of `filled_columns(dataset)`; times as UTC text."""
    names = ", ".join(filled_columns(dataset))
    table = TABLES[dataset].name
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(filled_columns(dataset)))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def index(connection: Connection, dataset: str) -> None:
    """After the last row: what finds rows by their key. PostgreSQL also wants to know how many there are."""
    table = TABLES[dataset].name
    connection.execute(text(f"CREATE INDEX ix_{table} ON {table} ({', '.join(KEYS[dataset])})"))
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ANALYZE {table}"))


def batch(dataset: str, *, accepted: bool = True) -> str:
    """What a rule's ``{batch}`` stands for in our own statements: the accepted rows, or all of them."""
    return f"({accepted_rows(dataset)}) AS batch" if accepted else TABLES[dataset].name


def accepted_rows(dataset: str) -> str:
    """The query for rows that no rule has turned away."""
    return f"SELECT * FROM {TABLES[dataset].name} WHERE NOT is_rejected"


def note_failures(connection: Connection, dataset: str, rule: str, query: str) -> int:
    """Write down which rows `query` finds (their `entry`), under the name of the rule; returns how many."""
    statement = (
        f"INSERT INTO {FAILURE.name} (dataset, entry, rule) SELECT '{dataset}', entry, '{rule}' FROM ({query}) AS f"
    )
    return connection.execute(text(statement)).rowcount


def set_aside(connection: Connection, dataset: str) -> None:
    """Mark every row that any rule has turned away."""
    failing = select(FAILURE.c.entry).where(FAILURE.c.dataset == dataset)
    table = TABLES[dataset]
    connection.execute(table.update().where(table.c.entry.in_(failing)).values(is_rejected=True))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was set aside: where it stood, what it said, which rules it broke."""

    entry: int
    file: int
    line: int
    raw: str
    defects: str | None
    rules: tuple[str, ...]


def rejected_rows(connection: Connection, dataset: str, at_once: int = 1_000) -> Iterator[list[Rejected]]:
    """All rows that were set aside, in order of the files, in pieces."""
    table, last = TABLES[dataset], -1
    while True:
        found = connection.execute(
            select(table.c.entry, table.c.file, table.c.line, table.c.raw, table.c.defects)
            .where(table.c.is_rejected, table.c.entry > last)
            .order_by(table.c.entry)
            .limit(at_once)
        ).all()
        if not found:
            return
        first, last = found[0].entry, found[-1].entry
        broken = _rules_broken(connection, dataset, first, last)
        yield [Rejected(**row._mapping, rules=tuple(broken[row.entry])) for row in found]


def _rules_broken(connection: Connection, dataset: str, first: int, last: int) -> dict[int, list[str]]:
    concerned = (FAILURE.c.dataset == dataset) & FAILURE.c.entry.between(first, last)
    broken: dict[int, list[str]] = {}
    for entry, rule in connection.execute(select(FAILURE.c.entry, FAILURE.c.rule).where(concerned)):
        broken.setdefault(entry, []).append(rule)
    return broken


def count_by_rule(connection: Connection, dataset: str) -> dict[str, tuple[int, int]]:
    """Rule -> (rows it turned away, the first of them as `entry`)."""
    query = select(FAILURE.c.rule, func.count(), func.min(FAILURE.c.entry)).where(FAILURE.c.dataset == dataset)
    return {rule: (count, first) for rule, count, first in connection.execute(query.group_by(FAILURE.c.rule))}


def count(connection: Connection, dataset: str, *, rejected: bool) -> int:
    table = TABLES[dataset]
    query = select(func.count()).select_from(table).where(table.c.is_rejected.is_(rejected))
    return connection.scalar(query) or 0


def place_of(connection: Connection, dataset: str, entry: int) -> tuple[int, int]:
    """(file, line) of a row."""
    table = TABLES[dataset]
    file, line = connection.execute(select(table.c.file, table.c.line).where(table.c.entry == entry)).one()
    return file, line


def leave_out_forgotten(connection: Connection) -> int:
    """People who asked to be erased are not stored again, not even in quarantine; returns how many rows went."""
    forgotten = select(Suppression.email_hash).where(
        Suppression.reason == FORGOTTEN, Suppression.email_hash.is_not(None)
    )
    return connection.execute(STAKEHOLDERS.delete().where(STAKEHOLDERS.c.email_hash.in_(forgotten))).rowcount


def found_by(connection: Connection, dataset: str, query: str, most: int = 3) -> tuple[int, list[str]]:
    """How many rows `query` finds (their `entry`), and the accounts of the first ones."""
    label = {"reps": "line", "accounts": "key"}.get(dataset, "account")
    found = connection.scalar(text(f"SELECT COUNT(*) FROM ({query}) AS found")) or 0
    if not found:
        return 0, []
    first = f"SELECT {label} FROM {TABLES[dataset].name} WHERE entry IN ({query}) ORDER BY entry LIMIT {most}"
    return found, [str(value) for value in connection.scalars(text(first))]


@contextmanager
def _lock_file(engine: Engine) -> Iterator[None]:
    """SQLite's own lock on a small database beside the ledger: the system releases it when the process ends."""
    path = engine.url.database
    if not path or path == ":memory:":
        yield
        return
    lock = sqlite3.connect(f"{path}-import", timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise _busy() from None
    try:
        yield
    finally:
        lock.close()


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    with engine.connect() as connection:
        if not connection.scalar(select(func.pg_try_advisory_lock(ONE_IMPORT))):
            raise _busy()
        connection.commit()
        try:
            yield
        finally:
            connection.scalar(select(func.pg_advisory_unlock(ONE_IMPORT)))


def _busy() -> Refused:
    return Refused("another import is running on this database", cure="wait for it to end, then try again")
