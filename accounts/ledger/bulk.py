"""Many rows at once, on either database."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

#: Values in one IN list; SQLite takes 32,766 parameters a statement, PostgreSQL 65,535.
IN_LIST = 5_000


def chunks(values: Sequence[T], size: int = IN_LIST) -> Iterator[Sequence[T]]:
    """`values` in pieces of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def insert_into(connection: Connection, model: Any) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that can say ON CONFLICT, for the database at hand."""
    table: Table = model.__table__
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
