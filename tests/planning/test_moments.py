"""At the very moment, just before it, and where two rules meet: what planning says on the edge of each."""

from datetime import datetime

import pytest

from accounts.guards import asks_for_approval
from accounts.planning import Never, Planner, Touch, Wait, plan
from accounts.playbook import Approvals, Caps, Entry, Window
from accounts.snapshots import Account, Limits, OpenTouch
from accounts.vocabulary import Reason
from tests.cast import NOW, PLAY
from tests.planning.scenes import DAY, FIVE_SLIDES, HOUR, NUMBERS, PILOT, acme, answer, hold, mail, person
from tests.plays import small_play, step

NOTHING = 0 * HOUR
ANY_TIME = Window(
    days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), opens="00:00", closes="00:00", default_timezone="UTC"
)  # type: ignore[arg-type]
ASKS = small_play(approvals=Approvals(first_touch="rep"))


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (acme(person(opted_out_at=NOW)), Reason.OPTED_OUT),
        (acme(person(opted_out_at=NOW + HOUR)), None),
        (acme(person(consent_at=NOW)), None),
        (acme(person(consent_at=None)), None),
        (acme(first_contacted_at=NOW), Reason.WAITING_STEP),
        (acme(synced_at=NOW - 14 * DAY), None),
        (acme(synced_at=NOW - 14 * DAY - HOUR), Reason.STALE_CRM),
        (acme(synced_at=None), None),
        (acme(person(paused_until=NOW)), None),
        (acme(person(paused_until=NOW - DAY)), None),
        (acme(holds=[hold(since=NOTHING)]), Reason.ACCOUNT_HELD),
        (acme(holds=[hold(since=-HOUR)]), None),
        (acme(holds=[hold(since=HOUR, until=NOTHING)]), None),
        (acme(stage_entered_at=None), Reason.LATE_STEP),
    ],
)
def test_a_fact_counts_from_its_moment_on_and_until_its_end(account: Account, reason: Reason | None) -> None:
    assert answer(account).reason == reason


def test_a_yes_counts_from_its_moment_on_and_is_asked_of_every_tier_when_none_is_named() -> None:
    assert answer(acme(tier="3", approved_at=NOW + HOUR), ASKS) == Wait(Reason.AWAITING_APPROVAL, None)
    assert isinstance(answer(acme(tier="3", approved_at=NOW), ASKS), Touch)
    assert asks_for_approval(acme(tier=None), ASKS)


@pytest.mark.parametrize("asked", [Entry(industries=("Dairy",)), Entry(territories=("North",)), Entry(tiers=("1",))])
def test_a_play_asks_for_each_thing_it_names_and_for_nothing_else(asked: Entry) -> None:
    wanted = acme(play=None, tier="1", industry="Dairy", territory="North")
    assert isinstance(answer(wanted, small_play(entry=asked)), Touch)
    other = wanted._replace(tier="2", industry="Steel", territory="South")
    assert answer(other, small_play(entry=asked)) == Never(Reason.NOT_IN_PLAY)


@pytest.mark.parametrize(
    ("cause", "of", "reason"),
    [
        ("rep", None, Reason.ACCOUNT_HELD),
        ("reply", None, Reason.PAUSED_AFTER_REPLY),
        ("meeting", None, Reason.PAUSED_FOR_MEETING),
        ("rep", 1, Reason.STAKEHOLDER_HELD),
        ("reply", 1, Reason.PAUSED_AFTER_REPLY),
        ("meeting", 1, Reason.PAUSED_FOR_MEETING),
    ],
)
def test_two_holds_end_with_the_later_one_and_one_without_end_waits_for_somebody(
    cause: str, of: int | None, reason: Reason
) -> None:
    both = [hold(cause, until=9 * DAY, of=of), hold(cause, until=DAY, of=of)]
    assert answer(acme(holds=both)) == Wait(reason, NOW + 9 * DAY)
    assert answer(acme(holds=[*both, hold(cause, of=of)])) == Wait(reason, None)


# The week, and the rep's limit on it.

LEASED = NOW + 9 * DAY
ONE_A_WEEK = Limits(LEASED, per_week=1)
LEAVING = OpenTouch(PILOT, NOW - HOUR, NOW + 9 * DAY, None, None)


