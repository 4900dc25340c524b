"""Rows as a table: thousands of values in one parameter, for one statement that writes them all.

An UPDATE of a thousand rows with a thousand parameter sets is a thousand statements to PostgreSQL, and a thousand small
dictionaries to SQLAlchemy on either database. One JSON array of arrays is neither.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import JSON, Connection, Subquery, cast, column, func, literal, select
from sqlalchemy.types import TypeEngine


def rows_of(
    connection: Connection, name: str, columns: Mapping[str, TypeEngine[Any]], values: Iterable[Iterable[Any]]
) -> Subquery:
    """A table called `name` with these columns, to be joined in a statement. Values: text, numbers, truths, None.

    Times do not travel in JSON; a statement takes them as ordinary parameters.
    """
    payload = json.dumps([list(row) for row in values], ensure_ascii=False)
    if connection.dialect.name == "sqlite":
        each = func.json_each(payload).table_valued("value", name=f"{name}_each")
        picked = [
            cast(func.json_extract(each.c.value, f"$[{place}]"), kind).label(key)
            for place, (key, kind) in enumerate(columns.items())
        ]
    else:
        each = func.json_array_elements(cast(literal(payload), JSON)).table_valued(
            column("value", JSON), name=f"{name}_each"
        )
        picked = [
            cast(each.c.value.op("->>")(place), kind).label(key) for place, (key, kind) in enumerate(columns.items())
        ]
    return select(*picked).subquery(name)
