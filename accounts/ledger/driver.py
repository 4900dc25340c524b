"""Rows as the database driver has them: for the few paths that read or write every stakeholder there is.

SQLAlchemy binds the parameters and keeps the transaction; its result processing, which costs more than all of planning,
is left out. So times come and go in the driver's own form: text on SQLite, datetimes on PostgreSQL.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, TextClause, bindparam, text

from accounts.types import Key, Utc

#: A row, or the values of one.
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """How a driver writes what SQL leaves open."""

    #: A time of the driver to an aware UTC one, and back.
    read: Callable[[Any], datetime | None]
    write: Callable[[datetime | None], Any]
    #: The aggregate that joins texts: f(text, separator).
    join: str

    @staticmethod
    def of(connection: Connection) -> "Form":
        return SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL


def rows(connection: Connection, sql: str, **values: Any) -> Iterator[Row]:
    """The rows of a query. `values`: aware datetimes, texts, and lists of ids (written `IN :ids`)."""
    kinds = tuple((name, type(value)) for name, value in values.items() if f":{name}" in sql)
    result = connection.execute(_query(sql, kinds), {name: values[name] for name, _ in kinds})
    yield from cast(Iterator[Row], result.cursor)
    result.close()


def write_many(connection: Connection, sql: str, values: Sequence[Row]) -> None:
    """One statement for each of many rows of values, in the driver's form; `?` stands for a value."""
    if values:
        marked = sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")
        cursor = connection.connection.cursor()
        cursor.executemany(marked, values)
        cursor.close()


@cache
def _query(sql: str, kinds: tuple[tuple[str, type], ...]) -> TextClause:
    """The query with the kinds of its parameters; kept, so that it is compiled once."""
    binds = [
        bindparam(name, expanding=True, type_=Key)
        if kind is list
        else bindparam(name, type_=Utc() if kind is datetime else None)
        for name, kind in kinds
    ]
    return text(sql).bindparams(*binds)


def _read_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


def _write_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(" ", "microseconds")[:26]


def _read_datetime(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _same(moment: datetime | None) -> datetime | None:
    return moment


SQLITE = Form(_read_text, _write_text, "group_concat")
POSTGRESQL = Form(_read_datetime, _same, "string_agg")
