"""Rows as the database driver has them: for the few paths that read or write every stakeholder there is.

SQLAlchemy binds the parameters and keeps the transaction; its result processing, which costs more than all of planning,
is left out. So times come and go in the driver's own form: text on SQLite, datetimes on PostgreSQL.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import chain
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError

from accounts.types import Utc

#: A row, or the values of one.
Row = tuple[Any, ...]
#: Rows that one statement of SQLite takes; it binds 32,766 values at most.
LISTED = 500
#: Rows that are taken from a driver at once; psycopg takes nearly twice as long one by one.
AT_ONCE = 1_000
#: From so many rows on PostgreSQL copies: a table for the purpose costs a millisecond.
MANY = 500


@dataclass(frozen=True, slots=True)
class Form:
    """How a driver writes what SQL leaves open."""

    #: A time that a query selects as `{time:column}`, never null, to an aware UTC one.
    read: Callable[[Any], datetime]
    write: Callable[[datetime | None], Any]
    #: How a query has to select a time so that `read` is cheap; `?` stands for the column.
    time: str
    #: The aggregate that joins texts: f(text, separator).
    join: str
    #: The condition that a column is one of a list: bound as one value, since binding thousands costs milliseconds.
    among: str
    #: A list of texts as a table `asked` of one column, `value`: quicker where most of them are not there.
    each: str
    #: Ids, each with a time, as a table of two columns: `id` and `since`.
    times: str
    #: A list of ids as that value.
    ids: Callable[[Sequence[int]], Any]
    #: Ids with times as that value.
    moments: Callable[[Mapping[int, datetime]], str]

    @staticmethod
    def of(connection: Connection) -> "Form":
        return SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL


def rows(connection: Connection, sql: str, **values: Any) -> Iterator[Row]:
    """The rows of a query. `values`: aware datetimes, texts, lists of ids, and ids with a time each.

    In the query `{time:x}` selects a time, `{among:ids}` says "is one of the ids", `{each:texts}` is a table `asked`
    of them in its column `value`, `{times:ids}` one of the ids and their times (`id`, `since`), `{join}` is the
    aggregate that joins texts.
    """
    result = _perform(connection, sql, values)
    with translated(connection):
        while some := cast(Any, result.cursor).fetchmany(AT_ONCE):
            yield from some
    result.close()


def execute(connection: Connection, sql: str, **values: Any) -> int:
    """A statement that gives no rows, written as for `rows`; how many rows it wrote."""
    return _perform(connection, sql, values).rowcount


def _perform(connection: Connection, sql: str, values: Mapping[str, Any]) -> CursorResult[Any]:
    form = Form.of(connection)
    used = {name: value for name, value in values.items() if f":{name}" in sql}
    kinds = tuple((name, isinstance(value, datetime)) for name, value in used.items())
    bound = {name: _bound(value, form) for name, value in used.items()}
    return connection.execute(_query(sql, form, kinds), bound)


def _bound(value: Any, form: Form) -> Any:
    if isinstance(value, list):
        return form.ids(value)
    return form.moments(value) if isinstance(value, Mapping) else value


def write_many(connection: Connection, sql: str, values: Sequence[Row]) -> None:
    """One statement for each of many rows of values, in the driver's form; `?` stands for a value."""
    if values:
        marked = sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")
        with translated(connection):
            cursor = connection.connection.cursor()
            cursor.executemany(marked, values)
            cursor.close()


def insert_new(
    connection: Connection, table: str, columns: tuple[str, ...], values: Sequence[Row], queue: str | None = None
) -> int:
    """Insert the rows that break no unique key, in the driver's form; how many were new.

    queue: a table whose only column takes the ids of the new ones; then this is called inside a write transaction.
    """
    if queue is None or connection.dialect.name != "sqlite":
        return _insert(connection, _Insertion(table, columns, queue=queue), values)
    # SQLite knows no INSERT in a WITH, but one writer at a time and ids that rise.
    last = connection.exec_driver_sql(f"SELECT COALESCE(MAX(id), 0) FROM {table}").scalar_one()
    new = _insert(connection, _Insertion(table, columns), values)
    connection.exec_driver_sql(f"INSERT INTO {queue} SELECT id FROM {table} WHERE id > ?", (last,))
    return new


def upsert(
    connection: Connection, table: str, columns: tuple[str, ...], values: Sequence[Row], key: tuple[str, ...]
) -> None:
    """Insert the rows, in the driver's form, or write them over those that have their key; no two may have the same."""
    written = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    _insert(connection, _Insertion(table, columns, f"({', '.join(key)}) DO UPDATE SET {written}"), values)


@dataclass(frozen=True, slots=True)
class _Insertion:
    """An INSERT of rows from anywhere."""

    table: str
    columns: tuple[str, ...]
    conflict: str = "DO NOTHING"
    queue: str | None = None

    @property
    def named(self) -> str:
        return ", ".join(self.columns)

    def of(self, source: str) -> str:
        insert = f"INSERT INTO {self.table} ({self.named}) {source} ON CONFLICT {self.conflict}"
        if self.queue is None:
            return insert
        return f"WITH new AS ({insert} RETURNING id) INSERT INTO {self.queue} TABLE new"


