"""What is said to leave in the coming days is what leaves: looked ahead, and then lived."""

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, update

from accounts import snapshots
from accounts.ahead import Ahead
from accounts.identity import email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes
from accounts.ledger.planning.ahead import coming
from accounts.models import Account, Activity, ContentSeen, Decision, Delay, Hold, Lease, Rep, Stakeholder, Touch
from accounts.playbook import Caps, Play, Window
from accounts.playfiles import load_play
from accounts.snapshots import Mail, OpenTouch
from accounts.tick import decide
from accounts.vocabulary import BrakeScope, HoldCause, Role
from flows import nurturing
from flows.channels.email.memory import Memory
from flows.settings import TEMPLATES, Settings
from tests.cast import NOW, PLAY, World
from tests.planning.life import Life
from tests.planning.scenes import DAY, HOUR, PILOT, acme, hold, person
from tests.planning.test_properties import ROLES, STEPS, ZONES
from tests.plays import small_play
from tests.sending.desk import certify

WEEK = 7 * DAY
#: Everything happens at full or half hours, so a life that looks at each of them misses nothing.
TICK = timedelta(minutes=30)
#: A Tuesday in Berlin, 11:00; the window closes at 17:00.
WEDNESDAY_NINE = NOW + 22 * HOUR


def ahead(account: snapshots.Account, play: Play | None = None, **more: Any) -> list[tuple[datetime, int, str]]:
    """Who gets what and when in the next seven days, content without play and stage."""
    found = Ahead(play or small_play(), NOW, NOW + WEEK).look(account, **more)
    return [(one.at, one.person_id, one.content.rpartition("/")[2]) for one in found]


def test_colleagues_who_are_due_together_take_turns() -> None:
    """Two champions and a colleague from IT, all due now: an hour apart, and the same mail not on the same day."""
    account = acme(person(1), person(2), person(3, Role.TECHNICAL_EVALUATOR))
    first_week = [(NOW, 1, "pilot"), (NOW + HOUR, 3, "security-pack"), (WEDNESDAY_NINE, 2, "pilot")]
    assert ahead(account)[:3] == first_week


def test_the_next_step_of_a_person_stands_there_as_well_as_far_as_the_week_goes() -> None:
    quick = small_play(steps=tuple(one.model_copy(update={"after": one.step * DAY}) for one in small_play().steps))
    champion = [content for _, _, content in ahead(acme(), quick)]
    assert champion == ["pilot", "five-slides"]


def test_what_waits_in_a_send_plan_leaves_with_its_readers_opening() -> None:
    """In Sydney it is evening; what was certified waits for nine o'clock there."""
    sydney = person(1, timezone="Australia/Sydney", country=None)
    touch = OpenTouch(PILOT, NOW - DAY, NOW + 5 * DAY, "Australia/Sydney", "stakeholder")
    assert ahead(acme(sydney, open={1: touch}))[0] == (NOW + 12 * HOUR, 1, "pilot")


def test_what_would_leave_too_late_does_not_leave() -> None:
    sydney = person(1, timezone="Australia/Sydney", country=None)
    touch = OpenTouch(PILOT, NOW - DAY, NOW + HOUR, "Australia/Sydney", "stakeholder")
    assert "pilot" not in [content for _, _, content in ahead(acme(sydney, open={1: touch}))]


def test_a_brake_on_a_person_keeps_their_mail_and_its_place() -> None:
    """What a brake holds is on its way and may leave any minute, so nobody overtakes it within the hour."""
    assert ahead(acme(person(1), person(2)), stopped={1}) == []
    assert ahead(acme(person(1), person(2)), stopped={2}) == [(NOW, 1, "pilot")]


def test_after_a_hold_that_ends_mail_goes_on() -> None:
    (at, who, _), *_ = ahead(acme(person(1), holds=[hold("rep", until=2 * DAY)]))
    assert (at >= NOW + 2 * DAY, who) == (True, 1)


def test_the_crm_is_thought_to_go_on_confirming_what_it_says() -> None:
    careful = small_play(stale_crm_after=2 * DAY)
    later = acme(person(1), stage_entered_at=NOW + 2 * DAY)
    assert ahead(later, careful) == ahead(later)
    assert ahead(acme(person(1), synced_at=NOW - 3 * DAY), careful) == []


