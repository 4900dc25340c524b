"""A batch on its way: what is said while it is under way is heard, and each message of a call has its own outcome."""

import time
from collections.abc import Callable, Sequence
from threading import Lock

import pytest
from sqlalchemy import insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import plans
from accounts.models import Hold, Stakeholder, Touch
from accounts.touch_states import Refusal
from accounts.vocabulary import PlanState, Reason, TouchState
from flows.channels.email import Answer, Outgoing, Sent
from flows.channels.email.memory import Memory
from flows.clock import running
from flows.sending import carrying
from flows.sending.leaving import despatch
from flows.tokens import message_id
from tests.cast import NOW, World
from tests.nursery import NURSERY
from tests.sending.crowd import plan_for_many
from tests.sending.nurse import mailroom, pull_the_brake

T = TouchState


class Slow(Memory):
    """A server that takes its time; `begun` says when each message began to leave. A deed happens before the third."""

    def __init__(self, seconds: float, deed: Callable[[], None] = lambda: None, lanes: int = 1) -> None:
        super().__init__()
        self.seconds, self.deed, self.lanes = seconds, deed, lanes
        self.begun: list[float] = []
        self._one_at_a_time = Lock()

    def send(self, message: Outgoing) -> Sent:
        with self._one_at_a_time:
            self.begun.append(time.monotonic())
            if len(self.begun) == 3:
                self.deed()
        time.sleep(self.seconds)
        return super().send(message)


class Calls(Memory):
    """A provider that takes four messages a call, as letters, and answers for each."""

    most = 4
    letters = True

    def __init__(self, answer: Callable[[Outgoing], Answer]) -> None:
        super().__init__()
        self.answer = answer
        self.calls: list[Sequence[Outgoing]] = []

    def send_many(self, messages: Sequence[Outgoing]) -> list[Answer]:
        self.calls.append(messages)
        return [self.answer(message) for message in messages]


def test_a_brake_pulled_by_another_process_is_heard_within_five_seconds(world: World) -> None:
    """In the middle of a batch that would take ten seconds more."""
    plan_id = plan_for_many(world, 100)
    pulled: list[float] = []

    def pull() -> None:
        url = world.engine.url.render_as_string(hide_password=False)
        somebody = NURSERY.Process(target=pull_the_brake, args=(url, NOW))
        somebody.start()
        somebody.join(10)
        pulled.append(time.monotonic())

    slow = Slow(0.2, pull, lanes=2)
    done = despatch(world.engine, mailroom(), plan_id, NOW, slow)
    assert slow.begun[-1] - pulled[0] < 5
    assert 0 < done.outcomes[T.SENT] == len(slow.begun) < 100
    assert (done.outcomes.keys(), done.refused, done.stopped) == ({T.SENT}, {}, None)
    states = _states(world)
    assert states.count(T.SENT) == len(slow.begun)
    assert states.count(T.CERTIFIED) == len(states) - len(slow.begun), "they wait for the brake to be released"


def test_an_opt_out_and_a_hold_after_the_claim_are_heard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each goes the way of those who say no before a claim: cancelled with the reason, planned anew."""
    monkeypatch.setattr(carrying, "HEARD_FOR", 0.0)
    plan_id = plan_for_many(world, 4)
    hold = {"scope": "stakeholder", "account_id": world.accounts["globex"], "cause": "rep", "by": "ravi"}

    def say_no() -> None:
        with writing(world.engine) as connection:
            last = select(Stakeholder.id).where(Stakeholder.email == "p3@globex.example").scalar_subquery()
            connection.execute(insert(Hold).values(**hold, stakeholder_id=last, starts_at=clock()))

    slow, clock = Slow(0.0, say_no), running(NOW)
    done = despatch(world.engine, mailroom(), plan_id, NOW, slow, clock=clock)
    assert [message.recipient for message in slow.sent] == [f"p{n}@globex.example" for n in range(3)]
    assert (done.outcomes, done.refused) == ({T.SENT: 3}, {Reason.STAKEHOLDER_HELD: 1})
    with reading(world.engine) as connection:
        held = connection.execute(select(Touch.state, Touch.reason).order_by(Touch.id.desc()).limit(1)).one()
    assert held == (T.CANCELLED, Reason.STAKEHOLDER_HELD)


def test_a_touch_that_somebody_took_from_us_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender stood still until its lease was over: what it had not begun is unknown by now and stays so."""
    monkeypatch.setattr(carrying, "HEARD_FOR", 0.0)
    plan_id = plan_for_many(world, 5)

    def give_up() -> None:
        with writing(world.engine) as connection:
            connection.execute(update(Touch).values(state=T.UNKNOWN, reason=Refusal.NO_ANSWER))

    slow = Slow(0.0, give_up)
    done = despatch(world.engine, mailroom(), plan_id, NOW, slow)
    assert done.outcomes == {T.SENT: 3}
    assert _states(world) == [T.SENT] * 3 + [T.UNKNOWN] * 2


