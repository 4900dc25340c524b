"""Upgrades and the way back, with data, on both databases: no row is lost, and the lock holds after each step.

The next migration does not exist yet, so one is written here that does what real ones will: rebuild the busiest table,
add a column that must be filled, add a table.
"""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

import accounts.migrations
from accounts.errors import Refused
from accounts.ledger import audit, locks, schema
from accounts.ledger.engine import reading, writing
from flows.operating.backup import digest_of
from tests.cast import NOW, build_world
from tests.operations.conftest import NewLedger
from tests.sending.desk import certified

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def rebuilt() -> str:
    return "always" if op.get_bind().dialect.name == "sqlite" else "auto"


def upgrade() -> None:
    with op.batch_alter_table("touch", recreate=rebuilt()) as touch:
        touch.add_column(sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
    op.create_table("remark", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("words", sa.Text()))
    op.execute("INSERT INTO remark (words) SELECT key FROM account")


def downgrade() -> None:
    op.drop_table("remark")
    with op.batch_alter_table("touch", recreate=rebuilt()) as touch:
        touch.drop_column("weight")
"""


@pytest.fixture(params=["sqlite", "postgres"])
def lived_in(request: pytest.FixtureRequest, new_ledger: NewLedger) -> Engine:
    """Tables made by the migrations, the cast, a certified plan, an audit."""
    engine = new_ledger(request.param)
    certified(build_world(engine))
    with writing(engine) as connection:
        audit.append(connection, actor="ravi", action="hold", subject="account:1", at=NOW)
    return engine


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Tandem that is one migration ahead."""
    folder = tmp_path / "migrations"
    shutil.copytree(next(iter(accounts.migrations.__path__)), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0002_next.py").write_text(NEXT)
    monkeypatch.setattr(schema, "SCRIPTS", str(folder))


def test_forward_and_back_no_row_is_lost_and_the_lock_holds(lived_in: Engine, next_version: None) -> None:
    rows, counts = digest_of(lived_in), _counts(lived_in)
    assert schema.upgrade(lived_in) == "0001"
    assert schema.current(lived_in) == "0002"
    assert {name: count for name, count in _counts(lived_in).items() if name != "remark"} == counts
    assert _counts(lived_in)["remark"] == counts["account"]
    _locked(lived_in)
    assert schema.downgrade(lived_in, "0001") == "0002"
    assert digest_of(lived_in) == rows
    assert schema.differences(lived_in) == []
    _locked(lived_in)


def test_an_upgrade_that_breaks_half_way_leaves_everything_as_it_was(
    lived_in: Engine, next_version: None, tmp_path: Path
) -> None:
    script = tmp_path / "migrations" / "versions" / "0002_next.py"
    script.write_text(NEXT.replace("SELECT key FROM account", "SELECT nothing_like_it FROM account"))
    rows = digest_of(lived_in)
    with pytest.raises(DBAPIError):
        schema.upgrade(lived_in)
    assert (schema.current(lived_in), digest_of(lived_in)) == ("0001", rows)
    assert "weight" not in {column["name"] for column in inspect(lived_in).get_columns("touch")}
    _locked(lived_in)


def test_a_version_nobody_knows_is_no_way_back(lived_in: Engine) -> None:
    with pytest.raises(Refused, match="no way leads from version 0001 back to 0007"):
        schema.downgrade(lived_in, "0007")
    assert schema.is_current(lived_in)


def _locked(engine: Engine) -> None:
    with reading(engine) as connection:
        assert locks.missing(connection) == []
        assert audit.verify(connection) == audit.Chain(1, head=audit.verify(connection).head)
    with pytest.raises(DBAPIError, match="not a move a touch can make"), writing(engine) as connection:
        connection.execute(text("UPDATE touch SET state = 'sent'"))
    with pytest.raises(DBAPIError, match="append-only"), writing(engine) as connection:
        connection.execute(text("DELETE FROM audit"))


def _counts(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}