def test_what_a_lease_forbids_comes_when_the_lease_is_over() -> None:
    """Nothing about cost until Wednesday, eleven o'clock; the pilot is about cost."""
    limits = snapshots.Limits(NOW + DAY, topics=frozenset({"cost"}))
    assert ahead(acme(limits=limits))[0] == (NOW + DAY, 1, "pilot")


def test_what_was_cancelled_and_is_late_when_its_time_comes_again_waits_for_a_decision() -> None:
    """It was due on Monday a week ago, and is good for ten days; its plan was cancelled, until on Thursday."""
    account = acme(stage_entered_at=NOW - 11 * DAY)
    assert ahead(account)[0] == (NOW, 1, "pilot")
    assert ahead(account._replace(cancelled={(1, PILOT): NOW + 2 * DAY})) == []


def test_what_a_pause_left_out_does_not_come_after_the_next_step_either() -> None:
    quick = small_play(steps=tuple(one.model_copy(update={"after": 2 * DAY}) for one in small_play().steps))
    paused = hold("rep", since=2 * DAY, until=-12 * HOUR, clock="skip")
    assert [content for _, _, content in ahead(acme(holds=[paused]), quick)] == ["five-slides"]


# Whatever stands in the way: what is said is what is lived.

hours = st.integers(1, 14 * 24).map(lambda count: count * HOUR)
earlier, later = hours.map(lambda span: NOW - span), hours.map(lambda span: NOW + span)
contents = st.sampled_from([one.key for one in STEPS if one.stage == "evaluation"])
plays = st.builds(
    lambda caps, opens, closes: small_play(steps=STEPS, caps=caps, window=Window(opens=opens, closes=closes)),
    st.builds(
        Caps, person_per_week=st.integers(1, 3), account_per_week=st.integers(1, 9), count_rep_emails=st.booleans(),
        stagger=st.sampled_from([0, 1, 20, 48]).map(lambda count: count * HOUR),
    ),
    st.sampled_from(["00:00", "09:00", "12:30"]), st.sampled_from(["13:30", "17:00"]),
)  # fmt: skip


@st.composite
def groups(draw: st.DrawFn) -> snapshots.Account:
    """Acme at some moment of its life: groups of up to ten, with all that can stand in the way of a mail."""
    people = []
    for id in range(1, draw(st.integers(1, 10)) + 1):
        had = draw(st.lists(contents, max_size=2, unique=True))
        facts = {
            "timezone": draw(st.sampled_from(ZONES)), "country": None, "used": had,
            "last_at": draw(earlier) if had else None, "opted_out_at": draw(st.sampled_from([None, None, None, NOW])),
            "paused_until": draw(st.none() | later), "mail_every": draw(st.sampled_from([None, None, 5 * DAY])),
        }  # fmt: skip
        people.append(person(id, draw(st.sampled_from(ROLES)), **facts))
    ids = st.integers(1, len(people))
    holds = st.builds(
        snapshots.Hold, st.sampled_from([HoldCause.REP, HoldCause.REPLY]), earlier, st.none() | later | earlier,
        st.none() | ids, clock=st.sampled_from(["hold", "keep", "skip"]),
    )  # fmt: skip
    mails = [Mail(one.id, one.used[-1], one.last_at) for one in people if one.last_at]
    mails += [Mail(None, None, draw(earlier)) for _ in range(draw(st.integers(0, 2)))]
    limits = st.builds(snapshots.Limits, later, per_week=st.none() | st.integers(1, 3))
    return acme(
        *people, stage_entered_at=draw(earlier), mails=sorted(mails, key=lambda mail: mail.at, reverse=True),
        holds=[one for one in draw(st.lists(holds, max_size=2)) if one.ends_at is None or one.starts_at < one.ends_at],
        delays=draw(st.dictionaries(st.tuples(ids, contents), later, max_size=2)),
        cancelled=draw(st.dictionaries(st.tuples(ids, contents), later, max_size=1)), limits=draw(st.none() | limits),
    )  # fmt: skip


def lived(account: snapshots.Account, play: Play) -> list[tuple[datetime, int, str]]:
    """What leaves when every half hour of the week is lived through, one planning after the other."""
    life = Life(account, play, every=TICK, delay=timedelta(0), mails=[*account.mails])
    if account.limits:
        life.on(account.limits.until, lambda life, at: _set(life, limits=None))
    for ends in account.cancelled.values():
        life.on(ends, lambda life, at: _set(life, cancelled={}))
    life.run(until=NOW + WEEK - TICK)
    return [(one.at, one.person, one.content.rpartition("/")[2]) for one in life.sent]


