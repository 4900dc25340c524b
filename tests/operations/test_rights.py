"""Roles with the least rights, on a real PostgreSQL: the one that works can work, and nothing else."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import URL, Engine, text
from sqlalchemy.exc import ProgrammingError

from accounts.errors import Refused
from accounts.ledger import audit
from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.rights import script, shown
from accounts.models import Base
from flows.cli import tandem
from tests.cast import NOW, build_world
from tests.operations.conftest import by_itself

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def owner(postgres_url: str, founded_postgres: URL) -> Iterator[Engine]:
    """A ledger with the cast in it, and the two roles, made by the printed script: twice, as after an upgrade."""
    by_itself(postgres_url, f"CREATE DATABASE guarded TEMPLATE {founded_postgres.database}")
    engine = open_ledger(founded_postgres.set(database="guarded").render_as_string(hide_password=False))
    build_world(engine)
    with writing(engine) as connection:
        audit.append(connection, actor="ravi", action="hold", subject="account:1", at=NOW)
    printed = CliRunner().invoke(tandem, ["database", "roles"]).output
    for _ in range(2):
        by_itself(engine.url.render_as_string(hide_password=False), printed)
    yield engine
    with writing(engine) as connection:
        connection.execute(text("DROP OWNED BY tandem_app, tandem_reader"))
    engine.dispose()
    by_itself(postgres_url, "DROP DATABASE guarded WITH (FORCE)")
    by_itself(postgres_url, "DROP ROLE tandem_app, tandem_reader")


def test_the_app_can_do_a_day_of_work(owner: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import, track, nurture, signals, audiences, brief, and the status that looks at it."""
    for name in [name for name in os.environ if name.startswith(("TANDEM_", "PREFECT_API"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", _as("tandem_app", owner))
    at = ["--as-of", NOW.isoformat()]
    assert _tandem("import", str(ROOT / "examples" / "csv"), *at)
    counts = {flow: _tandem("run", flow, *at) for flow in ("track", "nurture", "signals", "audiences", "briefs")}
    assert counts["nurture"]["sent"] > 0
    assert counts["briefs"]["delivered"] > 0
    signs = {entry["name"]: entry["figures"] for entry in _tandem("status")}
    assert signs["database"]["octets"] > 0


@pytest.mark.parametrize(
    "deed",
    [
        "DROP TABLE touch", "TRUNCATE suppression", "ALTER TABLE touch DISABLE TRIGGER USER",
        "DROP TRIGGER touch_enters_locked ON touch", "CREATE TABLE public.mine (id int)",
        "UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "DROP FUNCTION audit_is_append_only() CASCADE",
        "UPDATE alembic_version SET version_num = '0000'", "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION public.touch_enters_locked() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN END$$",
    ],
)  # fmt: skip
def test_the_app_can_neither_take_off_the_lock_nor_rewrite_history(owner: Engine, deed: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        _do("tandem_app", owner, deed)
    with reading(owner) as connection:
        assert audit.verify(connection).is_whole


def test_the_reader_sees_figures_and_not_a_single_person(owner: Engine) -> None:
    """Everything it can read, read: neither a name, nor an address, nor a hash of one is in it."""
    hidden = _personal(owner)
    assert len(hidden) > 30
    reader, seen = open_ledger(_as("tandem_reader", owner)), ""
    with reading(reader) as connection:
        for table in Base.metadata.sorted_tables:
            if columns := shown(table):
                seen += repr(connection.execute(text(f"SELECT {', '.join(columns)} FROM {table.name}")).all())
    reader.dispose()
    assert "acme" in seen, "accounts are shown"
    assert [value for value in hidden if value in seen] == []


@pytest.mark.parametrize(
    "question",
    ["SELECT email FROM stakeholder", "SELECT * FROM rep", "SELECT data FROM signal", "SELECT before FROM audit",
     "SELECT email_hash FROM suppression", "UPDATE account SET name = ''",
     "INSERT INTO approval VALUES (1, 'x', now())"],
)  # fmt: skip
def test_the_reader_is_refused_the_rest(owner: Engine, question: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        _do("tandem_reader", owner, question)


def test_a_name_that_is_none_is_refused_before_it_is_sql() -> None:
    with pytest.raises(Refused, match="no name for a role"):
        script(app="tandem; DROP TABLE touch")


def _personal(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        people = connection.execute(text("SELECT email, email_hash, first_name FROM stakeholder")).all()
        reps = connection.execute(text("SELECT email, name FROM rep")).all()
    return {str(value) for row in (*people, *reps) for value in row}


def _tandem(*arguments: str) -> Any:
    result = CliRunner().invoke(tandem, [*arguments, "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output + repr(result.exception)
    return json.loads(result.stdout)


def _as(role: str, owner: Engine) -> str:
    return owner.url.set(username=role, password=None).render_as_string(hide_password=False)


def _do(role: str, owner: Engine, statement: str) -> None:
    engine = open_ledger(_as(role, owner))
    try:
        with writing(engine) as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
