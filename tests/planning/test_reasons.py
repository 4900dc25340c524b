"""One claim per reason: when it is given, and until when."""

from datetime import UTC, date, datetime

import pytest

from accounts.guards import FOR_EVER, GUARDS
from accounts.planning import Never, Touch, Wait, plan
from accounts.playbook import Approvals, Caps, Entry, Window
from accounts.snapshots import Limits, OpenTouch
from accounts.vocabulary import Reason
from tests.cast import NOW, PLAY
from tests.planning.scenes import DAY, FIVE_SLIDES, HOUR, NUMBERS, PILOT, acme, answer, hold, mail, person
from tests.plays import STEPS, small_play, step

MONDAY_NINE_IN_BERLIN = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


def test_somebody_whom_nothing_stops_gets_the_next_step() -> None:
    due = NOW - 3 * DAY + 2 * DAY
    assert answer(acme()) == Touch(PILOT, due, due + 10 * DAY, "Europe/Berlin", "stakeholder")


def test_not_contacted_nobody_is_touched_before_sales_has_made_contact() -> None:
    assert answer(acme(first_contacted_at=None)) == Never(Reason.NOT_CONTACTED)


def test_not_contacted_a_contact_that_is_still_to_come_does_not_count() -> None:
    assert answer(acme(first_contacted_at=NOW + HOUR)) == Never(Reason.NOT_CONTACTED)


@pytest.mark.parametrize("stage", ["won", "lost", "recycled", "a stage this play does not know"])
def test_stage_not_nurtured_a_stage_the_play_does_not_nurture(stage: str) -> None:
    assert answer(acme(stage=stage)) == Never(Reason.STAGE_NOT_NURTURED)


def test_not_in_play_an_account_of_another_play() -> None:
    assert answer(acme(play="winback")) == Never(Reason.NOT_IN_PLAY)


def test_not_in_play_an_account_in_no_play_that_this_one_is_not_for() -> None:
    for_first_tier = small_play(entry=Entry(tiers=("1",)))
    assert answer(acme(play=None, tier="2"), for_first_tier) == Never(Reason.NOT_IN_PLAY)
    assert isinstance(answer(acme(play=None, tier="1"), for_first_tier), Touch)


def test_account_held_until_the_hold_ends() -> None:
    assert answer(acme(holds=[hold("rep", until=5 * DAY)])) == Wait(Reason.ACCOUNT_HELD, NOW + 5 * DAY)


def test_account_held_without_end_waits_for_somebody() -> None:
    assert answer(acme(holds=[hold("legal"), hold("rep", until=DAY)])) == Wait(Reason.ACCOUNT_HELD, None)


def test_stakeholder_held_stops_one_person_and_not_the_colleague() -> None:
    first, second = plan(acme(person(1), person(2), holds=[hold("rep", until=DAY, of=1)]), small_play(), NOW)
    assert first == Wait(Reason.STAKEHOLDER_HELD, NOW + DAY)
    assert isinstance(second, Touch)


def test_opted_out_is_never_and_comes_before_what_the_account_is_up_to() -> None:
    dana = person(opted_out_at=NOW - DAY)
    assert answer(acme(dana, holds=[hold("rep", until=DAY)])) == Never(Reason.OPTED_OUT)


def test_opted_out_a_spam_complaint_says_the_same() -> None:
    assert answer(acme(person(email_status="complained"))) == Never(Reason.OPTED_OUT)


def test_suppressed_for_ever_is_never() -> None:
    assert answer(acme(person(suppressed_until=FOR_EVER))) == Never(Reason.SUPPRESSED)


def test_suppressed_for_a_time_is_a_wait() -> None:
    assert answer(acme(person(suppressed_until=NOW + DAY))) == Wait(Reason.SUPPRESSED, NOW + DAY)
    assert isinstance(answer(acme(person(suppressed_until=NOW))), Touch)


