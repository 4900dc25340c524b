"""Forward decay is exact, contributions add up, heat is measured against the account itself."""

import math
import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.engagement import (
    ENGAGED,
    NOBODY,
    Mass,
    Moved,
    Score,
    Told,
    digest_of,
    heat_of,
    read,
    roll_up,
    saturation,
    weigh,
    what_moved,
)
from accounts.playbook import Engagement
from accounts.vocabulary import Heat, Role, SignalKind
from tests.cast import NOW
from tests.signals.post import RULES, WEIGHTS

HALF = RULES.half_life
ROLES = {1: Role.CHAMPION, 2: Role.ECONOMIC_BUYER, 3: Role.END_USER}

moments = st.timedeltas(timedelta(0), timedelta(days=900)).map(lambda age: NOW - age)
signals = st.builds(
    Told, st.integers(1, 10**6), st.sampled_from([NOBODY, 1, 2, 3, 4]), st.sampled_from(list(SignalKind)), moments
)


def told(kind: str, days_ago: float, who: int = 1, id: int = 1) -> Told:
    return Told(id, who, SignalKind(kind), NOW - timedelta(days=days_ago))


def brute_force(history: list[Told], who: int, now: datetime) -> float:
    """The definition: every weight halved once per half-life, all added up."""
    return math.fsum(
        WEIGHTS.get(one.kind, 0) * 0.5 ** ((now - one.occurred_at) / HALF) for one in history if one.person == who
    )


@given(st.lists(signals, max_size=60), st.timedeltas(timedelta(0), timedelta(days=4000)), st.randoms())
@settings(max_examples=150)
def test_adding_signal_by_signal_in_any_order_equals_adding_all_up_from_the_start(
    history: list[Told], later: timedelta, chance: random.Random
) -> None:
    now = NOW + later
    chance.shuffle(history)
    masses = weigh(history, RULES)
    for who, mass in masses.items():
        assert mass.as_of(now, HALF) == pytest.approx(brute_force(history, who, now), rel=1e-9, abs=1e-9)
    assert {who for who in range(5) if any(o.person == who and WEIGHTS.get(o.kind) for o in history)} == set(masses)


@given(st.lists(signals, max_size=60))
@settings(max_examples=150)
def test_contributions_add_up_to_the_score_to_the_last_digit(history: list[Told]) -> None:
    reading = read(history, ROLES, RULES, NOW)
    assert math.fsum(c.points for c in reading.contributions) == pytest.approx(reading.score.value, abs=1e-9)
    for who, points in reading.score.points.items():
        parts = math.fsum(c.points for c in reading.contributions if c.person == who)
        assert parts == pytest.approx(points, abs=1e-9)


@given(st.lists(signals, min_size=1, max_size=30), st.randoms())
def test_the_order_in_which_signals_are_read_changes_no_reading(history: list[Told], chance: random.Random) -> None:
    history = [Told(id, one.person, one.kind, one.occurred_at) for id, one in enumerate(history)]
    before = read(history, ROLES, RULES, NOW)
    chance.shuffle(history)
    after = read(history, ROLES, RULES, NOW)
    assert after.score.value == pytest.approx(before.score.value, rel=1e-9, abs=1e-9)
    assert after.heat.sentence == before.heat.sentence


def test_half_a_life_later_a_signal_is_worth_half() -> None:
    mass = weigh([told("clicked", 0)], RULES)[1]
    assert mass.as_of(NOW, HALF) == 3
    assert mass.as_of(NOW + HALF, HALF) == 1.5


def test_a_signal_of_forty_years_ago_overflows_nothing_and_neither_does_a_look_from_before_it() -> None:
    mass = weigh([told("clicked", 15_000), told("replied", 0)], RULES)[1]
    assert mass.value == 12
    assert math.isfinite(mass.as_of(NOW - timedelta(days=20_000), HALF))


def test_an_open_says_nothing() -> None:
    assert read([told("opened", 0)], ROLES, RULES, NOW).score.value == 0


def test_the_tenth_click_says_less_than_the_first() -> None:
    def score(clicks: int) -> float:
        return read([told("clicked", 0, id=n) for n in range(clicks)], ROLES, RULES, NOW).score.value

    assert score(1) > score(10) - score(9) > 0
    assert score(10_000) == pytest.approx(1.3 * RULES.person_ceiling)


