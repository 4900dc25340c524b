"""A brake that Tandem pulls by itself says the numbers, is pulled once, and counts anew when a person lets it go."""

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select, text

from accounts.errors import InputRefused
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes
from accounts.ledger.planning.touches import list_touches
from accounts.ledger.sending import claims
from accounts.ledger.sending.delivery import read_delivery
from accounts.ledger.sending.reputation import _harm, records
from accounts.ledger.signals.applying import act_on_noes, apply_waiting
from accounts.ledger.signals.recorded import Incoming, record
from accounts.ledger.signals.webhooks import Post
from accounts.models import Audit, Stakeholder, Suppression, Touch
from accounts.playfiles import load_play
from accounts.reputation import Record, Tolerance, Word, judge
from accounts.vocabulary import BrakeScope, TouchState
from flows import nurturing
from flows.channels.email.memory import Memory
from flows.doctor.brakes import brakes as doctor
from flows.doctor.finding import Patient
from flows.sales import answers
from flows.sending import braking
from flows.settings import TEMPLATES, Settings
from flows.webhooks.reading import noes_in
from tests.cast import NOW, PLAY, World
from tests.plays import small_play
from tests.sending.desk import DAY, certified, claim, crowd

T = TouchState
HOUR = timedelta(hours=1)
#: Small numbers, so that a handful of people will do.
STRICT = Tolerance(least_sent=5, least=2, complaints_warn=0.1, complaints_stop=0.3, bounces_warn=0.2, bounces_stop=0.5)
USUAL = Tolerance()
RAVI = "ravi@lumenflow.example"


# The rule.


def _record(sent: int, bounced: int = 0, complained: int = 0) -> Record:
    return Record(BrakeScope.PLAY, PLAY, NOW - 7 * DAY, sent, bounced, complained)


@pytest.mark.parametrize(
    ("sent", "bounced", "complained", "word"),
    [
        (10_000, 0, 9, None),
        (10_000, 0, 10, Word.WARN),
        (10_000, 0, 29, Word.WARN),
        (10_000, 0, 30, Word.STOP),
        (1_000, 19, 0, None),
        (1_000, 20, 0, Word.WARN),
        (1_000, 50, 0, Word.STOP),
        (1_000, 50, 1, Word.STOP),
        (1_000, 20, 3, Word.STOP),
        (99, 99, 99, None),
        (100, 1, 1, None),
        (100, 0, 2, Word.STOP),
    ],
)
def test_the_usual_limits_are_those_of_mailbox_providers(
    sent: int, bounced: int, complained: int, word: Word | None
) -> None:
    """Complaints: 0.1 % warns, 0.3 % stops. Hard bounces: 2 % and 5 %. Too few mails, or one single event: nothing."""
    finding = judge(_record(sent, bounced, complained), USUAL)
    assert (finding and finding.word) == word


def test_a_finding_says_the_numbers_the_time_and_the_limit() -> None:
    finding = judge(_record(1_204, complained=9), USUAL)
    assert finding is not None
    assert finding.says == (
        "9 of 1,204 messages since 17 Nov 10:00 UTC were called spam by their readers: 0.75%, the limit is 0.30%"
    )
    close = judge(_record(200, bounced=5), USUAL)
    assert close is not None
    assert close.says == "5 of 200 messages since 17 Nov 10:00 UTC bounced: 2.50%, stopped at 5.00%"


@given(st.integers(1, 5_000), st.integers(0, 5_000), st.integers(0, 5_000))
def test_more_harm_is_never_judged_more_mildly(sent: int, harm: int, more: int) -> None:
    def gravity(count: int) -> int:
        finding = judge(_record(sent, complained=min(count, sent)), USUAL)
        return [None, Word.WARN, Word.STOP].index(finding and finding.word)

    assert gravity(harm) <= gravity(harm + more)


# What is counted.


def _sent(world: World, sizes: dict[str, int], now: datetime = NOW, state: TouchState = T.SENT) -> dict[str, int]:
    """Mails that left at that time: address -> touch."""
    plan_id = certified(world, crowd(world, sizes), now=now)
    touches = claim(world, plan_id, now=now).touches
    with writing(world.engine) as connection:
        claims.record(connection, [claims.Outcome(touch.id, state) for touch in touches], now)
    return {touch.address: touch.id for touch in touches}


