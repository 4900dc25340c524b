"""Rows that are staged while the database goes away: told as everywhere else, and the next import goes on."""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from accounts.ledger.engine import reading
from accounts.ledger.importing import incoming, waiting_room

PLACE = {"file": [0], "line": [1], "row_hash": ["x"], "raw": ["acme,Acme"], "defects": [None]}
ACME: dict[str, Any] = {**PLACE, "entry": [0], "key": ["acme"], "name": ["Acme"]}
on_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)


def staged(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.scalar(text("SELECT count(*) FROM incoming_accounts")) or 0


def killed_while_staging(engine: Engine) -> Exception | None:
    """What is told when the server ends the connection between two pieces of one transaction."""
    told = None
    with suppress(SQLAlchemyError), waiting_room.staging(engine) as connection:  # nothing can be rolled back there
        mine = connection.scalar(text("SELECT pg_backend_pid()"))
        incoming.stage(connection, "accounts", ACME)
        with engine.connect() as another:
            another.execute(text("SELECT pg_terminate_backend(:mine, 5000)"), {"mine": mine})
        try:
            incoming.stage(connection, "accounts", {**ACME, "entry": [1]})
        except Exception as error:
            told = error
    return told


@on_postgres
def test_a_connection_that_is_killed_is_told_as_sqlalchemy_tells_it(database: Engine) -> None:
    with waiting_room.opened(database) as seeing:
        assert isinstance(killed_while_staging(seeing), OperationalError)
        assert staged(seeing) == 0, "all of a transaction or nothing"
        with waiting_room.staging(seeing) as connection:
            incoming.stage(connection, "accounts", ACME)
        assert staged(seeing) == 1


def test_a_value_that_no_column_takes_is_told_the_same_way(database: Engine) -> None:
    with waiting_room.opened(database) as seeing, pytest.raises(DBAPIError):  # noqa: SIM117
        with waiting_room.staging(seeing) as connection:
            incoming.stage(connection, "accounts", {**ACME, "entry": ["no number"]})
