"""Working time, as properties: whatever the zone, the holds and the changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.sla.hours import Desk, calendar_of, due, less, marketing_time, on_duty, opened, sales_time, spent
from tests.plays import small_play

PLAY = small_play()
#: Europe and the United States change their clocks on different days, Sydney the other way round; Kolkata never does.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney")
YEAR = datetime(2026, 1, 1, tzinfo=UTC)

moments = st.integers(0, 365 * 24 * 60).map(lambda minutes: YEAR + timedelta(minutes=minutes))
allowances = st.integers(1, 60 * 60).map(lambda minutes: timedelta(minutes=minutes))
zones = st.sampled_from(ZONES)
spans = st.lists(
    st.tuples(moments, st.integers(0, 20_000)).map(lambda span: (span[0], span[0] + timedelta(minutes=span[1]))),
    max_size=4,
)


def local(zone: str, *when: int) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def desk(id: int = 1, zone: str = "Europe/Berlin", **more: object) -> Desk:
    return Desk(id, f"rep{id}@lumenflow.example", zone, **more)


class TestProperties:
    @settings(deadline=None)
    @given(moments, allowances, zones, spans)
    def test_at_the_due_moment_exactly_the_allowed_time_is_spent(self, start, allowed, zone, pauses) -> None:
        calendar = calendar_of(PLAY, zone)
        at = due(less(opened(calendar, start), pauses), allowed)
        assert at is not None
        assert spent(less(opened(calendar, start), pauses), at) == allowed
        assert spent(less(opened(calendar, start), pauses), at - timedelta(seconds=1)) < allowed

    @settings(deadline=None)
    @given(moments, allowances, zones, spans)
    def test_a_pause_never_makes_anything_due_earlier(self, start, allowed, zone, pauses) -> None:
        calendar = calendar_of(PLAY, zone)
        free, paused = due(opened(calendar, start), allowed), due(less(opened(calendar, start), pauses), allowed)
        assert free is not None
        assert paused is not None
        assert free <= paused

    @settings(deadline=None)
    @given(moments, zones, spans)
    def test_no_working_time_lies_in_a_pause_at_night_or_on_a_weekend(self, start, zone, pauses) -> None:
        calendar = calendar_of(PLAY, zone)
        for _, (opens, closes) in zip(range(15), less(opened(calendar, start), pauses), strict=False):
            assert start <= opens < closes
            assert all(ends <= opens or closes <= starts for starts, ends in pauses)
            there = calendar.local(opens)
            assert there.weekday() < 5
            assert (there.hour, calendar.local(closes).hour <= 17) >= (9, True)

    @settings(deadline=None)
    @given(moments, allowances, zones, spans, st.randoms(use_true_random=False))
    def test_the_order_in_which_holds_become_known_changes_nothing(self, start, allowed, zone, pauses, random) -> None:
        calendar = calendar_of(PLAY, zone)
        shuffled = random.sample(pauses, len(pauses))
        assert due(less(opened(calendar, start), pauses), allowed) == due(
            less(opened(calendar, start), shuffled), allowed
        )

    @settings(deadline=None)
    @given(moments, allowances, zones, zones)
    def test_an_absence_with_a_backup_loses_no_moment_and_counts_none_twice(self, start, allowed, mine, theirs) -> None:
        away = {"away_from": start + timedelta(days=1), "away_until": start + timedelta(days=9), "backup": 2}
        desks = {1: desk(1, mine, **away), 2: desk(2, theirs)}
        at = due(sales_time(PLAY, 1, desks, start), allowed)
        assert at is not None
        assert spent(sales_time(PLAY, 1, desks, start), at) == allowed
        time = [hours for _, hours in zip(range(20), sales_time(PLAY, 1, desks, start), strict=False)]
        assert all(before.closes <= after.opens for before, after in pairwise(time))


class TestDays:
    @pytest.mark.parametrize(
        ("zone", "friday"),
        [
            ("Europe/Berlin", (2026, 3, 27, 13)),
            ("Europe/Berlin", (2026, 10, 23, 13)),
            ("America/New_York", (2026, 3, 6, 13)),
            ("America/New_York", (2026, 10, 30, 13)),
            ("Australia/Sydney", (2026, 10, 2, 13)),
        ],
    )
    def test_eight_hours_over_a_weekend_on_which_the_clock_changes_end_at_the_same_hour(
        self, zone: str, friday: tuple[int, ...]
    ) -> None:
        """Four hours are left on Friday, four more end on the next working day at one o'clock, by the wall clock."""
        at = due(opened(calendar_of(PLAY, zone), local(zone, *friday)), timedelta(hours=8))
        assert at is not None
        there = at.astimezone(ZoneInfo(zone))
        assert (there.hour, there.minute) == (13, 0)
        assert there.date() - date(*friday[:3]) in {timedelta(days=3), timedelta(days=4)}

    def test_a_public_holiday_of_the_reps_country_does_not_count(self) -> None:
        """Thanksgiving is none in Germany."""
        start, allowed = datetime(2026, 11, 26, 6, tzinfo=UTC), timedelta(hours=8)
        germany = due(opened(calendar_of(PLAY, "Europe/Berlin"), start), allowed)
        america = due(opened(calendar_of(PLAY, "America/New_York"), start), allowed)
        assert germany == local("Europe/Berlin", 2026, 11, 26, 17)
        assert america == local("America/New_York", 2026, 11, 27, 17)

    def test_a_rep_without_a_zone_works_by_the_plays_clock(self) -> None:
        start = datetime(2026, 11, 24, 10, tzinfo=UTC)
        nobody = due(sales_time(PLAY, None, {}, start), timedelta(hours=1))
        lost = due(sales_time(PLAY, 1, {1: desk(zone="Mars/Olympus")}, start), timedelta(hours=1))
        assert nobody == lost == start + timedelta(hours=1)

    def test_nothing_is_ever_due_under_a_hold_without_an_end(self) -> None:
        start = datetime(2026, 11, 24, 10, tzinfo=UTC)
        assert due(marketing_time(PLAY, start, [(start, None)]), timedelta(hours=1)) is None
        partly = [(start + timedelta(minutes=30), None)]
        assert due(marketing_time(PLAY, start, partly), timedelta(minutes=30)) == start + timedelta(minutes=30)


