"""A nurture run from facts to mail: planned, frozen, judged, sent, and the same again changes nothing."""

import re
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes, plans
from accounts.ledger.sending.links import destination
from accounts.models import Hold, SendPlan, Stakeholder, Touch
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.touch_states import Refusal
from accounts.vocabulary import BrakeScope, PlanState, Reason, TouchState
from expectations.audience import Limits
from expectations.gate import Word
from flows import nurturing
from flows.channels.email import Outgoing
from flows.channels.email.memory import Memory
from flows.nurturing import Nurtured
from flows.sending import carrying
from flows.settings import TEMPLATES, Settings
from flows.tokens import Returned, returned, verify_click
from tests.cast import NOW, World
from tests.sending.desk import DAY, change, rows, states, touch_of

T = TouchState
HOUR = timedelta(hours=1)
ODD = Limits(first_readers=0)


@pytest.fixture(scope="module")
def play() -> Play:
    """The play that is shipped."""
    return load_play(TEMPLATES / "plays" / "new-business")


@pytest.fixture
def nurture(world: World, play: Play, tmp_path: Path) -> Callable[..., tuple[Nurtured, Memory]]:
    """One run over the cast, into memory: `nurture(now, temper=…, limits=…)`."""

    def run(now: object = NOW, *, temper: object = None, channel: object = None, **more: object) -> object:
        memory = channel or Memory(temper)  # type: ignore[arg-type]
        settings = Settings(home=tmp_path, sending_domain="mail.example")
        return nurturing.nurture(world.engine, settings, play, now, channel=memory, **more), memory  # type: ignore[arg-type]

    return run  # type: ignore[return-value]


def test_who_is_due_gets_their_mail_from_the_rep_through_the_sending_domain(world: World, nurture) -> None:
    done, memory = nurture(flow_run="run-1")
    letters = {letter.recipient: letter for letter in memory.sent}
    assert letters.keys() == {"alice@acme.example", "ivan@initech.example"}
    alice = letters["alice@acme.example"]
    assert b"From: Ravi Menon <ravi@mail.example>" in alice.content
    secret = Settings().secret_key.get_secret_value()
    assert returned(alice.sender, secret) == Returned("touch", touch_of(world, "alice")), "bounces name their touch"
    assert b"Reply-To: Ravi Menon <ravi@lumenflow.example>" in alice.content
    assert alice.message_id.encode() in alice.content
    assert (done.sent, done.failed, done.unknown, done.held, done.stopped) == (2, 0, 0, (), ())
    with reading(world.engine) as connection:
        row = connection.execute(select(Touch).where(Touch.id == touch_of(world, "alice"))).one()
        plan = plans.read_plan(connection, done.plan_id)
    assert (row.state, row.sent_at, row.provider, row.message_id) == (T.SENT, NOW, "memory", alice.message_id)
    assert (plan.state, plan.flow_run, plan.checks["word"]) == (PlanState.DONE, "run-1", "certify")


def test_where_the_links_of_a_mail_lead_is_known_before_it_leaves(world: World, nurture) -> None:
    _, memory = nurture()
    secret = Settings().secret_key.get_secret_value()
    for letter in memory.sent:
        message = message_from_bytes(letter.content, policy=default)
        text = message.get_body(("plain",)).get_content()
        for token in re.findall(r"/c/([\w-]+)", text):
            clicked = verify_click(token, secret)
            assert clicked is not None
            with reading(world.engine) as connection:
                link = destination(connection, *clicked)
            assert link is not None
            assert link.url.startswith("https://www.lumenflow.example/")


def test_running_twice_changes_nothing(world: World, nurture) -> None:
    """Promise 10."""
    nurture()
    with reading(world.engine) as connection:
        before = connection.execute(select(Touch.__table__).order_by(Touch.id)).all()
    again, memory = nurture()
    with reading(world.engine) as connection:
        assert connection.execute(select(Touch.__table__).order_by(Touch.id)).all() == before
        assert connection.scalar(select(func.count()).select_from(SendPlan)) == 1
    assert (again.sent, again.plan_id, memory.sent) == (0, None, [])


def test_an_opt_out_between_planning_and_claiming_is_heard(world: World, nurture, monkeypatch) -> None:
    """Promise 3: the gate has passed her, then she opts out, then the batch is claimed."""
    _between_gate_and_claim(monkeypatch, lambda: change(world, "alice", opted_out_at=NOW))
    done, memory = nurture()
    assert [letter.recipient for letter in memory.sent] == ["ivan@initech.example"]
    assert rows(world)["alice"] == (T.CANCELLED, Reason.OPTED_OUT)
    assert (done.sent, done.cancelled, done.reasons) == (1, 1, {"opted_out": 1})


