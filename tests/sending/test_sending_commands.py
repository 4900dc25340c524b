"""`tandem approve`, `touches`, `settle`, `late`: a person's word about plans and touches."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from accounts.errors import NotFound, PlanRefused, Refused
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import plans, touches
from accounts.models import Account, Audit, Certificate
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.touch_states import Refusal
from accounts.vocabulary import PlanState, Reason, TouchState
from expectations.audience import Limits
from flows import nurturing
from flows.channels.email.memory import Memory
from flows.cli import tandem
from flows.settings import TEMPLATES, Settings
from tests.cast import NOW, World
from tests.sales.desk import decided
from tests.sending.desk import DAY, change, claim, rows, states, touch_of

T = TouchState
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
Say = Callable[..., Result]


@pytest.fixture(scope="module")
def play() -> Play:
    return load_play(TEMPLATES / "plays" / "new-business")


@pytest.fixture
def say(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Type a command: `say("approve", "1")`; an hour after the plan was held, unless told otherwise."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))

    def typed(*words: str, at: datetime = NOW + HOUR) -> Result:
        who_and_when = [] if words[0] == "touches" else ["--by", "mia", "--as-of", at.isoformat()]
        return CliRunner().invoke(tandem, [*words, *who_and_when])

    return typed


@pytest.fixture
def held(world: World, play: Play, tmp_path: Path) -> Callable[..., list[str]]:
    """A plan for Alice and Ivan that waits for a person; calling it is the next nurture run: who got mail."""

    def run(now: datetime = NOW, play: Play = play, **options: object) -> list[str]:
        memory = Memory()
        nurturing.nurture(world.engine, Settings(home=tmp_path), play, now, channel=memory, **options)  # type: ignore[arg-type]
        return [letter.recipient for letter in memory.sent]

    assert run(limits=Limits(first_readers=0)) == []
    assert set(states(world).values()) == {T.PLANNED}
    return run


def test_an_approved_plan_leaves_with_the_next_run_in_the_name_of_who_approved_it(world: World, say: Say, held) -> None:
    result = say("approve", "1")
    assert result.output == "plan 1 is approved: 2 messages will leave with the next nurture run\n"
    with reading(world.engine) as connection:
        plan = plans.read_plan(connection, 1)
        audited = connection.execute(select(Audit.actor, Audit.action, Audit.subject)).one()
    assert (plan.state, plan.approved_by, plan.approved_at) == (PlanState.CERTIFIED, "mia", NOW + HOUR)
    assert tuple(audited) == ("mia", "approve", "plan:1")
    assert sorted(held(NOW + 2 * HOUR))[:2] == ["alice@acme.example", "ivan@initech.example"]


def test_an_approval_answers_in_json(say: Say, held) -> None:
    answer = json.loads(say("approve", "1", "--json").output)
    assert answer == {"plan": 1, "state": "certified", "leaving": 2, "left_out": {}}


def test_a_plan_is_judged_again_and_who_must_not_get_it_is_left_out_only_on_request(
    world: World, say: Say, held
) -> None:
    change(world, "alice", opted_out_at=NOW)
    refused = say("approve", "1").exception
    assert isinstance(refused, PlanRefused)
    assert str(refused) == "plan 1: 1 of 2 messages must not leave: 1 opted out (--drop-failing leaves them out)"
    assert set(states(world).values()) == {T.PLANNED}, "nothing was done"
    assert "1 message will leave" in say("approve", "1", "--drop-failing").output
    assert rows(world)["alice"] == (T.CANCELLED, Reason.OPTED_OUT)
    assert "ivan@initech.example" in held(NOW + 2 * HOUR)


def test_a_plan_approved_too_late_sends_nothing(world: World, say: Say, held) -> None:
    """What is past its time has expired, whatever a person says."""
    late = NOW + 60 * DAY
    refused = say("approve", "1", at=late).exception
    assert isinstance(refused, PlanRefused)
    assert set(rows(world).values()) == {(T.EXPIRED, Refusal.TOO_LATE)}
    with reading(world.engine) as connection:
        assert connection.scalar(select(Certificate.plan_id)) is None


def test_a_dropped_message_never_leaves_and_the_rest_does(world: World, say: Say, held) -> None:
    ivans = str(touch_of(world, "ivan"))
    assert say("approve", "1", "--drop", ivans).output == (
        "plan 1 is approved: 1 message will leave with the next nurture run\n"
    )
    assert rows(world)["ivan"] == (T.CANCELLED, Reason.VETOED)
    assert "ivan@initech.example" not in held(NOW + 2 * HOUR)
    assert rows(world)["alice"] == (T.SENT, None)


def test_only_what_waits_in_the_plan_can_be_dropped(say: Say, held) -> None:
    refused = say("approve", "1", "--drop", "4711").exception
    assert isinstance(refused, PlanRefused)
    assert "not waiting in it: 4711" in str(refused)
    assert say("approve", "1", "--reject", "--drop", "1").exit_code == 2


def test_a_plan_of_which_nobody_may_be_written_to_any_more_is_rejected(world: World, say: Say, held) -> None:
    for name in ("alice", "ivan"):
        change(world, name, consent_basis=None)
    refused = say("approve", "1", "--drop-failing").exception
    assert "Nobody in it may be written to." in str(refused)
    assert set(rows(world).values()) == {(T.CANCELLED, Reason.NO_CONSENT)}


def test_a_cancelled_plan_stays_cancelled_for_seven_days(world: World, say: Say, held) -> None:
    """Nobody is asked again a quarter of an hour later; whoever is due with something else meanwhile gets that."""
    assert say("approve", "1", "--reject").output == "plan 1 is rejected: 2 messages will not leave\n"
    cancelled = {(T.CANCELLED, Reason.PLAN_CANCELLED)}
    assert set(rows(world).values()) == cancelled
    assert isinstance(say("approve", "1").exception, PlanRefused)
    for later in (HOUR + QUARTER, DAY, 7 * DAY):
        assert not {"alice@acme.example", "ivan@initech.example"} & set(held(NOW + later))
        assert {rows(world)[name] for name in ("alice", "ivan")} == cancelled
    assert decided(world, "alice") == ("wait", "plan_cancelled")
    assert "alice@acme.example" in held(NOW + 8 * DAY), "a new plan, this time an ordinary one"


def test_a_cancelled_plan_is_planned_anew_when_somebody_has_edited_the_play(
    world: World, say: Say, held, play: Play
) -> None:
    say("approve", "1", "--reject")
    assert "alice@acme.example" in held(NOW + 2 * HOUR, play=play.model_copy(update={"version": "f" * 64}))


def test_a_plan_that_the_gate_rejects_is_not_taken_for_somebodys_word(world: World, held) -> None:
    with writing(world.engine) as connection:
        plans.reject(connection, 1, reason=Refusal.PLAN_REJECTED, now=NOW + HOUR, by="mia")
    assert "alice@acme.example" in held(NOW + 2 * HOUR)


def test_a_plan_that_waits_for_nobody_or_is_nobodys_is_refused(say: Say, held) -> None:
    say("approve", "1")
    assert "it is certified and waits for nobody" in str(say("approve", "1").exception)
    assert isinstance(say("approve", "77").exception, NotFound)


# Touches.


def test_touches_are_listed_by_state_and_plan(world: World, say: Say, held) -> None:
    listed = json.loads(say("touches", "--json").output)
    assert [(one["state"], one["plan_id"]) for one in listed] == [("planned", 1), ("planned", 1)]
    assert json.loads(say("touches", "--state", "sent", "--json").output) == []
    assert str(say("touches", "--plan", "2").exception).startswith("no send plan 2")
    assert len(json.loads(say("touches", "--limit", "1", "--json").output)) == 1
    table = say("touches", "--plan", "1").output
    assert "alice@acme.example" in table
    assert say("touches", "--state", "failed").output == "no touches\n"


def _unknown(world: World, say: Say) -> int:
    say("approve", "1")
    claim(world, 1, now=NOW + HOUR)
    with writing(world.engine) as connection:
        touches.give_up_leases(connection, NOW + 3 * HOUR)
    return touch_of(world, "alice")


def test_an_unknown_outcome_is_settled_by_a_person_as_sent(world: World, say: Say, held) -> None:
    alice = _unknown(world, say)
    assert "unknown" in say("touches", "--state", "unknown").output
    assert say("settle", str(alice), "sent").output == f"touch {alice}: sent\n"
    assert rows(world)["alice"] == (T.SENT, "settled by mia")
    assert "settled by mia" in say("touches", "--state", "sent").output
    assert "alice@acme.example" not in held(NOW + 4 * HOUR), "and is never sent again"


def test_several_are_settled_at_once_or_none(world: World, say: Say, held) -> None:
    alice = _unknown(world, say)
    ivan = touch_of(world, "ivan")
    assert isinstance(say("settle", str(alice), "999", "sent").exception, NotFound)
    assert states(world)["alice"] is T.UNKNOWN
    answer = json.loads(say("settle", str(alice), str(ivan), "sent", "--json").output)
    assert answer == {"touches": [alice, ivan], "outcome": "sent"}
    with reading(world.engine) as connection:
        audited = connection.execute(select(Audit.actor, Audit.action, Audit.subject).order_by(Audit.id.desc())).all()
    assert [tuple(row) for row in audited[:2]] == [
        ("mia", "settle", f"touch:{ivan}"), ("mia", "settle", f"touch:{alice}"),
    ]  # fmt: skip


def test_an_unknown_outcome_is_settled_by_a_person_as_not_sent_and_planned_again(world: World, say: Say, held) -> None:
    alice = _unknown(world, say)
    assert say("settle", str(alice), "not-sent").output == f"touch {alice}: not sent, and may be planned again\n"
    assert rows(world)["alice"] == (T.CANCELLED, "settled by mia")
    assert "alice@acme.example" in held(NOW + 4 * HOUR)
    assert states(world)["alice"] is T.SENT


def test_better_late_than_never_is_a_persons_word_too(world: World, say: Say, held) -> None:
    """Promise 6: a late step goes out only when somebody says so, and then its lateness counts anew."""
    late = NOW + 21 * DAY
    with writing(world.engine) as connection:
        assert touches.expire(connection, late)
        connection.execute(update(Account).values(synced_at=late))
    alice = touch_of(world, "alice")
    assert "alice@acme.example" not in held(late)
    listed = json.loads(say("late", "--json").output)["late"]
    assert "alice@acme.example" in {one["email"] for one in listed}
    say("late", "alice@acme.example", "--send", at=late)
    assert rows(world)["alice"] == (T.CANCELLED, "late, let go by mia")
    assert "alice@acme.example" in held(late + HOUR)
    assert touch_of(world, "alice") == alice, "the same touch"
    assert states(world)["alice"] is T.SENT


def test_who_is_left_out_is_not_asked_about_again(world: World, say: Say, held) -> None:
    late = NOW + 21 * DAY
    with writing(world.engine) as connection:
        touches.expire(connection, late)
        connection.execute(update(Account).values(synced_at=late))
    say("late", "--account", "acme", "--skip", at=late)
    assert rows(world)["alice"] == (T.EXPIRED, Refusal.LEFT_OUT)
    assert "acme" not in say("late").output
    assert "alice@acme.example" not in held(late + HOUR)


def test_what_expired_at_a_stage_the_account_has_left_is_no_question_any_more(world: World, say: Say, held) -> None:
    with writing(world.engine) as connection:
        touches.expire(connection, NOW + 21 * DAY)
        connection.execute(update(Account).where(Account.key == "acme").values(stage="won"))
    assert {one["account"] for one in json.loads(say("late", "--json").output)["late"]} == {"initech-north"}


def test_what_is_not_open_to_a_word_is_refused(world: World, say: Say, held) -> None:
    alice = touch_of(world, "alice")
    refused = say("settle", str(alice), "sent").exception
    assert isinstance(refused, Refused)
    assert f"touch {alice} is planned: nothing to settle" in str(refused)
    assert isinstance(say("settle", "999", "not-sent").exception, NotFound)
    assert isinstance(say("late", "alice@acme.example", "--send").exception, Refused)
    assert say("settle", "sent").exit_code == 2
    assert say("settle", str(alice), "maybe").exit_code == 2


@pytest.mark.parametrize("command", ["approve", "touches", "settle"])
def test_the_help_ends_with_a_command_one_can_paste(command: str) -> None:
    assert f"Example: tandem {command}" in CliRunner().invoke(tandem, [command, "--help"]).output