def _set(life: Life, **facts: Any) -> None:
    life.account = life.account._replace(**facts)


#: Due in the morning and late by now: the second champion, while there is room; the first one's next takes that.
MORNING = NOW - 2 * HOUR
LATE = acme(
    person(1, used=[STEPS[24].key], last_at=MORNING), person(2), stage_entered_at=NOW - 6 * DAY - HOUR,
    mails=[Mail(1, STEPS[24].key, MORNING)],
)  # fmt: skip


@settings(max_examples=40)
@example(account=LATE, play=small_play(steps=STEPS, caps=Caps(account_per_week=2)))
@given(account=groups(), play=plays)
def test_what_is_said_to_leave_is_what_leaves(account: snapshots.Account, play: Play) -> None:
    assert ahead(account, play) == lived(account, play)


# The same with a real ledger, and mails that leave.


@pytest.fixture(scope="module")
def shipped() -> Play:
    """The play that is shipped, with room for four mails a week to an account."""
    play = load_play(TEMPLATES / "plays" / "new-business")
    return play.model_copy(update={"caps": Caps(person_per_week=2, account_per_week=4)})


def town(engine: Engine, play: Play, dice: random.Random) -> list[int]:
    """Six accounts with groups of all sizes, and with what can stand in the way of a mail; their ids."""
    ids = [*range(1, 7)]
    with writing(engine) as connection:
        connection.execute(insert(Rep).values(id=1, email="ravi@lumenflow.example", name="Ravi Menon"))
        seen = [{"content": one.key, "first_seen_at": NOW - 60 * DAY} for one in play.steps]
        connection.execute(insert(ContentSeen), seen)
        for id in ids:
            firm(connection, play, id, dice)
    return ids


def firm(connection: Connection, play: Play, id: int, dice: random.Random) -> None:
    def soon(days: int) -> datetime:
        return NOW + dice.randrange(1, days * 24) * HOUR

    stage, entered = dice.choice(["contacted", "discovery", "evaluation"]), soon(9) - 10 * DAY
    values = {
        "id": id, "key": f"firm-{id}", "name": f"Firm {id}", "play": PLAY, "stage": stage, "stage_entered_at": entered,
        "first_contacted_at": entered, "owner_id": 1, "synced_at": NOW, "replan_at": NOW,
    }  # fmt: skip
    connection.execute(insert(Account).values(values))
    for who in range(20 * id, 20 * id + dice.randint(2, 10)):
        address = f"p{who}@firm-{id}.example"
        values = {
            "id": who, "account_id": id, "email": address, "email_hash": email_hash(address), "first_name": "Kim",
            "role": dice.choice(ROLES), "timezone": dice.choice(ZONES), "consent_basis": "contract",
            "consent_at": entered, "preferred_at": entered, "mail_every_days": dice.choice([None, None, 5]),
        }  # fmt: skip
        connection.execute(insert(Stakeholder).values(values))
        if dice.random() < 0.2:
            held = {"scope": "stakeholder", "account_id": id, "stakeholder_id": who, "cause": "rep", "by": "ravi"}
            times = {"starts_at": NOW - DAY, "ends_at": soon(4), "clock": dice.choice(["hold", "keep", "skip"])}
            connection.execute(insert(Hold).values(held | times))
        if dice.random() < 0.2:
            content = dice.choice([one.key for one in play.steps if one.stage == stage])
            put_off = {"stakeholder_id": who, "content": content, "by": "ravi", "until": soon(5), "at": NOW}
            connection.execute(insert(Delay).values(put_off))
    if id % 4 == 0:
        lease = {"account_id": id, "rep_id": 1, "taken_at": NOW, "renewed_at": NOW, "ends_at": NOW + 20 * DAY}
        connection.execute(insert(Lease).values(**lease, touches_per_week=2, people=[], topics=[]))
    if id % 4 == 1:
        wrote = {"account_id": id, "rep_id": 1, "kind": "email", "direction": "outbound", "is_contact": False}
        connection.execute(insert(Activity).values(**wrote, occurred_at=NOW - 3 * DAY, source_id=f"mail-{id}"))