def test_the_same_click_says_more_when_the_one_who_signs_makes_it() -> None:
    assert read([told("clicked", 0, who=2)], ROLES, RULES, NOW).score.value == pytest.approx(
        read([told("clicked", 0, who=3)], ROLES, RULES, NOW).score.value * 1.5
    )


def test_three_engaged_people_get_the_bonus_twice_and_a_silent_colleague_takes_nothing_away() -> None:
    three = roll_up({1: 10.0, 2: 10.0, 3: 10.0}, {}, RULES)
    alone = roll_up({1: 10.0}, {}, RULES)
    assert three.value == pytest.approx(3 * alone.value * 1.3)
    assert three.engaged == 3
    assert roll_up({1: 10.0, 2: 0.0}, {}, RULES).value == pytest.approx(alone.value)


def test_the_breadth_has_no_cliff_where_a_person_stops_to_count() -> None:
    above, below = (roll_up({1: 10.0, 2: ENGAGED + nudge}, {}, RULES).value for nudge in (1e-9, -1e-9))
    assert above == pytest.approx(below, abs=1e-7)


def test_visitors_without_a_name_count_with_the_weight_of_an_unknown_role_and_never_as_breadth() -> None:
    reading = read([told("visited", 0, who=NOBODY), told("clicked", 0, who=1)], ROLES, RULES, NOW)
    assert reading.score.breadth == 1.0
    assert reading.score.points[NOBODY] == pytest.approx(0.6 * 2 * saturation(2, RULES.person_ceiling))


def test_a_complaint_takes_away_and_is_neither_softened_nor_multiplied() -> None:
    history = [told("clicked", 0, 1), told("clicked", 0, 3), told("complained", 0, 2)]
    assert read(history, ROLES, RULES, NOW).score.points[2] == -15.0


def test_what_happens_after_the_moment_asked_for_is_not_known_yet() -> None:
    assert read([told("replied", -1)], ROLES, RULES, NOW).score.value == 0


@pytest.mark.parametrize(
    ("history", "heat", "says"),
    [
        ([], Heat.STEADY, "steady: nothing heard in the last five weeks"),
        ([told("replied", 50)], Heat.STEADY, "steady: nothing heard in the last five weeks"),
        (
            [told("clicked", 1), told("replied", 2), told("clicked", 10)],
            Heat.RISING,
            "rising: 19.5 points in the last seven days, 1.0 in a usual week (1 clicked, 1 replied)",
        ),
        (
            [told("replied", 10), told("replied", 20)],
            Heat.COOLING,
            "cooling: 0.0 points in the last seven days, 7.8 in a usual week (nothing this week)",
        ),
        (
            [told("replied", days) for days in (1, 8, 15, 22, 29)],
            Heat.STEADY,
            "steady: 15.6 points in the last seven days, 15.6 in a usual week (1 replied)",
        ),
        (
            [told("visited", 1, who=3)],
            Heat.STEADY,
            "steady: 2.0 points in the last seven days, 0.0 in a usual week (1 visited)",
        ),
    ],
)
def test_heat_compares_this_week_with_the_accounts_own_four_weeks_before(
    history: list[Told], heat: Heat, says: str
) -> None:
    reading = heat_of(history, ROLES, RULES, NOW)
    assert (reading.heat, reading.sentence) == (heat, says)


def test_heat_looks_back_five_weeks_to_the_minute() -> None:
    assert heat_of([told("replied", 35)], ROLES, RULES, NOW).usual_week == 0
    assert heat_of([told("replied", 34.999)], ROLES, RULES, NOW).usual_week == pytest.approx(1.3 * 12 / 4)
    assert heat_of([told("replied", 7)], ROLES, RULES, NOW).this_week == 0


ANYBODY = Engagement(weights={SignalKind.CLICKED: 1, SignalKind.SAID_RIPE: 9}, heat_points=3)


@pytest.mark.parametrize(
    ("week", "usual", "heat"),
    [
        (6, 3, Heat.RISING),
        (9, 6, Heat.RISING),  # half as much again
        (8, 5, Heat.RISING),
        (11, 8, Heat.STEADY),  # three points more, and not half as much again
        (5, 3, Heat.STEADY),  # more than half as much again, and not three points
        (6, 9, Heat.COOLING),
        (8, 11, Heat.STEADY),
        (3, 5, Heat.STEADY),
        (3, 6, Heat.COOLING),
        (7, 7, Heat.STEADY),
    ],
)
def test_heat_changes_by_the_points_of_the_play_and_by_half_as_much_again(week: int, usual: int, heat: Heat) -> None:
    clicks = [told("clicked", 1)] * week + [told("clicked", 10)] * (4 * usual)
    assert heat_of(clicks, {}, ANYBODY, NOW).heat is heat