def test_a_hold_between_planning_and_claiming_is_heard_and_ends(world: World, nurture, monkeypatch) -> None:
    """Promise 6: after the hold the person is planned again; the touch keeps its number and goes out once."""
    hold = {"scope": "account", "account_id": world.accounts["acme"], "cause": "rep", "by": "ravi"}

    def place() -> None:
        with writing(world.engine) as connection:
            connection.execute(insert(Hold).values(**hold, starts_at=NOW, ends_at=NOW + HOUR))

    _between_gate_and_claim(monkeypatch, place)
    nurture()
    alice = touch_of(world, "alice")
    assert rows(world)["alice"] == (T.CANCELLED, Reason.ACCOUNT_HELD)
    _, memory = nurture(NOW + 2 * HOUR)
    assert states(world)["alice"] is T.SENT
    assert touch_of(world, "alice") == alice
    assert [letter.recipient for letter in memory.sent].count("alice@acme.example") == 1


def test_a_plan_altered_after_certification_sends_nothing(unlocked: World, nurture, monkeypatch) -> None:
    """Promise 5, with the lock broken open: the digest alone holds."""

    def alter() -> None:
        with writing(unlocked.engine) as connection:
            elsewhere = update(Touch).where(Touch.id == touch_of(unlocked, "alice"))
            connection.execute(elsewhere.values(address="mallory@evil.example"))
            person = update(Stakeholder).where(Stakeholder.id == unlocked.people["alice"])
            connection.execute(person.values(email="mallory@evil.example"))

    _between_gate_and_claim(monkeypatch, alter)
    done, memory = nurture()
    assert memory.sent == []
    assert "altered after it was certified" in done.stopped[0]
    assert set(rows(unlocked).values()) == {(T.CANCELLED, Refusal.PLAN_REJECTED)}
    with reading(unlocked.engine) as connection:
        assert plans.read_plan(connection, done.plan_id).state is PlanState.REJECTED


def test_what_was_certified_cannot_be_altered_with_the_lock_in_place(world: World, nurture, monkeypatch) -> None:
    """Promise 5, the other way round: the alteration itself is refused."""
    from sqlalchemy.exc import IntegrityError

    def alter() -> None:
        with pytest.raises(IntegrityError, match="cannot be altered"), writing(world.engine) as connection:
            connection.execute(update(Touch).values(content="new-business/discovery/how-accurate"))

    _between_gate_and_claim(monkeypatch, alter)
    done, _ = nurture()
    assert done.sent == 2


def test_words_that_changed_after_certification_are_not_sent(world: World, nurture, play: Play, monkeypatch) -> None:
    """Promise 5: what leaves is what was judged, also when a marketer saves a file in between."""
    real = nurturing.mailroom_of

    def edited(settings: Settings, play: Play):
        steps = tuple(step.model_copy(update={"digest": "0" * 64}) for step in play.steps)
        return real(settings, play.model_copy(update={"steps": steps, "version": "2" * 64}))

    monkeypatch.setattr(nurturing, "mailroom_of", edited)
    done, memory = nurture()
    assert memory.sent == []
    assert set(rows(world).values()) == {(T.CANCELLED, Refusal.CONTENT_CHANGED)}
    assert done.cancelled == 2


# What servers say.


def _for(address: str, error: Exception):
    def temper(message: Outgoing) -> None:
        if message.recipient.startswith(address):
            raise error

    return temper


def test_a_recipient_the_server_refuses_fails_and_nobody_else_does(world: World, nurture) -> None:
    done, memory = nurture(temper=_for("alice", NotSent("550 no such user", permanent=True)))
    assert rows(world)["alice"] == (T.FAILED, Refusal.REFUSED_BY_SERVER)
    assert (done.sent, done.failed, len(memory.sent)) == (1, 1, 1)


def test_later_means_a_quarter_of_an_hour_later_and_once(world: World, nurture) -> None:
    done, _ = nurture(temper=_for("alice", NotSent("451 greylisted", permanent=False)))
    assert (done.sent, done.later) == (1, 1)
    assert states(world)["alice"] is T.CERTIFIED
    assert nurture(NOW + timedelta(minutes=14))[0].sent == 0
    done, memory = nurture(NOW + timedelta(minutes=15))
    assert [letter.recipient for letter in memory.sent] == ["alice@acme.example"]
    assert states(world)["alice"] is T.SENT


def test_an_answer_that_never_came_is_listed_as_unknown_and_not_repeated(world: World, nurture) -> None:
    done, _ = nurture(temper=_for("alice", OutcomeUnknown("the connection was lost")))
    assert rows(world)["alice"] == (T.UNKNOWN, Refusal.NO_ANSWER)
    assert done.unknown == 1
    for days in range(1, 4):
        _, memory = nurture(NOW + days * DAY)
        assert _unknown(world) not in _touches(memory)


def test_a_channel_with_a_mistake_in_it_leaves_the_outcome_unknown(world: World, nurture) -> None:
    done, _ = nurture(temper=_for("alice", ZeroDivisionError()))
    assert rows(world)["alice"] == (T.UNKNOWN, Refusal.NO_ANSWER)
    assert (done.sent, done.unknown) == (1, 1)