def test_a_mishap_in_the_ledger_that_is_not_the_locks_word_rejects_no_plan(world: World) -> None:
    """Some other row has the Message-ID already: that says nothing about what was certified."""
    plan_id, room = plan_for_many(world, 5), mailroom()
    taken = message_id(1, room.secret, room.sending_domain)
    with writing(world.engine) as connection:
        other = {column.name: column for column in Touch.__table__.columns if column.name not in ("id", "content")}
        values = {**other, "content": literal("of/old/times"), "state": literal("sent"), "message_id": literal(taken)}
        copied = select(*values.values()).where(Touch.id == 2)
        connection.execute(insert(Touch).from_select(list(values), copied, include_defaults=False))
    with pytest.raises(IntegrityError, match="message_id"):
        despatch(world.engine, room, plan_id, NOW, Memory())
    with reading(world.engine) as connection:
        assert plans.read_plan(connection, plan_id).state is PlanState.CERTIFIED
    assert _states(world)[:5] == [T.CERTIFIED] * 5


def test_a_slow_batch_is_claimed_anew_long_before_its_lease_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "HEARD_FOR", 0.0)
    monkeypatch.setattr(carrying, "BEGINS_FOR", 0.2)
    plan_id = plan_for_many(world, 5)
    done = despatch(world.engine, mailroom(), plan_id, NOW, Slow(0.1), clock=running(NOW))
    assert done.outcomes == {T.SENT: 5}
    with reading(world.engine) as connection:
        claimed, attempts = zip(
            *connection.execute(select(Touch.claimed_at, Touch.attempts).order_by(Touch.id)), strict=True
        )
    assert claimed[0] < claimed[-1]
    assert set(attempts) == {1}, "a server was asked once for each"


def test_a_provider_that_takes_several_gets_them_in_calls_and_each_has_its_own_outcome(world: World) -> None:
    plan_id = plan_for_many(world, 10)
    answers: dict[str, Answer] = {
        "p1@globex.example": NotSent("no such user", permanent=True),
        "p2@globex.example": NotSent("later", permanent=False, reason=Refusal.GREYLISTED),
        "p5@globex.example": OutcomeUnknown("lost"),
    }
    calls = Calls(lambda message: answers.get(message.recipient, Sent("memory", message.key)))
    done = despatch(world.engine, mailroom(), plan_id, NOW, calls)
    assert [len(call) for call in calls.calls] == [4, 4, 2]
    assert done.outcomes == {T.SENT: 7, T.FAILED: 1, T.CERTIFIED: 1, T.UNKNOWN: 1}
    assert _states(world)[:6] == [T.SENT, T.FAILED, T.CERTIFIED, T.SENT, T.SENT, T.UNKNOWN]
    with reading(world.engine) as connection:
        row = connection.execute(select(Touch).order_by(Touch.id).limit(1)).one()
        later = connection.execute(select(Touch).where(Touch.state == T.CERTIFIED)).one()
    assert (later.reason, later.error, later.attempts) == (Refusal.GREYLISTED, "later", 1), "a later keeps its reason"
    message = calls.calls[0][0]
    assert (row.provider_id, row.message_id) == (f"touch-{row.id}", message.message_id)
    assert (message.content, message.letter is not None) == (b"", True)


def test_calls_are_full_to_the_last_however_many_mails_are_composed_at_once(world: World) -> None:
    assert carrying.AHEAD % Calls.most, "else a call that is not full would not be seen"
    calls = Calls(lambda message: Sent("memory"))
    despatch(world.engine, mailroom(), plan_for_many(world, 22), NOW, calls)
    assert [len(call) for call in calls.calls] == [4, 4, 4, 4, 4, 2]
    assert len({message.recipient for call in calls.calls for message in call}) == 22


def test_a_call_of_which_nothing_left_stops_the_run_and_nothing_is_lost(world: World) -> None:
    plan_id = plan_for_many(world, 10)

    def hang_up(message: Outgoing) -> Answer:
        raise Unreachable("the provider does not answer")

    calls = Calls(hang_up)
    done = despatch(world.engine, mailroom(), plan_id, NOW, calls)
    assert (len(calls.calls), done.stopped) == (1, "the provider does not answer")
    assert _states(world) == [T.CERTIFIED] * 10
    with reading(world.engine) as connection:
        assert set(connection.scalars(select(Touch.attempts))) == {0}, "no server was asked"


def test_a_provider_that_answers_for_too_few_leaves_its_call_unknown(world: World) -> None:
    """Nobody knows whose answers these are."""
    plan_id = plan_for_many(world, 4)
    calls = Calls(lambda message: Sent("memory"))
    calls.send_many = lambda messages: [Sent("memory")]  # type: ignore[method-assign]
    assert despatch(world.engine, mailroom(), plan_id, NOW, calls).outcomes == {T.UNKNOWN: 4}


def test_a_run_says_where_its_time_went(world: World) -> None:
    plan_id = plan_for_many(world, 1)
    stages = despatch(world.engine, mailroom(), plan_id, NOW, Slow(0.05)).stages
    assert stages.send >= 0.05
    assert min(stages.claim, stages.compose, stages.record) > 0


def _states(world: World) -> list[str]:
    with reading(world.engine) as connection:
        return [TouchState(state) for state in connection.scalars(select(Touch.state).order_by(Touch.id))]
