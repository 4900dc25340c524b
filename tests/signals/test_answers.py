"""A rep's word takes effect at once, outranks automation, and is written down."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from accounts.errors import InputRefused, NotFound, Refused
from accounts.identity import email_hash
from accounts.ledger.audit import read_audit, verify
from accounts.ledger.engine import reading, writing
from accounts.ledger.people.holds import open_holds
from accounts.ledger.people.vetoes import read_vetoes
from accounts.ledger.planning.brakes import pulled
from accounts.models import Account, Feedback, Hold, Stakeholder, Veto
from accounts.vocabulary import BrakeScope, HoldCause, HoldScope, Verdict
from flows.sales import answers
from tests.cast import NOW, World
from tests.signals.post import signal, tell

RAVI = "ravi@lumenflow.example"
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def rows(world: World, table: Any) -> list[Any]:
    with reading(world.engine) as connection:
        return list(connection.execute(select(table.__table__).order_by(table.id)))


def actions(world: World) -> list[tuple[str, str, str]]:
    with reading(world.engine) as connection:
        assert verify(connection).is_whole
        return [(row.actor, row.action, row.subject) for row in reversed(read_audit(connection))]


def holds(world: World, now: datetime = NOW) -> list[Any]:
    with reading(world.engine) as connection:
        return [(hold.account, hold.email, hold.cause, hold.ends_at) for hold in open_holds(connection, now)]


def planned_again(world: World) -> set[str]:
    with reading(world.engine) as connection:
        return set(connection.scalars(select(Account.key).where(Account.replan_at == NOW)))


def test_a_hold_stops_an_account_until_its_end_and_has_it_planned_again(world: World) -> None:
    answers.hold(world.engine, "acme", by=RAVI, now=NOW, until=DECEMBER, note="board first")
    assert holds(world) == [("acme", None, HoldCause.REP, DECEMBER)]
    assert holds(world, DECEMBER) == []
    assert planned_again(world) == {"acme"}
    assert actions(world) == [(RAVI, "hold", "account:acme")]


def test_a_hold_on_a_person_leaves_colleagues_alone(world: World) -> None:
    answered = answers.hold(world.engine, "Bob@acme.example ", by=RAVI, now=NOW)
    assert answered.subjects[0].scope is HoldScope.STAKEHOLDER
    assert holds(world) == [("acme", "bob@acme.example", HoldCause.REP, None)]
    assert actions(world) == [(RAVI, "hold", f"stakeholder:{world.people['bob']}")]


def test_saying_it_twice_is_one_hold_and_saying_something_else_replaces_it(world: World) -> None:
    first = answers.hold(world.engine, "acme", by=RAVI, now=NOW, until=DECEMBER)
    again = answers.hold(world.engine, "acme", by=RAVI, now=NOW + timedelta(hours=1), until=DECEMBER)
    assert first.rows == again.rows
    sooner = DECEMBER - timedelta(days=3)
    answers.hold(world.engine, "acme", by=RAVI, now=NOW + timedelta(hours=2), until=sooner)
    assert holds(world, NOW + timedelta(hours=3)) == [("acme", None, HoldCause.REP, sooner)]


def test_a_hold_that_ends_in_the_past_is_refused(world: World) -> None:
    with pytest.raises(InputRefused, match="is over"):
        answers.hold(world.engine, "acme", by=RAVI, now=NOW, until=NOW)
    assert rows(world, Hold) == []


def test_a_release_ends_what_reps_and_replies_hold_on_exactly_this_account(world: World) -> None:
    tell(world.engine, signal("replied", "alice@acme.example", NOW - timedelta(days=1)))
    for who in ("acme", "bob@acme.example", "globex"):
        answers.hold(world.engine, who, by=RAVI, now=NOW)
    assert len(answers.release(world.engine, "acme", by=RAVI, now=NOW + timedelta(hours=1)).rows) == 2
    left = {(account, email) for account, email, _, _ in holds(world, NOW + timedelta(hours=1))}
    assert left == {("acme", "bob@acme.example"), ("globex", None)}


def test_releasing_what_is_not_held_says_so_and_writes_nothing_down(world: World) -> None:
    assert answers.release(world.engine, "acme", by=RAVI, now=NOW).rows == ()
    assert actions(world) == []


def test_a_legal_hold_is_released_only_by_its_name(world: World) -> None:
    answers.hold(world.engine, "acme", by="counsel", now=NOW, cause=HoldCause.LEGAL)
    with pytest.raises(Refused, match="held for another cause: legal"):
        answers.release(world.engine, "acme", by=RAVI, now=NOW + timedelta(hours=1))
    an_hour_later = NOW + timedelta(hours=1)
    released = answers.release(world.engine, "acme", by="counsel", now=an_hour_later, causes=[HoldCause.LEGAL])
    assert len(released.rows) == 1


def test_a_rep_releases_and_an_older_reply_that_comes_late_does_not_hold_again(world: World) -> None:
    answers.hold(world.engine, "acme", by=RAVI, now=NOW - timedelta(hours=9))
    answers.release(world.engine, "acme", by=RAVI, now=NOW - timedelta(hours=1))
    tell(world.engine, signal("replied", "alice@acme.example", NOW - timedelta(hours=2)))
    assert holds(world) == []


def test_a_hold_that_replaces_another_is_no_release_and_lets_late_replies_hold(world: World) -> None:
    answers.hold(world.engine, "acme", by=RAVI, now=NOW - timedelta(hours=9), until=NOW + timedelta(days=1))
    answers.hold(world.engine, "acme", by=RAVI, now=NOW - timedelta(hours=1), until=NOW + timedelta(days=2))
    tell(world.engine, signal("replied", "alice@acme.example", NOW - timedelta(hours=2)))
    assert {cause for _, _, cause, _ in holds(world)} == {"rep", "reply"}


def test_a_veto_names_one_content_or_all_mail_and_can_be_taken_back(world: World) -> None:
    for _ in range(2):
        answers.veto(world.engine, "bob@acme.example", "new-business/evaluation/pilot", by=RAVI, now=NOW)
    answers.veto(world.engine, "bob@acme.example", None, by=RAVI, now=NOW)
    with reading(world.engine) as connection:
        assert [(row.email, row.content) for row in read_vetoes(connection, "acme")] == [
            ("bob@acme.example", "new-business/evaluation/pilot"), ("bob@acme.example", None),
        ]  # fmt: skip
    answers.veto(world.engine, "bob@acme.example", None, by=RAVI, now=NOW, withdrawn=True)
    assert [row.content for row in rows(world, Veto)] == ["new-business/evaluation/pilot"]
    with pytest.raises(InputRefused, match="is an account"):
        answers.veto(world.engine, "acme", None, by=RAVI, now=NOW)


def test_bad_timing_holds_and_wrong_person_vetoes_and_both_are_kept_as_said(world: World) -> None:
    answers.feedback(
        world.engine, "acme", Verdict.BAD_TIMING, by=RAVI, now=NOW, callback_on=date(2027, 1, 15), topic="budget"
    )
    answers.feedback(
        world.engine, "bob@acme.example", Verdict.WRONG_PERSON, by="a marketer", now=NOW, note="left for sales"
    )
    assert holds(world) == [("acme", None, HoldCause.REP, datetime(2027, 1, 15, tzinfo=UTC))]
    assert [(row.stakeholder_id, row.content) for row in rows(world, Veto)] == [(world.people["bob"], None)]
    said = [(row.verdict, row.rep_id, row.topic, row.note) for row in rows(world, Feedback)]
    assert said == [
        ("bad_timing", world.reps["ravi"], "budget", None), ("wrong_person", None, None, "left for sales"),
    ]  # fmt: skip


def test_the_same_verdict_twice_a_day_is_one_and_on_another_day_two(world: World) -> None:
    for now in (NOW, NOW + timedelta(hours=1), NOW + timedelta(days=1)):
        answers.feedback(world.engine, "acme", Verdict.RIPE, by=RAVI, now=now)
    assert len(rows(world, Feedback)) == 2


def test_a_verdict_that_is_refused_leaves_nothing(world: World) -> None:
    with pytest.raises(InputRefused):
        answers.feedback(world.engine, "acme", Verdict.WRONG_PERSON, by=RAVI, now=NOW)
    assert rows(world, Feedback) == []
    assert actions(world) == []


def test_a_brake_stops_and_goes_on(world: World) -> None:
    answers.stop(world.engine, BrakeScope.ACCOUNT, "acme", by=RAVI, now=NOW)
    with reading(world.engine) as connection:
        assert [brake[:2] for brake in pulled(connection)] == [(BrakeScope.ACCOUNT, "acme")]
    assert answers.stop(world.engine, BrakeScope.ACCOUNT, "acme", by=RAVI, now=NOW, released=True) == 1
    assert answers.stop(world.engine, BrakeScope.ACCOUNT, "acme", by=RAVI, now=NOW, released=True) == 0
    assert [action for _, action, _ in actions(world)] == ["stop", "go-on", "go-on"]


def test_a_person_in_two_accounts_is_held_in_both_unless_one_is_named(world: World) -> None:
    bob = "bob@acme.example"
    with writing(world.engine) as connection:
        again = {"account_id": world.accounts["globex"], "email": bob, "email_hash": email_hash(bob)}
        connection.execute(insert(Stakeholder).values(**again))
    assert len(answers.hold(world.engine, bob, by=RAVI, now=NOW).subjects) == 2
    assert [s.account for s in answers.release(world.engine, bob, by=RAVI, now=NOW, account="globex").subjects] == [
        "globex"
    ]


@pytest.mark.parametrize(
    ("who", "cure"),
    [("acmee", "did you mean acme"), ("bobb@acme.example", "did you mean bob@acme.example"), ("%", "give an account")],
)
def test_who_is_not_known_is_named_with_what_looks_alike(world: World, who: str, cure: str) -> None:
    with pytest.raises(NotFound, match=cure):
        answers.hold(world.engine, who, by=RAVI, now=NOW)
