"""`tandem brief`: what a person at a terminal sees, and that looking changes nothing."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from accounts.errors import NotFound, Refused
from accounts.ledger.engine import reading
from accounts.models import Brief, Rep
from accounts.playbook import Play
from flows.briefs.briefing import brief_reps
from flows.channels.email.memory import Memory
from flows.cli.brief import brief
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, World

AT = ["--as-of", NOW.isoformat()]


@pytest.fixture(autouse=True)
def at_home(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(settings.home))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("COLUMNS", "100")


def ask(*words: str) -> Result:
    """The command's answer; its own errors come through."""
    return CliRunner().invoke(brief, words, catch_exceptions=False)


def stored(world: World) -> int:
    with reading(world.engine) as connection:
        return connection.scalar(select(func.count()).select_from(Brief)) or 0


class TestOneBrief:
    def test_it_is_shown_and_nothing_is_stored_or_sent(self, world: World, signal: Add) -> None:
        signal("alice", "acme", "replied", 0.2)
        answer = ask("ravi", *AT)
        assert "Acme Works (acme) Evaluation: somebody asked" in answer.output
        assert "Alice Example replied, Tue 06:12" in answer.output
        assert "signal:" not in answer.output
        assert stored(world) == 0

    def test_with_evidence_each_line_names_its_rows(self, signal: Add) -> None:
        row = signal("alice", "acme", "replied", 0.2)
        assert f"Alice Example replied, Tue 06:12 [signal:{row}]" in ask("ravi", "--evidence", *AT).output

    @pytest.mark.parametrize("name", ["ravi", "RAVI@lumenflow.example", "Ravi Menon"])
    def test_a_rep_is_found_by_address_local_part_or_name(self, name: str, signal: Add) -> None:
        signal("alice", "acme", "replied", 0.2)
        assert "Brief for Ravi Menon" in ask(name, *AT).output

    def test_nothing_new_is_said_with_the_command_that_shows_the_last_one(
        self, world: World, settings: Settings, play: Play, signal: Add
    ) -> None:
        signal("alice", "acme", "visited", 0.2)
        brief_reps(world.engine, settings, play, NOW, channel=Memory())
        later = (NOW + timedelta(hours=1)).isoformat()
        answer = ask("ravi", "--as-of", later).output
        assert "Nothing new for Ravi Menon since" in answer
        command = answer.splitlines()[1].partition("tandem brief ")[2].split()
        assert "Alice Example visited our website" in ask(*command).output

    def test_an_earlier_brief_is_shown_as_it_was_although_the_facts_moved_on(
        self, world: World, settings: Settings, play: Play, signal: Add
    ) -> None:
        signal("alice", "acme", "visited", 0.2)
        brief_reps(world.engine, settings, play, NOW, channel=Memory())
        signal("bob", "acme", "replied", 0.1)
        answer = ask("ravi", "--as-of", NOW.replace(second=0).isoformat()).output
        assert "people engaged" in answer
        assert "Bob Example replied" not in answer

    def test_as_json_it_is_the_brief_with_its_evidence(self, signal: Add) -> None:
        row = signal("alice", "acme", "replied", 0.2)
        answer = json.loads(ask("ravi", "--json", *AT).output)
        assert answer["rep"] == "ravi@lumenflow.example"
        assert answer["brief"]["accounts"][0]["news"][0]["evidence"] == [f"signal:{row}"]
        assert json.loads(ask("sofia", "--json", *AT).output)["brief"] is None

    def test_as_a_page_it_is_written_to_a_file(self, tmp_path: Path, signal: Add) -> None:
        signal("alice", "acme", "replied", 0.2)
        page = tmp_path / "brief.html"
        assert ask("ravi", "--html", str(page), *AT).output == f"written to {page}\n"
        assert "Alice Example replied" in page.read_text(encoding="utf-8")
        with pytest.raises(Refused, match="cannot be written"):
            ask("ravi", "--html", str(tmp_path / "no" / "folder" / "brief.html"), *AT)


class TestRefusals:
    def test_an_unknown_rep(self) -> None:
        with pytest.raises(NotFound, match="no rep 'nobody'"):
            ask("nobody")

    def test_a_wildcard_is_no_rep(self) -> None:
        with pytest.raises(NotFound):
            ask("%")

    def test_a_name_two_reps_have(self, add: Add) -> None:
        add(Rep, email="ravi@other.example", name="Ravi Rao")
        with pytest.raises(Refused, match="2 reps are called 'ravi'"):
            ask("ravi")

    def test_no_rep_at_all_is_wrong_usage(self) -> None:
        assert ask().exit_code == 2


class TestList:
    def test_it_names_what_was_written_newest_first(
        self, world: World, settings: Settings, play: Play, signal: Add
    ) -> None:
        signal("alice", "acme", "replied", 0.2)
        signal("judy", "initech-south", "visited", 0.2)
        brief_reps(world.engine, settings, play, NOW, channel=Memory())
        brief_reps(world.engine, settings, play, NOW + timedelta(days=2), channel=Memory())
        rows = json.loads(ask("--list", "--json").output)
        assert [(row["rep_name"], row["state"]) for row in rows] == [
            ("Ravi Menon", "delivered"),
            ("Sofía Ortega", "delivered"),
            ("Ravi Menon", "delivered"),
        ]
        assert len(json.loads(ask("sofia", "--list", "--json").output)) == 1
        assert "Sofía Ortega" in ask("--list").output

    def test_without_briefs_it_says_how_to_get_them(self) -> None:
        assert ask("--list").output == "No briefs yet: `tandem run briefs` writes them.\n"
