"""Many rows at once, on either database."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    Text,
    TextClause,
    any_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
)  # fmt: skip
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NULLTYPE

from accounts.ledger.driver import SQLITE, array_of

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
        found: ColumnElement[bool] = column.bool_op("IN")(_each_of(literal(json.dumps(list(values)), String)))
        return found
    written = literal(array_of(values), NULLTYPE)  # of no type: as a text it would be read anew for each row
    kind = Text() if isinstance(column.type, String) else column.type  # a column's length would cut what is asked for
    listed: ColumnElement[bool] = column == any_(cast(written, postgresql.ARRAY(kind)))
    return listed


class _each_of(FunctionElement[Any]):  # noqa: N801  reads as SQL
    """The values of a list in JSON. As SQLAlchemy's own table, alias and query it takes longer than to ask the
    database."""

    inherit_cache = True


@compiles(_each_of)
def _write_each_of(element: _each_of, compiler: Any, **how: Any) -> str:
    return f"(SELECT value FROM json_each{compiler.process(element.clause_expr, **how)})"


def listed(dialect: str, column: Any, name: str) -> ColumnElement[bool]:
    """`among` for a statement that is made once: the values come as the parameter `name`, by `as_list`."""
    if dialect == "sqlite":
        each = func.json_each(bindparam(name, type_=String)).table_valued("value")
        found: ColumnElement[bool] = column.in_(select(each.c.value))
        return found
    among_them: ColumnElement[bool] = column == any_(bindparam(name, type_=postgresql.ARRAY(column.type)))
    return among_them


def as_list(dialect: str, values: Sequence[Any]) -> Any:
    """The value of a parameter that `listed` asks for."""
    return json.dumps(list(values)) if dialect == "sqlite" else list(values)


def spelt(value: StrEnum) -> ColumnElement[str]:
    """One of our own words as an SQL literal, for a statement that is made once.

    SQLite compiles a statement anew for each value of a parameter that could choose a partial index, and compiling a
    claim takes it longer than claiming thirty touches.
    """
    return literal_column(f"'{value}'")


def in_one_piece(dialect: str, query: Select[Any]) -> Select[Any]:
    """The same rows for `pieces`: as one value on SQLite.

    SQLite's driver gives the interpreter away and takes it back for every row; beside busy threads that costs more than
    the row. Times come as text.
    """
    if dialect != "sqlite":
        return query
    rows = query.subquery()
    return select(func.json_group_array(func.json_array(*rows.c)))


def pieces(connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """The rows of a query that was made by `in_one_piece`."""
    result = connection.execute(query, values)
    if connection.dialect.name != "sqlite":
        return result.all()
    rows: list[list[Any]] = orjson.loads(result.scalar_one())
    return rows


def insert_into(connection: Connection, model: Any) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that can say ON CONFLICT, for the database at hand."""
    table: Table = model.__table__
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


@dataclass(frozen=True, slots=True)
class UpdateTouches:
    """An UPDATE of many touches, each with values of its own: `sets` and `where` speak of them as {name}."""

    sets: str
    #: Name -> PostgreSQL's word for its type.
    columns: Mapping[str, str]
    where: str = "TRUE"

    def perform(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """All of it in one statement, with all values in one parameter, or in one for each column."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":  # past SQLAlchemy's binding, which costs as much as the update itself
            connection.exec_driver_sql(self._listed_rows(), (json.dumps([self._written(row) for row in rows]),))
        else:
            arrays = {name: [row[name] for row in rows] for name in ("touch_id", *self.columns)}
            connection.execute(self._all_rows(), arrays)

    def _listed_rows(self) -> str:
        named = {name: f"v.{name}" for name in self.columns}
        parts = (f"value ->> {place} AS {name}" for place, name in enumerate(("touch_id", *self.columns)))
        source = f"(SELECT {', '.join(parts)} FROM json_each(?)) AS v"
        by_id = "UPDATE touch NOT INDEXED"  # or it goes through every touch in one of these states
        update_ = f"{by_id} SET {self.sets.format(**named)} FROM {source}"
        return f"{update_} WHERE touch.id = v.touch_id AND {self.where.format(**named)}"

    def _written(self, row: Mapping[str, Any]) -> list[Any]:
        kinds = self.columns.items()
        values = [SQLITE.write(row[name]) if kind == "timestamptz" else row[name] for name, kind in kinds]
        return [row["touch_id"], *values]

    def _all_rows(self) -> TextClause:
        named = {name: f"v.{name}" for name in self.columns}
        casts = [f"CAST(:{name} AS {kind}[])" for name, kind in {"touch_id": "bigint", **self.columns}.items()]
        source = f"unnest({', '.join(casts)}) AS v (touch_id, {', '.join(self.columns)})"
        update_ = f"UPDATE touch SET {self.sets.format(**named)} FROM {source}"
        return text(f"{update_} WHERE touch.id = v.touch_id AND {self.where.format(**named)}")
