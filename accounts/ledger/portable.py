"""Every row of the ledger in a form that both databases share: for backups, and for the way from one to the other.

A row is a JSON array in the order of `columns(table)`: times and days as ISO 8601, amounts as text, bytes in
base64. What the ledger keeps as JSON travels as the text it is, so that not a blank of it changes.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Date,
    Engine,
    LargeBinary,
    Numeric,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)

from accounts.ledger.schema import rebuilding, renew_triggers
from accounts.models import Base
from accounts.types import Utc

#: Parents before their children.
TABLES: tuple[Table, ...] = tuple(Base.metadata.sorted_tables)
#: Rows read or written at once.
BATCH = 1_000

Line = list[Any]


@dataclass(frozen=True, slots=True)
class _Form:
    """How the values of a column travel."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


_FORMS: tuple[tuple[type[Any], _Form], ...] = (
    (Utc, _Form(datetime.isoformat, datetime.fromisoformat)),
    (Date, _Form(date.isoformat, date.fromisoformat)),
    (Numeric, _Form(str, Decimal)),
    (LargeBinary, _Form(lambda value: b64encode(value).decode(), b64decode)),
)
_AS_IT_IS = _Form(lambda value: value, lambda value: value)


def columns(table: Table) -> list[str]:
    return [column.name for column in table.columns]


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one moment of the ledger, however long it reads, and holds up nobody."""
    level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(tandem_reads=True, **level) as connection:
        yield connection
        connection.rollback()


def lines(connection: Connection, table: Table) -> Iterator[Line]:
    """All rows of a table, by its key."""
    forms = [_form(column) for column in table.columns]
    picked = [cast(column, Text) if _is_json(column) else column for column in table.columns]
    found = connection.execute(select(*picked).order_by(*table.primary_key).execution_options(yield_per=BATCH))
    for row in found:
        yield [None if value is None else form.write(value) for form, value in zip(forms, row, strict=True)]


def is_empty(connection: Connection) -> bool:
    """Whether no table holds a row."""
    return not any(connection.scalar(select(exists().select_from(table))) for table in TABLES)


@contextmanager
def replacing(engine: Engine) -> Iterator[Connection]:
    """One transaction in which rows come back as they were, whatever state they are in.

    The triggers, which judge moves and not what was, are off for its length and renewed at its end. Foreign keys hold
    again at the end.
    """
    with rebuilding(engine) as connection:
        if connection.dialect.name == "sqlite":
            for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            _switch_triggers(connection, "DISABLE")
        yield connection
        if connection.dialect.name == "postgresql":
            _switch_triggers(connection, "ENABLE")
            _count_on(connection)
        renew_triggers(connection)


def clear(connection: Connection) -> None:
    """Delete every row there is. For `replacing` only: children first, and the audit too."""
    for table in reversed(TABLES):
        for column in _self_references(table):
            connection.execute(update(table).values({column: None}))
        connection.execute(delete(table))


def put(connection: Connection, table: Table, rows: Iterable[Line]) -> None:
    """Write rows that `lines` gave. Rows of one table that refer to each other may come in any order."""
    dialect = connection.dialect.name
    step = insert(table).values({column.name: _slot(column, dialect) for column in table.columns})
    own = _self_references(table)
    later: list[dict[str, Any]] = []
    source = iter(rows)
    while batch := [_read(table, line) for line in islice(source, BATCH)]:
        later += [{"row_id": row["id"], **{name: row[name] for name in own}} for row in batch if any(map(row.get, own))]
        connection.execute(step, [row | dict.fromkeys(own) for row in batch])
    if later:
        refer = update(table).where(table.c.id == bindparam("row_id")).values({name: bindparam(name) for name in own})
        connection.execute(refer, later)


def _read(table: Table, line: Line) -> dict[str, Any]:
    pairs = zip(table.columns, line, strict=True)
    return {column.name: None if value is None else _form(column).read(value) for column, value in pairs}


def _slot(column: Column[Any], dialect: str) -> Any:
    """JSON is written as the text that was read."""
    if not _is_json(column):
        return bindparam(column.name, type_=column.type)
    text_slot = bindparam(column.name, type_=Text)
    return cast(text_slot, JSON) if dialect == "postgresql" else text_slot


def _is_json(column: Column[Any]) -> bool:
    return isinstance(column.type, JSON)


def _form(column: Column[Any]) -> _Form:
    return next((form for kind, form in _FORMS if isinstance(column.type, kind)), _AS_IT_IS)


def _self_references(table: Table) -> list[str]:
    return [key.parent.name for key in table.foreign_keys if key.column.table is table]


def _switch_triggers(connection: Connection, switch: str) -> None:
    """Ours only: those that keep foreign keys are the system's."""
    for table in TABLES:
        connection.exec_driver_sql(f"ALTER TABLE {table.name} {switch} TRIGGER USER")


def _count_on(connection: Connection) -> None:
    """New rows get numbers after those that came back."""
    for table in TABLES:
        key = table.autoincrement_column
        if key is not None:
            highest = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, key.name)
            connection.execute(select(func.setval(sequence, highest, False)))


def checked(rows: Iterable[Sequence[Any]], digest: Any) -> Iterator[str]:
    """Each row as a line of text, added to `digest` (of hashlib) as it passes."""
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
        digest.update(line.encode())
        yield line