def _came(engine: Engine, kind: str, touches: list[int], at: datetime = NOW + HOUR, **data: str) -> None:
    with writing(engine) as connection:
        told = [Incoming("provider", f"{kind}-{id}", kind, at, touch_id=id, data=data) for id in touches]
        record(connection, told, at)


def _records(world: World, now: datetime = NOW + HOUR, tolerance: Tolerance = STRICT) -> dict[str, tuple[int, ...]]:
    with reading(world.engine) as connection:
        found = records(connection, tolerance, now)
    return {one.target: (one.sent, one.bounced, one.complained) for one in found}


def test_bounces_and_complaints_count_for_their_play_and_their_domain(world: World) -> None:
    big, small = "big.example", "small.example"
    sent = list(_sent(world, {big: 6, small: 4}).values())
    _came(world.engine, "bounced", sent[:2], bounce="hard")
    _came(world.engine, "complained", [sent[2], sent[8]])
    assert _records(world) == {PLAY: (10, 2, 2), big: (6, 2, 1)}, "one complaint alone says nothing of a domain"


def test_soft_bounces_unknown_kinds_and_doubles_do_not_count(world: World) -> None:
    sent = list(_sent(world, {"big.example": 6}).values())
    _came(world.engine, "bounced", sent[:4], bounce="soft")
    _came(world.engine, "opened", sent)
    assert _records(world) == {}
    _came(world.engine, "bounced", sent[4:])
    with writing(world.engine) as connection:
        again = [Incoming("another", f"b{id}", "bounced", NOW, touch_id=id) for id in sent[4:]]
        record(connection, again, NOW + HOUR)
    assert _records(world)[PLAY] == (6, 2, 0)


def test_a_mail_that_came_back_because_we_are_refused_counts_though_it_is_nobodys_fault_there(world: World) -> None:
    sent = list(_sent(world, {"big.example": 6}).values())
    with writing(world.engine) as connection:
        data = {"bounce": "soft", "action": "our_fault", "reason": "sender_blocklisted"}
        told = [Incoming("mailbox", f"b{id}", "bounced", NOW, touch_id=id, data=data) for id in sent[:3]]
        record(connection, told, NOW)
    assert _records(world)[PLAY] == (6, 3, 0)


@pytest.mark.parametrize(
    "words",
    [
        "550 5.7.26 This mail is unauthenticated (SPF and DKIM did not pass)",
        "550 5.7.1 Message rejected due to spam content",
        "554 5.7.1 Client host [192.0.2.7] blocked using dnsbl.example",
    ],
    ids=["authentication", "content", "reputation"],
)
def test_what_is_our_fault_stops_the_play_and_no_person_and_the_doctor_says_so(world: World, words: str) -> None:
    """As a provider tells it: hard, since for the provider it is."""
    sent = _sent(world, {"big.example": 6})
    told = [
        {"event": "bounce", "type": "bounce", "reason": words, "status": "5.7.1", "tandem": f"touch-{id}",
         "sg_event_id": f"e{id}", "email": address, "timestamp": (NOW + HOUR).timestamp()}
        for address, id in sent.items()
    ]  # fmt: skip
    post = Post("sendgrid", "p", "d" * 64, NOW + HOUR, "application/json", json.dumps(told).encode())
    with writing(world.engine) as connection:
        act_on_noes(connection, list(noes_in(post)), NOW + HOUR)
        assert apply_waiting(connection, small_play(), NOW + HOUR).signals == 6
        theirs = select(Stakeholder).where(Stakeholder.email.in_(sent))
        assert {(row.email_status, row.paused_until) for row in connection.execute(theirs)} == {("ok", None)}
        assert connection.scalar(select(func.count()).select_from(Suppression)) == 0
    assert {brake.scope for brake in braking.watch(world.engine, STRICT, NOW + HOUR).pulled} == {"play", "domain"}
    url = world.engine.url.render_as_string(hide_password=False)
    found = doctor(Patient(Settings(database_url=url, reputation=STRICT), NOW + HOUR))
    assert found is not None
    assert (found.state, f"play {PLAY} is stopped" in found.says) == ("warn", True)


def test_mails_that_were_refused_at_the_door_were_sent_and_bounced(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 6}))
    touches = claim(world, plan_id).touches
    with writing(world.engine) as connection:
        refused = [claims.Outcome(one.id, T.FAILED, "no_such_mailbox", "550 5.1.1") for one in touches[:3]]
        claims.record(connection, [*refused, *(claims.Outcome(one.id, T.SENT) for one in touches[3:])], NOW)
    assert _records(world)["big.example"] == (6, 3, 0)


