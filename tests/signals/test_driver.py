"""Rows written past SQLAlchemy: what goes wrong there is told as everywhere else, and tells nobody's address."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError

from accounts.ledger.bulk import among
from accounts.ledger.driver import MANY, Form, insert_new, rows, upsert, write_many
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


NOW = datetime(2026, 11, 10, 9, 0, 0, 123456, tzinfo=UTC)
POST = ("provider", "name", "digest", "received_at", "content_type", "body", "state", "error")
#: Of a statement each, of several statements, and of a copy.
a_few_and_many = pytest.mark.parametrize("number", [4, MANY, 2 * MANY + 1])


def posts(connection: Connection, number: int) -> list[tuple[Any, ...]]:
    """Rows with every kind of value, in the driver's form: odd texts, octets, nulls, times to the microsecond."""
    write = Form.of(connection).write
    return [
        ("sns", f"{at} {ODD[at % len(ODD)]}", "d", write(NOW + at * timedelta(microseconds=1)), ODD[-at % len(ODD)],
         bytes([0, at % 256, 255]) if at % 3 else None, "waiting", None if at % 2 else "\ufeff\u2028")
        for at in range(number)
    ]  # fmt: skip


def insert_posts(connection: Connection, values: list[tuple[Any, ...]]) -> int:
    return insert_new(connection, "webhook", POST, values, queue="unapplied")


@a_few_and_many
def test_rows_are_written_as_they_are(database: Engine, number: int) -> None:
    with writing(database) as connection:
        values = posts(connection, number)
        assert insert_new(connection, "webhook", POST, values) == number
        written = rows(connection, f"SELECT {', '.join(POST)} FROM webhook ORDER BY id")
        assert [_told(row) for row in written] == [_told(row) for row in values]


def _told(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


@a_few_and_many
def test_only_what_is_new_is_counted_and_queued(database: Engine, number: int) -> None:
    """Twice in one transaction, with rows that are there already and rows that come twice."""
    with writing(database) as connection:
        values = posts(connection, number)
        known, new = values[::2], values[1::2]
        assert insert_posts(connection, known) == len(known)
        connection.exec_driver_sql("DELETE FROM unapplied")
        assert insert_posts(connection, [*values, *values]) == len(new)
        queued = rows(connection, "SELECT name FROM webhook JOIN unapplied ON signal_id = id")
        assert sorted(name for (name,) in queued) == sorted(row[1] for row in new)
        assert insert_posts(connection, values) == insert_posts(connection, []) == 0
        assert list(rows(connection, "SELECT COUNT(*), MIN(id) > 0 FROM webhook")) == [(number, True)]


@a_few_and_many
def test_what_has_the_key_is_written_over_and_the_rest_stays(database: Engine, number: int) -> None:
    key, columns = ("name", "provider"), ("provider", "name", "digest", "received_at", "content_type", "body", "state")
    with writing(database) as connection:
        values = [row[:-1] for row in posts(connection, number)]
        insert_new(connection, "webhook", columns, values[: number // 2])
        other = ("brevo", *values[0][1:])
        insert_new(connection, "webhook", columns, [other])
        told_anew = [(*row[:2], "e", *row[3:6], "read") for row in values]
        for _ in range(2):
            upsert(connection, "webhook", columns, told_anew, key)
        found = rows(connection, f"SELECT {', '.join(columns)} FROM webhook ORDER BY provider, received_at")
        assert [_told(row) for row in found] == [_told(row) for row in (other, *told_anew)]


@pytest.mark.parametrize("mass", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0])
def test_numbers_keep_their_last_digit(database: Engine, mass: float) -> None:
    columns = ("account_id", "person", "mass", "signals", "latest_at", "play")
    with writing(database) as connection:
        connection.execute(insert(Account).values(id=2**40, key="acme", name="Acme"))
        at = Form.of(connection).write(NOW)
        values = [(2**40, 2**44 * person, mass, person, at, "p") for person in range(MANY)]
        for some in (values[:2], values):
            upsert(connection, "score", columns, some, key=("account_id", "person"))
            assert list(rows(connection, f"SELECT {', '.join(columns)} FROM score ORDER BY person")) == some