def test_no_consent_absence_of_a_basis_is_a_no() -> None:
    assert answer(acme(person(consent_basis=None))) == Never(Reason.NO_CONSENT)


def test_no_consent_a_basis_that_begins_later_is_a_no_until_then() -> None:
    assert answer(acme(person(consent_at=NOW + DAY))) == Wait(Reason.NO_CONSENT, NOW + DAY)


def test_bounced_a_dead_mailbox_gets_nothing() -> None:
    assert answer(acme(person(email_status="bounced"))) == Never(Reason.BOUNCED)


def test_left_somebody_who_left_the_company_gets_nothing() -> None:
    assert answer(acme(person(email_status="left"))) == Never(Reason.LEFT)


def test_away_until_they_are_back() -> None:
    assert answer(acme(person(paused_until=NOW + 6 * DAY))) == Wait(Reason.AWAY, NOW + 6 * DAY)


def test_person_cap_of_somebody_who_asked_for_fewer_mails_is_their_own() -> None:
    long_there, had = {"stage_entered_at": NOW - 60 * DAY}, person(used=[PILOT], last_at=NOW - 6 * DAY)
    assert isinstance(answer(acme(had, **long_there)), Touch)
    fewer = answer(acme(had._replace(mail_every=14 * DAY), **long_there))
    assert fewer == Wait(Reason.PERSON_CAP, NOW + 8 * DAY, FIVE_SLIDES)
    assert isinstance(answer(acme(had._replace(mail_every=6 * DAY), **long_there)), Touch)


def test_person_cap_time_that_somebody_asked_for_makes_no_step_late() -> None:
    had = person(used=[PILOT], last_at=NOW - 40 * DAY, mail_every=39 * DAY)
    assert isinstance(answer(acme(had, stage_entered_at=NOW - 60 * DAY)), Touch)


def test_other_topic_when_nothing_is_left_that_the_person_wants_to_read_about() -> None:
    both = small_play(
        steps=(step("evaluation/pilot", "champion"), step("evaluation/risks", "champion", 2, topics=("risk",)))
    )
    assert answer(acme(person(only_topic="proof")), both) == Never(Reason.OTHER_TOPIC, PILOT)
    had = person(only_topic="risk", used=[f"{PLAY}/evaluation/risks"], last_at=NOW - 9 * DAY)
    assert answer(acme(had), both) == Never(Reason.OTHER_TOPIC, PILOT)
    done = had._replace(used=[PILOT, f"{PLAY}/evaluation/risks"])
    assert answer(acme(done), both) == Never(Reason.SEQUENCE_FINISHED)


def test_other_topic_steps_are_passed_over_and_the_wanted_one_goes() -> None:
    both = small_play(
        steps=(step("evaluation/pilot", "champion"), step("evaluation/risks", "champion", 2, topics=("risk",)))
    )
    said = answer(acme(person(only_topic="risk")), both)
    assert isinstance(said, Touch)
    assert said.content == f"{PLAY}/evaluation/risks"


def test_paused_after_reply_the_whole_account_is_quiet() -> None:
    answers = plan(acme(person(1), person(2), holds=[hold("reply", until=9 * DAY)]), small_play(), NOW)
    assert answers == [Wait(Reason.PAUSED_AFTER_REPLY, NOW + 9 * DAY)] * 2


def test_paused_for_meeting_the_whole_account_is_quiet() -> None:
    assert answer(acme(holds=[hold("meeting", until=2 * DAY)])) == Wait(Reason.PAUSED_FOR_MEETING, NOW + 2 * DAY)


def test_paused_after_reply_may_be_meant_for_one_person() -> None:
    first, second = plan(acme(person(1), person(2), holds=[hold("reply", until=DAY, of=1)]), small_play(), NOW)
    assert first == Wait(Reason.PAUSED_AFTER_REPLY, NOW + DAY)
    assert isinstance(second, Touch)