def test_room_that_came_late_makes_no_step_late_and_room_that_was_there_makes_none_early() -> None:
    """Due three weeks ago, with no room until yesterday; or due a day ago, with room for weeks."""
    busy = [mail(8 * DAY - HOUR, to=9)]
    one = small_play(caps=Caps(account_per_week=1))
    for play, limits in ((one, None), (small_play(), ONE_A_WEEK)):
        late = answer(acme(stage_entered_at=NOW - 23 * DAY, mails=busy, limits=limits), play)
        assert isinstance(late, Touch)
        assert late.due == NOW - DAY + HOUR
        usual = answer(acme(mails=[mail(20 * DAY, to=9)], limits=limits), play)
        assert isinstance(usual, Touch)
        assert usual.due == NOW - DAY


def test_of_a_full_week_and_a_reps_limit_the_later_one_says_when_there_was_room() -> None:
    """The play's second mail of a week had room two days ago, the rep's only one since yesterday."""
    mails = [mail(8 * DAY - HOUR, to=9), mail(9 * DAY - HOUR, to=8)]
    said = answer(
        acme(stage_entered_at=NOW - 23 * DAY, mails=mails, limits=ONE_A_WEEK),
        small_play(caps=Caps(account_per_week=2)),
    )
    assert isinstance(said, Touch)
    assert said.due == NOW - DAY + HOUR


def test_a_week_that_a_reps_mails_filled_has_room_later_than_the_reps_limit_on_ours() -> None:
    mails = [mail(8 * DAY - HOUR, to=9, content=None), mail(20 * DAY, to=9)]
    said = answer(
        acme(stage_entered_at=NOW - 23 * DAY, mails=mails, limits=ONE_A_WEEK),
        small_play(caps=Caps(account_per_week=1)),
    )
    assert isinstance(said, Touch)
    assert said.due == NOW - DAY + HOUR


def test_a_planned_mail_and_those_that_left_fill_the_week_together() -> None:
    group = acme(person(1), person(2, "economic_buyer"), open={1: LEAVING}, mails=[mail(DAY, to=9)])
    play = small_play(caps=Caps(account_per_week=2))
    assert plan(group._replace(stage_entered_at=NOW - 4 * DAY), play, NOW)[1].reason is Reason.ACCOUNT_CAP


def test_a_planned_mail_leaves_once_what_kept_it_is_over() -> None:
    for since in (NOTHING, DAY):
        assert answer(acme(open={1: LEAVING}, delays={(1, PILOT): NOW - since})) == Touch(*LEAVING)
        assert answer(acme(open={1: LEAVING}, mails=[mail(7 * DAY + since)], limits=ONE_A_WEEK)) == Touch(*LEAVING)
    full = acme(open={1: LEAVING}, mails=[mail(DAY)], limits=ONE_A_WEEK)
    assert answer(full).reason is Reason.LEASE_CAP


def test_the_reps_limit_leaves_room_once_a_week_is_over() -> None:
    for ago in (7 * DAY, 9 * DAY):
        assert isinstance(answer(acme(mails=[mail(ago, to=9)], limits=ONE_A_WEEK)), Touch)


def test_the_second_of_two_colleagues_finds_the_only_place_of_the_week_taken() -> None:
    group = acme(person(1), person(2, "economic_buyer"), stage_entered_at=NOW - 4 * DAY, mails=[mail(9 * DAY, to=9)])
    first, second = plan(group, small_play(caps=Caps(account_per_week=1)), NOW)
    assert isinstance(first, Touch)
    assert second == Wait(Reason.ACCOUNT_CAP, NOW + 7 * DAY, NUMBERS)


def test_a_reps_own_mail_of_this_hour_keeps_nobody_waiting() -> None:
    assert isinstance(answer(acme(mails=[mail(HOUR / 6, to=9, content=None)])), Touch)


def test_of_the_persons_cap_and_their_own_wish_the_later_one_counts() -> None:
    one = small_play(caps=Caps(person_per_week=1))
    had = person(used=[PILOT], last_at=NOW - 6 * DAY)
    account = acme(had, stage_entered_at=NOW - 60 * DAY, mails=[mail(6 * DAY)])
    assert answer(account, one) == Wait(Reason.PERSON_CAP, NOW + DAY, FIVE_SLIDES)
    for wish, days in ((6, 1), (9, 3)):
        people = (had._replace(mail_every=wish * DAY),)
        assert answer(account._replace(people=people), one) == Wait(Reason.PERSON_CAP, NOW + days * DAY, FIVE_SLIDES)


def test_who_asked_for_fewer_mails_and_has_had_none_gets_the_first() -> None:
    assert isinstance(answer(acme(person(mail_every=14 * DAY))), Touch)


