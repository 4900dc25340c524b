"""Signals in the ledger: whose they are, once each, and what they do, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from accounts.engagement import read
from accounts.identity import email_hash
from accounts.ledger.engagement import scores
from accounts.ledger.engine import reading, writing
from accounts.ledger.people.privacy import forget
from accounts.ledger.signals.applying import act_on_noes, apply_waiting
from accounts.ledger.signals.recorded import count_waiting, read_signals, record
from accounts.ledger.signals.whose import find_owners
from accounts.ledger.suppressions import FORGOTTEN, read_suppressions, suppress
from accounts.models import Account, Hold, Signal, Stakeholder, Suppression, Touch
from accounts.vocabulary import SignalKind
from tests.cast import NOW, World
from tests.signals.post import CONTENT, RULES, person, play, send, signal, tell

ALICE, DANA = "alice@acme.example", "dana@acme.example"


def stored(world: World, *columns: Any) -> list[Any]:
    with reading(world.engine) as connection:
        return list(connection.execute(select(*columns).select_from(Signal).order_by(Signal.id)))


def account(world: World, key: str) -> Any:
    with reading(world.engine) as connection:
        return connection.execute(select(Account.__table__).where(Account.key == key)).one()


def state_of(world: World, touch: int) -> Any:
    with reading(world.engine) as connection:
        return connection.execute(select(Touch.state, Touch.sent_at).where(Touch.id == touch)).one()


# Whose is it?


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_somebody_who_is_erased_while_their_click_comes_in_is_not_named_by_it(world: World) -> None:
    """On SQLite one of the two waits for the other; here the intake fails, and finds nobody when it tries again."""
    click = [signal("clicked", ALICE)]

    def overtaken() -> None:
        with writing(world.engine) as intake:
            owners = find_owners(intake, click)
            with writing(world.engine) as erasure:
                forget(erasure, ALICE, NOW)
            record(intake, click, NOW, owners)

    with pytest.raises(IntegrityError, match="foreign key"):
        overtaken()
    with writing(world.engine) as connection:
        assert record(connection, click, NOW).forgotten == 1
    assert not stored(world, Signal.id)


def test_an_address_leads_to_the_person_and_the_account_however_it_is_written(world: World) -> None:
    tell(world.engine, signal("clicked", "  Alice@ACME.example "))
    assert stored(world, Signal.account_id, Signal.stakeholder_id) == [(world.accounts["acme"], world.people["alice"])]


@pytest.mark.parametrize("quoted", ["<tandem.7@mail.example>", "tandem.7@mail.example"])
def test_a_message_id_leads_to_the_touch_with_and_without_brackets(world: World, quoted: str) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", message_id="<tandem.7@mail.example>")
    tell(world.engine, signal("opened", message_id=quoted))
    assert stored(world, Signal.touch_id, Signal.stakeholder_id) == [(touch, world.people["alice"])]


def test_the_providers_name_leads_to_the_touch_together_with_its_reader_and_alone_to_nobody(world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", provider="postmark", provider_id="0a1b-2c3d", state="unknown")
    tell(world.engine, signal("delivered", DANA, provider_id="0a1b-2c3d"), signal("opened", provider_id="0a1b-2c3d"))
    assert (stored(world, Signal.touch_id), state_of(world, touch).state) == ([(None,), (None,)], "unknown")
    tell(world.engine, signal("delivered", ALICE, provider_id="0a1b-2c3d"))
    assert (stored(world, Signal.touch_id)[-1].touch_id, state_of(world, touch).state) == (touch, "sent")


def test_a_content_and_an_address_lead_to_the_touch(world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice")
    tell(world.engine, signal("clicked", ALICE, content=CONTENT), signal("clicked", ALICE, content="another"))
    assert [row.touch_id for row in stored(world, Signal.touch_id)] == [touch, None]


def test_a_domain_leads_to_the_account_unless_two_share_it(world: World) -> None:
    tell(world.engine, signal("visited", domain="Globex.example"), signal("visited", domain="initech.example"))
    assert set(stored(world, Signal.account_id, Signal.stakeholder_id)) == {
        (world.accounts["globex"], None),
        (None, None),
    }


def test_a_colleague_who_answers_a_mail_that_was_passed_on_is_not_taken_for_its_reader(world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice")
    tell(
        world.engine,
        signal("replied", "assistant@acme.example", touch_id=touch),
        signal("replied", "bob@acme.example", touch_id=touch),
        signal("clicked", "alice+alias@acme.example", touch_id=touch),
    )
    assert [row.stakeholder_id for row in stored(world, Signal.stakeholder_id)] == [
        None, world.people["bob"], world.people["alice"],
    ]  # fmt: skip


def test_of_a_person_in_two_accounts_the_named_one_counts_then_the_home(world: World) -> None:
    with writing(world.engine) as connection:
        values = {
            "account_id": world.accounts["globex"],
            "email": ALICE,
            "email_hash": email_hash(ALICE),
            "is_home": True,
        }
        connection.execute(insert(Stakeholder).values(**values))
    tell(world.engine, signal("clicked", ALICE, account="acme"), signal("clicked", ALICE))
    assert [row.account_id for row in stored(world, Signal.account_id)] == [
        world.accounts["acme"], world.accounts["globex"],
    ]  # fmt: skip


def test_a_signal_about_nobody_is_kept_with_the_hash_of_its_address(world: World) -> None:
    tell(world.engine, signal("clicked", "who@nowhere.example", data={"url": "https://x.example"}))
    assert stored(world, Signal.account_id, Signal.email_hash, Signal.data) == [
        (None, email_hash("who@nowhere.example"), {"url": "https://x.example"})
    ]


def test_an_unknown_kind_is_kept_under_its_own_name_and_changes_nobody(world: World) -> None:
    tell(world.engine, signal("telepathy", ALICE))
    assert stored(world, Signal.kind, Signal.data) == [("unknown", {"kind": "telepathy"})]
    assert account(world, "acme").replan_at is None


def test_a_clock_in_the_future_counts_as_the_time_of_receipt(world: World) -> None:
    tell(world.engine, signal("clicked", ALICE, NOW + timedelta(days=400)))
    assert stored(world, Signal.occurred_at) == [(NOW,)]


# Once


def test_a_signal_told_twice_counts_once_in_one_batch_and_in_two(world: World) -> None:
    once = signal("clicked", ALICE, source_id="evt-1")
    with writing(world.engine) as connection:
        assert record(connection, [once, once], NOW).duplicates == 1
        again = record(connection, [once], NOW)
    assert (again.new, again.duplicates) == (0, 1)
    assert len(stored(world, Signal.id)) == 1


def test_a_dated_signal_from_a_clock_that_is_ahead_counts_once_however_late_it_is_told_again(world: World) -> None:
    """It is stored with the time of receipt, and known by the time its provider gave it."""
    ahead = signal("clicked", ALICE, NOW + timedelta(days=1), source_id="evt-1", is_dated=True)
    with writing(world.engine) as connection:
        told = [record(connection, [ahead], NOW + timedelta(days=n)) for n in range(3)]
    assert [one.new for one in told] == [1, 0, 0]
    assert stored(world, Signal.occurred_at) == [(NOW,)]


def test_thousands_at_once_are_each_stored_once_and_counted_exactly(world: World) -> None:
    """More than one statement takes, some of them told before, some twice in the lot: the first telling stays."""
    emails = (ALICE, DANA, None)
    first = [signal("clicked", emails[n % 3], source_id=f"n{n}", data={"n": n}) for n in range(1_100)]
    lot = [*first[600:], *(signal("opened", ALICE, source_id=f"n{n}") for n in range(900, 1_700))]
    with writing(world.engine) as connection:
        told = [record(connection, first[:700], NOW), record(connection, lot, NOW)]
    assert [(one.new, one.duplicates) for one in told] == [(700, 0), (1_000, 300)]
    rows = stored(world, Signal.source_id, Signal.kind, Signal.data)
    assert sorted(int(row.source_id[1:]) for row in rows) == list(range(1_700))
    assert all((row.kind == "clicked") == (row.data is not None) for row in rows)
    assert sum(row.kind == "clicked" for row in rows) == 1_100


def test_two_doors_may_use_the_same_name_for_two_signals(world: World) -> None:
    tell(world.engine, signal("clicked", ALICE, source_id="1"), signal("clicked", ALICE, source="web", source_id="1"))
    assert len(stored(world, Signal.id)) == 2


def test_an_overlong_name_is_kept_apart_from_others_and_recognised_again(world: World) -> None:
    names = ["x" * 500 + "1", "x" * 500 + "2", "nul\0"]
    for _ in range(2):
        tell(world.engine, *(signal("clicked", ALICE, source_id=name) for name in names))
    assert len(stored(world, Signal.id)) == 3


def test_what_was_recorded_before_a_kill_is_applied_by_the_next_run_and_only_once(world: World) -> None:
    with writing(world.engine) as connection:
        record(connection, [signal("replied", ALICE)], NOW)

    def killed() -> None:
        with writing(world.engine) as connection:
            assert apply_waiting(connection, play(), NOW).signals == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    with writing(world.engine) as connection:
        assert count_waiting(connection) == 1
        assert connection.scalar(select(func.count()).select_from(Hold)) == 0
    for expected in (1, 0):
        with writing(world.engine) as connection:
            assert apply_waiting(connection, play(), NOW).signals == expected
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(Hold)) == 1
        assert scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value == pytest.approx(
            1.3 * 30 * (1 - 2.718281828459045 ** (-12 / 30))
        )


def test_a_batch_takes_the_oldest_and_leaves_the_rest_waiting(world: World) -> None:
    with writing(world.engine) as connection:
        record(connection, [signal("clicked", ALICE) for _ in range(5)], NOW)
        assert [apply_waiting(connection, play(), NOW, limit=2).signals for _ in range(4)] == [2, 2, 1, 0]


# What they do


def test_an_opt_out_reaches_every_account_the_person_stands_in_and_holds_none(world: World) -> None:
    with writing(world.engine) as connection:
        elsewhere = {"account_id": world.accounts["globex"], "email": ALICE, "email_hash": email_hash(ALICE)}
        connection.execute(insert(Stakeholder).values(**elsewhere))
    tell(world.engine, signal("unsubscribed", ALICE, NOW - timedelta(hours=3)), now=NOW)
    with reading(world.engine) as connection:
        opted_out = connection.scalars(select(Stakeholder.opted_out_at).where(Stakeholder.email == ALICE)).all()
        assert opted_out == [NOW - timedelta(hours=3)] * 2
        assert connection.scalar(select(func.count()).select_from(Hold)) == 0
        assert [reason for reason, _, _ in read_suppressions(connection, email_hash(ALICE))] == ["opted_out"]
    assert person(world.engine, world, "bob").opted_out_at is None
    assert [account(world, key).replan_at for key in ("acme", "globex", "hooli")] == [NOW, NOW, None]


def test_a_no_from_an_address_nobody_knows_counts_for_whoever_gets_it_later(world: World) -> None:
    tell(world.engine, signal("unsubscribed", "new@acme.example"))
    with reading(world.engine) as connection:
        assert connection.scalars(select(Suppression.email_hash)).all() == [email_hash("new@acme.example")]


def test_an_opt_out_from_an_old_mail_stops_the_person_at_the_new_address_too(world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", address="alice.old@acme.example")
    tell(world.engine, signal("unsubscribed", touch_id=touch))
    assert person(world.engine, world, "alice").opted_out_at == NOW
    with reading(world.engine) as connection:
        suppressed = set(connection.scalars(select(Suppression.email_hash)))
    assert suppressed == {email_hash(ALICE), email_hash("alice.old@acme.example")}


def test_a_late_bounce_of_an_old_address_leaves_the_new_one_alone(world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", address="alice.old@acme.example")
    tell(world.engine, signal("bounced", touch_id=touch))
    assert person(world.engine, world, "alice").email_status == "ok"
    with reading(world.engine) as connection:
        assert connection.scalars(select(Suppression.email_hash)).all() == [email_hash("alice.old@acme.example")]


def test_a_bounce_and_a_departure_open_a_seat_and_say_whose(world: World) -> None:
    applied = tell(world.engine, signal("bounced", ALICE), signal("left_company", "bob@acme.example"))
    acme = world.accounts["acme"]
    assert sorted(applied.vacancies) == [(acme, "champion"), (acme, "economic_buyer")]
    assert person(world.engine, world, "alice").email_status == "bounced"
    assert person(world.engine, world, "bob").email_status == "left"
    assert tell(world.engine, signal("bounced", ALICE)).vacancies == ()


def test_a_reply_holds_the_whole_account_and_says_which(world: World) -> None:
    applied = tell(world.engine, signal("replied", ALICE))
    assert applied.replies == {world.accounts["acme"]}
    with reading(world.engine) as connection:
        hold = connection.execute(select(Hold.__table__)).one()
    assert (hold.scope, hold.cause, hold.starts_at, hold.ends_at) == ("account", "reply", NOW, NOW + timedelta(days=10))
    assert hold.signal_id == stored(world, Signal.id)[0].id
    assert account(world, "acme").replan_at == NOW


def test_a_reply_from_before_a_reps_release_does_not_hold_again_and_one_from_after_does(world: World) -> None:
    tell(world.engine, signal("replied", ALICE, NOW - timedelta(hours=5)))
    with writing(world.engine) as connection:
        connection.execute(update(Hold).values(released_at=NOW - timedelta(hours=1), released_by="ravi"))
    tell(world.engine, signal("replied", ALICE, NOW - timedelta(hours=2)))
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).where(Hold.released_at.is_(None))) == 0
    tell(world.engine, signal("replied", ALICE, NOW))
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).where(Hold.released_at.is_(None))) == 1


def test_a_bounce_that_is_told_again_does_not_undo_what_somebody_put_right_since(world: World) -> None:
    bounce, alice = signal("bounced", ALICE), world.people["alice"]
    tell(world.engine, bounce)
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).where(Stakeholder.id == alice).values(email_status="ok"))
        assert act_on_noes(connection, [bounce], NOW) == 0
    assert person(world.engine, world, "alice").email_status == "ok"


@pytest.mark.parametrize("kind", ["delivered", "deferred", "opened", "clicked", "bounced", "replied"])
def test_a_message_of_unknown_outcome_that_is_heard_of_was_sent(world: World, kind: str) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", state="unknown", sent_at=None)
    assert tell(world.engine, signal(kind, touch_id=touch)).settled == 1
    assert state_of(world, touch) == ("sent", NOW - timedelta(hours=1))
    assert account(world, "acme").replan_at == NOW


def test_nothing_about_an_erased_person_is_stored_again(world: World) -> None:
    with writing(world.engine) as connection:
        suppress(connection, [(email_hash(DANA), FORGOTTEN, NOW)])
        recorded = record(connection, [signal("clicked", DANA), signal("clicked", ALICE)], NOW)
    assert (recorded.new, recorded.forgotten) == (1, 1)
    assert [row.stakeholder_id for row in stored(world, Signal.stakeholder_id)] == [world.people["alice"]]


# Machines


def test_a_machines_click_weighs_nothing_and_still_proves_the_delivery(world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", state="unknown")
    applied = tell(world.engine, signal("clicked", touch_id=touch, data={"method": "HEAD"}))
    assert (applied.machine, applied.settled) == (1, 1)
    with reading(world.engine) as connection:
        assert scores.read_scores(connection, RULES, NOW) == {}


def test_a_click_that_looked_human_turns_out_a_scanners_when_the_delivery_is_told_later(world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice")
    tell(world.engine, signal("clicked", touch_id=touch), signal("downloaded", ALICE))
    tell(world.engine, signal("delivered", None, NOW - timedelta(seconds=1), touch_id=touch))
    assert [row.is_machine for row in stored(world, Signal.is_machine)] == [True, False, False]
    with reading(world.engine) as connection:
        reading_ = scores.read_engagement(connection, [world.accounts["acme"]], RULES, NOW)[world.accounts["acme"]]
        assert [c.kind for c in reading_.contributions] == [SignalKind.DOWNLOADED]
        stored_score = scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value
    assert stored_score == pytest.approx(reading_.score.value)


# Scores


def test_stored_scores_equal_the_sum_over_all_signals_and_so_does_a_recomputation(world: World) -> None:
    lines = (
        "clicked alice acme, replied bob acme, visited gina globex, unsubscribed erin acme, meeting_held ivan initech"
    )
    told = [
        signal(kind, f"{name}@{firm}.example", NOW - timedelta(days=days, hours=7))
        for days, (kind, name, firm) in enumerate([line.split() for line in lines.split(", ")] * 8)
    ]
    for start in range(0, len(told), 9):
        tell(world.engine, *told[start : start + 9])
    with writing(world.engine) as connection:
        added = scores.read_scores(connection, RULES, NOW)
        explained = scores.read_engagement(connection, list(added), RULES, NOW)
        assert scores.recompute(connection) == 5
        again = scores.read_scores(connection, RULES, NOW)
    assert len(added) == 3
    for account_id, score in added.items():
        assert score.value == pytest.approx(explained[account_id].score.value, rel=1e-12)
        assert score.value == pytest.approx(again[account_id].value, rel=1e-12)
        assert sum(c.points for c in explained[account_id].contributions) == pytest.approx(score.value, abs=1e-9)


def test_an_account_nobody_was_heard_from_has_no_points_and_steady_heat(world: World) -> None:
    with reading(world.engine) as connection:
        reading_ = scores.read_engagement(connection, [world.accounts["hooli"]], RULES, NOW)[world.accounts["hooli"]]
    assert reading_ == read([], {}, RULES, NOW)


def test_signals_are_listed_latest_first_and_by_account_address_and_kind(world: World) -> None:
    tell(
        world.engine,
        signal("clicked", ALICE, NOW - timedelta(days=2)),
        signal("replied", "gina@globex.example", NOW - timedelta(days=1)),
        signal("visited", "bob@acme.example"),
    )
    with reading(world.engine) as connection:
        assert [row.email for row in read_signals(connection)] == ["bob@acme.example", "gina@globex.example", ALICE]
        assert [row.kind for row in read_signals(connection, account="acme")] == ["visited", "clicked"]
        assert [row.kind for row in read_signals(connection, email=ALICE)] == ["clicked"]
        assert [row.account for row in read_signals(connection, kinds=["replied"])] == ["globex"]
        assert len(read_signals(connection, limit=1)) == 1