def test_vetoed_all_mail_for_a_person() -> None:
    assert answer(acme(vetoes={1: {None: NOW - DAY}})) == Never(Reason.VETOED)


def test_vetoed_when_nothing_is_left_but_what_the_rep_refused() -> None:
    assert answer(acme(person(role="legal"), vetoes={1: {f"{PLAY}/evaluation/privacy": NOW - DAY}})) == Never(
        Reason.VETOED, f"{PLAY}/evaluation/privacy"
    )


def test_awaiting_approval_where_the_play_asks_the_rep_first() -> None:
    asks = small_play(approvals=Approvals(first_touch="rep", tiers=("1",)))
    assert answer(acme(tier="1"), asks) == Wait(Reason.AWAITING_APPROVAL, None)
    assert isinstance(answer(acme(tier="2"), asks), Touch)
    assert isinstance(answer(acme(tier="1", approved_at=NOW - HOUR), asks), Touch)


def test_awaiting_approval_only_before_the_first_touch_of_the_account() -> None:
    asks = small_play(approvals=Approvals(first_touch="rep"))
    had_one = person(2, used=[f"{PLAY}/contacted/first-look"], last_at=NOW - 20 * DAY)
    assert isinstance(plan(acme(person(1), had_one), asks, NOW)[0], Touch)


def test_person_cap_until_the_week_leaves_room() -> None:
    mails = [mail(DAY, content=None), mail(6 * DAY, content=None)]
    assert answer(acme(mails=mails)) == Wait(Reason.PERSON_CAP, NOW + DAY, PILOT)


def test_account_cap_until_the_week_leaves_room() -> None:
    mails = [mail(day * DAY, to=9, content=None) for day in range(2, 7)]
    said = answer(acme(mails=mails))
    assert said == Wait(Reason.ACCOUNT_CAP, NOW + DAY, PILOT)


def test_rep_emails_count_only_where_the_play_says_so() -> None:
    mails = [mail(DAY, content=None), mail(2 * DAY, content=None)]
    assert isinstance(answer(acme(mails=mails), small_play(caps=Caps(count_rep_emails=False))), Touch)


def test_outside_window_until_it_opens_on_the_recipients_clock() -> None:
    at_night = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
    opens = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    assert answer(acme(), now=at_night) == Wait(Reason.OUTSIDE_WINDOW, opens, PILOT)


def test_outside_window_over_the_weekend() -> None:
    saturday = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
    assert answer(acme(synced_at=saturday), now=saturday) == Wait(Reason.OUTSIDE_WINDOW, MONDAY_NINE_IN_BERLIN, PILOT)


def test_outside_window_for_good_when_the_play_has_no_days() -> None:
    assert answer(acme(), small_play(window=Window(days=()))) == Wait(Reason.OUTSIDE_WINDOW, None, PILOT)


def test_holiday_until_the_next_working_day() -> None:
    christmas = datetime(2026, 12, 25, 10, 0, tzinfo=UTC)
    due = acme(stage_entered_at=christmas - 3 * DAY, synced_at=christmas)
    assert answer(due, now=christmas) == Wait(Reason.HOLIDAY, datetime(2026, 12, 28, 8, 0, tzinfo=UTC), PILOT)


def test_waiting_step_until_its_time_has_come() -> None:
    entered = NOW - DAY
    assert answer(acme(stage_entered_at=entered)) == Wait(Reason.WAITING_STEP, entered + 2 * DAY, PILOT)


def test_waiting_step_names_the_moment_the_mail_can_really_leave() -> None:
    """Two days after a Thursday morning is a Saturday; the mail leaves on Monday at nine."""
    thursday = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
    said = answer(acme(stage_entered_at=thursday, synced_at=thursday), now=thursday)
    assert said == Wait(Reason.WAITING_STEP, MONDAY_NINE_IN_BERLIN, PILOT)