def test_only_the_last_days_count(world: World) -> None:
    long_ago = NOW - 8 * DAY
    sent = list(_sent(world, {"big.example": 6}, now=long_ago).values())
    _came(world.engine, "complained", sent, at=long_ago + HOUR)
    assert _records(world) == {}
    assert _records(world, now=NOW - 2 * DAY)[PLAY] == (6, 0, 6)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_harm_is_found_by_its_own_index(database: Engine) -> None:
    """Asked before every run: most signals are opens and deliveries, and none of them is looked at."""
    asked: list[str] = []
    with reading(database) as connection:
        event.listen(connection, "before_cursor_execute", lambda _c, _k, said, *_: asked.append(said))
        list(_harm(connection, NOW))
        query = asked[-1]
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("",) * query.count("?")).all()
    assert any("ix_signal_harm" in step.detail for step in steps)


# The brake.


def test_a_play_and_a_domain_that_go_too_far_are_stopped_with_the_numbers(world: World) -> None:
    sent = list(_sent(world, {"big.example": 6, "small.example": 6}).values())
    _came(world.engine, "complained", sent[:4])
    watched = braking.watch(world.engine, STRICT, NOW + HOUR)
    assert [(brake.scope, brake.target, brake.by) for brake in watched.pulled] == [
        (BrakeScope.DOMAIN, "big.example", "tandem"),
        (BrakeScope.PLAY, PLAY, "tandem"),
    ]
    assert watched.pulled[0].note == (
        "4 of 6 messages since 17 Nov 11:00 UTC were called spam by their readers: 66.67%, the limit is 30.00%"
    )
    with reading(world.engine) as connection:
        audited = connection.execute(select(Audit.actor, Audit.action, Audit.subject).order_by(Audit.id)).all()
    assert [tuple(row) for row in audited] == [
        ("tandem", "stop", "domain:big.example"),
        ("tandem", "stop", f"play:{PLAY}"),
    ]


def test_looking_again_pulls_nothing_twice_and_still_says_what_is_stopped(world: World) -> None:
    sent = list(_sent(world, {"big.example": 6}).values())
    _came(world.engine, "bounced", sent[:3])
    first = braking.watch(world.engine, STRICT, NOW + HOUR)
    again = braking.watch(world.engine, STRICT, NOW + 2 * HOUR)
    assert len(first.pulled) == 2
    assert (again.pulled, again.standing) == ((), first.standing)


def test_what_comes_close_is_told_and_stops_nothing(world: World) -> None:
    sent = list(_sent(world, {"big.example": 10}).values())
    _came(world.engine, "bounced", sent[:2])
    watched = braking.watch(world.engine, STRICT, NOW + HOUR)
    assert (watched.pulled, watched.standing) == ((), ())
    assert {finding.word for finding in watched.warnings} == {Word.WARN}
    assert {finding.record.target for finding in watched.warnings} == {PLAY, "big.example"}


def test_after_a_release_it_counts_anew_and_is_not_pulled_for_the_same_mails(world: World) -> None:
    sent = list(_sent(world, {"big.example": 6}).values())
    _came(world.engine, "complained", sent[:3])
    braking.watch(world.engine, STRICT, NOW + HOUR)
    for scope, target in ((BrakeScope.DOMAIN, "big.example"), (BrakeScope.PLAY, PLAY)):
        answers.stop(world.engine, scope, target, by=RAVI, now=NOW + 2 * HOUR, released=True)
    _came(world.engine, "complained", sent[3:], at=NOW + 3 * HOUR)
    assert braking.watch(world.engine, STRICT, NOW + 4 * HOUR) == braking.Watched()

    later = NOW + 3 * HOUR
    fresh = list(_sent(world, {"bigger.example": 6}, now=later).values())
    _came(world.engine, "complained", fresh[:2], at=NOW + 4 * HOUR)
    watched = braking.watch(world.engine, STRICT, NOW + 5 * HOUR)
    assert [brake.target for brake in watched.pulled] == ["bigger.example", PLAY]
    assert "2 of 6 messages since 24 Nov 12:00 UTC" in str(watched.pulled[1].note)


