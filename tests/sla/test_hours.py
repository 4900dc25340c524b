"""Working time, as properties: whatever the zone, the holds and the changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.calendar import Hours
from accounts.sla.hours import (
    Desk,
    calendar_of,
    due,
    less,
    marketing_time,
    on_duty,
    opened,
    sales_time,
    shifts,
    spent,
)
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

    def test_a_zone_of_no_country_keeps_the_plays_holidays_and_its_own_clock(self) -> None:
        """At half past five on Christmas Eve in Berlin it is half past four by UTC; then comes Christmas."""
        start = datetime(2026, 12, 24, 16, 30, tzinfo=UTC)
        at = due(sales_time(PLAY, 1, {1: desk(zone="Etc/UTC")}, start), timedelta(hours=1))
        assert at == datetime(2026, 12, 28, 9, 30, tzinfo=UTC)

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

    def test_nobody_is_away_before_it_begins_or_from_its_end_on(self) -> None:
        begins, ends = self.MONDAY, self.MONDAY + timedelta(days=7)
        minute = timedelta(minutes=1)
        assert [self.away().is_away(at) for at in (begins - minute, begins, ends - minute, ends)] == [
            False, True, True, False,
        ]  # fmt: skip
        for_good = desk(away_from=begins)
        assert [for_good.is_away(at) for at in (begins - minute, begins, ends)] == [False, True, True]
        assert not desk(away_until=ends).is_away(begins)

    def test_a_shift_ends_where_an_absence_of_anybody_in_the_chain_begins_or_ends(self) -> None:
        """Both begin a week that is under way; the backup leaves in the middle of the owner's absence."""
        begins, ends = self.MONDAY, self.MONDAY + timedelta(days=7)
        leaves, returns = self.MONDAY + timedelta(days=2), self.MONDAY + timedelta(days=4)
        desks = {1: self.away(backup=2), 2: desk(2, away_from=leaves, away_until=returns, backup=3), 3: desk(3)}
        plan = [(1, begins - timedelta(days=1), begins), (2, begins, leaves), (3, leaves, returns), (2, returns, ends)]
        told = [(shift.desk.id, shift.starts, shift.ends) for shift in shifts(1, desks, begins - timedelta(days=1))]
        assert told == [*plan, (1, ends, None)]
        told = [(shift.desk.id, shift.starts, shift.ends) for shift in shifts(1, desks, leaves)]
        assert told == [*plan[2:], (1, ends, None)]

    def test_what_somebody_else_does_until_the_owner_is_back_and_the_owner_from_then_on(self) -> None:
        """Two hours of the owner's Friday, before an absence from eleven on; the backup, five zones away, goes on."""
        leaves = local("Europe/Berlin", 2026, 11, 27, 11)
        desks = {1: desk(1, away_from=leaves, backup=2), 2: desk(2, "America/New_York")}
        at = due(sales_time(PLAY, 1, desks, local("Europe/Berlin", 2026, 11, 27, 9)), timedelta(hours=5))
        assert at == local("America/New_York", 2026, 11, 27, 12)

    def test_an_account_of_somebody_nobody_knows_is_worked_for_by_the_plays_clock(self) -> None:
        for owner in (None, 7):
            time = sales_time(PLAY, owner, {1: desk(1, "Asia/Tokyo")}, self.MONDAY)
            assert due(time, timedelta(hours=1)) == self.MONDAY + timedelta(hours=1)


class TestPauses:
    DAY = Hours(local("Europe/Berlin", 2026, 11, 24, 9), local("Europe/Berlin", 2026, 11, 24, 17))

    def left(self, *pauses: tuple[int, int | None]) -> list[tuple[int, int]]:
        """Of a day from nine to five, less pauses between hours of it."""

        def at(hour: int) -> datetime:
            return self.DAY.opens + timedelta(hours=hour - 9)

        spans = [(at(begins), None if ends is None else at(ends)) for begins, ends in pauses]
        nine = self.DAY.opens
        return [
            (9 + (opens - nine) // timedelta(hours=1), 9 + (closes - nine) // timedelta(hours=1))
            for opens, closes in less([self.DAY], spans)
        ]

    def test_what_is_left_of_a_day(self) -> None:
        assert self.left() == [(9, 17)]
        assert self.left((11, 12)) == [(9, 11), (12, 17)]
        assert self.left((9, 12)) == [(12, 17)]
        assert self.left((12, 17)) == self.left((12, 20)) == self.left((12, None)) == [(9, 12)]
        assert self.left((7, 9)) == self.left((17, 18)) == [(9, 17)]
        assert self.left((8, 18)) == self.left((9, 17)) == self.left((9, 13), (13, 17)) == []
        assert self.left((13, 14), (10, 11)) == [(9, 10), (11, 13), (14, 17)]
        assert self.left((10, 14), (12, 13)) == [(9, 10), (14, 17)]

    def test_the_time_before_a_moment_in_it(self) -> None:
        later = Hours(self.DAY.opens + timedelta(days=1), self.DAY.closes + timedelta(days=1))
        moments = (self.DAY.opens, self.DAY.closes, later.opens, later.opens + timedelta(hours=1))
        assert [spent([self.DAY, later], at) / timedelta(hours=1) for at in moments] == [0, 8, 8, 9]
