"""The clocks in the ledger, on both databases. The cast's Tuesday: 10:00 UTC is 11:00 in Berlin, where Ravi is."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert

from accounts.errors import NotFound, Refused
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.sla.clocks import sales_owes
from accounts.models import Account, Activity, Decision, RoleChange, Signal
from accounts.vocabulary import ClockState, Duty, Side
from flows.sales.sla import answer
from tests.cast import NOW, PLAY, on_postgresql
from tests.plays import STEPS, step
from tests.sla.conftest import Days

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: Wednesday 11:00 in Berlin: eight working hours after NOW.
DUE = NOW + DAY


def snapshot(days: Days) -> list[Any]:
    return [replace(clock, id=0) for clock in sorted(days.clocks(), key=lambda clock: (clock.duty, clock.subject))]


class TestSalesOwesAnAnswer:
    def test_a_reply_starts_a_clock_of_eight_working_hours_for_the_owner(self, days: Days) -> None:
        reply = days.signal("replied", NOW)
        assert days.look(NOW + HOUR).started == 1
        clock = days.clock(Duty.ANSWER)
        assert (clock.side, clock.state, clock.due_at) == (Side.SALES, ClockState.RUNNING, DUE)
        assert (clock.account, clock.person, clock.rep) == ("acme", "alice@acme.example", "ravi@lumenflow.example")
        assert clock.evidence == (f"signal:{reply}",)

    def test_a_call_in_time_meets_it_and_names_itself_as_the_proof(self, days: Days) -> None:
        days.signal("replied", NOW)
        call = days.call(NOW + 2 * HOUR)
        assert days.look(NOW + 3 * HOUR).met == 1
        clock = days.clock(Duty.ANSWER)
        assert (clock.state, clock.closed_at) == (ClockState.MET, NOW + 2 * HOUR)
        assert clock.closed_by == f"activity:{call}"

    def test_an_answer_given_before_we_heard_of_the_question_starts_nothing(self, days: Days) -> None:
        days.signal("replied", NOW, received=NOW + 3 * HOUR)
        days.call(NOW + HOUR)
        days.look(NOW + 4 * HOUR)
        assert days.clocks() == []

    def test_a_question_we_hear_of_late_is_owed_from_then_on(self, days: Days) -> None:
        days.signal("form_filled", NOW - 5 * DAY, received=NOW)
        days.look(NOW + HOUR)
        assert days.clock(Duty.ANSWER).due_at == DUE

    def test_questions_between_two_touches_by_sales_are_one_debt(self, days: Days) -> None:
        first, second = days.signal("replied", NOW), days.signal("form_filled", NOW + HOUR, person="bob")
        days.look(NOW + 2 * HOUR)
        assert days.clock(Duty.ANSWER).evidence == (f"signal:{first}", f"signal:{second}")
        days.call(NOW + 3 * HOUR)
        days.signal("replied", NOW + 4 * HOUR)
        days.look(NOW + 5 * HOUR)
        assert [clock.state for clock in days.clocks(Duty.ANSWER)] == [ClockState.RUNNING, ClockState.MET]

    def test_the_hold_that_a_reply_places_does_not_pause_the_one_who_has_to_answer(self, days: Days) -> None:
        days.signal("replied", NOW)
        days.hold("reply", NOW, NOW + 10 * DAY)
        days.look(NOW + HOUR)
        assert days.clock(Duty.ANSWER).due_at == DUE

    def test_a_reps_own_hold_pauses_it_and_the_span_is_kept(self, days: Days) -> None:
        days.signal("replied", NOW)
        days.hold("rep", NOW + HOUR, NOW + DAY + HOUR)
        days.look(NOW + 2 * HOUR)
        clock = days.clock(Duty.ANSWER)
        assert (clock.state, clock.paused) == (ClockState.PAUSED, ((NOW + HOUR, NOW + DAY + HOUR),))
        assert clock.due_at == DUE + DAY
        days.look(NOW + DAY + 2 * HOUR)
        assert days.clock(Duty.ANSWER).state is ClockState.RUNNING

    @pytest.mark.parametrize(("kind", "direction"), [("email", "inbound"), ("call", "inbound"), ("note", "outbound")])
    def test_what_they_wrote_to_us_and_what_a_rep_noted_answers_nobody(
        self, days: Days, kind: str, direction: str
    ) -> None:
        days.signal("replied", NOW)
        acme = days.world.accounts["acme"]
        days.add(
            Activity, account_id=acme, kind=kind, direction=direction, occurred_at=NOW + HOUR, source_id="their word"
        )  # fmt: skip
        days.look(NOW + 2 * HOUR)
        assert days.clock(Duty.ANSWER).state is ClockState.RUNNING

    def test_what_was_asked_a_month_before_we_hear_of_it_is_history(self, days: Days) -> None:
        days.signal("form_filled", NOW - 30 * DAY, received=NOW)
        days.look(NOW + HOUR)
        assert days.clocks() == []

    def test_a_hold_that_begins_later_is_told_when_it_begins(self, days: Days) -> None:
        days.signal("replied", NOW)
        days.hold("rep", NOW + 3 * HOUR, None)
        days.look(NOW + HOUR)
        clock = days.clock(Duty.ANSWER)
        assert (clock.state, clock.paused) == (ClockState.RUNNING, ())
        days.look(NOW + 4 * HOUR)
        assert days.clock(Duty.ANSWER).state is ClockState.PAUSED

    def test_a_hold_after_the_answer_is_none_of_its_pauses(self, days: Days) -> None:
        days.signal("replied", NOW)
        days.call(NOW + HOUR)
        days.hold("rep", NOW + 2 * HOUR, None)
        days.look(NOW + 3 * HOUR)
        clock = days.clock(Duty.ANSWER)
        assert (clock.state, clock.paused) == (ClockState.MET, ())

    def test_what_machines_did_asks_nothing(self, days: Days) -> None:
        signal = days.signal("replied", NOW)
        days.change(Signal, signal, is_machine=True)
        days.look(NOW + HOUR)
        assert days.clocks() == []


class TestWarningAndEscalation:
    @pytest.fixture
    def asked(self, days: Days) -> Days:
        days.rep("ravi", manager_email="grace@lumenflow.example")
        days.signal("replied", NOW)
        return days

    def test_it_warns_at_half_and_at_four_fifths_of_the_time(self, asked: Days) -> None:
        asked.look(NOW + 3 * HOUR)
        assert asked.clock(Duty.ANSWER).warned == ()
        assert asked.look(NOW + 4 * HOUR).warned == 1
        asked.look(NOW + 5 * HOUR)
        tomorrow = DUE - HOUR
        asked.look(tomorrow)
        assert asked.clock(Duty.ANSWER).warned == ((50, NOW + 4 * HOUR), (80, tomorrow))

    def test_nights_bring_no_warning(self, asked: Days) -> None:
        """By Wednesday 8:59 six of eight hours are used up, however long the night."""
        asked.look(NOW + 21 * HOUR)
        assert [percent for percent, _ in asked.clock(Duty.ANSWER).warned] == [50]

    def test_it_escalates_once_to_the_manager(self, asked: Days) -> None:
        assert asked.look(DUE).breached == 1
        assert asked.look(DUE + DAY).breached == 0
        clock = asked.clock(Duty.ANSWER)
        assert (clock.state, clock.escalated_at, clock.escalated_to) == (
            ClockState.BREACHED, DUE, "grace@lumenflow.example",
        )  # fmt: skip

    def test_a_late_answer_stops_it_and_the_breach_stays(self, asked: Days) -> None:
        asked.look(DUE + HOUR)
        asked.call(DUE + 2 * HOUR)
        asked.look(DUE + 3 * HOUR)
        clock = asked.clock(Duty.ANSWER)
        assert (clock.state, clock.closed_at) == (ClockState.BREACHED, DUE + 2 * HOUR)

    def test_an_answer_in_time_that_comes_to_light_after_the_breach_clears_it(self, asked: Days) -> None:
        asked.look(DUE + HOUR)
        asked.call(NOW + HOUR)
        asked.look(DUE + 2 * HOUR)
        clock = asked.clock(Duty.ANSWER)
        assert (clock.state, clock.escalated_at) == (ClockState.MET, DUE + HOUR)

    def test_a_call_that_turns_out_to_be_none_opens_it_again(self, asked: Days) -> None:
        call = asked.call(NOW + HOUR)
        asked.look(NOW + 2 * HOUR)
        asked.remove(Activity, call)
        asked.look(NOW + 3 * HOUR)
        assert asked.clock(Duty.ANSWER).state is ClockState.RUNNING

    def test_while_the_rep_is_away_it_is_the_backups_and_the_backups_manager_is_told(self, asked: Days) -> None:
        """Sofía is in New York: her Tuesday begins at 14:00 UTC."""
        asked.rep("sofia", manager_email="omar@lumenflow.example")
        asked.rep("ravi", away_from=NOW - DAY, away_until=NOW + 9 * DAY, backup_id=asked.world.reps["sofia"])
        asked.look(NOW + HOUR)
        clock = asked.clock(Duty.ANSWER)
        assert (clock.rep, clock.due_at) == ("sofia@lumenflow.example", NOW + 12 * HOUR)
        asked.look(NOW + 12 * HOUR)
        assert asked.clock(Duty.ANSWER).escalated_to == "omar@lumenflow.example"


class TestHotAccounts:
    def test_rising_interest_wants_a_call_from_the_moment_it_is_seen(self, days: Days) -> None:
        first = days.signal("downloaded", NOW - HOUR)
        days.signal("clicked", NOW - HOUR / 2, person="bob")
        days.look(NOW)
        clock = days.clock(Duty.CALL)
        assert (clock.started_at, clock.due_at) == (NOW, DUE)
        assert clock.evidence[0] == f"signal:{first}"

    @pytest.mark.parametrize("word", ["call", "verdict", "meeting"])
    def test_a_call_a_verdict_or_an_agreed_meeting_stops_it(self, days: Days, word: str) -> None:
        days.signal("downloaded", NOW - HOUR)
        days.look(NOW)
        if word == "call":
            days.call(NOW + HOUR)
        elif word == "verdict":
            days.verdict("ripe", NOW + HOUR)
        else:
            days.signal("meeting_booked", NOW + HOUR)
        days.look(NOW + 2 * HOUR)
        assert days.clock(Duty.CALL).state is ClockState.MET

    def test_one_interest_is_one_clock_however_often_it_is_looked_at(self, days: Days) -> None:
        days.signal("downloaded", NOW - HOUR)
        for hours in (0, 1, 2, 30):
            days.look(NOW + hours * HOUR)
            days.signal("clicked", NOW + hours * HOUR, person="bob")
        assert days.clock(Duty.CALL).started_at == NOW

    def test_who_is_to_be_answered_need_not_be_told_to_call(self, days: Days) -> None:
        days.signal("replied", NOW - HOUR)
        days.signal("downloaded", NOW - HOUR)
        days.look(NOW)
        assert [clock.duty for clock in days.clocks()] == [Duty.ANSWER]


class TestMarketingOwes:
    def test_the_first_mail_after_the_first_contact(self, days: Days) -> None:
        days.contact("acme", NOW)
        days.look(NOW + HOUR)
        clock = days.clock(Duty.FIRST_NURTURE)
        assert (clock.side, clock.due_at) == (Side.MARKETING, NOW + 2 * DAY)
        mail = days.mail(NOW + 3 * HOUR)
        days.look(NOW + 4 * HOUR)
        clock = days.clock(Duty.FIRST_NURTURE)
        assert (clock.state, clock.closed_by) == (ClockState.MET, f"touch:{mail}")

    def test_a_mail_of_the_very_moment_of_contact_keeps_the_promise(self, days: Days) -> None:
        days.contact("acme", NOW)
        days.look(NOW)
        days.mail(NOW)
        days.look(NOW + HOUR)
        assert days.clock(Duty.FIRST_NURTURE).state is ClockState.MET

    def test_any_hold_on_the_account_pauses_marketing(self, days: Days) -> None:
        days.contact("acme", NOW)
        days.hold("meeting", NOW, None)
        days.look(NOW + HOUR)
        clock = days.clock(Duty.FIRST_NURTURE)
        assert (clock.state, clock.due_at) == (ClockState.PAUSED, None)

    def test_nothing_where_the_stage_is_not_nurtured_and_nothing_of_history(self, days: Days) -> None:
        days.contact("hooli", NOW)
        days.contact("globex", NOW - 40 * DAY)
        days.look(NOW + HOUR)
        assert days.clocks() == []

    def test_a_contact_that_turned_out_to_be_none_lets_it_lapse(self, days: Days) -> None:
        days.contact("acme", NOW)
        days.look(NOW + HOUR)
        days.contact("acme", None)
        days.look(NOW + 2 * HOUR)
        days.look(NOW + DAY)
        clock = days.clock(Duty.FIRST_NURTURE)
        assert (clock.state, clock.closed_at) == (ClockState.LAPSED, NOW + 2 * HOUR)
        days.contact("acme", NOW)  # it was one after all
        days.look(NOW + DAY)
        assert days.clock(Duty.FIRST_NURTURE).state is ClockState.RUNNING

    def test_a_broken_promise_goes_to_marketings_owner(self, days: Days) -> None:
        days.contact("acme", NOW)
        days.look(NOW + 3 * DAY)
        assert days.clock(Duty.FIRST_NURTURE).escalated_to == "mia@lumenflow.example"

    def test_an_answer_to_a_rep_who_said_not_yet_which_is_to_go_on(self, days: Days) -> None:
        days.verdict("not_yet", NOW)
        days.look(NOW + HOUR)
        days.mail(NOW + 2 * HOUR)
        days.look(NOW + 3 * HOUR)
        assert days.clock(Duty.HANDOFF_ANSWER).state is ClockState.MET

    def test_nothing_to_a_rep_who_said_ripe(self, days: Days) -> None:
        days.verdict("ripe", NOW)
        days.look(NOW + HOUR)
        assert days.clocks() == []

    def test_a_right_list_once_a_rep_said_wrong_person_until_the_seat_is_given_anew(self, days: Days) -> None:
        days.verdict("wrong_person", NOW, "bob")
        days.look(NOW + HOUR)
        assert days.clock(Duty.RIGHT_LIST).person == "bob@acme.example"
        days.add(
            RoleChange, account_id=days.world.accounts["acme"], stakeholder_id=days.world.people["erin"],
            to_role="economic_buyer", source="rep", at=NOW + 2 * HOUR,
        )  # fmt: skip
        days.look(NOW + 3 * HOUR)
        assert days.clock(Duty.RIGHT_LIST).state is ClockState.MET

    def test_a_right_list_once_the_gate_stopped_a_plan_for_its_people_until_the_next_one_goes(self, days: Days) -> None:
        days.plan("rejected", NOW, {"word": "reject", "rules": [], "cancelled": {"opted_out": 3}})
        days.plan("held", NOW, {"word": "hold", "rules": [], "cancelled": {"opted_out": 1}})  # for its size
        days.look(NOW + HOUR)
        assert days.clock(Duty.RIGHT_LIST).due_at == DUE
        days.plan("done", NOW + 2 * HOUR)
        days.look(NOW + 3 * HOUR)
        assert days.clock(Duty.RIGHT_LIST).state is ClockState.MET

    def test_fresh_content_while_people_wait_for_a_file_past_its_review(self, days: Days) -> None:
        stale = step("evaluation/pilot", "champion", review_by=date(2026, 11, 20), digest="f" * 64)
        play = days.play
        days.play = play.model_copy(update={"steps": (stale, *STEPS)})
        days.look(NOW)
        assert days.clocks() == []  # nobody waits
        wait(days, NOW)
        days.look(NOW + HOUR)
        assert days.clock(Duty.FRESH_CONTENT).started_at == NOW + HOUR
        days.play = play
        days.look(NOW + 2 * HOUR)
        days.look(NOW + 3 * HOUR)
        clock = days.clock(Duty.FRESH_CONTENT)
        assert (clock.state, clock.closed_by) == (ClockState.MET, "the file was replaced")


def wait(days: Days, at: datetime) -> None:
    with writing(days.world.engine) as connection:
        connection.execute(
            insert(Decision).values(
                stakeholder_id=days.world.people["alice"], account_id=days.world.accounts["acme"], as_of=at,
                answer="wait", reason="waiting_step", content=f"{PLAY}/evaluation/pilot", play=PLAY, stage="evaluation",
            )
        )  # fmt: skip


class TestTheBrief:
    def owes(self, days: Days, at: datetime) -> Any:
        with reading(days.world.engine) as connection:
            return sales_owes(connection, [days.world.accounts["acme"]], at)

    def test_it_reads_the_clock_that_is_due_first(self, days: Days) -> None:
        reply = days.signal("replied", NOW)
        days.look(NOW + HOUR)
        (owing,) = self.owes(days, NOW + HOUR).values()
        assert (owing.since, owing.due, owing.is_asked) == (NOW, DUE, True)
        assert owing.evidence == (f"signal:{reply}",)

    def test_a_clock_that_was_stopped_says_that_nothing_is_due(self, days: Days) -> None:
        """A hot account whose rep gave a verdict is not told to be called."""
        days.signal("downloaded", NOW - HOUR)
        days.look(NOW)
        days.verdict("not_yet", NOW + HOUR)
        days.look(NOW + 2 * HOUR)
        assert list(self.owes(days, NOW + 2 * HOUR).values()) == [None]

    def test_of_a_past_moment_it_tells_what_was_owed_then(self, days: Days) -> None:
        days.signal("replied", NOW)
        days.call(NOW + 5 * HOUR)
        days.look(NOW + 6 * HOUR)
        assert self.owes(days, NOW + HOUR) != self.owes(days, NOW + 6 * HOUR)

    def test_an_account_without_a_clock_is_missing(self, days: Days) -> None:
        days.look(NOW)
        assert self.owes(days, NOW) == {}


class TestLooking:
    def test_looking_twice_changes_nothing(self, days: Days) -> None:
        days.signal("replied", NOW - 5 * DAY)
        days.contact("acme", NOW - 5 * DAY)
        days.verdict("bad_timing", NOW - DAY)
        days.look(NOW)
        before = snapshot(days)
        kept = days.look(NOW)
        assert (kept.started, kept.met, kept.warned, kept.breached) == (0, 0, 0, 0)
        assert snapshot(days) == before
        assert len(before) == 3

    @pytest.mark.parametrize("seed", range(4))
    def test_facts_in_any_order_and_any_number_of_looks_come_to_the_same_ends(self, days: Days, seed: int) -> None:
        """Whatever comes to light when: how each clock ended is the same. Only what was told differs."""
        random = Random(seed)
        facts = [
            lambda: days.signal("replied", NOW),
            lambda: days.call(NOW + 2 * HOUR),
            lambda: days.signal("form_filled", NOW + 3 * HOUR, person="bob"),
            lambda: days.call(NOW + 3 * DAY),
            lambda: days.verdict("not_yet", NOW + HOUR),
            lambda: days.mail(NOW + DAY),
            lambda: days.contact("acme", NOW),
        ]
        random.shuffle(facts)
        for fact in facts:
            fact()
            if random.random() < 0.5:
                days.look(NOW + 4 * DAY)
        days.look(NOW + 4 * DAY)
        ended = sorted((clock.duty, clock.state, clock.closed_at) for clock in days.clocks() if clock.state != "lapsed")
        assert ended == [
            (Duty.ANSWER, ClockState.BREACHED, NOW + 3 * DAY),
            (Duty.ANSWER, ClockState.MET, NOW + 2 * HOUR),
            (Duty.FIRST_NURTURE, ClockState.MET, NOW + DAY),
            (Duty.HANDOFF_ANSWER, ClockState.MET, NOW + DAY),
        ]

    @on_postgresql
    def test_looks_at_the_same_moment_tell_nothing_twice(self, days: Days) -> None:
        days.signal("replied", NOW - 5 * DAY)
        days.signal("downloaded", NOW - HOUR, "globex", "gina")
        days.contact("acme", NOW - 5 * DAY)
        with ThreadPoolExecutor(4) as pool:
            kept = list(pool.map(days.look, [NOW] * 4))
        assert (sum(one.started for one in kept), sum(one.breached for one in kept)) == (3, 2)
        assert len(days.clocks()) == 3

    def test_a_look_into_the_past_leaves_later_clocks_alone(self, days: Days) -> None:
        days.signal("replied", NOW)
        days.look(DUE + HOUR)
        before = snapshot(days)
        days.look(NOW - HOUR)
        assert snapshot(days) == before

    def test_a_new_owner_after_the_end_rewrites_no_history(self, days: Days) -> None:
        days.signal("replied", NOW)
        days.call(NOW + HOUR)
        days.look(NOW + 2 * HOUR)
        before = snapshot(days)
        days.change(Account, days.world.accounts["acme"], owner_id=days.world.reps["sofia"])
        days.look(NOW + 3 * HOUR)
        assert snapshot(days) == before


class TestAWord:
    def test_a_person_says_that_a_hand_off_was_answered_and_the_audit_keeps_who(self, days: Days) -> None:
        days.verdict("bad_timing", NOW)
        days.look(NOW + HOUR)
        clock = answer(days.world.engine, days.clock(Duty.HANDOFF_ANSWER).id, by="mia", now=NOW + 2 * HOUR)
        assert (clock.state, clock.closed_by) == (ClockState.MET, "word:mia")
        before = snapshot(days)
        days.look(NOW + 5 * DAY)
        assert snapshot(days) == before
        with reading(days.world.engine) as connection:
            assert read_audit(connection)[0].action == "sla-answer"

    def test_a_clock_that_stopped_takes_no_second_word_and_an_unknown_one_is_refused(self, days: Days) -> None:
        days.verdict("bad_timing", NOW)
        days.look(NOW + HOUR)
        number = days.clock(Duty.HANDOFF_ANSWER).id
        answer(days.world.engine, number, by="mia", now=NOW + 2 * HOUR)
        with pytest.raises(Refused, match="has stopped"):
            answer(days.world.engine, number, by="max", now=NOW + 3 * HOUR)
        with pytest.raises(NotFound):
            answer(days.world.engine, 999, by="max", now=NOW)
