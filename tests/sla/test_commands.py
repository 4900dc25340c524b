"""`tandem sla`: both sides' clocks at a terminal, and a person's word. And what automations and Prefect's page get."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from accounts.errors import NotFound, Refused
from accounts.ledger.engine import reading
from accounts.vocabulary import About, Duty
from flows.briefs.letters import deliver_letters
from flows.channels.email.memory import Memory
from flows.cli.sla import sla
from flows.news import gather_news
from flows.reports import clocks_report
from flows.settings import Settings
from tests.cast import NOW
from tests.sla.conftest import Days

HOUR = timedelta(hours=1)
LATER = ["--as-of", (NOW + 30 * HOUR).isoformat()]
FRIDAY = ["--as-of", (NOW + 78 * HOUR).isoformat()]


@pytest.fixture(autouse=True)
def at_home(days: Days, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TANDEM_DATABASE_URL", days.world.engine.url.render_as_string(hide_password=False))
    days.rep("ravi", manager_email="grace@lumenflow.example")
    days.signal("replied", NOW)
    days.contact("initech-south", NOW)


def ask(*words: str) -> Result:
    return CliRunner().invoke(sla, words, catch_exceptions=False)


class TestTheList:
    def test_it_shows_both_sides_with_whose_why_and_until_when(self, days: Days) -> None:
        first, second = ask(*FRIDAY).output.splitlines()
        assert "sales" in first
        assert "answer who asked: acme" in first
        assert "ravi@lumenflow.example" in first
        assert "breached, now a matter for grace@lumenflow.example" in first
        assert "(signal:1)" in first
        assert "marketing" in second
        assert "write first, after the first contact: initech-south" in second
        assert "running, warned at 80 %" in second

    def test_it_says_told_once_the_letter_has_reached_the_manager(self, days: Days, tmp_path: Path) -> None:
        later = NOW + 30 * HOUR
        days.look(later)
        deliver_letters(days.world.engine, Settings(home=tmp_path), days.play, later, channel=Memory())
        assert "breached, told grace@lumenflow.example" in ask(*LATER).output

    def test_it_can_be_narrowed_to_an_account_a_rep_or_a_side(self) -> None:
        assert [line.split()[1] for line in ask("--account", "acme", *LATER).output.splitlines()] == ["sales"]
        assert [line.split()[1] for line in ask("--rep", "sofia", *LATER).output.splitlines()] == ["marketing"]
        assert [line.split()[1] for line in ask("--side", "sales", *LATER).output.splitlines()] == ["sales"]
        with pytest.raises(NotFound):
            ask("--account", "acne", *LATER)

    def test_what_has_stopped_is_shown_when_asked_for(self, days: Days) -> None:
        call = days.call(NOW + HOUR)
        assert "acme" not in ask(*LATER).output
        assert f"met by activity:{call}" in ask("--all", *LATER).output

    def test_as_json_it_is_the_whole_clock(self) -> None:
        clock: dict[str, Any] = json.loads(ask("--json", *LATER).output)[0]
        assert clock["duty"] == "answer"
        assert clock["due_at"] == (NOW + 24 * HOUR).isoformat()
        assert clock["evidence"] == ["signal:1"]

    def test_nothing_owed_is_said(self) -> None:
        assert ask("--rep", "ravi", "--side", "marketing", *LATER).output == "nothing is owed\n"


class TestAWord:
    def test_it_stops_a_clock_once(self, days: Days) -> None:
        days.verdict("bad_timing", NOW)
        days.look(NOW + HOUR)
        number = str(days.clock(Duty.HANDOFF_ANSWER).id)
        later = ["--as-of", (NOW + 2 * HOUR).isoformat()]
        assert ask("answer", number, "--by", "mia", *later).output == (
            f"clock {number} has stopped: answer a hand-off that came back, met by word:mia\n"
        )
        with pytest.raises(Refused):
            ask("answer", number, "--by", "mia", *later)

    def test_of_what_sales_owes_somebody_else_gives_it_with_a_reason(self, days: Days) -> None:
        days.look(NOW + HOUR)
        number = str(days.clock(Duty.ANSWER).id)
        later = ["--as-of", (NOW + 2 * HOUR).isoformat()]
        with pytest.raises(Refused, match="a rep says what sales has kept, and mia does not speak for Acme Works"):
            ask("answer", number, "--by", "mia", *later)
        said = ask("answer", number, "--by", "mia", "--override", "I was on the call", *later).output
        assert said.endswith("met by word:mia\n")


class TestTelling:
    def test_a_breach_is_there_to_be_told_however_many_look_and_shows_no_address(self, days: Days) -> None:
        for hours in (30, 31):
            days.look(NOW + hours * HOUR)
        with reading(days.world.engine) as connection:
            (breach,) = [one for one in gather_news(connection, NOW + 31 * HOUR) if one.about is About.PROMISE]
        assert (breach.event, breach.subject, breach.name) == ("tandem.sla.breached", "tandem.account.acme", "acme")
        assert breach.says["duty"] == "answer"
        assert breach.says["owes"] == "r…i@lumenflow.example"
        assert breach.says["told"] == "g…e@lumenflow.example"

    def test_the_page_shows_both_sides_and_masks_addresses(self, days: Days) -> None:
        page = clocks_report(days.look(NOW + 30 * HOUR), NOW + 30 * HOUR)
        assert (
            "| answer who asked | acme | r…i\\@lumenflow.example | Wed 25 Nov 10:00 | **breached**, escalated |" in page
        )
        assert "| write first, after the first contact | initech-south |" in page
        assert "ravi@" not in page
