"""What came of a touch whose outcome nobody knew: whatever comes back settles it, in whichever order it comes."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select, update

from accounts.errors import Refused
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import touches
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Outcome
from accounts.ledger.signals import settling
from accounts.models import Touch
from accounts.outcomes import SETTLING
from accounts.touch_states import Refusal
from accounts.vocabulary import SignalKind, TouchState
from tests.cast import NOW, World
from tests.sending.desk import ALWAYS, certified, certify, claim, freeze, rows, states, touch_of
from tests.signals.post import signal, tell

T = TouchState
HOUR = timedelta(hours=1)
LATER = NOW + 2 * HOUR
ALICE = {"alice": "evaluation/pilot"}
MESSAGE = "<touch-1@mail.example>"


def claimed(world: World, now: datetime = NOW) -> int:
    """Alice's touch is on its way; its Message-ID is known."""
    plan_id = certified(world, ALICE)
    assert len(claim(world, plan_id, now=now, names=lambda _: MESSAGE).touches) == 1
    return touch_of(world, "alice")


def give_up(world: World) -> None:
    """The sender died, and its lease is over."""
    with writing(world.engine) as connection:
        touches.give_up_leases(connection, LATER)


def unknown(world: World) -> int:
    touch = claimed(world)
    give_up(world)
    assert states(world) == {"alice": T.UNKNOWN}
    return touch


def come_back(world: World, kind: str, now: datetime = LATER) -> None:
    """The event names the message by its Message-ID only, as providers and mailboxes do."""
    tell(world.engine, signal(kind, at=now, message_id=MESSAGE), now=now)


def settle(world: World, touch: int, *, arrived: bool) -> TouchState:
    with writing(world.engine) as connection:
        return settling.settle(connection, touch, arrived=arrived, by="mia", now=LATER)


@pytest.mark.parametrize("kind", sorted(SETTLING))
def test_whatever_comes_back_proves_that_it_left(world: World, kind: str) -> None:
    touch = unknown(world)
    come_back(world, kind)
    with reading(world.engine) as connection:
        row = connection.execute(select(Touch.state, Touch.sent_at).where(Touch.id == touch)).one()
    assert tuple(row) == (T.SENT, NOW), "at the time it was claimed"


@pytest.mark.parametrize("kind", ["delivered", "bounced"])
def test_a_proof_that_comes_before_the_lease_is_over_settles_it_when_it_is(world: World, kind: str) -> None:
    claimed(world)
    come_back(world, kind, NOW + timedelta(minutes=1))
    assert states(world) == {"alice": T.SENDING}, "its sender may still bring the outcome"
    give_up(world)
    with writing(world.engine) as connection:
        assert len(settling.settle_by_evidence(connection)) == 1
    assert states(world) == {"alice": T.SENT}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_late_proof_is_looked_for_in_the_accounts_of_unknown_touches_only(world: World) -> None:
    """Asked after every intake: neither all touches nor all signals are looked at."""
    asked: list[str] = []
    with writing(world.engine) as connection:
        event.listen(connection, "before_cursor_execute", lambda _c, _k, said, *_: asked.append(said))
        settling.settle_by_evidence(connection)
        plans = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("",) * query.count("?")).all()
            for query in tuple(asked)
        ]
    steps = [step.detail for plan in plans for step in plan]
    assert any("ix_touch_state_due_at" in step for step in steps)
    assert any("ix_signal_received_week_account_id" in step for step in steps)
    assert not [step for step in steps if step.startswith(("SCAN touch", "SCAN signal"))]


def test_what_the_provider_dropped_has_failed(world: World) -> None:
    unknown(world)
    come_back(world, "dropped")
    assert rows(world) == {"alice": (T.FAILED, Refusal.DROPPED_BY_PROVIDER)}


def test_what_was_dropped_before_the_lease_was_over_has_failed_then(world: World) -> None:
    claimed(world)
    come_back(world, "dropped", NOW + timedelta(minutes=1))
    give_up(world)
    with writing(world.engine) as connection:
        settling.settle_by_evidence(connection)
    assert rows(world) == {"alice": (T.FAILED, Refusal.DROPPED_BY_PROVIDER)}


@pytest.mark.parametrize("order", [("dropped", "delivered"), ("delivered", "dropped")])
def test_of_two_events_that_come_one_after_the_other_the_arrival_counts(world: World, order: list[str]) -> None:
    unknown(world)
    for kind in order:
        come_back(world, kind)
    assert rows(world) == {"alice": (T.SENT, None)}


