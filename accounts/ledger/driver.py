"""Rows as the database driver has them: for the few paths that read or write every stakeholder there is.

SQLAlchemy binds the parameters and keeps the transaction; its result processing, which costs more than all of planning,
is left out. So times come and go in the driver's own form: text on SQLite, datetimes on PostgreSQL.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text

from accounts.types import Utc

#: A row, or the values of one.
Row = tuple[Any, ...]


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
    #: A list of ids as that value.
    ids: Callable[[Sequence[int]], Any]

    @staticmethod
    def of(connection: Connection) -> "Form":
        return SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL


def rows(connection: Connection, sql: str, **values: Any) -> Iterator[Row]:
    """The rows of a query. `values`: aware datetimes, texts, and lists of ids.

    In the query `{time:x}` selects a time, `{among:ids}` says "is one of the ids", `{join}` is the aggregate that joins
    texts.
    """
    result = _perform(connection, sql, values)
    yield from cast(Iterator[Row], result.cursor)
    result.close()


def execute(connection: Connection, sql: str, **values: Any) -> int:
    """A statement that gives no rows, written as for `rows`; how many rows it wrote."""
    return _perform(connection, sql, values).rowcount


def _perform(connection: Connection, sql: str, values: Mapping[str, Any]) -> CursorResult[Any]:
    form = Form.of(connection)
    used = {name: value for name, value in values.items() if f":{name}" in sql}
    kinds = tuple((name, isinstance(value, datetime)) for name, value in used.items())
    bound = {name: form.ids(value) if isinstance(value, list) else value for name, value in used.items()}
    return connection.execute(_query(sql, form, kinds), bound)


def write_many(connection: Connection, sql: str, values: Sequence[Row]) -> None:
    """One statement for each of many rows of values, in the driver's form; `?` stands for a value."""
    if values:
        marked = sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")
        cursor = connection.connection.cursor()
        cursor.executemany(marked, values)
        cursor.close()


@cache
def _query(sql: str, form: Form, kinds: tuple[tuple[str, bool], ...]) -> TextClause:
    """The query for a driver, with the times among its parameters named; kept, so that it is compiled once."""
    own = re.sub(r"\{among:(\w+)\}", lambda found: form.among.replace("?", f":{found[1]}"), sql)
    own = re.sub(r"\{time:([^}]+)\}", lambda found: form.time.replace("?", found[1]), own)
    times = [bindparam(name, type_=Utc()) for name, is_time in kinds if is_time]
    return text(own.replace("{join}", form.join)).bindparams(*times)


@lru_cache(4096)
def _write_text(moment: datetime | None) -> str | None:
    """Remembered, since many wait for the same opening."""
    return None if moment is None else moment.isoformat(" ", "microseconds")[:26]


def _read_text(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # selected without {time:…}


def _read_datetime(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _same(moment: datetime | None) -> datetime | None:
    return moment


SQLITE = Form(
    read=_read_text,
    write=_write_text,
    time="? || '+00:00'",
    join="group_concat",
    among="IN (SELECT value FROM json_each(?))",
    ids=json.dumps,
)
POSTGRESQL = Form(read=_read_datetime, write=_same, time="?", join="string_agg", among="= ANY(?)", ids=list)
