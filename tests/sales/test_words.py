"""A rep's word is a line of the score: the latest one counts, at once, and adds up with what people did."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import Connection, select

from accounts.answers import AnswerKind, Said, Via
from accounts.calibration import calibrate
from accounts.engagement import Reading, Told
from accounts.ledger.engagement import scores
from accounts.ledger.engagement.calibration import read_judged
from accounts.ledger.engagement.feedback import let_it_weigh
from accounts.ledger.engagement.weighing import weighing_for
from accounts.ledger.engine import reading, writing
from accounts.ledger.signals.applying import apply_waiting
from accounts.ledger.signals.recorded import record
from accounts.ledger.subjects import Subject
from accounts.models import Score, Signal
from accounts.vocabulary import Heat, SignalKind, Verdict
from flows.sales import answers
from tests.calibration.market import verdicts
from tests.cast import NOW, PLAY, World
from tests.plays import small_play
from tests.sales.desk import on_sqlite
from tests.signals.post import RULES, signal, tell

PLAY_IN_USE = small_play(engagement=RULES)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BOB, ALICE = "bob@acme.example", "alice@acme.example"
K = SignalKind


def say(world: World, verdict: str, person: str | None = None, ago: timedelta = timedelta()) -> None:
    said = Said(AnswerKind(verdict), world.accounts["acme"], world.people[person] if person else None)
    answers.answer(world.engine, PLAY_IN_USE, said, by="", rep_id=world.reps["ravi"], via=Via.WEB, now=NOW - ago)


def of_acme(world: World) -> Reading:
    """The reading; the score in the ledger says the same, and so does one made anew from the signals."""
    acme = world.accounts["acme"]
    with reading(world.engine) as connection:
        found = scores.read_engagement(connection, [acme], RULES, NOW)[acme]
        stored = scores.read_scores(connection, RULES, NOW).get(acme)
        assert found.score.value == pytest.approx(stored.value if stored else 0.0, abs=1e-9)
    with writing(world.engine) as connection:
        scores.recompute(connection)
        anew = scores.read_scores(connection, RULES, NOW).get(acme)
        assert found.score.value == pytest.approx(anew.value if anew else 0.0, abs=1e-9)
    assert sum(one.points for one in found.contributions) == pytest.approx(found.score.value)
    return found


def kinds(found: Reading) -> set[SignalKind]:
    return {one.kind for one in found.contributions}


def test_ready_is_a_line_of_the_score_the_same_minute_and_what_comes_later_adds_to_it(world: World) -> None:
    tell(world.engine, signal("clicked", BOB, NOW - DAY))
    before = of_acme(world).score.value
    say(world, "ripe", "bob", HOUR)
    ripe = of_acme(world)
    assert ripe.score.value > before + 10
    assert kinds(ripe) == {K.CLICKED, K.SAID_RIPE}
    tell(world.engine, signal("visited", BOB, NOW))
    assert kinds(of_acme(world)) == {K.CLICKED, K.SAID_RIPE, K.VISITED}


def test_the_latest_word_counts_and_no_earlier_one_but_each_person_has_their_own(world: World) -> None:
    say(world, "ripe", "bob", 3 * HOUR)
    say(world, "not_yet", "bob", HOUR)
    assert kinds(of_acme(world)) == {K.SAID_NOT_YET}
    assert of_acme(world).score.value < 0
    say(world, "ripe", "alice")
    say(world, "bad_timing")
    assert kinds(of_acme(world)) == {K.SAID_NOT_YET, K.SAID_RIPE, K.SAID_BAD_TIMING}


@on_sqlite
def test_the_wrong_person_takes_their_part_out_until_the_no_is_taken_back(world: World) -> None:
    tell(world.engine, signal("downloaded", BOB, NOW - DAY), signal("clicked", ALICE, NOW - DAY))
    both = of_acme(world).score.value
    say(world, "wrong_person", "bob")
    without = of_acme(world)
    assert {one.person for one in without.contributions} == {world.people["alice"]}
    assert without.left_out == {world.people["bob"]}
    tell(world.engine, signal("replied", BOB, NOW))
    assert of_acme(world).score.value == pytest.approx(without.score.value)
    answers.veto(world.engine, BOB, None, by="ravi@lumenflow.example", now=NOW, withdrawn=True, play=PLAY_IN_USE)
    assert of_acme(world).score.value > both


@on_sqlite
def test_words_and_signals_in_any_order_come_to_the_same_score(world: World) -> None:
    """Two people's clicks and three words; of the words about Bob the later one counts, in whatever order told."""
    found = set()
    steps = ("click", "visit", "ripe", "account", "bob")
    for order in list(permutations(steps))[::9]:
        with world.engine.connect() as connection, connection.begin() as transaction:
            for step in order:
                _do(connection, world, step)
            value = scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value
            found.add(round(value, 9))
            transaction.rollback()
    assert len(found) == 1


def _do(connection: Connection, world: World, step: str) -> None:
    acme, signals = world.accounts["acme"], {"click": (BOB, "clicked"), "visit": (ALICE, "visited")}
    words = {"ripe": ("alice", Verdict.RIPE), "account": (None, Verdict.NOT_YET), "bob": ("bob", Verdict.BAD_TIMING)}
    if step in signals:
        who, kind = signals[step]
        record(connection, [signal(kind, who, NOW - DAY)], NOW)
        apply_waiting(connection, PLAY_IN_USE, NOW)
    else:
        person, verdict = words[step]
        subject = Subject(acme, "acme", world.people[person] if person else None, None)
        let_it_weigh(connection, subject, verdict, NOW - HOUR)
        weighing_for(connection, PLAY_IN_USE)
        scores.recompute(connection, [acme])


@on_sqlite
def test_a_word_makes_no_account_hot(world: World) -> None:
    """Nobody there did anything: heat, and the call that it asks for, go by people's acts."""
    say(world, "ripe", "bob")
    heat = of_acme(world).heat
    assert (heat.heat, heat.this_week) == (Heat.STEADY, 0.0)


@on_sqlite
def test_calibration_compares_the_score_without_the_words(world: World) -> None:
    """Ravi's "ready" would make the account look ripe at his "not yet" a week later; the click alone fades."""
    tell(world.engine, signal("clicked", BOB, NOW - 9 * DAY), now=NOW - 9 * DAY)
    say(world, "ripe", "bob", 8 * DAY)
    say(world, "not_yet", "alice", DAY)
    with reading(world.engine) as connection:
        judged = read_judged(connection, PLAY, RULES, NOW)
    found = calibrate(judged, RULES)
    assert found.overall.share == 1.0
    assert set(found.kinds) == {K.CLICKED}


def test_words_are_never_learned_from_even_where_they_would_explain_everything() -> None:
    """Every ready account comes with "ready" among its signals."""
    plain = verdicts(60, None, 1, NOW)
    telling = [
        replace(one, signals=[*one.signals, Told(9_000 + one.id, 1, K.SAID_RIPE, one.at - DAY)]) if one.is_ripe else one
        for one in plain
    ]
    assert calibrate(telling, RULES) == calibrate(plain, RULES)


@on_sqlite
def test_saying_it_again_leaves_one_line(world: World) -> None:
    for ago in (2 * DAY, DAY, HOUR):
        say(world, "ripe", "bob", ago)
    with reading(world.engine) as connection:
        assert len(connection.execute(select(Signal.id).where(Signal.kind == K.SAID_RIPE)).all()) == 1
        assert connection.execute(select(Score.signals)).all() == [(1,)]
