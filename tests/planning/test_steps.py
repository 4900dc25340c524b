"""The clock of a step: from when it counts, what holds it, when it is late."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.pauses import elapse
from accounts.planning import Never, Planner, Said, Touch, Wait, plan
from accounts.playbook import Approvals, Cadence, Window
from accounts.vocabulary import Reason
from tests.cast import NOW, PLAY
from tests.planning.scenes import DAY, FIVE_SLIDES, HOUR, PILOT, acme, answer, hold, mail, person
from tests.plays import STEPS, small_play, stage_rule, step

ALWAYS_OPEN = Window(
    days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), opens="00:00", closes="00:00", default_timezone="UTC"
)  # type: ignore[arg-type]
ANY_TIME = small_play(window=ALWAYS_OPEN)


def until(said: Said) -> datetime | None:
    assert isinstance(said, Wait)
    return said.until


# From when a step counts.


def test_the_first_step_counts_from_the_entry_into_the_stage() -> None:
    entered = NOW - 30 * HOUR
    assert until(answer(acme(stage_entered_at=entered), ANY_TIME)) == entered + 2 * DAY


def test_the_first_step_counts_from_the_first_contact_when_that_came_later() -> None:
    contacted = NOW - HOUR
    assert until(answer(acme(first_contacted_at=contacted), ANY_TIME)) == contacted + 2 * DAY


def test_the_next_step_counts_from_the_persons_previous_touch() -> None:
    told = acme(person(used=[PILOT], last_at=NOW - 4 * DAY), stage_entered_at=NOW - 7 * DAY)
    assert answer(told, ANY_TIME) == Wait(Reason.WAITING_STEP, NOW + DAY, FIVE_SLIDES)


def test_steps_come_in_the_order_of_their_numbers_whatever_the_order_of_the_files() -> None:
    steps = (
        step("evaluation/b", "champion", 10),
        step("evaluation/c", "champion", 2),
        step("evaluation/a", "champion", 3),
    )
    said = answer(acme(), small_play(steps=steps))
    assert isinstance(said, Touch)
    assert said.content == f"{PLAY}/evaluation/c"


def test_a_content_is_never_repeated_also_when_the_stage_comes_back() -> None:
    told = person(used=[PILOT], last_at=NOW - 40 * DAY)
    said = answer(acme(told, stage_entered_at=NOW - 6 * DAY))
    assert isinstance(said, Touch)
    assert said.content == FIVE_SLIDES


def test_a_new_stage_does_not_shorten_the_cadence_of_a_person() -> None:
    told = person(used=[f"{PLAY}/discovery/why-now"], last_at=NOW - 3 * DAY)
    assert until(answer(acme(told), ANY_TIME)) == NOW + DAY


def test_a_stage_without_cadence_has_only_its_steps() -> None:
    stages = tuple(stage_rule("evaluation", cadence=None) if s.key == "evaluation" else s for s in ANY_TIME.stages)
    told = person(used=[f"{PLAY}/discovery/why-now"], last_at=NOW - 3 * DAY)
    assert isinstance(answer(acme(told), small_play(window=ALWAYS_OPEN, stages=stages)), Touch)


def test_cadence_spreads_steps_that_follow_each_other_faster() -> None:
    weekly = Cadence(every=timedelta(days=7), not_after=timedelta(days=10))
    stages = tuple(stage_rule("evaluation", cadence=weekly) if s.key == "evaluation" else s for s in ANY_TIME.stages)
    told = acme(person(used=[PILOT], last_at=NOW - 6 * DAY), stage_entered_at=NOW - 9 * DAY)
    assert until(answer(told, small_play(window=ALWAYS_OPEN, stages=stages))) == NOW + DAY


def test_a_rep_who_refuses_a_content_moves_the_person_to_the_next_one() -> None:
    """The next step counts from the refusal, so that a no does not bring two mails close together."""
    refused = acme(vetoes={1: {PILOT: NOW - DAY}})
    assert answer(refused, ANY_TIME) == Wait(Reason.WAITING_STEP, NOW + 4 * DAY, FIVE_SLIDES)


# What holds the clock.


@pytest.mark.parametrize("cause", ["rep", "reply", "meeting", "complaint", "sla"])
def test_a_hold_moves_the_plan_by_its_length(cause: str) -> None:
    entered = NOW - 6 * DAY
    held = acme(stage_entered_at=entered, holds=[hold(cause, since=5 * DAY, until=-DAY / 2)])
    assert until(answer(held, ANY_TIME)) == entered + 2 * DAY + 4.5 * DAY


def test_a_hold_that_began_before_the_stage_counts_from_the_stage() -> None:
    held = acme(stage_entered_at=NOW - 2 * DAY, holds=[hold(since=20 * DAY, until=-DAY)])
    assert until(answer(held, ANY_TIME)) == NOW + DAY


def test_holds_that_overlap_count_once() -> None:
    held = acme(holds=[hold(since=3 * DAY, until=-DAY), hold("reply", since=2.5 * DAY, until=-DAY / 2)])
    assert until(answer(held, ANY_TIME)) == NOW - DAY / 2 + 2 * DAY


def test_a_colleagues_hold_does_not_hold_my_clock() -> None:
    held = acme(person(1), person(2), holds=[hold(since=3 * DAY, until=-DAY / 2, of=2)])
    assert isinstance(plan(held, ANY_TIME, NOW)[0], Touch)


def test_time_under_a_hold_is_not_lateness() -> None:
    """Due on day 2, late after day 12; eight days of hold in between make day 20 of it."""
    since, ends = 18 * DAY, -10 * DAY
    held = acme(stage_entered_at=NOW - 19 * DAY, holds=[hold(since=since, until=ends)])
    assert isinstance(answer(held, ANY_TIME), Touch)
    assert answer(acme(stage_entered_at=NOW - 19 * DAY), ANY_TIME).reason is Reason.LATE_STEP


def test_a_touch_may_leave_as_long_as_its_step_is_not_late_without_the_hold() -> None:
    entered = NOW - 10 * DAY
    held = acme(stage_entered_at=entered, holds=[hold(since=5 * DAY, until=-2 * DAY)])
    said = answer(held, ANY_TIME)
    assert isinstance(said, Touch)
    assert (said.due, said.not_after) == (entered + 2 * DAY, entered + 12 * DAY + 3 * DAY)


def test_elapse_counts_only_the_time_between_the_stops() -> None:
    stops = [(NOW + HOUR, NOW + 3 * HOUR), (NOW + 4 * HOUR, NOW + 5 * HOUR), (NOW + 20 * HOUR, NOW + 30 * HOUR)]
    assert elapse(NOW, HOUR / 2, stops) == NOW + HOUR / 2
    assert elapse(NOW, 2 * HOUR, stops) == NOW + 5 * HOUR
    assert elapse(NOW, 3 * HOUR, stops) == NOW + 6 * HOUR
    assert elapse(NOW + 2 * HOUR, HOUR / 2, stops) == NOW + 3.5 * HOUR


# When a step is late.


def test_a_step_is_late_after_its_not_after_and_not_before() -> None:
    due = NOW - 10 * DAY
    assert isinstance(answer(acme(stage_entered_at=due - 2 * DAY), ANY_TIME), Touch)
    just_late = acme(stage_entered_at=due - 2 * DAY - timedelta(seconds=1))
    late_since = NOW - timedelta(seconds=1)
    assert answer(just_late, ANY_TIME) == Wait(Reason.LATE_STEP, None, PILOT, late_since)


def test_nights_and_weekends_are_not_lateness() -> None:
    """Due on a Friday evening with a day's patience: Monday morning is on time."""
    monday = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
    friday_evening = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
    hasty = small_play(steps=(step("evaluation/pilot", "champion", not_after=1),))
    said = answer(acme(stage_entered_at=friday_evening - 2 * DAY, synced_at=monday), hasty, monday)
    assert isinstance(said, Touch)
    assert said.due == datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "facts",
    [
        {"role_since": NOW - DAY},
        {"consent_at": NOW - DAY},
    ],
)
def test_nobody_is_late_with_a_step_they_could_not_have_had(facts: dict[str, datetime]) -> None:
    long_ago = NOW - 40 * DAY
    assert isinstance(answer(acme(person(**facts), stage_entered_at=long_ago), ANY_TIME), Touch)


