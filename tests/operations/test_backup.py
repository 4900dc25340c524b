"""A backup is the whole ledger of one moment; either database takes it back, whole or not at all."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, insert, text

from accounts.errors import InputRefused, Refused
from accounts.ledger import audit, locks, portable, schema
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Certificate, Opportunity, PlanMember, SendPlan, Touch, Webhook
from flows.cli import tandem
from flows.operating.backup import back_up, digest_of, restore
from tests.cast import NOW, PLAY, build_world
from tests.operations.conftest import NewLedger

FAMILY = {"sqlite": "postgres", "postgres": "sqlite"}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_written_on_one_database_comes_back_on_both(new_ledger: NewLedger, tmp_path: Path, kind: str) -> None:
    """Whatever state rows are in, with every kind of value, and with triggers that work afterwards."""
    before = _lived_in(new_ledger(kind))
    kept = back_up(before, tmp_path / "kept.zip", NOW)
    assert kept.digest == digest_of(before)
    for other in (kind, FAMILY[kind]):
        after = new_ledger(other, empty=other == "sqlite")
        assert restore(after, tmp_path / "kept.zip") == kept
        assert digest_of(after) == kept.digest
        with reading(after) as connection:
            assert audit.verify(connection).is_whole
            assert locks.missing(connection) == []
        with writing(after) as connection:
            account = connection.execute(insert(Account).values(key="new", name="New")).inserted_primary_key
            assert account is not None
            assert account[0] == _count(after, "account") + 1, "numbers go on where they were"


def test_rows_in_the_middle_of_something_come_back_as_they_were(new_ledger: NewLedger, tmp_path: Path) -> None:
    before = _lived_in(new_ledger("sqlite"))
    back_up(before, tmp_path / "kept.zip", NOW)
    after = new_ledger("sqlite")
    restore(after, tmp_path / "kept.zip")
    with reading(after) as connection:
        states = connection.execute(text("SELECT state, claimed_by FROM touch")).all()
    assert [tuple(row) for row in states] == [("sending", "mail1-4711")]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_ledger_that_holds_something_is_replaced_only_when_that_is_said(
    new_ledger: NewLedger, tmp_path: Path, kind: str
) -> None:
    before = _lived_in(new_ledger("sqlite"))
    back_up(before, tmp_path / "kept.zip", NOW)
    lived_in = _lived_in(new_ledger(kind), "another")
    own = digest_of(lived_in)
    with pytest.raises(Refused, match="not empty"):
        restore(lived_in, tmp_path / "kept.zip")
    assert digest_of(lived_in) == own
    restore(lived_in, tmp_path / "kept.zip", replace=True)
    assert digest_of(lived_in) == digest_of(before) != own


def test_a_damaged_backup_changes_nothing(new_ledger: NewLedger, tmp_path: Path) -> None:
    """A row that somebody altered is found at the end of its table, and what was read before it goes again."""
    before = _lived_in(new_ledger("sqlite"))
    back_up(before, tmp_path / "kept.zip", NOW)
    _alter(tmp_path / "kept.zip", tmp_path / "altered.zip", "stakeholder.jsonl", b"alice@", b"mallo@")
    own = digest_of(before)
    with pytest.raises(InputRefused, match="damaged: stakeholder"):
        restore(before, tmp_path / "altered.zip", replace=True)
    assert digest_of(before) == own
    with reading(before) as connection:
        assert locks.missing(connection) == []


def test_a_backup_of_other_tables_is_refused_with_the_way_out(new_ledger: NewLedger, tmp_path: Path) -> None:
    back_up(_lived_in(new_ledger("sqlite")), tmp_path / "kept.zip", NOW)
    version = f'"version": "{schema.head()}"'.encode()
    _alter(tmp_path / "kept.zip", tmp_path / "old.zip", "manifest.json", version, b'"version": "0000"')
    with pytest.raises(InputRefused, match="with the Tandem that wrote it"):
        restore(new_ledger("sqlite"), tmp_path / "old.zip")


@pytest.mark.parametrize("content", [b"", b"certainly no archive"])
def test_a_file_that_is_no_backup_is_one_line(new_ledger: NewLedger, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept.zip").write_bytes(content)
    with pytest.raises(InputRefused, match="cannot be read"):
        restore(new_ledger("sqlite"), tmp_path / "kept.zip")


def test_a_backup_sees_one_moment_while_others_write(new_ledger: NewLedger) -> None:
    """Accounts are read first; what is added meanwhile, with everything that refers to it, is of a later moment."""
    for kind in ("sqlite", "postgres"):
        engine = _lived_in(new_ledger(kind))
        with portable.snapshot(engine) as seen:
            before = seen.scalar(text("SELECT count(*) FROM account"))
            with writing(engine) as connection:
                connection.execute(insert(Account).values(key="meanwhile", name="Meanwhile"))
            assert seen.scalar(text("SELECT count(*) FROM account")) == before


def test_the_commands_and_who_may_read_the_file(house: Path) -> None:
    done = CliRunner().invoke(tandem, ["backup", "kept.zip", "--json"])
    assert json.loads(done.output)["version"] == schema.head()
    assert (house / "kept.zip").stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(tandem, ["backup", "kept.zip"])
    assert isinstance(again.exception, Refused)
    said = CliRunner().invoke(tandem, ["restore", "kept.zip"]).output
    assert said.startswith("0 rows are back")
    assert "would be sent again: tandem stop first" in said


def _lived_in(engine: Engine, name: str = "divisions") -> Engine:
    """The cast, and a row of each kind that is hard to carry."""
    world = build_world(engine)
    touch: dict[str, Any] = {
        "account_id": world.accounts["globex"], "stakeholder_id": world.people["gina"], "channel": "email",
        "play": PLAY, "play_version": "v", "stage": "discovery", "content": "why-now", "content_digest": "d",
        "address": "gina@globex.example", "due_at": NOW, "plan_id": 1, "state": "certified",
    }  # fmt: skip
    with writing(engine) as connection:
        audit.append(connection, actor="ravi", action="hold", subject="account:1", at=NOW, after={"name": "Zoë"})
        connection.execute(insert(Account).values(key=name, name=name, parent_id=world.accounts["acme"]))
        connection.execute(text("UPDATE account SET parent_id = (SELECT max(id) FROM account) WHERE id = 1"))
        connection.execute(text("UPDATE rep SET backup_id = (SELECT max(id) FROM rep) WHERE id = 1"))
        connection.execute(
            insert(Opportunity).values(
                account_id=1, amount="1234.50", stage="Proposal", is_open=True, is_won=False, source_id="o1",
                close_date=NOW.date(),
            )
        )  # fmt: skip
        connection.execute(
            insert(Webhook).values(
                provider="postmark", name="n", digest="d", received_at=NOW, content_type="json", state="waiting",
                body=bytes(range(256)),
            )
        )  # fmt: skip
        connection.execute(
            insert(SendPlan).values(created_at=NOW, digest="d", state="certified", checks={"ü": [1, None, 0.1]}, size=1)
        )
        connection.execute(insert(Touch).values(touch))
        connection.execute(insert(PlanMember).values(plan_id=1, touch_id=1, seal="s", email_hash="e", domain_hash="d"))
        connection.execute(
            insert(Certificate).values(
                plan_id=1,
                digest="d",
                members=1,
                suite_version="s",
                certified_at=NOW,
                expires_at=NOW + timedelta(hours=1),
            )
        )
        connection.execute(
            text("UPDATE touch SET state = 'sending', claimed_at = :now, claimed_by = 'mail1-4711'"),
            {"now": NOW.replace(tzinfo=None) if engine.dialect.name == "sqlite" else NOW},
        )
    return engine


def _alter(source: Path, target: Path, member: str, old: bytes, new: bytes) -> None:
    """The same archive, sound as an archive, with other words in one member."""
    with ZipFile(source) as before, ZipFile(target, "w", ZIP_DEFLATED) as after:
        for name in before.namelist():
            content = before.read(name)
            if name == member:
                assert old in content
                content = content.replace(old, new)
            after.writestr(name, content)


def _count(engine: Engine, table: str) -> int:
    with reading(engine) as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
