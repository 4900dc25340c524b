"""Every answer has a twin at the command line, and says there what it says everywhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from accounts.answers import AnswerKind
from accounts.errors import Refused
from flows.cli import COMMANDS, tandem
from tests.cast import NOW, World
from tests.sales.desk import on_sqlite

RAVI = "ravi@lumenflow.example"
BOB = "bob@acme.example"
#: Each answer -> what to type.
TWINS: dict[AnswerKind, tuple[str, ...]] = {
    AnswerKind.HOLD: ("hold", "acme", "--until", "2026-12-03"),
    AnswerKind.RELEASE: ("release", "acme"),
    AnswerKind.VETO: ("veto", BOB),
    AnswerKind.UNVETO: ("veto", BOB, "--withdraw"),
    AnswerKind.DELAY: ("delay", BOB, "new-business/evaluation/five-slides", "--until", "2026-12-03"),
    AnswerKind.UNDELAY: ("delay", BOB, "new-business/evaluation/five-slides", "--withdraw"),
    AnswerKind.APPROVE: ("first-mail", "acme"),
    AnswerKind.RIPE: ("feedback", BOB, "ripe"),
    AnswerKind.NOT_YET: ("feedback", BOB, "not_yet"),
    AnswerKind.WRONG_PERSON: ("feedback", BOB, "wrong_person"),
    AnswerKind.BAD_TIMING: ("feedback", "acme", "bad_timing"),
    AnswerKind.SEAT: ("seat", "champion", BOB),
    AnswerKind.ADD_PERSON: ("person", "acme", "--email", "zoe@acme.example", "--name", "Zoe Lin"),
    AnswerKind.CORRECT_PERSON: ("person", BOB, "--title", "CFO"),
    AnswerKind.CLAIM: ("claim", BOB, "acme"),
    AnswerKind.OBJECTION: ("objection", BOB, "too dear"),
    AnswerKind.TOPIC: ("objection", "acme", "heat pumps", "--topic"),
    AnswerKind.CLOSE_OBJECTION: ("objection", "acme", "--close", "1"),
    AnswerKind.WRONG_LINE: ("wrong-line", "acme", "3", "she was not there"),
    AnswerKind.TAKE: ("lease", "acme"),
    AnswerKind.LIMITS: ("lease", "acme", "--spare", BOB, "--not-about", "cost", "--per-week", "1", "--no-ads"),
    AnswerKind.GIVE_BACK: ("lease", "acme", "--give-back"),
}
Say = Callable[..., str]


@pytest.fixture
def say(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Ravi types a command into a house whose clock stands at NOW."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))

    def typed(*words: str, by: str | None = RAVI) -> str:
        signed = ["--by", by] if by else []
        command = [*words, *signed, "--as-of", NOW.isoformat()]
        return CliRunner().invoke(tandem, command, catch_exceptions=False, standalone_mode=False).output.strip()

    return typed


def test_every_answer_has_its_twin() -> None:
    assert set(TWINS) == set(AnswerKind)
    assert {words[0] for words in TWINS.values()} <= set(COMMANDS)


@on_sqlite
def test_all_of_them_can_be_said_one_after_the_other(say: Say) -> None:
    told = {kind: say(*words) for kind, words in TWINS.items()}
    assert all(said.endswith(".") for said in told.values()), told
    assert told[AnswerKind.LIMITS].endswith(
        "no mail to Bob Example, nothing about cost, at most one mail a week, no ads."
    )
    assert told[AnswerKind.CLOSE_OBJECTION] == "Settled: objection 1 leaves your briefs."


@on_sqlite
def test_a_command_as_json_says_what_changed(say: Say) -> None:
    answer = json.loads(say("lease", "acme", "--per-week", "2", "--json"))
    assert answer["changed"] is True
    assert answer["subjects"] == [{"account": "acme", "email": None}]


@on_sqlite
def test_open_objections_are_listed(say: Say) -> None:
    say("objection", BOB, "too dear")
    say("objection", "acme", "heat pumps", "--topic")
    assert say("objection", "acme", by=None).splitlines() == [
        "1  objection, 2026-11-24: too dear", "2  topic, 2026-11-24: heat pumps",
    ]  # fmt: skip
    assert say("objection", BOB, by=None) == "1  objection, 2026-11-24: too dear"
    assert say("objection", "globex", by=None) == "nothing is open"


@on_sqlite
def test_somebody_else_gives_a_lease_back_with_a_reason(say: Say) -> None:
    say("lease", "acme", "--no-ads")
    with pytest.raises(Refused, match="mia does not speak for Acme Works"):
        say("lease", "acme", "--give-back", by="mia")
    assert "given back" in say("lease", "acme", "--give-back", "--override", "Ravi is ill", by="mia")