def test_a_step_added_to_a_running_stage_is_not_born_late() -> None:
    veteran = acme(stage_entered_at=NOW - 40 * DAY)
    assert isinstance(Planner(ANY_TIME, NOW, {PILOT: NOW - HOUR}).plan(veteran)[0], Touch)
    assert Planner(ANY_TIME, NOW, {PILOT: NOW - 90 * DAY}).plan(veteran)[0].reason is Reason.LATE_STEP


def test_an_approval_that_took_long_does_not_make_the_first_touch_late() -> None:
    asks = small_play(window=ALWAYS_OPEN, approvals=Approvals(first_touch="rep"))
    approved = acme(stage_entered_at=NOW - 40 * DAY, approved_at=NOW - HOUR)
    said = answer(approved, asks)
    assert isinstance(said, Touch)
    assert said.due == NOW - HOUR


def test_waiting_for_room_under_a_cap_is_not_lateness() -> None:
    """The week was full until a moment ago, so the step's turn came only now."""
    full = [mail(day * DAY, to=9, content=None) for day in (3, 4, 5, 6, 7)]
    crowded = acme(stage_entered_at=NOW - 40 * DAY, mails=full)
    said = answer(crowded, ANY_TIME)
    assert isinstance(said, Touch)
    assert said.due == NOW