@lru_cache
def _of_values(insertion: _Insertion, mark: str, rows: int) -> str:
    row = f"({', '.join([mark] * len(insertion.columns))})"
    return insertion.of(f"VALUES {', '.join([row] * rows)}")


def _insert(connection: Connection, insertion: _Insertion, values: Sequence[Row]) -> int:
    with translated(connection):
        if connection.dialect.name == "sqlite":
            return sum(_insert_listed(connection, insertion, values))
        insert = _copy if len(values) >= MANY else _insert_each
        return insert(connection, insertion, values)


def _insert_listed(connection: Connection, insertion: _Insertion, values: Sequence[Row]) -> Iterator[int]:
    """Hundreds of rows a statement: the driver gives the interpreter away and takes it back for each."""
    cursor = connection.connection.cursor()
    for start in range(0, len(values), LISTED):
        some = values[start : start + LISTED]
        cursor.execute(_of_values(insertion, "?", len(some)), list(chain.from_iterable(some)))
        yield cursor.rowcount
    cursor.close()


def _insert_each(connection: Connection, insertion: _Insertion, values: Sequence[Row]) -> int:
    if not values:
        return 0
    with cast(Any, connection.connection.driver_connection).cursor() as cursor:
        cursor.executemany(_of_values(insertion, "%s", 1), values)
        return int(cursor.rowcount)


def _copy(connection: Connection, insertion: _Insertion, values: Sequence[Row]) -> int:
    """Through a table of this transaction's own, since COPY itself knows no conflicts; half the time for thousands."""
    named, room = insertion.named, f"new_{insertion.table}"
    with cast(Any, connection.connection.driver_connection).cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {room} AS SELECT {named} FROM {insertion.table} LIMIT 0")
        cursor.execute(f"TABLE {room}", prepare=False)  # whose columns may be others next time
        types = [column.type_code for column in cursor.description]
        with cursor.copy(f"COPY {room} ({named}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types)  # who knows them needs no words: a third of the time of text
            for row in values:
                copy.write_row(row)
        cursor.execute(insertion.of(f"SELECT {named} FROM {room}"))
        new = int(cursor.rowcount)
        cursor.execute(f"DROP TABLE {room}")
    return new


@contextmanager
def translated(connection: Connection) -> Iterator[None]:
    """What the driver raises, as SQLAlchemy raises it: whoever waits for a ledger that is away waits for that. The
    values, which may be addresses, are left out."""
    dialect = connection.dialect
    errors = dialect.loaded_dbapi.Error
    try:
        yield
    except errors as error:
        raise DBAPIError.instance(None, None, error, errors, hide_parameters=True, dialect=dialect) from error


@cache
def _query(sql: str, form: Form, kinds: tuple[tuple[str, bool], ...]) -> TextClause:
    """The query for a driver, with the times among its parameters named; kept, so that it is compiled once."""
    own = re.sub(r"\{among:(\w+)\}", lambda found: form.among.replace("?", f":{found[1]}"), sql)
    own = re.sub(r"\{each:(\w+)\}", lambda found: form.each.replace("?", f":{found[1]}"), own)
    own = re.sub(r"\{times:(\w+)\}", lambda found: form.times.replace("?", f":{found[1]}"), own)
    own = re.sub(r"\{time:([^}]+)\}", lambda found: form.time.replace("?", found[1]), own)
    times = [bindparam(name, type_=Utc()) for name, is_time in kinds if is_time]
    return text(own.replace("{join}", form.join)).bindparams(*times)


@lru_cache(4096)
def _write_text(moment: datetime | None) -> str | None:
    """Remembered, since many wait for the same opening; put together in half the time that `isoformat` takes."""
    if moment is None:
        return None
    return "%04d-%02d-%02d %02d:%02d:%02d.%06d" % (  # noqa: UP031
        moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond,
    )  # fmt: skip


def _read_text(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # selected without {time:…}


def _read_datetime(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _same(moment: datetime | None) -> datetime | None:
    return moment


def array_of(values: Iterable[int | str | None]) -> str:
    """As PostgreSQL writes an array, for a parameter whose type the column tells; the driver takes a list for as long
    as the query, looking at each value."""
    return "{" + ",".join([str(value) if isinstance(value, int) else _quoted(value) for value in values]) + "}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _written_texts(moments: Mapping[int, datetime]) -> str:
    return json.dumps({id: _write_text(moment) for id, moment in moments.items()})


def _iso_texts(moments: Mapping[int, datetime]) -> str:
    return json.dumps({id: moment.isoformat() for id, moment in moments.items()})


SQLITE = Form(
    read=_read_text,
    write=_write_text,
    time="? || '+00:00'",
    join="group_concat",
    among="IN (SELECT value FROM json_each(?))",
    each="json_each(?) AS asked",
    times="(SELECT CAST(key AS INTEGER) AS id, value AS since FROM json_each(?))",
    ids=json.dumps,
    moments=_written_texts,
)
POSTGRESQL = Form(
    read=_read_datetime,
    write=_same,
    time="?",
    join="string_agg",
    among="= ANY(?)",
    each="unnest(CAST(? AS text[])) AS asked (value)",
    times="(SELECT CAST(key AS bigint) AS id, CAST(value AS timestamptz) AS since"
    " FROM json_each_text(CAST(? AS json)))",
    ids=array_of,
    moments=_iso_texts,
)
