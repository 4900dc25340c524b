"""`tandem roads`: which roads are tried for whom, a rep's wish, and how the last tries went."""

import json

import pytest
from click.testing import CliRunner, Result

from accounts.errors import InputRefused
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading
from accounts.playbook import Play
from flows.briefs.briefing import write_briefs
from flows.briefs.delivering import deliver_briefs
from flows.channels.email.memory import Memory
from flows.cli.roads import roads
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, World
from tests.web.visitor import on_sqlite

pytestmark = on_sqlite
AT = ["--as-of", NOW.isoformat(), "--by", "mia"]


@pytest.fixture(autouse=True)
def at_home(world: World, settings: Settings, play: Play, signal: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(settings.home))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    signal("alice", "acme", "replied", 0.2)
    write_briefs(world.engine, play, NOW)
    deliver_briefs(world.engine, settings, play, NOW, channel=Memory())


def ask(*words: str) -> Result:
    return CliRunner().invoke(roads, words, catch_exceptions=False)


def test_all_reps_and_the_last_tries() -> None:
    lines = ask().output.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["ravi@lumenflow.example", "email"],
        ["sofia@lumenflow.example", "email"],
    ]
    assert lines[2].split()[:3] == ["brief", "1", "ravi@lumenflow.example"]
    assert lines[2].endswith("email     delivered")


def test_a_wish_comes_first_and_is_in_the_audit(world: World) -> None:
    for _ in range(2):
        shown = json.loads(ask("ravi", "--first", "crm_task", "--json", *AT).output)
        assert shown["roads"] == {"ravi@lumenflow.example": ["crm_task", "email"]}
    with reading(world.engine) as connection:
        said = [entry for entry in read_audit(connection) if entry.action == "brief-channel"]
    assert [(entry.actor, entry.after) for entry in said] == [("mia", {"brief_channel": "crm_task"})]
    assert json.loads(ask("ravi", "--first", "usual", "--json", *AT).output)["roads"] == {
        "ravi@lumenflow.example": ["email"]
    }


def test_a_wish_needs_somebody_whose_it_is() -> None:
    with pytest.raises(InputRefused, match="whose road"):
        ask("--first", "slack")