def run_through_the_week(engine: Engine, play: Play, home: Path) -> list[str]:
    """A run each half hour that has something to do; whose mails left, in their order.

    What the gate looks for is no matter here, so it is spared.
    """
    memory, settings = Memory(), Settings(home=home, sending_domain="mail.example")
    for now in (NOW + tick * TICK for tick in range(WEEK // TICK)):
        with writing(engine) as connection:  # the CRM is read as always
            due = connection.execute(update(Account).where(Account.replan_at <= now).values(synced_at=now)).rowcount
        if due and decide(engine, play, now).new_touches and (plan := nurturing.freeze(engine, play, now)):
            certify(World(engine, {}, {}, {}), plan, now=now)
            nurturing.send(engine, settings, play, [plan], now, channel=memory)
    return [letter.recipient for letter in memory.sent]


def test_what_is_said_of_a_ledger_is_what_its_outbox_holds_a_week_later(
    database: Engine, shipped: Play, tmp_path: Path
) -> None:
    ids = town(database, shipped, random.Random(2))
    with reading(database) as connection:
        said = sorted(mail for one in coming(connection, ids, shipped, NOW) for mail in one.leaving)
    received = run_through_the_week(database, shipped, tmp_path)
    with reading(database) as connection:
        query = select(Touch.sent_at, Touch.stakeholder_id, Touch.content).where(Touch.state == "sent")
        left = sorted(connection.execute(query).tuples())
    assert left == said
    assert sorted(received) == sorted(f"p{mail.person_id}@firm-{mail.person_id // 20}.example" for mail in said)
    assert len(said) > 15, "there was something to foresee"


@pytest.mark.parametrize(
    ("scope", "target", "held"),
    [
        ("global", "", True),
        ("play", PLAY, True),
        ("account", "acme", True),
        ("rep", "ravi@lumenflow.example", True),
        ("domain", "acme.example", True),
        ("play", "another", False),
        ("account", "globex", False),
        ("rep", "sofia@lumenflow.example", False),
        ("domain", "e.example", False),
    ],
)
def test_what_a_brake_holds_is_not_said_to_leave(world: World, scope: str, target: str, held: bool) -> None:
    with writing(world.engine) as connection:
        brakes.pull(connection, BrakeScope(scope), target, by="mia", now=NOW)
        (acme,) = coming(connection, [world.accounts["acme"]], small_play(), NOW)
    assert (acme.leaving == (), len(acme.braked)) == ((True, 6) if held else (False, 0))


def test_a_brake_on_a_domain_holds_those_who_are_read_there_and_nobody_else(world: World) -> None:
    acme, bob = world.accounts["acme"], world.people["bob"]
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).where(Stakeholder.id == bob).values(email="bob@elsewhere.example"))
        (free,) = coming(connection, [acme], small_play(), NOW)
        brakes.pull(connection, BrakeScope.DOMAIN, "elsewhere.example", by="mia", now=NOW)
        (held,) = coming(connection, [acme], small_play(), NOW)
    assert held.braked == {bob}
    assert free.to(bob)
    assert not held.to(bob)
    assert held.to(world.people["alice"])


def test_where_another_play_does_the_planning_its_latest_answers_are_told(world: World) -> None:
    """Each person's next mail, at the earliest: more is not known here of that play."""
    acme, bob, alice = world.accounts["acme"], world.people["bob"], world.people["alice"]
    common = {"account_id": acme, "as_of": NOW - DAY, "play": "another"}
    decided = [
        {"stakeholder_id": bob, "answer": "wait", "until": NOW + DAY, "content": "another/evaluation/one", **common},
        {"stakeholder_id": alice, "answer": "touch", "until": NOW - DAY, "content": "another/evaluation/two", **common},
        {"stakeholder_id": world.people["erin"], "answer": "never", "until": None, "content": None, **common},
    ]
    with writing(world.engine) as connection:
        connection.execute(update(Account).where(Account.id == acme).values(play="another"))
        connection.execute(insert(Decision), decided)
        (found,) = coming(connection, [acme], small_play(), NOW)
    assert [(one.at, one.person_id, one.content) for one in found.leaving] == [
        (NOW, alice, "another/evaluation/two"),
        (NOW + DAY, bob, "another/evaluation/one"),
    ]
