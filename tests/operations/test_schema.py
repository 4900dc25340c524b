"""The migrations make exactly the tables the program speaks of, on both databases, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, Engine, inspect, text
from sqlalchemy.engine import make_url

from accounts.errors import Refused
from accounts.ledger import locks, schema
from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.models import Base


@pytest.fixture(params=["sqlite", "postgres"])
def nothing_yet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without a single table."""
    if request.param == "sqlite":
        engine = open_ledger(f"sqlite:///{tmp_path / 'new.db'}")
        yield engine
        engine.dispose()
        return
    url = make_url(request.getfixturevalue("postgres_url"))
    _rule(url.render_as_string(hide_password=False), "CREATE DATABASE migrated")
    engine = open_ledger(url.set(database="migrated").render_as_string(hide_password=False))
    yield engine
    engine.dispose()
    _rule(url.render_as_string(hide_password=False), "DROP DATABASE migrated")


def test_an_upgrade_from_nothing_makes_what_the_models_say(nothing_yet: Engine) -> None:
    assert schema.current(nothing_yet) is None
    assert not schema.is_current(nothing_yet)
    assert schema.upgrade(nothing_yet) is None
    assert schema.is_current(nothing_yet)
    assert schema.differences(nothing_yet) == []
    assert _checks(nothing_yet) == {
        table.name: {str(rule.name) for rule in table.constraints if isinstance(rule, CheckConstraint)}
        for table in Base.metadata.sorted_tables
    }


def test_an_upgrade_brings_the_lock_back_where_it_was_lost(nothing_yet: Engine) -> None:
    schema.upgrade(nothing_yet)
    with writing(nothing_yet) as connection:
        assert locks.missing(connection) == []
        on_touch = "" if connection.dialect.name == "sqlite" else " ON touch"
        connection.exec_driver_sql(f"DROP TRIGGER touch_enters_locked{on_touch}")
        assert locks.missing(connection) == ["touch_enters_locked"]
    schema.upgrade(nothing_yet)
    with reading(nothing_yet) as connection:
        assert locks.missing(connection) == []


def test_a_second_upgrade_changes_nothing(nothing_yet: Engine) -> None:
    schema.upgrade(nothing_yet)
    assert schema.upgrade(nothing_yet) == schema.head()
    assert schema.differences(nothing_yet) == []


def test_a_database_of_a_newer_program_is_left_alone(nothing_yet: Engine) -> None:
    schema.upgrade(nothing_yet)
    with writing(nothing_yet) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused, match="version 9999 is not known here"):
        schema.upgrade(nothing_yet)
    assert schema.current(nothing_yet) == "9999"


def test_tables_that_no_migration_made_are_left_alone(nothing_yet: Engine) -> None:
    create_tables(nothing_yet)
    with pytest.raises(Refused, match="there are tables, but no version"):
        schema.upgrade(nothing_yet)
    assert schema.current(nothing_yet) is None


def test_an_upgrade_that_is_interrupted_leaves_nothing(nothing_yet: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_connection: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(locks, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        schema.upgrade(nothing_yet)
    assert inspect(nothing_yet).get_table_names() == []


def test_foreign_keys_hold_again_after_an_upgrade(tmp_path: Path) -> None:
    """An upgrade on SQLite switches them off for its own transaction; the connection goes back to the pool."""
    engine = open_ledger(f"sqlite:///{tmp_path / 'new.db'}")
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def _checks(engine: Engine) -> dict[str, set[str]]:
    inspector = inspect(engine)
    tables = [table.name for table in Base.metadata.sorted_tables]
    return {table: {str(rule["name"]) for rule in inspector.get_check_constraints(table)} for table in tables}


def _rule(url: str, statement: str) -> None:
    engine = open_ledger(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
