"""Limits hold for all workers together, since the ledger itself is counted; and whoever waits, waits in a queue."""

import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update

from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes, touches
from accounts.ledger.sending import claims
from accounts.models import Account, Stakeholder, Touch
from accounts.pace import DAY, HOUR, MINUTE, Pace, Rate
from accounts.playfiles import load_play
from accounts.touch_states import Refusal
from accounts.vocabulary import BrakeScope, TouchState
from flows import nurturing
from flows.channels.email import Outgoing, Sent
from flows.channels.email.memory import Memory
from flows.sending.leaving import despatch
from flows.settings import TEMPLATES, Settings
from tests.cast import NOW, PLAY, World
from tests.sending.crowd import plan_for_many
from tests.sending.desk import ALWAYS, certified, crowd
from tests.sending.nurse import mailroom

T = TouchState


def _claim(world: World, plan_id: int, pace: Pace | None, now: datetime = NOW, limit: int = 100) -> claims.Claim:
    with writing(world.engine) as connection:
        return claims.claim(connection, plan_id, now, by="test", window=ALWAYS, limit=limit, pace=pace)


def _queue(world: World, plan_id: int) -> claims.Queue:
    with reading(world.engine) as connection:
        return claims.queue_of(connection, plan_id, NOW)


def _domains(answer: claims.Claim) -> Counter[str]:
    return Counter(touch.address.partition("@")[2] for touch in answer.touches)


def _answered(world: World, answer: claims.Claim, state: TouchState) -> None:
    with writing(world.engine) as connection:
        claims.record(connection, [claims.Outcome(touch.id, state) for touch in answer.touches], NOW)


def test_what_does_not_fit_waits_for_its_turn_with_a_reason_and_is_not_looked_at_before(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 5}), hours=24)
    pace = Pace(domain=Rate(hour=2))
    first = _claim(world, plan_id, pace)
    assert (len(first.touches), first.paced) == (2, 3)
    assert _queue(world, plan_id) == (3, NOW + HOUR)
    with reading(world.engine) as connection:
        waiting = connection.execute(
            select(Touch.state, Touch.reason, Touch.retry_at).where(Touch.retry_at.is_not(None)).order_by(Touch.id)
        ).all()
    expected = [(T.CERTIFIED, Refusal.PACED, NOW + hours * HOUR) for hours in (1, 1, 2)]
    assert [tuple(row) for row in waiting] == expected
    assert _claim(world, plan_id, pace, NOW + HOUR - MINUTE).looked == 0
    assert len(_claim(world, plan_id, pace, NOW + HOUR).touches) == 2
    last = _claim(world, plan_id, pace, NOW + 2 * HOUR)
    assert (len(last.touches), last.paced) == (1, 0)
    assert _queue(world, plan_id) == (0, None)
    with reading(world.engine) as connection:
        assert connection.scalars(select(Touch.reason).where(Touch.reason.is_not(None))).all() == []


def test_a_full_domain_at_the_head_of_the_plan_hides_nobody_behind_it(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 250, "small.example": 3}))
    answer = _claim(world, plan_id, Pace(domains={"big.example": Rate(hour=4)}), limit=10)
    assert _domains(answer) == {"big.example": 4, "small.example": 3}
    assert (answer.looked, answer.paced) == (253, 246)


def test_a_batch_that_is_full_leaves_the_rest_for_the_next_one(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 3, "small.example": 6}))
    pace = Pace(domains={"big.example": Rate(hour=1)})
    assert [len(_claim(world, plan_id, pace, limit=3).touches) for _ in range(4)] == [3, 3, 1, 0]


def test_a_sender_is_a_rep_whatever_the_domain(world: World) -> None:
    due = crowd(world, {"big.example": 2, "small.example": 2})
    with writing(world.engine) as connection:
        globex = Account.id == world.accounts["globex"]
        connection.execute(update(Account).where(globex).values(owner_id=world.reps["sofia"]))
    plan_id = certified(world, {**due, "ivan": "discovery/why-now", "alice": "evaluation/pilot"})
    answer = _claim(world, plan_id, Pace(sender=Rate(day=1)))
    assert len(answer.touches) == 2, "one of Sofía's and one of Ravi's"
    assert answer.paced == 4


@pytest.mark.parametrize(
    ("became", "counts"),
    [
        (T.SENT, True),
        (T.FAILED, True),
        (T.UNKNOWN, True),
        (T.SENDING, True),
        (T.CERTIFIED, False),
        (T.CANCELLED, False),
    ],
)
def test_what_left_or_may_have_left_counts_and_what_came_back_does_not(
    world: World, became: TouchState, counts: bool
) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 4}))
    pace = Pace(all=Rate(hour=1))
    first = _claim(world, plan_id, pace)
    if became is not T.SENDING:
        _answered(world, first, became)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(retry_at=None))
    assert len(_claim(world, plan_id, pace, NOW + MINUTE).touches) == (0 if counts else 1)


