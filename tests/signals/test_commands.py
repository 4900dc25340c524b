"""`tandem signal | hold | release | stop | veto | feedback | forget | export | audit` as somebody types them."""

import json
from collections.abc import Callable
from datetime import timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from accounts.errors import TandemError
from accounts.feedback import REPS_WORDS
from accounts.ledger.engine import writing
from accounts.ledger.signals.recorded import record
from accounts.vocabulary import SignalKind
from flows.cli import tandem
from tests.cast import NOW, World
from tests.signals.post import person, signal

ALICE = "alice@acme.example"
TOMORROW = (NOW + timedelta(days=1)).isoformat()
Say = Callable[..., Result]


@pytest.fixture
def say(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Types a command into a house whose clock stands at NOW."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TZ", "UTC")

    def typed(*words: str, now: bool = True, **more: Any) -> Result:
        return CliRunner().invoke(tandem, [*words, *(["--as-of", NOW.isoformat()] if now else [])], **more)

    return typed


def ok(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output.strip()


def refusal(result: Result) -> str:
    assert isinstance(result.exception, TandemError), result.output
    return str(result.exception)


def test_hold_and_release_answer_in_one_sentence(say: Say) -> None:
    held = ok(say("hold", "acme", "--until", TOMORROW, "--by", "ravi"))
    assert held == "No mail and no ads to Acme Works until 25 November, 10:00."
    assert ok(say("release", "acme")).startswith("Acme Works is released (one hold): mail goes on.")
    assert ok(say("release", "acme")) == "Acme Works was not held."


def test_a_hold_as_json_says_whom_it_is_about(say: Say) -> None:
    answer = json.loads(ok(say("hold", ALICE, "--json")))
    assert answer["subjects"] == [{"account": "acme", "email": ALICE}]
    assert len(answer["rows"]) == 1


def test_a_name_nobody_has_is_one_line_with_a_cure(say: Say) -> None:
    assert refusal(say("hold", "acmee")) == "nobody and nothing is called 'acmee' (did you mean acme?)"
    assert refusal(say("hold", "acme", "--until", "2020-01-01")).startswith("until: 1 January 2020 is over")


def test_stop_lists_what_is_stopped_and_why_and_stops_nothing_by_that(say: Say) -> None:
    assert ok(say("stop", "--list")) == "nothing is stopped"
    ok(say("stop", "--rep", "ravi@lumenflow.example", "--by", "sofia", "--note", "on leave"))
    ok(say("stop", "--by", "sofia"))
    listed = ok(say("stop", "--list")).splitlines()
    assert [line.partition(" since ")[0] for line in listed] == [
        "rep ravi@lumenflow.example is stopped", "everything is stopped"
    ]  # fmt: skip
    assert listed[0].endswith(" by sofia: on leave")
    (_, everything) = json.loads(say("stop", "--list", "--json").output)
    assert (everything["scope"], everything["target"], everything["by"], everything["note"]) == (
        "global", "", "sofia", None
    )  # fmt: skip


def test_stop_stops_everything_or_one_thing_and_says_how_to_go_on(say: Say) -> None:
    assert (
        ok(say("stop", "--account", "acme"))
        == "account acme is stopped; go on with: tandem stop --account acme --release"
    )
    assert ok(say("stop")) == "everything is stopped; go on with: tandem stop --release"
    assert ok(say("stop", "--release")) == "everything goes on"
    assert ok(say("stop", "--release")) == "everything was not stopped; what is: tandem stop --list"
    assert ok(say("stop", "--domain", "Acme.example")).startswith("domain Acme.example is stopped")
    assert ok(say("stop", "--domain", "acme.example", "--release")) == "domain acme.example goes on"
    assert say("stop", "--account", "acme", "--play", "x").exit_code == 2
    assert refusal(say("stop", "--rep", "nobody@x.example")).startswith("no rep")
    assert refusal(say("stop", "--play", "new-busines")).endswith(
        "no play called 'new-busines' (there are: new-business)"
    )
    assert ok(say("stop", "--play", "new-business")).startswith("play new-business is stopped")


def test_veto_and_feedback(say: Say) -> None:
    assert ok(say("veto", ALICE, "evaluation/five-year-cost")).startswith("“Five years of cost")
    assert refusal(say("veto", ALICE, "evaluation/nombers")).startswith("content: there is no mail")
    assert ok(say("veto", ALICE)) == "No more mail to Alice Example."
    assert ok(say("veto", ALICE, "--withdraw")) == "Alice Example may get mail again."
    assert ok(say("veto", ALICE, "--withdraw")) == "Nobody had said no to mail for Alice Example."
    later = ok(say("feedback", "acme", "bad_timing", "--callback-on", "2027-01-15"))
    assert later == "Acme Works is left alone until 15 January 2027."
    assert say("feedback", "acme", "splendid").exit_code == 2


def test_a_signal_by_hand_acts_at_once(say: Say, world: World) -> None:
    said = ok(say("signal", "add", "--email", ALICE, "--kind", "replied"))
    assert said.splitlines() == [
        "signals: 1 new, 0 known before, 1 applied, 0 in quarantine", "replied, so held: acme",
        "told: r…i@lumenflow.example",
    ]  # fmt: skip
    again = json.loads(ok(say("signal", "add", "--email", ALICE, "--kind", "replied", "--json")))
    assert (again["recorded"], again["duplicates"], again["told"]) == (0, 1, [])
    assert "seat empty: economic buyer at acme" in ok(
        say("signal", "add", "--email", "bob@acme.example", "--kind", "left_company")
    )
    assert person(world.engine, world, "bob").email_status == "left"
    assert refusal(say("signal", "add", "--email", "x@acme.example", "--kind", "clicked")).startswith("nobody has")


def letters_to(rep: str, home: Path) -> list[str]:
    mails = [BytesParser(policy=policy.default).parsebytes(path.read_bytes()) for path in home.rglob("*.eml")]
    return [mail["Subject"] for mail in mails if rep in mail["To"]]


def test_the_rep_hears_at_once_what_was_added_by_hand_or_stood_in_a_list(say: Say, tmp_path: Path) -> None:
    ok(say("signal", "add", "--email", ALICE, "--kind", "meeting_booked", "--until", TOMORROW))
    assert letters_to("ravi", tmp_path) == ["Alice Example booked a meeting (Acme Works)"]
    fair = tmp_path / "fair.csv"
    fair.write_text(f"email,kind,occurred_at\ngina@globex.example,replied,{NOW.isoformat()}\n")
    said = ok(say("signal", "import", str(fair)))
    assert "replied, so held: globex" in said
    assert "told: " in said
    assert len(list(tmp_path.rglob("*.eml"))) == 2, "each once"


def test_a_rep_who_cannot_be_told_now_hears_later_and_the_signal_is_safe(
    say: Say, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_CHANNEL", "smtp")
    monkeypatch.setenv("TANDEM_SMTP__PORT", "1")
    said = ok(say("signal", "add", "--email", ALICE, "--kind", "replied"))
    assert "replied, so held: acme" in said
    assert "not told: r…i@lumenflow.example" in said
    assert said.endswith("the next run tries again")


@pytest.mark.parametrize("kind", sorted(set(SignalKind) - REPS_WORDS))
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_kind_can_be_added_by_hand(say: Say, kind: SignalKind) -> None:
    said = ok(say("signal", "add", "--email", ALICE, "--kind", kind.value))
    assert said.startswith("signals: 1 new, 0 known before, 1 applied, 0 in quarantine")


def test_what_is_added_by_hand_says_all_that_a_door_says(say: Say, world: World) -> None:
    for words in (
        ["--kind", "bounced", "--bounce", "our_fault"],
        ["--kind", "preferred", "--every-days", "14", "--topic", "cost"],
        ["--kind", "left_company", "--instead", "Zoe Lin <zoe@acme.example>"],
    ):
        ok(say("signal", "add", "--email", ALICE, *words))
    alice = person(world.engine, world, "alice")
    assert (alice.email_status, alice.mail_every_days, alice.only_topic) == ("left", 14, "cost")
    assert "Zoe Lin <zoe@acme.example>" in ok(say("proposals", "list", now=False))


def test_what_is_added_by_hand_is_checked_like_a_row_of_a_list(say: Say) -> None:
    add = ["signal", "add", "--kind", "visited"]
    assert refusal(say(*add)).startswith("email: says nothing of whose it is")
    assert refusal(say(*add, "--email", ALICE, "--at", TOMORROW)).startswith("occurred_at: has not happened yet")
    assert refusal(say(*add, "--email", ALICE, "--at", "1815-06-18")).startswith(
        "occurred_at: lies before the year 2000"
    )
    assert refusal(say(*add, "--account", "umbrella")).startswith("no account 'umbrella'")
    absent = ["signal", "add", "--email", ALICE, "--kind", "out_of_office", "--until"]
    assert refusal(say(*absent, "9999-12-31")).startswith("until: lies more than 90 days ahead")
    assert refusal(say(*absent, "2020-01-01")).startswith("until: lies before what happened")
    assert say("signal", "add", "--email", ALICE, "--kind", "telepathy").exit_code == 2


def test_the_list_says_what_speaks_for_a_machine(say: Say, world: World) -> None:
    told = [{"honeypot": True}, {"user_agent": "", "method": "GET"}, {"method": "GET"}]
    with writing(world.engine) as connection:
        record(
            connection, [signal("clicked", ALICE, NOW - timedelta(hours=n), data=d) for n, d in enumerate(told)], NOW
        )
    first, second, third = ok(say("signal", "list", "--kind", "clicked", now=False)).splitlines()
    assert "(a machine, 99%: followed the link that people do not see)" in first
    assert "(perhaps a machine, 50%: the program says nothing of itself)" in second
    assert "machine" not in third


def test_a_file_of_signals_is_read_and_listed(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "fair.csv"
    path.write_text(f"email,kind,occurred_at\n{ALICE},visited,2026-11-20\nx@acme.example,visited,2026-11-20\n")
    assert ok(say("signal", "import", str(path), "--source", "fair")).splitlines() == [
        "signals: 1 new, 0 known before, 1 applied, 1 in quarantine",
        "1 person nobody knew: see tandem proposals", "see: tandem quarantine",
    ]  # fmt: skip
    assert ok(say("signal", "list", now=False)) == f"2026-11-20 00:00  visited            {ALICE}"
    assert json.loads(ok(say("signal", "list", "--account", "acme", "--json", now=False)))[0]["source"] == "fair"
    assert ok(say("signal", "list", "--account", "globex", now=False)) == "no signals"
    assert refusal(say("signal", "list", "--account", "glowex", now=False)).startswith("no account 'glowex'")
    assert say("signal", "list", "--kind", "telepathy", now=False).exit_code == 2
    assert "cannot be read" in refusal(say("signal", "import", "nowhere.csv"))


def test_a_score_is_explained_line_by_line_and_the_lines_add_up(say: Say) -> None:
    for email, kind in ((ALICE, "replied"), ("bob@acme.example", "clicked"), (ALICE, "downloaded")):
        ok(say("signal", "add", "--email", email, "--kind", kind))
    lines = ok(say("signal", "score", "acme")).splitlines()
    assert lines[0].endswith("points, 2 engaged, breadth x 1.15")
    assert lines[1].startswith("rising: ")
    assert [line.split()[2] for line in lines[2:]] == ["replied", "downloaded", "clicked"]
    assert sum(float(line.split()[0]) for line in lines[2:]) == pytest.approx(float(lines[0].split()[1]), abs=0.06)
    told = json.loads(ok(say("signal", "score", "acme", "--json")))
    assert sum(one["points"] for one in told["contributions"]) == pytest.approx(told["score"], abs=1e-9)
    assert ok(say("signal", "score", "acme", "--limit", "1")).splitlines()[-1].endswith("2 more signals")
    assert "nobody and nothing" in refusal(say("signal", "score", "umbrella"))


def test_forget_asks_first_and_export_shows_what_there_was(say: Say, world: World) -> None:
    held = json.loads(ok(say("export", ALICE, now=False)))
    assert held["stakeholder"][0]["first_name"] == "Alice"
    assert say("forget", ALICE, input="n\n").exit_code == 1
    assert person(world.engine, world, "alice").email == ALICE
    assert "erased: 1 stakeholder" in ok(say("forget", ALICE, input="y\n")).replace("1 activity, ", "")
    assert set(json.loads(ok(say("export", ALICE, now=False)))["suppression"][0]) == {"reason", "at", "expires_at"}
    assert refusal(say("forget", "nobody@acme.example", "--yes")).startswith("nothing is known about")
    assert json.loads(ok(say("forget", "bob@acme.example", "--json")))["rows"]["stakeholder"] == 1


def test_everything_reps_said_stands_in_the_audit_and_the_audit_is_whole(say: Say) -> None:
    ok(say("hold", "acme", "--by", "ravi"))
    ok(say("stop", "--by", "sofia"))
    assert [line.split()[2:] for line in ok(say("audit", now=False)).splitlines()] == [
        ["sofia", "stop", "global"], ["ravi", "hold", "account:acme"],
    ]  # fmt: skip
    assert ok(say("audit", "--verify", now=False)).startswith("2 entries, whole; the last one's hash is ")
    assert json.loads(ok(say("audit", "--json", now=False)))[0]["action"] == "stop"
