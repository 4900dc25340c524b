"""Late, twice, out of order: the same signals lead to the same state, whatever way they come in."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from accounts.ledger import scores
from accounts.ledger.applying import apply_waiting
from accounts.ledger.signals import Incoming, record
from accounts.models import Hold, Signal, Stakeholder, Suppression, Touch
from tests.cast import NOW, World
from tests.signals.post import CONTENT, RULES, play, send, signal

ALICE, BOB, ERIN = "alice@acme.example", "bob@acme.example", "erin@acme.example"


def story(touch: int) -> list[Incoming]:
    """Four days of everything that could contradict something else."""

    def at(hours: float) -> Any:
        return NOW - timedelta(hours=hours)

    return [
        signal("delivered", None, at(90), source_id="1", touch_id=touch),
        signal("clicked", None, at(90) + timedelta(seconds=1), source_id="2", touch_id=touch),
        signal("clicked", ALICE, at(50), source_id="3", data={"url": "a"}),
        signal("clicked", ALICE, at(50) + timedelta(seconds=1), source_id="4", data={"url": "b"}),
        signal("clicked", ALICE, at(50) + timedelta(seconds=2), source_id="5", data={"url": "c"}),
        signal("downloaded", ALICE, at(40), source_id="6"),
        signal("replied", ALICE, at(30), source_id="7"),
        signal("meeting_booked", ALICE, at(29), source_id="8", data={"until": at(-100).isoformat()}),
        signal("out_of_office", BOB, at(28), source_id="9", data={"until": at(-200).isoformat()}),
        signal("out_of_office", BOB, at(27), source_id="10", data={"until": at(-100).isoformat()}),
        signal("bounced", BOB, at(26), source_id="11", data={"bounce": "soft"}),
        signal("bounced", ERIN, at(25), source_id="12"),
        signal("complained", ERIN, at(24), source_id="13"),
        signal("left_company", ERIN, at(23), source_id="14"),
        signal("unsubscribed", ERIN, at(22), source_id="15"),
        signal("unsubscribed", ERIN, at(70), source_id="16"),
    ]


def rows(connection: Connection, *columns: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)


def state(connection: Connection) -> list[list[tuple[Any, ...]]]:
    """Everything signals can change, without ids."""
    hold_signal = select(Signal.source_id).where(Signal.id == Hold.signal_id).scalar_subquery()
    return [
        rows(
            connection, Stakeholder.email, Stakeholder.email_status, Stakeholder.opted_out_at, Stakeholder.paused_until
        ),
        rows(connection, Suppression.email_hash, Suppression.reason, Suppression.at),
        rows(connection, Hold.account_id, Hold.cause, Hold.starts_at, Hold.ends_at, hold_signal),
        rows(connection, Signal.source_id, Signal.kind, Signal.is_machine, Signal.stakeholder_id, Signal.touch_id),
        rows(connection, Touch.state, Touch.sent_at),
    ]


def play_out(connection: Connection, batches: Sequence[Sequence[Incoming]]) -> None:
    for batch in batches:
        record(connection, batch, NOW)
        while apply_waiting(connection, play(), NOW).signals:
            pass


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_any_batches_and_any_repetition_lead_to_the_same_state(world: World, data: st.DataObject) -> None:
    with world.engine.connect() as connection, connection.begin() as transaction:
        touch = send(connection, world, "alice", CONTENT, state="unknown", sent_at=None)
        told = story(touch)
        with connection.begin_nested() as in_order:
            play_out(connection, [told])
            expected, score = (
                state(connection),
                scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value,
            )
            in_order.rollback()

        shuffled = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=8))]))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=5)))
        ends = [0, *cuts, len(shuffled)]
        play_out(connection, [shuffled[start:end] for start, end in pairwise(ends)])
        assert state(connection) == expected
        assert abs(scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value - score) < 1e-9
        transaction.rollback()


def test_the_story_has_machines_people_holds_and_every_kind_of_no_in_it(world: World) -> None:
    with world.engine.connect() as connection, connection.begin() as transaction:
        play_out(connection, [story(send(connection, world, "alice", CONTENT, state="unknown", sent_at=None))])
        people, suppressed, holds, signals, touches = state(connection)
        erin = next(row for row in people if row[0] == ERIN)
        bob = next(row for row in people if row[0] == BOB)
        assert erin[1:3] == ("complained", NOW - timedelta(hours=70))
        assert bob[3] == NOW + timedelta(hours=200)
        assert {row[1] for row in suppressed} == {"bounced", "complained", "left", "opted_out"}
        assert {row[1] for row in holds} == {"reply", "meeting", "complaint"}
        assert sum(row[2] for row in signals) == 4
        assert touches == [("sent", NOW - timedelta(hours=1))]
        transaction.rollback()