def test_limits_count_over_all_plans_and_the_longest_of_them_decides(world: World) -> None:
    earlier = certified(world, crowd(world, {"big.example": 3}))
    pace = Pace(all=Rate(minute=2, day=3))
    assert len(_claim(world, earlier, pace).touches) == 2
    assert len(_claim(world, earlier, pace, NOW + MINUTE).touches) == 1
    later = certified(world, crowd(world, {"small.example": 2}), now=NOW + 5 * HOUR)
    assert len(_claim(world, later, pace, NOW + 5 * HOUR).touches) == 0
    assert _queue(world, later) == (2, NOW + DAY)


def test_two_workers_at_once_stay_below_the_limit_together(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 30, "small.example": 30}))
    pace = Pace(all=Rate(hour=11), domains={"big.example": Rate(hour=7)})
    together = threading.Barrier(3)
    taken: list[claims.Claim] = []

    def run() -> None:
        together.wait()
        while (answer := _claim(world, plan_id, pace, limit=2)).looked:
            taken.append(answer)

    workers = [threading.Thread(target=run) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    went = sum((_domains(answer) for answer in taken), Counter[str]())
    assert went == {"big.example": 7, "small.example": 4}


def _statements(engine: Engine, world: World, plan_id: int, pace: Pace | None) -> list[str]:
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement.partition(" FROM ")[0])

    event.listen(engine, "before_cursor_execute", hear)
    try:
        _claim(world, plan_id, pace, limit=1)
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    return said


def test_without_limits_a_claim_asks_the_ledger_for_nothing_more(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 5}))
    plain = _statements(world.engine, world, plan_id, None)
    assert _statements(world.engine, world, plan_id, Pace()) == plain
    assert len(_statements(world.engine, world, plan_id, Pace(all=Rate(day=9)))) > len(plain)


def test_the_waiting_ones_hear_every_no_when_their_turn_comes(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 2}), hours=24)
    pace = Pace(all=Rate(hour=1))
    _claim(world, plan_id, pace)
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).values(opted_out_at=NOW))
    answer = _claim(world, plan_id, pace, NOW + HOUR)
    assert answer.touches == ()
    assert set(answer.refused.values()) == {"opted_out"}


def test_a_waiting_one_that_becomes_too_late_expires_like_any_other(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 2}))
    _claim(world, plan_id, Pace(all=Rate(day=1)))
    with writing(world.engine) as connection:
        (expired,) = touches.expire(connection, NOW + 6 * DAY)
        state = select(Touch.state, Touch.reason, Touch.retry_at).where(Touch.id == expired)
        assert connection.execute(state).one() == (T.EXPIRED, Refusal.TOO_LATE, None)


# A run.


class _Clock:
    """Goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr("flows.sending.stopping.Stop.wait", lambda _stop, seconds: clock.sleep(seconds))
    return clock


def test_a_run_waits_for_the_next_minute_and_keeps_its_limit(world: World, clock: _Clock) -> None:
    plan_id = plan_for_many(world, 5)
    pace = Pace(all=Rate(minute=2))
    done = despatch(world.engine, mailroom(), plan_id, NOW, Memory(), clock=clock, pace=pace, patience=MINUTE)
    assert (done.outcomes, done.paced, clock.slept) == ({T.SENT: 5}, 0, [60.0, 60.0])
    with reading(world.engine) as connection:
        left = Counter(connection.scalars(select(Touch.claimed_at)))
    assert left == {NOW: 2, NOW + MINUTE: 2, NOW + 2 * MINUTE: 1}


def test_a_run_does_not_wait_for_what_takes_longer_and_says_how_many_wait(world: World, clock: _Clock) -> None:
    plan_id = plan_for_many(world, 5)
    pace = Pace(all=Rate(hour=2))
    done = despatch(world.engine, mailroom(), plan_id, NOW, Memory(), clock=clock, pace=pace, patience=MINUTE)
    assert (done.outcomes, done.paced, clock.slept) == ({T.SENT: 2}, 3, [])


def test_a_run_does_not_wait_for_those_that_a_brake_stopped_meanwhile(world: World, clock: _Clock) -> None:
    plan_id = plan_for_many(world, 3)

    class Stops(Memory):
        def send(self, message: Outgoing) -> Sent:
            with writing(world.engine) as connection:
                brakes.pull(connection, BrakeScope.GLOBAL, "", by="ravi", now=NOW)
            return super().send(message)

    pace = Pace(all=Rate(minute=1))
    done = despatch(world.engine, mailroom(), plan_id, NOW, Stops(), clock=clock, pace=pace, patience=MINUTE)
    assert done.outcomes == {T.SENT: 1}
    assert len(clock.slept) <= 2, "until their turns are over, and no longer"


def test_the_limits_of_the_settings_reach_the_run(world: World, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, pace=Pace(all=Rate(day=1)))
    play = load_play(TEMPLATES / "plays" / PLAY)
    done = nurturing.nurture(world.engine, settings, play, NOW, channel=Memory())
    assert (done.sent, done.paced) == (1, done.verdicts[-1].rows - 1)
    assert done.paced > 0
