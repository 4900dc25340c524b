"""Late, twice, out of order: the same signals lead to the same state, whatever way they come in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select

from accounts.engagement import Told, read
from accounts.ledger.engagement import scores
from accounts.ledger.signals.applying import apply_waiting
from accounts.ledger.signals.recorded import Incoming, record
from accounts.models import ContentLink, Hold, Proposal, Signal, Stakeholder, Suppression, Touch
from accounts.outcomes import SETTLING
from accounts.vocabulary import Role, SignalKind
from tests.cast import NOW, World
from tests.signals.post import CONTENT, RULES, play, send, signal

ALICE, BOB, ERIN = "alice@acme.example", "bob@acme.example", "erin@acme.example"
CHARLIE, ZOE = "charlie@acme.example", "zoe@acme.example"
CLICK_SAYS = {"url", "method", "network", "user_agent", "honeypot", "machine"}


def story(touch: int, other: int, lost: int) -> list[Incoming]:
    """Four days of every kind there is, and of everything that could contradict something else.

    `touch` is Alice's mail of two links, `other` Bob's, `lost` a third one that a provider dropped.
    """

    def at(hours: float, seconds: float = 0) -> datetime:
        return NOW - timedelta(hours=hours) + timedelta(seconds=seconds)

    def click(name: str, hours: float, seconds: float, who: str | None = ALICE, **more: Any) -> Incoming:
        data = {key: more.pop(key) for key in [*more] if key in CLICK_SAYS}
        return signal(more.pop("kind", "clicked"), who, at(hours, seconds), source_id=name, data=data, **more)

    scanner = {"network": "198.51.100.0/24", "user_agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"}
    singles = [
        signal(kind, CHARLIE, at(20 - hours), source_id=f"one {kind}", touch_id=other if kind in SETTLING else None)
        for hours, kind in enumerate(sorted({*SignalKind} - SETTLING - {SignalKind.DROPPED}))
    ]
    return [
        signal("accepted", None, at(90, -1), source_id="0", touch_id=touch),
        signal("delivered", None, at(90), source_id="1", touch_id=touch),
        click("2", 90, 1, None, touch_id=touch),  # too soon after the delivery
        click("3", 50, 0, url="a"),  # three links at once
        click("4", 50, 1, url="b"),
        click("5", 50, 2, url="c"),
        click("5a", 60, 0, touch_id=other, url="a", **scanner),  # by a program that gives itself away
        click("5b", 60, 200, touch_id=other, url="b", **scanner),
        click("5c", 60, 300, touch_id=other, method="HEAD", **scanner),
        click("5d", 61, 0, None, touch_id=touch, honeypot=True, machine=True),
        click("5e", 61, 9, touch_id=touch, url="a"),  # beside the trap
        click("5f", 61, 10, touch_id=touch, kind="downloaded", url="x"),
        click("5g", 62, 0, touch_id=touch, url="a", network="64.235.150.0/24"),  # a scanner's network, and all links
        click("5h", 62, 9, touch_id=touch, url="b", network="64.235.150.0/24"),
        click("5i", 63, 0, touch_id=touch, url="a"),  # a person
        click("5j", 63, 0, touch_id=touch, kind="opened", user_agent="Mozilla/5.0"),
        signal("downloaded", ALICE, at(40), source_id="6"),
        signal("replied", ALICE, at(30), source_id="7"),
        signal("meeting_booked", ALICE, at(29), source_id="8", data={"until": at(-100).isoformat()}),
        signal("out_of_office", BOB, at(28), source_id="9", data={"until": at(-200).isoformat()}),
        signal("out_of_office", BOB, at(27), source_id="10", data={"until": at(-100).isoformat()}),
        signal("bounced", BOB, at(26), source_id="11", data={"bounce": "soft"}),
        signal("bounced", BOB, at(26), source_id="11a", data={"action": "our_fault"}),
        signal("bounced", BOB, at(26), source_id="11b", data={"action": "mailbox_full"}),
        signal("bounced", ERIN, at(25), source_id="12"),
        signal("complained", ERIN, at(24), source_id="13"),
        signal("left_company", ERIN, at(23), source_id="14", data={"replacement": {"name": "Zoe Lin", "email": ZOE}}),
        signal("left_company", BOB, at(21), source_id="14a", data={"replacement": {"name": "Max Muster"}}),
        signal("unsubscribed", ERIN, at(22), source_id="15"),
        signal("unsubscribed", ERIN, at(70), source_id="16"),
        signal("preferred", CHARLIE, at(80), source_id="17", data={"every_days": 14}),
        signal("preferred", CHARLIE, at(79), source_id="18", data={"topic": "cost"}),
        signal("preferred", CHARLIE, at(78), source_id="19", data={"until": at(-50).isoformat()}),
        signal("deferred", None, at(10), source_id="20", touch_id=other),
        signal("dropped", None, at(10), source_id="21", touch_id=lost),
        signal("dropped", None, at(9), source_id="22", touch_id=other),  # and arrived all the same
        *singles,
    ]


def cast_off(connection: Connection, world: World) -> tuple[int, int, int]:
    """Three mails whose outcome nobody knows; the first two have two links each."""
    links = [{"content_digest": "2" * 64, "number": number, "url": url} for number, url in enumerate("ab")]
    connection.execute(insert(ContentLink), links)
    unknown = {"state": "unknown", "sent_at": None}
    return (
        send(connection, world, "alice", CONTENT, **unknown),
        send(connection, world, "bob", CONTENT, **unknown),
        send(connection, world, "erin", CONTENT, content_digest="3" * 64, **unknown),
    )


def rows(connection: Connection, *columns: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)


def state(connection: Connection) -> list[list[tuple[Any, ...]]]:
    """Everything signals can change, without ids."""
    hold_signal = select(Signal.source_id).where(Signal.id == Hold.signal_id).scalar_subquery()
    return [
        rows(
            connection,
            Stakeholder.email,
            Stakeholder.email_status,
            Stakeholder.opted_out_at,
            Stakeholder.paused_until,
            Stakeholder.mail_every_days,
            Stakeholder.only_topic,
            Stakeholder.preferred_at,
        ),
        rows(connection, Suppression.email_hash, Suppression.reason, Suppression.at),
        rows(connection, Hold.account_id, Hold.cause, Hold.starts_at, Hold.ends_at, hold_signal),
        rows(
            connection,
            Signal.source_id,
            Signal.kind,
            Signal.stakeholder_id,
            Signal.touch_id,
            Signal.is_machine,
            Signal.machine_reason,
            Signal.machine_confidence,
        ),
        rows(connection, Touch.state, Touch.sent_at),
        rows(connection, Proposal.account_id, Proposal.email, Proposal.last_name, Proposal.replaces_id, Proposal.state),
    ]


def play_out(connection: Connection, batches: Sequence[Sequence[Incoming]]) -> None:
    for batch in batches:
        record(connection, batch, NOW)
        while apply_waiting(connection, play(), NOW).signals:
            pass


@given(data=st.data())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_order_any_batches_and_any_repetition_lead_to_the_same_state(world: World, data: st.DataObject) -> None:
    with world.engine.connect() as connection, connection.begin() as transaction:
        told = story(*cast_off(connection, world))
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


def test_the_story_has_machines_people_holds_newcomers_and_every_kind_there_is_in_it(world: World) -> None:
    with world.engine.connect() as connection, connection.begin() as transaction:
        play_out(connection, [story(*cast_off(connection, world))])
        people, suppressed, holds, signals, touches, newcomers = state(connection)
        erin = next(row for row in people if row[0] == ERIN)
        bob = next(row for row in people if row[0] == BOB)
        charlie = next(row for row in people if row[0] == CHARLIE)
        assert erin[1:3] == ("complained", NOW - timedelta(hours=70))
        assert (bob[1], bob[3]) == ("left", NOW + timedelta(hours=200))
        assert charlie[3:6] == (NOW + timedelta(hours=50), None, "cost")
        assert {row[1] for row in suppressed} == {"bounced", "complained", "left", "opted_out"}
        assert {row[1] for row in holds} == {"reply", "meeting", "complaint"}
        machines = {row[0] for row in signals if row[4]}
        assert machines == {"2", "3", "4", "5", "5a", "5b", "5c", "5d", "5e", "5f", "5g", "5h", "5j"}
        assert {row[1] for row in signals} == set(SignalKind)
        assert [row[0] for row in touches] == ["failed", "sent", "sent"]
        assert [(row[1], row[2]) for row in newcomers] == [(ZOE, "Lin"), (None, "Muster")]
        transaction.rollback()


def test_late_evidence_takes_back_what_a_machine_had_added_to_the_score(world: World) -> None:
    """A click counts; minutes later comes the word that the same program followed the hidden link."""
    with world.engine.connect() as connection, connection.begin() as transaction:
        touch, _, _ = cast_off(connection, world)
        before = signal("visited", ALICE, NOW - timedelta(hours=9))
        click = signal("clicked", ALICE, NOW - timedelta(hours=8), touch_id=touch, data={"url": "a"})
        play_out(connection, [[before], [click]])
        assert points(connection, world) == pytest.approx(alone(connection, world, "visited", "clicked"))
        trap = signal("clicked", None, NOW - timedelta(hours=8), touch_id=touch, data={"honeypot": True})
        play_out(connection, [[trap]])
        verdict = connection.execute(
            select(Signal.is_machine, Signal.machine_reason).filter_by(source_id=click.source_id)
        )
        assert verdict.one() == (True, "beside the link that people do not see")
        assert points(connection, world) == pytest.approx(alone(connection, world, "visited"))
        transaction.rollback()


def points(connection: Connection, world: World) -> float:
    return scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value


def alone(connection: Connection, world: World, *kinds: str) -> float:
    """What Alice's signals of these kinds are worth, added up anew."""
    query = select(Signal.id, Signal.kind, Signal.occurred_at).where(
        Signal.kind.in_(kinds), Signal.is_machine.is_(False)
    )
    alice = world.people["alice"]
    told = [Told(id, alice, SignalKind(kind), at) for id, kind, at in connection.execute(query)]
    return read(told, {alice: Role.CHAMPION}, RULES, NOW).score.value