@pytest.mark.parametrize("order", [("dropped", "delivered"), ("delivered", "dropped")])
def test_of_two_events_that_come_before_the_lease_is_over_the_arrival_counts(world: World, order: list[str]) -> None:
    claimed(world)
    for kind in order:
        come_back(world, kind, NOW + timedelta(minutes=1))
    give_up(world)
    with writing(world.engine) as connection:
        settling.settle_by_evidence(connection)
    assert states(world) == {"alice": T.SENT}


def test_what_was_sent_stays_sent_whatever_the_provider_does_with_it(world: World) -> None:
    touch = claimed(world)
    with writing(world.engine) as connection:
        claims.record(connection, [Outcome(touch, T.SENT, provider="post", provider_id="x1")], NOW)
    come_back(world, "dropped")
    assert states(world) == {"alice": T.SENT}


def test_a_sender_that_comes_back_after_its_lease_may_still_say_that_it_sent(world: World) -> None:
    touch = unknown(world)
    with writing(world.engine) as connection:
        claims.record(connection, [Outcome(touch, T.SENT)], LATER)
    assert states(world) == {"alice": T.SENT}


@pytest.mark.parametrize("state", [T.SENT, T.FAILED, T.CERTIFIED, T.UNKNOWN, T.CANCELLED])
def test_an_answer_to_an_earlier_claim_says_nothing_of_a_later_one(world: World, state: TouchState) -> None:
    """One worker hung for hours; a person said its touch never left, and another worker has it now."""
    touch = unknown(world)
    settle(world, touch, arrived=False)
    again = freeze(world, now=LATER)
    certify(world, again, now=LATER)
    with writing(world.engine) as connection:
        assert len(claims.claim(connection, again, LATER, by="another", window=ALWAYS).touches) == 1
        claims.record(connection, [Outcome(touch, state)], LATER, by="test")
    assert states(world) == {"alice": T.SENDING}
    with writing(world.engine) as connection:
        claims.record(connection, [Outcome(touch, T.SENT)], LATER, by="another")
    assert states(world) == {"alice": T.SENT}


# A person and the evidence.


def test_nobody_can_say_that_a_message_did_not_leave_of_which_something_came_back(world: World) -> None:
    claimed(world)
    come_back(world, "bounced", NOW + timedelta(minutes=1))
    give_up(world)
    with pytest.raises(Refused, match="did leave: it was bounced"):
        settle(world, touch_of(world, "alice"), arrived=False)
    assert settle(world, touch_of(world, "alice"), arrived=True) is T.SENT


def test_what_comes_back_outranks_a_person_who_said_it_never_left(world: World) -> None:
    touch = unknown(world)
    assert settle(world, touch, arrived=False) is T.CANCELLED
    come_back(world, "delivered")
    assert rows(world) == {"alice": (T.SENT, "settled by mia")}


def test_what_was_planned_again_does_not_leave_a_second_time_once_the_first_comes_back(world: World) -> None:
    touch = unknown(world)
    settle(world, touch, arrived=False)
    again = freeze(world, now=LATER)
    assert states(world) == {"alice": T.PLANNED}
    come_back(world, "delivered")
    assert rows(world) == {"alice": (T.SENT, Refusal.HAD_LEFT)}
    assert claim(world, again, now=LATER).looked == 0


def test_a_touch_that_never_was_claimed_is_not_settled_by_anything(world: World) -> None:
    """Nothing can have come back of it: an event that names it is somebody's mistake."""
    certified(world, ALICE)
    touch = touch_of(world, "alice")
    tell(world.engine, signal("delivered", touch_id=touch))
    assert states(world) == {"alice": T.CERTIFIED}
    with writing(world.engine) as connection:
        touches.move(connection, {touch: "opted_out"}, T.CANCELLED, now=NOW)
    tell(world.engine, signal("delivered", touch_id=touch))
    assert rows(world) == {"alice": (T.CANCELLED, "opted_out")}


def test_a_refusal_for_good_stays_one(world: World) -> None:
    touch = claimed(world)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).where(Touch.id == touch).values(state=T.FAILED))
    come_back(world, SignalKind.DELIVERED)
    assert states(world) == {"alice": T.FAILED}
