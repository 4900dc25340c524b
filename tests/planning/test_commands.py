"""`tandem plan`, `why` and `late`, as a marketer types them."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, event, insert, select, update

from accounts.errors import NotFound, Refused
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Audit, Reprieve, Signal, Stakeholder, Veto
from accounts.playfiles import load_play
from accounts.tick import decide
from flows.cli import COMMANDS, tandem
from flows.settings import TEMPLATES
from tests.cast import NOW, PLAY, World

AT = ["--as-of", NOW.isoformat()]


@pytest.fixture
def desk(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The cast's ledger as settings name it, and the play that is shipped; times are told in UTC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TZ", "UTC")
    import time

    time.tzset()
    yield world
    monkeypatch.undo()
    time.tzset()


def run(*words: str) -> Result:
    return CliRunner().invoke(tandem, list(words), catch_exceptions=False, standalone_mode=False)


def printed(*words: str) -> str:
    return run(*words).stdout


def answered(*words: str) -> Any:
    return json.loads(printed(*words, "--json"))


# plan


def test_plan_says_who_gets_what_and_who_does_not_and_why(desk: World) -> None:
    lines = printed("plan", *AT).splitlines()
    assert lines[0] == (
        "new-business as of Tue 24 Nov 2026, 10:00: 2 of 11 people get a mail now, 5 wait, 4 get nothing"
    )
    assert lines[3].split() == ["3", "staggered"]
    assert [line.split()[1] for line in lines[10:]] == [
        "alice@acme.example", "ivan@initech.example", "bob@acme.example", "charlie@acme.example", "erin@acme.example",
        "judy@initech.example", "gina@globex.example", "dana@acme.example", "frank@acme.example",
        "hank@globex.example", "kim@hooli.example",
    ]  # fmt: skip
    assert lines[10].split()[-2:] == ["now", "evaluation/pilot-that-can-fail"]
    assert lines[12].endswith("not before Tue 24 Nov 2026, 11:00  evaluation/three-pilot-numbers  staggered")


def test_plan_of_one_account_shows_that_account_only(desk: World) -> None:
    facts = answered("plan", "--account", "globex", *AT)
    assert facts["people"] == 2
    assert {line["account"] for line in facts["lines"]} == {"globex"}
    assert facts["lines"][0] == {
        "email": "gina@globex.example", "name": "Gina Example", "role": "champion", "account": "globex",
        "answer": "wait", "reason": "outside_window", "at": "2026-11-24T15:00:00+00:00",
        "content": "new-business/discovery/why-now", "not_after": None, "timezone": None, "timezone_source": None,
    }  # fmt: skip


def test_plan_of_one_account_tells_what_leaves_in_seven_days_mail_by_mail(desk: World) -> None:
    """Four are due now, and take turns; in a week the first of them gets the next."""
    facts = answered("plan", "--account", "acme", *AT)
    assert [(one["at"][5:16], one["email"], one["content"].rpartition("/")[2]) for one in facts["leaving"]] == [
        ("11-24T10:00", "alice@acme.example", "pilot-that-can-fail"),
        ("11-24T11:00", "bob@acme.example", "three-pilot-numbers"),
        ("11-24T12:00", "charlie@acme.example", "security-pack"),
        ("11-24T13:00", "erin@acme.example", "like-with-like"),
        ("11-30T08:00", "alice@acme.example", "five-slides"),
    ]
    assert facts["supposed"] == "So it comes if nobody reacts and nothing changes."
    head, *lines = printed("plan", "--account", "acme", *AT).split("\n\n")[-1].splitlines()
    assert head == f"What leaves until Tue 1 Dec 2026, 10:00: {len(lines)} mails. {facts['supposed']}"
    assert lines[0].split()[-4:] == ["10:00", "acme", "alice@acme.example", "evaluation/pilot-that-can-fail"]


def test_plan_looks_ahead_at_everybody_when_asked_how_many_days(desk: World) -> None:
    assert "leaving" not in answered("plan", *AT)
    facts = answered("plan", "--days", "1", *AT)
    assert {one["account"] for one in facts["leaving"]} == {"acme", "globex", "initech-north", "initech-south"}
    assert max(one["at"] for one in facts["leaving"]) < facts["until"] == "2026-11-25T10:00:00+00:00"


def test_plan_says_what_a_brake_holds_and_that_a_limit_of_the_pace_is_not_counted(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    supposed = "So it comes if nobody reacts and nothing changes."
    monkeypatch.setenv("TANDEM_PACE", '{"all": {"hour": 5}}')
    paced = answered("plan", "--account", "acme", *AT)["supposed"]
    assert paced == f"{supposed} The pace is limited, so some may leave later."
    run("stop", "--account", "acme", "--by", "mia")
    assert printed("plan", "--account", "acme", *AT).split("\n\n")[-1].splitlines() == [
        f"What leaves until Tue 1 Dec 2026, 10:00: nothing. {supposed}",
        "A brake holds all mail to 6 of them: tandem stop --list",
    ]


def test_plan_of_another_day_is_another_plan(desk: World) -> None:
    sunday = answered("plan", "--as-of", "2026-11-29T10:00+00:00")
    assert sunday["answers"].get("touch", 0) == 0
    assert sunday["reasons"]["outside_window"] == 7


def test_plan_says_how_many_lines_it_leaves_out_and_shows_all_when_asked(desk: World) -> None:
    with writing(desk.engine) as connection:
        people = [
            {"account_id": desk.accounts["hooli"], "email": f"p{n}@hooli.example", "email_hash": f"{n}"}
            for n in range(40)
        ]
        connection.execute(insert(Stakeholder), people)
    assert printed("plan", *AT).splitlines()[-1] == (
        "… and 11 more: --all shows them, --account KEY those of one account"
    )
    assert len(answered("plan", "--all", *AT)["lines"]) == 51


def test_plan_and_why_write_nothing(desk: World) -> None:
    statements: list[str] = []

    def seen(*args: Any) -> None:
        statements.append(args[2].split()[0].upper())

    event.listen(Engine, "before_cursor_execute", seen)
    try:
        printed("plan", *AT)
        printed("why", "alice@acme.example", *AT)
    finally:
        event.remove(Engine, "before_cursor_execute", seen)
    assert "SELECT" in statements
    assert not {"INSERT", "UPDATE", "DELETE"} & set(statements)


def test_plan_of_an_unknown_account_names_the_closest(desk: World) -> None:
    with pytest.raises(NotFound, match="no account 'acm' \\(did you mean acme\\?\\)"):
        run("plan", "--account", "acm")


def test_plan_of_an_unknown_play_says_which_there_are(desk: World) -> None:
    with pytest.raises(NotFound, match="there are: new-business"):
        run("plan", "--play", "old-business")


def test_plan_of_an_empty_ledger(desk: World) -> None:
    with writing(desk.engine) as connection:
        connection.execute(update(Account).values(play="winback"))
    assert printed("plan", *AT).strip() == (
        "new-business as of Tue 24 Nov 2026, 10:00: 0 of 0 people get a mail now, 0 wait, 0 get nothing"
    )


# why


def test_why_answers_in_one_sentence(desk: World) -> None:
    assert printed("why", "dana@acme.example", *AT) == (
        "Dana Example (dana@acme.example, end user at Acme Works) gets nothing: opted out on 4 Nov 2026.\n"
    )


def test_why_calls_reps_by_their_names(desk: World) -> None:
    """Who holds the account, and who said no; whoever is no rep as they signed."""
    ravi = ("--by", "ravi@lumenflow.example")
    run("veto", "bob@acme.example", *ravi, *AT)
    assert "Ravi Menon said no to all mail" in printed("why", "bob@acme.example", *AT)
    run("hold", "acme", *ravi, *AT)
    run("hold", "globex", "--by", "mia", *AT)
    assert "Ravi Menon stopped" in printed("why", "alice@acme.example", *AT)
    assert "mia stopped" in printed("why", "gina@globex.example", *AT)


def test_why_takes_a_name_and_any_writing_of_an_address(desk: World) -> None:
    assert printed("why", "dana  EXAMPLE", *AT) == printed("why", " Dana@ACME.example ", *AT)


def test_why_of_a_time_before_the_opt_out(desk: World) -> None:
    assert "opted out" not in printed("why", "dana@acme.example", "--as-of", "2026-11-03T10:00+00:00")


def test_why_draws_on_the_ledger_for_its_facts(desk: World) -> None:
    with writing(desk.engine) as connection:
        bounce = {"kind": "bounced", "occurred_at": NOW - timedelta(days=2), "received_at": NOW}
        ids = {"account_id": desk.accounts["globex"], "stakeholder_id": desk.people["hank"]}
        connection.execute(insert(Signal).values(source="smtp", source_id="1", **ids, **bounce))
    assert printed("why", "hank@globex.example", *AT).endswith("came back on 22 Nov 2026.\n")


def test_why_gives_the_facts_as_json(desk: World) -> None:
    (case,) = answered("why", "dana@acme.example", *AT)
    assert (case["answer"], case["reason"], case["account"]) == ("never", "opted_out", "acme")
    assert case["facts"]["opted_out_at"] == "2026-11-04T10:00:00+00:00"
    assert case["facts"]["stage"] == "evaluation"


def test_why_of_somebody_in_two_accounts_answers_for_both(desk: World) -> None:
    with writing(desk.engine) as connection:
        row = connection.execute(select(Stakeholder.__table__).filter_by(id=desk.people["ivan"])).one()._asdict()
        connection.execute(insert(Stakeholder).values(row | {"id": 999, "account_id": desk.accounts["acme"]}))
        connection.execute(update(Stakeholder).where(Stakeholder.email == row["email"]).values(owner_conflict=True))
    said = printed("why", "ivan@initech.example", *AT).splitlines()
    assert len(said) == 2
    assert "champion at Acme Works) gets nothing: the same address stands in Initech North" in said[0]
    assert "champion at Initech North) gets nothing: the same address stands in Acme Works" in said[1]


@pytest.mark.parametrize(("typed", "meant"), [("dna@acme.example", "dana@acme.example"), ("dana", "dana@acme.example")])
def test_why_of_nobody_names_the_closest(desk: World, typed: str, meant: str) -> None:
    with pytest.raises(NotFound, match=f"did you mean {meant}"):
        run("why", typed)


# late


def make_late(world: World) -> None:
    """Everything was known long ago, and nothing was planned for six weeks."""
    play = load_play(TEMPLATES / "plays" / PLAY)
    decide(world.engine, play, NOW - timedelta(days=60))
    with writing(world.engine) as connection:
        connection.execute(update(Account).values(stage_entered_at=NOW - timedelta(days=42)))
    decide(world.engine, play, NOW, only_due=False)


def test_late_lists_what_waits_for_a_decision(desk: World) -> None:
    make_late(desk)
    lines = printed("late", "--account", "acme").splitlines()
    assert lines[0] == "4 steps are late and wait for a decision: --send lets them go, --skip leaves them out"
    assert {line.split()[1].partition("@")[0] for line in lines[1:]} == {"alice", "bob", "charlie", "erin"}


def test_late_steps_that_are_let_go_leave_one_after_the_other(desk: World) -> None:
    make_late(desk)
    assert printed("late", "--send", "--account", "acme", "--by", "mia", *AT) == (
        "4 late steps may leave after all, inside caps and windows\n"
    )
    decided = decide(desk.engine, load_play(TEMPLATES / "plays" / PLAY), NOW)
    assert decided.new_touches == 1  # the others an hour apart
    with reading(desk.engine) as connection:
        assert set(connection.scalars(select(Reprieve.by))) == {"mia"}
        assert connection.scalars(select(Audit.action)).all() == ["send_late"]


def test_late_steps_that_are_left_out_are_gone_from_the_list(desk: World) -> None:
    make_late(desk)
    run("late", "erin@acme.example", "--skip", "--by", "mia", *AT)
    decide(desk.engine, load_play(TEMPLATES / "plays" / PLAY), NOW)
    assert {one["email"] for one in answered("late", "--account", "acme")["late"]} == {
        "alice@acme.example", "bob@acme.example", "charlie@acme.example",
    }  # fmt: skip
    with reading(desk.engine) as connection:
        assert connection.scalars(select(Veto.content)).all() == [f"{PLAY}/evaluation/like-with-like"]


def test_late_decides_for_nobody_unless_told_for_whom(desk: World) -> None:
    make_late(desk)
    result = CliRunner().invoke(tandem, ["late", "--send"])
    assert result.exit_code == 2
    assert "say for whom" in result.output


def test_late_has_nothing_to_decide_when_nothing_is_late(desk: World) -> None:
    assert printed("late") == "nothing is late\n"
    with pytest.raises(Refused, match="nothing late to decide"):
        run("late", "--send", "--everybody")


def test_the_commands_stand_in_the_help() -> None:
    assert {name for name, (module, _, _) in COMMANDS.items() if module == "planning"} == {"plan", "why", "late"}
    assert shutil.which("tandem") is None or "late" in CliRunner().invoke(tandem, ["--help"]).output
