"""The doctor looks at the database: there, writable, of the right version, with its lock."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from accounts.ledger import schema
from accounts.ledger.engine import open_ledger, writing
from flows.doctor import Finding, ledger
from tests.operations.patients import patient

pytestmark = pytest.mark.usefixtures("house")


def test_a_database_that_was_never_made_is_not_made_by_looking(house: Path) -> None:
    found = ledger.database(patient(home=house / "elsewhere"))
    assert found.state == "fail"
    assert "tandem init" in (found.cure or "")
    assert not (house / "elsewhere").exists()


def test_a_file_that_is_no_database(house: Path) -> None:
    (house / ".tandem" / "tandem.db").write_bytes(b"certainly not a database, but long enough to be asked" * 50)
    found = ledger.database(patient())
    assert (found.state, "not a database" in found.says) == ("fail", True)
    assert ledger.migrations(patient()) is None  # said already
    assert ledger.lock(patient()) is None


def test_a_database_that_another_program_holds(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.ledger.engine.BUSY_SECONDS", 0)
    browser = sqlite3.connect(house / ".tandem" / "tandem.db", isolation_level=None)
    browser.execute("BEGIN IMMEDIATE")
    found = ledger.database(patient())
    browser.close()
    assert (found.state, found.cure) == (
        "fail", "another program holds it: let that one finish, or close it, and try again"
    )  # fmt: skip


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    found = ledger.database(patient(database_url="postgresql://tandem:hunter2@127.0.0.1:1/tandem"))
    assert found.state == "fail"
    assert "127.0.0.1:1" in found.says
    assert "hunter2" not in found.says


@pytest.mark.usefixtures("_postgres_stage")
def test_a_database_that_may_only_be_read(postgres_url: str) -> None:
    read_only = f"{postgres_url}&options=-c%20default_transaction_read_only%3Don"
    found = ledger.database(patient(database_url=read_only))
    assert (found.state, "read-only transaction" in found.says) == ("fail", True)


def test_a_database_without_tables(house: Path) -> None:
    (house / ".tandem" / "tandem.db").unlink()
    open_ledger(f"sqlite:///{house}/.tandem/tandem.db").connect().close()
    found = ledger.migrations(patient())
    assert found == Finding("migrations", "fail", "the database has no tables", "tandem init")


def test_a_database_of_another_version(house: Path) -> None:
    _change(house, "UPDATE alembic_version SET version_num = '0000'")
    found = ledger.migrations(patient())
    assert found is not None
    assert found.says == f"the database has version 0000, this program needs {schema.head()}"


def test_a_lock_that_lost_a_trigger(house: Path) -> None:
    _change(house, "DROP TRIGGER touch_enters_locked")
    found = ledger.lock(patient())
    assert found is not None
    assert (found.state, "touch_enters_locked" in found.says) == ("fail", True)


def _change(house: Path, statement: str) -> None:
    engine = open_ledger(f"sqlite:///{house}/.tandem/tandem.db")
    with writing(engine) as connection:
        connection.execute(text(statement))
    engine.dispose()