def test_two_that_look_at_once_pull_one_brake(world: World) -> None:
    sent = list(_sent(world, {"big.example": 6}).values())
    _came(world.engine, "complained", sent[:3])
    together = threading.Barrier(2)

    def look() -> None:
        together.wait()
        braking.watch(world.engine, STRICT, NOW + HOUR)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    with reading(world.engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM brake")) == 2


# A recipient domain.


def test_a_brake_on_a_domain_holds_its_mail_and_that_of_no_other_that_ends_alike(world: World) -> None:
    plan_id = certified(world, crowd(world, {"big.example": 2, "notbig.example": 1, "mail.big.example": 1}))
    with writing(world.engine) as connection:
        brakes.pull(connection, BrakeScope.DOMAIN, " @Big.Example ", by=RAVI, now=NOW)
    assert {touch.address for touch in claim(world, plan_id).touches} == {
        "p000@notbig.example",
        "p000@mail.big.example",
    }
    with writing(world.engine) as connection:
        assert brakes.release(connection, BrakeScope.DOMAIN, "big.example", by=RAVI, now=NOW) == 1
    assert {touch.address for touch in claim(world, plan_id).touches} == {"p000@big.example", "p001@big.example"}


def test_the_domain_of_a_brake_is_no_pattern(world: World) -> None:
    plan_id = certified(world, crowd(world, {"abig.example": 1}))
    with writing(world.engine) as connection:
        brakes.pull(connection, BrakeScope.DOMAIN, "_big.example", by=RAVI, now=NOW)
        brakes.pull(connection, BrakeScope.DOMAIN, "%.example", by=RAVI, now=NOW)
    assert len(claim(world, plan_id).touches) == 1


@pytest.mark.parametrize("wrong", ["", "dana@acme.example", "acme"])
def test_what_is_no_domain_is_refused(world: World, wrong: str) -> None:
    with pytest.raises(InputRefused, match="is no domain"), writing(world.engine) as connection:
        brakes.pull(connection, BrakeScope.DOMAIN, wrong, by=RAVI, now=NOW)


def test_a_brake_may_be_pulled_again_after_it_was_released_and_both_times_stay_written_down(world: World) -> None:
    with writing(world.engine) as connection:
        first = brakes.pull(connection, BrakeScope.PLAY, PLAY, by=RAVI, now=NOW)
        assert brakes.pull(connection, BrakeScope.PLAY, PLAY, by="sofia", now=NOW) == first
        assert brakes.pulled(connection)[0].by == RAVI, "who pulled it first is who pulled it"
        brakes.release(connection, BrakeScope.PLAY, PLAY, by=RAVI, now=NOW)
        assert brakes.pull(connection, BrakeScope.PLAY, PLAY, by="sofia", now=NOW) != first
        assert connection.scalar(text("SELECT count(*) FROM brake")) == 2


def test_nothing_of_a_stopped_play_is_looked_at(world: World) -> None:
    _came(world.engine, "complained", list(_sent(world, {"big.example": 6}).values())[:3])
    braking.watch(world.engine, STRICT, NOW + HOUR)
    plan_id = certified(world, {"ivan": "discovery/why-now"}, now=NOW + HOUR)
    assert claim(world, plan_id, now=NOW + HOUR).looked == 0
    with reading(world.engine) as connection:
        state = select(Touch.state).where(Touch.stakeholder_id == world.people["ivan"])
        assert connection.scalar(state) == T.CERTIFIED


def test_who_asks_what_waits_is_told_that_a_brake_holds_it(world: World) -> None:
    plan_id = certified(world)
    with writing(world.engine) as connection:
        brakes.pull(connection, BrakeScope.ACCOUNT, "acme", by=RAVI, now=NOW)
    with reading(world.engine) as connection:
        listed = {one.address: one.reason for one in list_touches(connection, plan_id=plan_id)}
        delivery = read_delivery(connection, plan_id)
    assert listed == {"alice@acme.example": "braked", "bob@acme.example": "braked", "ivan@initech.example": None}
    assert delivery.counts == {("waiting", "braked"): 2, ("waiting", None): 1}


def test_a_run_without_prefect_looks_before_it_sends_as_well(world: World, tmp_path: Path) -> None:
    _came(world.engine, "complained", list(_sent(world, {"big.example": 6}, now=NOW - HOUR).values())[:3], at=NOW)
    settings = Settings(home=tmp_path, reputation=STRICT)
    play = load_play(TEMPLATES / "plays" / PLAY)
    assert nurturing.nurture(world.engine, settings, play, NOW, channel=Memory()).sent == 0
    with reading(world.engine) as connection:
        assert {brake.target for brake in brakes.pulled(connection)} == {PLAY, "big.example"}