def test_heat_is_made_of_what_they_did_up_to_this_moment_and_not_of_a_reps_word() -> None:
    reading = heat_of(
        [told("clicked", 0), told("clicked", -1), told("said_ripe", 1), told("opened", 1)], {}, ANYBODY, NOW
    )
    assert (reading.this_week, reading.recent) == (1.0, {SignalKind.CLICKED: 1})


def test_a_role_that_weighs_nothing_is_not_counted_among_what_made_the_heat() -> None:
    silent = ANYBODY.model_copy(update={"role_weights": {Role.LEGAL: 0.0}})
    assert heat_of([told("clicked", 1)], {1: Role.LEGAL}, silent, NOW).recent == {}


def test_the_sentence_names_what_there_was_most_of_first_and_of_equals_by_name() -> None:
    history = [told(kind, 1) for kind in ("replied", "visited", "visited", "clicked", "downloaded")]
    assert heat_of(history, ROLES, RULES, NOW).sentence.endswith("(2 visited, 1 clicked, 1 downloaded, 1 replied)")


def test_who_is_the_wrong_person_is_left_out_and_named_only_if_there_was_something_to_leave_out() -> None:
    history = [told("clicked", 1, who=1), told("replied", 1, who=2), told("replied", -1, who=4)]
    reading = read(history, ROLES, RULES, NOW, left_out=[2, 3, 4])
    assert reading == replace(read(history[:1], ROLES, RULES, NOW), left_out=frozenset({2}))


def test_contributions_are_told_from_the_largest_down_and_of_equals_the_latest_first() -> None:
    history = [
        told("clicked", 1, id=1),
        told("complained", 1, id=2),
        told("clicked", 1, id=3),
        told("replied", 1, id=4),
    ]
    assert [one.signal_id for one in read(history, ROLES, RULES, NOW).contributions] == [4, 2, 3, 1]


def test_masses_add_up_whichever_comes_first_with_the_number_of_their_signals() -> None:
    old, new = Mass(4.0, NOW - HALF, 3), Mass(1.0, NOW, 2)
    assert old.plus(new, HALF) == new.plus(old, HALF) == Mass(3.0, NOW, 5)
    assert weigh([told("clicked", 0)], RULES)[1].signals == 1


def test_somebody_counts_as_engaged_from_one_point_on_and_in_part_below() -> None:
    assert [roll_up({1: mass}, {}, RULES).engaged for mass in (0.99, 1.0)] == [0, 1]
    half = roll_up({1: 10.0, 2: 0.5}, {}, RULES)
    assert half.breadth == pytest.approx(1 + RULES.breadth_bonus / 2)


def test_what_moved_is_what_one_can_see_with_both_values_and_the_places_by_score() -> None:
    def worth(value: float) -> Score:
        return Score(value, {}, 0, 1.0, {})

    before = {1: worth(5), 2: worth(9), 3: worth(7), 7: worth(7), 8: worth(2)}
    after = {1: worth(9), 2: worth(5), 3: worth(7.04), 7: worth(7.06), 9: worth(-3)}
    assert what_moved(before, after) == (
        Moved(1, 5, 9, 4, 1),
        Moved(2, 9, 5, 1, 4),
        Moved(9, 0.0, -3, None, 5),
        Moved(8, 2, 0.0, 5, None),
        Moved(7, 7, 7.06, 3, 2),
    )


def test_the_digest_changes_with_weights_and_half_life_and_with_nothing_else() -> None:
    def changed(**changes: object) -> str:
        return digest_of(RULES.model_copy(update=changes))

    assert changed(half_life=timedelta(days=7)) != digest_of(RULES)
    assert changed(weights={**WEIGHTS, SignalKind.CLICKED: 4}) != digest_of(RULES)
    assert changed(role_weights={}, breadth_bonus=0.5) == digest_of(RULES)
    assert changed(weights={**WEIGHTS, SignalKind.AD_SHOWN: 0}) == digest_of(RULES)
    swapped = {SignalKind.CLICKED: 1, SignalKind.VISITED: 2}, {SignalKind.CLICKED: 2, SignalKind.VISITED: 1}
    assert changed(weights=swapped[0]) != changed(weights=swapped[1])
