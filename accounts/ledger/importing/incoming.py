"""Rows of an import that wait to be judged: what is known of them, and what becomes of them.

The tables are made for one import (waiting_room.py). Their columns are called as in the table they are for; beside them
stand the row's place in its file, its content hash, what could not be read (`defects`, names between commas), and the
row as it came (`raw`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, String, Table, Text, func, select, text

from accounts.ledger.driver import translated
from accounts.ledger.suppressions import FORGOTTEN
from accounts.models import Account, Activity, Opportunity, Rep, Stakeholder, Suppression
from accounts.types import Key

#: How the staging tables' file is called on SQLite: after the ledger, and inside a connection.
ROOM = "incoming"
STAGING = MetaData()


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


REPS = _staged(
    "reps",
    Rep,
    ("email", "name", "manager_email", "timezone", "slack_id", "away_from", "away_until", "brief_hour"),
    ("backup_email",),
)

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
        "account_id", "email", "email_hash", "first_name", "last_name", "title", "crm_id", "crm_role", "timezone",
        "country", "language", "consent_basis", "consent_at", "ads_consent_basis", "ads_consent_at",
    ),
    ("account", "opted_out"),
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

#: Rows that break at least one rule about single rows; only these are asked about each rule.
SUSPECT = Table("incoming_suspect", STAGING, Column("entry", Key, primary_key=True, autoincrement=False))

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

#: The buying groups an import spoke of, one row for each account.
GROUP = Table(
    "incoming_group",
    STAGING,
    Column("entry", Key, primary_key=True, autoincrement=False),
    Column("key", String(120), nullable=False),
    Column("owner_id", Key),
    Column("people", Integer, nullable=False),
    Column("without_basis", Integer, nullable=False),
    Column("in_conflict", Integer, nullable=False),
)

#: What identifies a row, by dataset: the index that finds rows standing twice and rows the ledger knows.
KEYS = {
    "reps": ("email",),
    "accounts": ("key",),
    "stakeholders": ("account", "email"),
    "opportunities": ("source_id",),
    "activities": ("source_id",),
}


def stage(connection: Connection, dataset: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Append rows, given as columns of the staging table that are all equally long; times as UTC text."""
    table = TABLES[dataset].name
    names, rows = ", ".join(columns), zip(*columns.values(), strict=True)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(rows))
        return
    driver: Any = connection.connection.driver_connection
    with translated(connection), driver.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def index(connection: Connection, dataset: str) -> None:
    """After the last row: what finds rows by their key. PostgreSQL also wants to know how many there are."""
    table = TABLES[dataset].name
    room = f"{ROOM}." if connection.dialect.name == "sqlite" else ""
    connection.execute(text(f"CREATE INDEX {room}ix_{table} ON {table} ({', '.join(KEYS[dataset])})"))
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ANALYZE {table} ({', '.join(KEYS[dataset])})"))


def accepted(dataset: str) -> str:
    """What ``{batch}`` stands for where the accepted rows are asked."""
    return f"({accepted_rows(dataset)}) AS batch"


def accepted_rows(dataset: str) -> str:
    """The query for rows that no rule has turned away."""
    return f"SELECT * FROM {TABLES[dataset].name} WHERE NOT is_rejected"


def suspect(connection: Connection, dataset: str, condition: str) -> int:
    """One look at every row: those that meet `condition` break some rule. Returns how many."""
    connection.execute(SUSPECT.delete())
    statement = f"INSERT INTO {SUSPECT.name} (entry) SELECT entry FROM {TABLES[dataset].name} WHERE {condition}"
    return connection.execute(text(statement)).rowcount


def suspects(dataset: str) -> str:
    """What ``{batch}`` stands for where only suspects are asked."""
    return f"(SELECT * FROM {TABLES[dataset].name} WHERE entry IN (SELECT entry FROM {SUSPECT.name})) AS batch"


def note_failures(connection: Connection, dataset: str, rule: str, query: str) -> int:
    """Write down which rows `query` finds (their `entry`), under the name of the rule; returns how many."""
    noted = f"INSERT INTO {FAILURE.name} (dataset, entry, rule)"
    return connection.execute(text(f"{noted} SELECT '{dataset}', entry, '{rule}' FROM ({query}) AS found")).rowcount


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


def accepted_raw(connection: Connection, dataset: str, at_once: int = 1_000) -> Iterator[list[str]]:
    """`raw` of the accepted rows, in pieces."""
    table, last = TABLES[dataset], -1
    query = select(table.c.entry, table.c.raw).where(~table.c.is_rejected).order_by(table.c.entry).limit(at_once)
    while found := connection.execute(query.where(table.c.entry > last)).all():
        last = found[-1].entry
        yield [row.raw for row in found]


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


def count_rejected(connection: Connection, dataset: str) -> int:
    """Rows that some rule has turned away."""
    query = select(func.count(FAILURE.c.entry.distinct())).where(FAILURE.c.dataset == dataset)
    return connection.scalar(query) or 0


def place_of(connection: Connection, dataset: str, entry: int) -> tuple[int, int]:
    """(file, line) of a row."""
    table = TABLES[dataset]
    file, line = connection.execute(select(table.c.file, table.c.line).where(table.c.entry == entry)).one()
    return file, line


def leave_out_forgotten(connection: Connection) -> int:
    """People who asked to be erased are not stored again, not even in quarantine; returns how many rows went."""
    asked = select(Suppression.email_hash).where(Suppression.reason == FORGOTTEN, Suppression.email_hash.is_not(None))
    if connection.execute(asked.limit(1)).first() is None:
        return 0
    return connection.execute(STAKEHOLDERS.delete().where(STAKEHOLDERS.c.email_hash.in_(asked))).rowcount


def leave_out_copies(connection: Connection, dataset: str) -> int:
    """Rows that say just what an earlier one of their file says, such as the company in a list of people: they need
    nobody. Returns how many went."""
    table, keys = TABLES[dataset].name, ", ".join(KEYS[dataset])
    twice = f"SELECT {keys} FROM {table} GROUP BY {keys} HAVING COUNT(*) > 1"
    numbered = (
        f"SELECT entry, row_number() OVER (PARTITION BY file, {keys}, row_hash ORDER BY entry) AS place "
        f"FROM {table} WHERE defects IS NULL AND ({keys}) IN ({twice})"
    )
    copies = f"SELECT entry FROM ({numbered}) AS numbered WHERE place > 1"
    return connection.execute(text(f"DELETE FROM {table} WHERE entry IN ({copies})")).rowcount


def found_by(connection: Connection, dataset: str, query: str, most: int = 3) -> tuple[int, list[str]]:
    """How many rows of a data set, or of "group", `query` finds (their `entry`), and the accounts of the first ones."""
    table = GROUP.name if dataset == "group" else TABLES[dataset].name
    label = {"reps": "line", "accounts": "key", "group": "key"}.get(dataset, "account")
    found = connection.scalar(text(f"SELECT COUNT(*) FROM ({query}) AS found")) or 0
    if not found:
        return 0, []
    first = f"SELECT {label} FROM {table} WHERE entry IN ({query}) ORDER BY entry LIMIT {most}"
    return found, [str(value) for value in connection.scalars(text(first))]
