"""What a rep calls wrong reaches marketing: the line as it stood, what is true instead, and how many there were."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from accounts.answers import AnswerKind, Said
from accounts.briefs.stored import from_payload
from accounts.ledger.briefs.wrong_lines import read_wrong_lines
from accounts.ledger.engine import reading
from accounts.models import Brief
from accounts.playbook import Play
from flows.briefs.briefing import brief_reps
from flows.channels.email.memory import Memory
from flows.cli.wrong_lines import wrong_lines
from flows.reports import briefed_report
from flows.sales.answers import say
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RAVI = "ravi@lumenflow.example"


@pytest.fixture
def line(world: World, settings: Settings, play: Play, signal: Add) -> str:
    """The second line about Acme of the brief that Ravi got; an hour later he calls it wrong."""
    signal("alice", "acme", "replied", 0.2)
    signal("gina", "globex", "clicked", 0.3)
    brief_reps(world.engine, settings, play, NOW, channel=Memory(), rep="ravi")
    with reading(world.engine) as connection:
        id, payload = connection.execute(select(Brief.id, Brief.payload)).one()
    (acme,) = (one for one in from_payload(payload).accounts if one.key == "acme")
    said = Said(AnswerKind.WRONG_LINE, 0, line=2, words="Alice left in May")
    say(world.engine, said, "acme", by=RAVI, now=NOW + HOUR, account=None, play=play, brief_id=id)
    return list(acme.statements())[1].text


def test_a_wrong_line_is_listed_as_it_stood_with_what_is_true_instead(world: World, line: str) -> None:
    with reading(world.engine) as connection:
        (one,) = read_wrong_lines(connection, NOW, NOW + DAY, 50)
        assert not read_wrong_lines(connection, NOW + HOUR, NOW + DAY, 50), "nothing since then"
        assert not read_wrong_lines(connection, None, NOW, 50), "nothing was said by then"
    assert (one.account, one.by, one.at, one.line) == ("acme", RAVI, NOW + HOUR, 2)
    assert (one.stood, one.instead) == (line, "Alice left in May")


def test_the_page_of_a_run_counts_those_of_the_last_week(
    world: World, settings: Settings, play: Play, line: str
) -> None:
    def page(now: object) -> str:
        done = brief_reps(world.engine, settings, play, now, channel=Memory(), only_due=True)  # type: ignore[arg-type]
        return briefed_report(done, now)  # type: ignore[arg-type]

    assert "reps called **1** line of their briefs wrong" in page(NOW + 6 * DAY)
    assert "called" not in page(NOW + 8 * DAY)


def test_the_command_tells_marketing(
    world: World, settings: Settings, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(settings.home))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))

    def ask(*words: str) -> str:
        return CliRunner().invoke(wrong_lines, words, catch_exceptions=False).output

    at = ("--as-of", (NOW + DAY).isoformat())
    first, *told = ask(*at).splitlines()
    assert ("acme" in first, RAVI in first, first.endswith("line 2")) == (True, True, True)
    assert told == [f"  it said:  {line}", "  instead:  Alice left in May"]
    assert json.loads(ask("--json", *at))[0]["stood"] == line
    assert ask("--as-of", NOW.isoformat()) == "No line was called wrong.\n"