def test_staggered_colleagues_do_not_get_the_same_mail_within_a_day() -> None:
    first, second = plan(acme(person(1), person(2, "influencer")), small_play(), NOW)
    assert isinstance(first, Touch)
    in_twenty_hours = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)  # at 7 in Berlin; the window opens at 9
    assert second == Wait(Reason.STAGGERED, in_twenty_hours, PILOT)


def test_late_step_waits_for_a_decision() -> None:
    said = answer(acme(stage_entered_at=NOW - 13 * DAY))
    assert said == Wait(Reason.LATE_STEP, None, PILOT, late_since=NOW - DAY)


def test_sequence_finished_when_everything_was_said() -> None:
    told = person(used=[PILOT, FIVE_SLIDES], last_at=NOW - 9 * DAY)
    assert answer(acme(told)) == Never(Reason.SEQUENCE_FINISHED)


def test_no_content_a_gap_in_the_stage_for_that_role() -> None:
    assert answer(acme(person(role="blocker"))) == Never(Reason.NO_CONTENT)


def test_content_expired_is_reported_and_not_skipped() -> None:
    old = step("evaluation/pilot", "champion", expires=date(2026, 11, 23))
    later = step("evaluation/five-slides", "champion", 2)
    assert answer(acme(), small_play(steps=(old, later))) == Never(Reason.CONTENT_EXPIRED, PILOT)


def test_content_expired_is_told_before_the_step_falls_due() -> None:
    soon = step("evaluation/pilot", "champion", after=7, expires=date(2026, 11, 26))
    assert answer(acme(), small_play(steps=(soon,))) == Never(Reason.CONTENT_EXPIRED, PILOT)


def test_content_may_still_go_out_on_the_day_it_expires() -> None:
    today = step("evaluation/pilot", "champion", expires=date(2026, 11, 24))
    assert isinstance(answer(acme(), small_play(steps=(today,))), Touch)


def test_owner_conflict_one_address_in_two_accounts_gets_nothing() -> None:
    assert answer(acme(person(owner_conflict=True))) == Never(Reason.OWNER_CONFLICT)


def test_stale_crm_facts_that_are_too_old_stop_the_sending() -> None:
    assert answer(acme(synced_at=NOW - 15 * DAY)) == Wait(Reason.STALE_CRM, None)
    assert isinstance(answer(acme(synced_at=NOW - 15 * DAY), small_play(stale_crm_after=None)), Touch)


def test_unknown_role_nobody_knows_what_to_say() -> None:
    assert answer(acme(person(role="unknown"))) == Never(Reason.UNKNOWN_ROLE)


def test_unknown_role_may_have_content_of_its_own() -> None:
    for_all = step("evaluation/overview", "unknown")
    assert isinstance(answer(acme(person(role="unknown")), small_play(steps=(*STEPS, for_all))), Touch)


def test_a_touch_on_its_way_stays_the_answer() -> None:
    leaving = OpenTouch(NUMBERS, NOW - HOUR, NOW + 9 * DAY, "Europe/Berlin", "account")
    assert answer(acme(open={1: leaving})) == Touch(*leaving)


LEASED = NOW + 9 * DAY


def test_delayed_by_rep_one_mail_waits_and_its_lateness_counts_from_then() -> None:
    later = NOW + 13 * DAY
    delayed = acme(delays={(1, PILOT): later})
    assert answer(delayed) == Wait(Reason.DELAYED_BY_REP, later, PILOT)
    assert isinstance(answer(acme(person(2), delays={(1, PILOT): later})), Touch)
    due = answer(delayed, now=later)
    assert isinstance(due, Touch)
    assert (due.due, due.not_after) == (later, later + 10 * DAY)


def test_delayed_by_rep_a_mail_in_a_send_plan_waits_as_well() -> None:
    leaving = OpenTouch(PILOT, NOW - HOUR, NOW + 9 * DAY, None, None)
    said = answer(acme(open={1: leaving}, delays={(1, PILOT): NOW + DAY}))
    assert said == Wait(Reason.DELAYED_BY_REP, NOW + DAY, PILOT)


