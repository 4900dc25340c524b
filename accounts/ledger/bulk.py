"""Many rows at once, on either database."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, any_, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

#: Values in one IN list; SQLite takes 32,766 parameters a statement, PostgreSQL 65,535.
IN_LIST = 5_000


def chunks(values: Sequence[T], size: int = IN_LIST) -> Iterator[Sequence[T]]:
    """`values` in pieces of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def among(connection: Connection, column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """``column IN (values)`` with all values in one parameter: thousands cost what one costs."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(json.dumps(list(values))).table_valued("value")
        found: ColumnElement[bool] = column.in_(select(each.c.value))
        return found
    listed: ColumnElement[bool] = column == any_(literal(list(values), postgresql.ARRAY(column.type)))
    return listed


def insert_into(connection: Connection, model: Any) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that can say ON CONFLICT, for the database at hand."""
    table: Table = model.__table__
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