def test_what_was_late_stays_so_when_colleagues_take_the_room_and_it_comes_back() -> None:
    """Or the mail that somebody is asked about would leave by itself next week."""
    full = [mail(day * DAY, to=9, content=None) for day in (3, 4, 5, 6, 7)]
    crowded = acme(person(late=PILOT), stage_entered_at=NOW - 40 * DAY, mails=full)
    said = answer(crowded, ANY_TIME)
    assert (said.reason, said.content) == (Reason.LATE_STEP, PILOT)
    assert isinstance(answer(crowded._replace(reprieves={(1, PILOT): NOW - HOUR}), ANY_TIME), Touch)
    assert isinstance(answer(crowded._replace(people=(person(late=FIVE_SLIDES),)), ANY_TIME), Touch)


def test_better_late_than_never_lets_a_late_step_go_and_gives_it_its_time_again() -> None:
    late = acme(stage_entered_at=NOW - 40 * DAY, reprieves={(1, PILOT): NOW - HOUR})
    said = answer(late, ANY_TIME)
    assert isinstance(said, Touch)
    assert (said.due, said.not_after) == (NOW - HOUR, NOW - HOUR + 10 * DAY)


def test_a_late_step_that_is_left_out_gives_the_next_one_its_full_time() -> None:
    left_out = acme(stage_entered_at=NOW - 40 * DAY, vetoes={1: {PILOT: NOW - DAY}})
    assert answer(left_out, ANY_TIME) == Wait(Reason.WAITING_STEP, NOW + 4 * DAY, FIVE_SLIDES)


def test_a_resume_after_a_long_stop_does_not_flood() -> None:
    """Six weeks without planning: everything is late and waits for a decision, nothing leaves."""
    people = [person(1), person(2, "economic_buyer"), person(3, "technical_evaluator"), person(4, "end_user")]
    answers = plan(acme(*people, stage_entered_at=NOW - 42 * DAY), ANY_TIME, NOW)
    assert {type(said) for said in answers} == {Wait}
    assert {said.reason for said in answers if isinstance(said, Wait)} == {Reason.LATE_STEP}


def test_a_role_change_gives_the_contents_of_the_new_role() -> None:
    told = person(role="economic_buyer", used=[PILOT], last_at=NOW - 8 * DAY, role_since=NOW - 4 * DAY)
    said = answer(acme(told), ANY_TIME)
    assert isinstance(said, Touch)
    assert said.content == f"{PLAY}/evaluation/three-numbers"


def test_one_content_for_two_roles_is_used_up_for_both() -> None:
    told = person(role="influencer", used=[PILOT], last_at=NOW - 8 * DAY)
    assert answer(acme(told), small_play(steps=STEPS)) == Never(Reason.SEQUENCE_FINISHED)