def test_delayed_by_rep_to_a_day_after_the_text_has_expired() -> None:
    soon = small_play(steps=(step("evaluation/pilot", "champion", expires=date(2026, 11, 30)),))
    assert answer(acme(delays={(1, PILOT): NOW + 9 * DAY}), soon) == Never(Reason.CONTENT_EXPIRED, PILOT)


def test_plan_cancelled_its_messages_wait_and_are_not_late_afterwards() -> None:
    later = NOW + 13 * DAY
    cancelled = acme(cancelled={(1, PILOT): later})
    assert answer(cancelled) == Wait(Reason.PLAN_CANCELLED, later, PILOT)
    assert isinstance(answer(acme(person(2), cancelled={(1, PILOT): later})), Touch)
    assert isinstance(answer(cancelled, now=later), Touch)


def test_plan_cancelled_a_rep_who_wants_it_later_still_is_heard() -> None:
    both = acme(cancelled={(1, PILOT): NOW + 6 * DAY}, delays={(1, PILOT): NOW + 8 * DAY})
    assert answer(both) == Wait(Reason.DELAYED_BY_REP, NOW + 8 * DAY, PILOT)


def test_person_off_limits_as_long_as_the_rep_works_on_the_account() -> None:
    first, second = plan(acme(person(1), person(2), limits=Limits(LEASED, frozenset({1}))), small_play(), NOW)
    assert first == Wait(Reason.PERSON_OFF_LIMITS, LEASED)
    assert isinstance(second, Touch)


def test_topic_off_limits_other_topics_go_first() -> None:
    both = small_play(
        steps=(step("evaluation/pilot", "champion"), step("evaluation/risks", "champion", 2, topics=("risk",)))
    )
    said = answer(acme(limits=Limits(LEASED, topics=frozenset({"cost"}))), both)
    assert isinstance(said, Touch)
    assert said.content == f"{PLAY}/evaluation/risks"
    neither = Limits(LEASED, topics=frozenset({"cost", "risk"}))
    assert answer(acme(limits=neither), both) == Wait(Reason.TOPIC_OFF_LIMITS, LEASED, PILOT)


def test_lease_cap_the_rep_asked_for_fewer_mails_than_the_play_sends() -> None:
    one = Limits(LEASED, per_week=1)
    said = answer(acme(person(2), mails=[mail(2 * DAY, to=1)], limits=one))
    assert said == Wait(Reason.LEASE_CAP, MONDAY_NINE_IN_BERLIN, PILOT)
    assert isinstance(answer(acme(person(2), mails=[mail(2 * DAY, to=1, content=None)], limits=one)), Touch)


def test_lease_cap_of_planned_mails_those_due_first_may_leave() -> None:
    early = OpenTouch(PILOT, NOW - 2 * HOUR, NOW + 9 * DAY, None, None)
    late = OpenTouch(NUMBERS, NOW - HOUR, NOW + 9 * DAY, None, None)
    group = acme(person(1), person(2, "economic_buyer"), open={1: early, 2: late}, limits=Limits(LEASED, per_week=1))
    assert [type(said) for said in plan(group, small_play(), NOW)] == [Touch, Wait]


def test_every_reason_has_a_claim_here() -> None:
    claims = [name for name in globals() if name.startswith("test_")]
    missing = [reason for reason in Reason if not any(name.startswith(f"test_{reason}") for name in claims)]
    assert missing == []


def test_the_guards_read_as_a_paragraph() -> None:
    assert [guard.__name__ for guard in GUARDS] == [
        "opted_out", "suppressed", "left", "bounced", "no_consent",
        "not_in_play", "not_contacted", "stage_not_nurtured", "account_held", "paused_after_reply",
        "paused_for_meeting", "stale_crm", "awaiting_approval",
        "stakeholder_held", "away", "vetoed", "off_limits", "owner_conflict",
    ]  # fmt: skip