def test_a_limit_on_topics_has_no_word_about_a_sequence_that_is_finished() -> None:
    done = person(used=[PILOT, FIVE_SLIDES], last_at=NOW - 9 * DAY)
    limits = Limits(LEASED, topics=frozenset({"cost"}))
    assert answer(acme(done, limits=limits)) == Never(Reason.SEQUENCE_FINISHED)


# The group.


def test_of_equals_the_one_known_longest_goes_first_whatever_the_order_of_rows() -> None:
    second, first = plan(acme(person(2), person(1)), small_play(), NOW)
    assert isinstance(first, Touch)
    assert second.reason is Reason.STAGGERED


def test_roles_the_play_does_not_ask_for_follow_in_the_order_of_the_vocabulary() -> None:
    steps = tuple(step(f"evaluation/for-{role}", role, after=1) for role in ("influencer", "procurement"))
    influencer, procurement = plan(
        acme(person(1, "influencer"), person(2, "procurement")), small_play(steps=steps), NOW
    )
    assert influencer.reason is Reason.STAGGERED
    assert isinstance(procurement, Touch)


def test_two_steps_with_one_number_come_in_the_order_of_their_names() -> None:
    steps = (step("evaluation/second", "champion"), step("evaluation/first", "champion"))
    assert answer(acme(), small_play(steps=steps)).content == f"{PLAY}/evaluation/first"


@pytest.mark.parametrize(
    ("of_person", "of_account", "zone"),
    [
        ({"timezone": "Asia/Tokyo"}, {}, "Asia/Tokyo"),
        ({"country": "JP"}, {}, "Asia/Tokyo"),
        ({}, {"timezone": "Asia/Tokyo"}, "Asia/Tokyo"),
        ({}, {"country": "JP"}, "Asia/Tokyo"),
        ({}, {"owner_timezone": "Asia/Tokyo"}, "Asia/Tokyo"),
    ],
)
def test_whoever_is_planned_after_somebody_elsewhere_has_their_own_clock(
    of_person: dict[str, str], of_account: dict[str, str], zone: str
) -> None:
    """One look of planning goes through many accounts; only one fact says that these people are far away."""
    planner = Planner(small_play(), NOW)
    nowhere = person(timezone=None, country=None)
    planner.calendar_of(nowhere, acme(nowhere))
    elsewhere = nowhere._replace(**of_person)
    assert planner.calendar_of(elsewhere, acme(elsewhere, **of_account)).place.timezone == zone


# A pause that skips.


def test_a_pause_that_skips_leaves_out_what_was_to_come_and_not_what_somebody_had_or_was_spared() -> None:
    """Both steps' times fell into the pause; the first was had before, or refused."""
    play, pause = small_play(window=ANY_TIME), hold(since=11 * DAY, until=-DAY, clock="skip")
    account = acme(person(used=[PILOT]), stage_entered_at=NOW - 12 * DAY, holds=[pause])
    for one in (account, account._replace(people=(person(),), vetoes={1: {PILOT: NOW - 12 * DAY}})):
        assert [skip.content for skip in Planner(play, NOW).skips(one)] == [FIVE_SLIDES]


def test_a_pause_that_skips_is_found_beside_one_that_does_not() -> None:
    pauses = [hold(since=8 * DAY, until=-5 * DAY, clock=clock) for clock in ("keep", "skip")]
    account = acme(stage_entered_at=NOW - 9 * DAY, holds=pauses)
    assert [skip.content for skip in Planner(small_play(window=ANY_TIME), NOW).skips(account)] == [PILOT]


def test_in_a_window_that_never_opens_a_pause_leaves_out_the_step_at_the_time_it_was_due() -> None:
    pause = hold(since=8 * DAY, until=-5 * DAY, clock="skip")
    account = acme(stage_entered_at=NOW - 9 * DAY, holds=[pause])
    closed = small_play(window=Window(days=(), default_timezone="UTC"))
    assert [skip.at for skip in Planner(closed, NOW).skips(account)] == [NOW - 7 * DAY]


@pytest.mark.parametrize(("since", "due"), [(NOW - 40 * DAY, NOW - DAY), (NOW - HOUR, NOW - HOUR), (NOW, NOW)])
def test_a_step_is_due_from_its_time_on_or_since_planning_knew_it(since: datetime, due: datetime) -> None:
    [said] = Planner(small_play(), NOW, {PILOT: since}).plan(acme())
    assert isinstance(said, Touch)
    assert said.due == due