class TestAbsence:
    MONDAY = local("Europe/Berlin", 2026, 11, 23, 9)

    def away(self, **more: object) -> Desk:
        return desk(1, away_from=self.MONDAY, away_until=self.MONDAY + timedelta(days=7), **more)

    def test_the_backups_hours_count_while_the_rep_is_away(self) -> None:
        desks = {1: self.away(backup=2), 2: desk(2, "America/New_York")}
        assert on_duty(1, desks, self.MONDAY).id == 2
        at = due(sales_time(PLAY, 1, desks, self.MONDAY), timedelta(hours=8))
        assert at == local("America/New_York", 2026, 11, 23, 17)

    def test_after_the_absence_it_is_the_reps_again(self) -> None:
        desks = {1: self.away(backup=2), 2: desk(2, "America/New_York")}
        assert on_duty(1, desks, self.MONDAY + timedelta(days=7)).id == 1

    def test_a_backup_who_is_away_as_well_hands_on_to_theirs(self) -> None:
        desks = {1: self.away(backup=2), 2: desk(2, away_from=self.MONDAY, backup=3), 3: desk(3, "Europe/Lisbon")}
        assert on_duty(1, desks, self.MONDAY).id == 3

    @pytest.mark.parametrize("backup", [None, 1, 2, 99])
    def test_where_nobody_can_stand_in_the_clock_is_the_owners_and_runs_on(self, backup: int | None) -> None:
        """No backup, oneself, somebody who names the owner back and is away too, somebody nobody knows."""
        desks = {1: self.away(backup=backup), 2: desk(2, away_from=self.MONDAY, backup=1)}
        assert on_duty(1, desks, self.MONDAY).id == 1
        assert due(sales_time(PLAY, 1, desks, self.MONDAY), timedelta(hours=8)) == self.MONDAY + timedelta(hours=8)
