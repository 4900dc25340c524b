"""The audit: append-only, chained, and any tampering shows."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, text, update
from sqlalchemy.exc import DBAPIError

from accounts.ledger import audit
from accounts.ledger.engine import reading, writing
from accounts.models import Audit
from tests.cast import NOW


def entries(engine: Engine, count: int) -> None:
    for number in range(count):
        with writing(engine) as connection:
            audit.append(
                connection, actor="ravi", action="hold", subject=f"account:{number}", at=NOW + timedelta(hours=number),
                before=None, after={"until": NOW, "causes": ("rep",), "name": "Zoë"},
            )  # fmt: skip


def unlocked(engine: Engine, statement: object) -> None:
    """What somebody with the rights of the owner could do."""
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            for name in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER audit_refuses_{name}"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_refuses_changes"))
        connection.execute(statement)  # type: ignore[call-overload]
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit ENABLE TRIGGER audit_refuses_changes"))


def test_a_chain_that_nobody_touched_is_whole_and_empty_is_whole(database: Engine) -> None:
    with reading(database) as connection:
        assert audit.verify(connection) == audit.Chain(0)
    entries(database, 5)
    with reading(database) as connection:
        chain = audit.verify(connection)
        assert (chain.entries, chain.is_whole) == (5, True)
        assert chain.head == audit.read_audit(connection)[0].hash


@pytest.mark.parametrize("statement", [update(Audit).values(actor="nobody"), delete(Audit)])
def test_the_database_refuses_to_change_or_delete_an_entry(database: Engine, statement: object) -> None:
    entries(database, 1)
    with pytest.raises(DBAPIError, match="append-only"), writing(database) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize("column", ["actor", "action", "subject", "at", "after"])
def test_a_changed_entry_shows_at_its_place(database: Engine, column: str) -> None:
    entries(database, 4)
    new = {"at": NOW - timedelta(days=1), "after": {"until": None}}.get(column, "other")
    unlocked(database, update(Audit).where(Audit.id == 2).values({column: new}))
    with reading(database) as connection:
        chain = audit.verify(connection)
    assert (chain.entries, chain.broken_at, chain.why) == (1, 2, "its content was changed")


def test_a_missing_entry_shows_at_the_next_one(database: Engine) -> None:
    entries(database, 4)
    unlocked(database, delete(Audit).where(Audit.id == 2))
    with reading(database) as connection:
        chain = audit.verify(connection)
    assert (chain.broken_at, chain.why) == (3, "the entry before it is missing or was replaced")


def test_eight_writers_at_once_make_one_chain(database: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: entries(database, 3), range(8)))
    with reading(database) as connection:
        chain = audit.verify(connection)
    assert (chain.entries, chain.is_whole) == (24, True)