def test_a_server_that_vanishes_stops_the_run_and_nothing_is_lost(world: World, nurture) -> None:
    done, memory = nurture(temper=_for("", Unreachable("the mail server hung up")))
    assert (done.sent, done.later, memory.sent) == (0, 2, [])
    assert "hung up" in done.stopped[0]
    assert set(states(world).values()) == {T.CERTIFIED}
    assert nurture(NOW + HOUR)[0].sent == 2


def test_a_channel_that_cannot_be_entered_claims_nothing(world: World, nurture) -> None:
    class Closed(Memory):
        def __enter__(self):
            raise Unreachable("the mail server does not answer")

    done, _ = nurture(channel=Closed())
    assert done.stopped == ("the mail server does not answer",)
    with reading(world.engine) as connection:
        assert set(connection.scalars(select(Touch.attempts))) == {0}


def test_one_person_who_cannot_be_written_to_fails_alone(world: World, nurture, monkeypatch) -> None:
    """The name holds a line break: it would write headers of its own."""
    change(world, "alice", first_name="Alice\nBcc: everybody@evil.example")
    _, memory = nurture()
    assert rows(world)["alice"] == (T.FAILED, Refusal.NOT_COMPOSED)
    assert [letter.recipient for letter in memory.sent] == ["ivan@initech.example"]


# Brakes, windows, lateness.


def test_a_kill_switch_pulled_while_sending_stops_the_next_batch(world: World, nurture, monkeypatch) -> None:
    def pull(message: Outgoing) -> None:
        with writing(world.engine) as connection:
            brakes.pull(connection, BrakeScope.GLOBAL, "", by="ravi", now=NOW)

    monkeypatch.setitem(nurturing.despatch.__kwdefaults__, "batch", 1)
    monkeypatch.setattr(carrying, "HEARD_FOR", 0.0)
    _, memory = nurture(temper=pull)
    assert len(memory.sent) == 1
    assert sorted(states(world).values()) == [T.CERTIFIED, T.SENT]
    with writing(world.engine) as connection:
        brakes.release(connection, BrakeScope.GLOBAL, "", by="ravi", now=NOW)
    assert nurture(NOW + timedelta(minutes=5))[0].sent == 1


def test_a_plan_that_ran_out_is_planned_anew_and_late_touches_are_listed(world: World, nurture) -> None:
    nurture(temper=_for("", Unreachable("down")))
    done, memory = nurture(NOW + 5 * HOUR)
    assert done.tidied.lapsed == (1,)
    assert {touch_of(world, "alice"), touch_of(world, "ivan")} <= set(_touches(memory)), "certified anew"
    assert len(_touches(memory)) == len(set(_touches(memory))) == done.sent


# Plans that wait for a person.


def test_an_odd_plan_waits_for_a_person_and_nothing_of_it_leaves(world: World, nurture) -> None:
    done, memory = nurture(limits=ODD)
    assert (done.held, done.sent, memory.sent) == ((done.plan_id,), 0, [])
    assert done.verdicts[-1].word is Word.HOLD
    assert set(states(world).values()) == {T.PLANNED}
    again, _ = nurture(limits=ODD)
    assert (again.held, again.plan_id) == (done.held, None), "nobody is planned a second time meanwhile"


def test_a_draft_that_a_killed_run_left_is_judged_and_sent_by_the_next(world: World, nurture, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(nurturing, "judge", killed)
        with pytest.raises(Killed):
            nurture()
    assert set(states(world).values()) == {T.PLANNED}
    done, memory = nurture(NOW + timedelta(minutes=5))
    assert (done.plan_id, done.sent, len(memory.sent)) == (None, 2, 2)


def test_what_a_killed_run_had_claimed_is_unknown_after_its_lease_and_never_sent_again(world: World, nurture) -> None:
    class Killed(BaseException):
        pass

    def die(message: Outgoing) -> None:
        with writing(world.engine) as connection:
            connection.execute(text("UPDATE touch SET error = 'dying'"))
        raise Killed

    with pytest.raises(Killed):
        nurture(temper=die)
    assert sorted(states(world).values()) == [T.CERTIFIED, T.UNKNOWN]
    _, memory = nurture(NOW + HOUR)
    assert _unknown(world) not in _touches(memory)
    assert touch_of(world, "ivan") in _touches(memory)


def _unknown(world: World) -> int:
    """The one touch whose outcome nobody knows."""
    with reading(world.engine) as connection:
        return connection.execute(select(Touch.id).where(Touch.state == T.UNKNOWN)).scalar_one()


def _touches(memory: Memory) -> list[int]:
    return [int(letter.message_id.split(".")[1]) for letter in memory.sent]


def _between_gate_and_claim(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], None]) -> None:
    """Something happens after the plan was certified and before its first claim; once."""
    real, done = nurturing.send, []

    def send(*arguments: object, **options: object):
        if not done:
            done.append(True)
            deed()
        return real(*arguments, **options)

    monkeypatch.setattr(nurturing, "send", send)
