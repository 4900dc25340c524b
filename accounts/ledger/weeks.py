"""The way from accounts to their signals.

An index of accounts alone has a place of its own for every account: ten thousand new signals write ten thousand pages
of it once history is long. So the index leads from the week in which a signal came in, and the account: whatever is new
is written at its end. A query for the signals of accounts names the weeks, or it has to go through all signals.

In SQL for `rows`, `{weekly}` says that a signal came in in any week, `{weekly:first}` in the week `:first` or later.
"""

import re
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_EARLIEST = "(SELECT MIN(received_week) FROM signal)"
_LATEST = "(SELECT MAX(received_week) FROM signal)"
_SINCE = {
    "sqlite": f"""signal.received_week IN (
        WITH RECURSIVE week (number) AS (
            SELECT ? UNION ALL SELECT number + 1 FROM week WHERE number < {_LATEST})
        SELECT number FROM week)""",
    "postgresql": f"signal.received_week = ANY (ARRAY(SELECT generate_series(CAST(? AS INTEGER), {_LATEST})))",
}


class in_any_week(FunctionElement[bool]):  # noqa: N801  reads as the condition that it is
    """That a signal came in in any week: with an account, the index leads to it."""

    inherit_cache = True  # nothing in it differs: a statement with it is compiled once
    type = Boolean()

    def self_group(self, against: Any = None) -> "in_any_week":
        """As it is: no `= 1` behind it, which would lead past the index."""
        return self


@compiles(in_any_week)
def _write(_element: in_any_week, compiler: Any, **_: Any) -> str:
    return _SINCE[compiler.dialect.name].replace("?", _EARLIEST)


def weekly(connection: Connection, sql: str) -> str:
    """The query with its weeks written out."""
    return _written_out(sql, connection.dialect.name)


@cache
def _written_out(sql: str, dialect: str) -> str:
    since = _SINCE[dialect]
    named = re.sub(r"\{weekly:(\w+)\}", lambda found: since.replace("?", f":{found[1]}"), sql)
    return named.replace("{weekly}", since.replace("?", _EARLIEST))
