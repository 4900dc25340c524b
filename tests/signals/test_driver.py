"""Rows written past SQLAlchemy: what goes wrong there is told as everywhere else, and tells nobody's address."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError

from accounts.ledger.bulk import among
from accounts.ledger.driver import MANY, insert_new, rows, write_many
from accounts.ledger.engine import reading, writing
from accounts.models import Account

ALICE = "alice@acme.example"
INSERT = "INSERT INTO %s (email_hash, reason) VALUES (?, ?)"
WAYS: dict[str, Callable[[Connection, str], Any]] = {
    "a few": lambda connection, table: insert_new(connection, table, ("email_hash", "reason"), [(ALICE, "x")]),
    "many": lambda connection, table: insert_new(connection, table, ("email_hash", "reason"), [(ALICE, "x")] * MANY),
    "each": lambda connection, table: write_many(connection, INSERT % table, [(ALICE, "x")]),
}
each_way = pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)


@each_way
def test_a_table_that_is_not_there(database: Engine, write: Callable[[Connection, str], Any]) -> None:
    with reading(database) as connection, pytest.raises((OperationalError, ProgrammingError)) as told:
        write(connection, "no_such_table")
    assert "no_such_table" in str(told.value)
    assert ALICE not in str(told.value)


@each_way
def test_a_ledger_that_may_only_be_read(database: Engine, write: Callable[[Connection, str], Any]) -> None:
    with reading(database) as connection:
        on_sqlite = database.dialect.name == "sqlite"
        connection.exec_driver_sql("PRAGMA query_only = ON" if on_sqlite else "SET TRANSACTION READ ONLY")
        with pytest.raises(SQLAlchemyError, match=r"read-?only"):
            write(connection, "suppression")
        if on_sqlite:
            connection.exec_driver_sql("PRAGMA query_only = OFF")


def test_what_a_reader_of_rows_raises_stays_what_it_is(database: Engine) -> None:
    with reading(database) as connection, pytest.raises(ZeroDivisionError):
        _ = [1 / number for (number,) in rows(connection, "SELECT 0")]


#: What means something in an array, in JSON or in a query, and must mean nothing here.
ODD = ["", "NULL", 'a"b', "a\\", "\\n", "{a,b}", "a, b", " a ", "a\nb", "\u00e4\U0001f600", "'", "%s", ":x", "[1]", "?"]


def test_texts_are_asked_for_as_they_are(database: Engine) -> None:
    with writing(database) as connection:
        connection.execute(insert(Account), [{"key": text, "name": "Acme"} for text in [*ODD, "other".ljust(120)]])
        listed = rows(connection, "SELECT value FROM {each:texts} WHERE value {among:texts}", texts=ODD)
        assert [text for (text,) in listed] == ODD
        longer = "other".ljust(120) + "than a key can be"
        found = select(Account.key).where(among(connection, Account.key, [*ODD, None, longer])).order_by(Account.id)
        assert list(connection.scalars(found)) == ODD


def test_nothing_is_among_none(database: Engine) -> None:
    with reading(database) as connection:
        assert list(rows(connection, "SELECT key FROM account WHERE id {among:ids}", ids=[])) == []
        assert connection.scalars(select(Account.key).where(among(connection, Account.id, []))).all() == []
