"""When a rep is briefed, and at what length: their own hour, working days, and how much of it they read."""

from datetime import UTC, datetime, time, timedelta

import pytest

from accounts.briefs.rhythm import SHORTER, SHORTEST, USUAL, Every, Manner, Sent, is_due, manner_of, unread
from accounts.calendar import Calendar
from accounts.sla.hours import calendar_of
from tests.plays import small_play

DAY = timedelta(days=1)
#: A Tuesday, seven o'clock in Berlin.
SEVEN = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
BERLIN = calendar_of(small_play(), "Europe/Berlin")


def due(at: datetime, history: tuple[Sent, ...] = (), every: Every = Every.DAILY, calendar: Calendar = BERLIN) -> bool:
    return is_due(every, time(7), calendar, history, at)


def sent(*days_ago: float, read: bool = False, at: datetime = SEVEN) -> tuple[Sent, ...]:
    return tuple(Sent(at - days * DAY, read) for days in days_ago)


class TestHour:
    @pytest.mark.parametrize(
        ("at", "is_time"),
        [
            (SEVEN - timedelta(minutes=1), False),
            (SEVEN, True),
            (SEVEN + timedelta(hours=2, minutes=59), True),
            (SEVEN + timedelta(hours=3), False),
        ],
    )
    def test_it_is_due_at_the_reps_hour_and_up_to_three_hours_late(self, at: datetime, is_time: bool) -> None:
        assert due(at, sent(1, read=True)) is is_time

    @pytest.mark.parametrize(
        ("zone", "at"),
        [
            ("America/New_York", datetime(2026, 11, 24, 12, 0, tzinfo=UTC)),
            ("Asia/Singapore", datetime(2026, 11, 23, 23, 0, tzinfo=UTC)),
            ("Asia/Kolkata", datetime(2026, 11, 25, 1, 30, tzinfo=UTC)),
        ],
    )
    def test_seven_is_seven_on_the_reps_own_clock(self, zone: str, at: datetime) -> None:
        there = calendar_of(small_play(), zone)
        assert due(at, calendar=there)
        assert not due(at - timedelta(minutes=15), calendar=there)

    def test_seven_stays_seven_when_the_clocks_change(self) -> None:
        assert due(datetime(2026, 10, 23, 5, 0, tzinfo=UTC)), "Friday, summer time"
        assert due(datetime(2026, 10, 26, 6, 0, tzinfo=UTC)), "Monday, winter time"
        assert not due(datetime(2026, 10, 26, 5, 0, tzinfo=UTC))

    def test_an_hour_that_the_clock_skips_comes_an_hour_later_and_one_that_comes_twice_counts_once(self) -> None:
        cairo = calendar_of(small_play(), "Africa/Cairo")  # midnight is skipped on Friday 24 April 2026
        skipped = datetime(2026, 4, 23, 22, 0, tzinfo=UTC)
        assert is_due(Every.DAILY, time(0), cairo, (), skipped)
        assert not is_due(Every.DAILY, time(0), cairo, (), skipped - timedelta(minutes=1))
        first = datetime(2026, 10, 29, 20, 30, tzinfo=UTC)  # 23:30 comes twice on Thursday 29 October 2026
        assert is_due(Every.DAILY, time(23, 30), cairo, (), first)
        assert not is_due(Every.DAILY, time(23, 30), cairo, (Sent(first, True),), first + timedelta(hours=1))

    def test_once_a_day(self) -> None:
        assert not due(SEVEN + timedelta(minutes=15), sent(0))

    def test_not_at_weekends_nor_on_a_public_holiday_of_the_reps_country(self) -> None:
        assert not due(SEVEN + 4 * DAY)
        assert not due(datetime(2026, 12, 25, 6, 0, tzinfo=UTC))
        vienna = calendar_of(small_play(), "Europe/Vienna")
        feast = datetime(2026, 12, 8, 6, 0, tzinfo=UTC)
        assert due(feast), "a working day in Berlin"
        assert not due(feast, calendar=vienna)

    def test_off_is_off(self) -> None:
        assert not due(SEVEN, every=Every.OFF)


class TestWeekly:
    def test_it_comes_on_the_first_working_day_of_the_week(self) -> None:
        assert due(SEVEN - DAY, sent(8, read=True), Every.WEEKLY)
        assert not due(SEVEN, sent(8, read=True), Every.WEEKLY)

    def test_a_holiday_on_monday_makes_it_tuesday(self) -> None:
        easter_tuesday = datetime(2026, 4, 7, 5, 0, tzinfo=UTC)
        assert due(easter_tuesday, every=Every.WEEKLY)
        assert not due(easter_tuesday - DAY, every=Every.WEEKLY)


class TestReading:
    @pytest.mark.parametrize(
        ("in_a_row", "manner"),
        [(0, USUAL), (2, USUAL), (3, SHORTER), (5, SHORTER), (6, SHORTEST), (20, SHORTEST)],
    )
    def test_what_nobody_reads_gets_shorter(self, in_a_row: int, manner: Manner) -> None:
        history = sent(*range(1, in_a_row + 1)) + sent(in_a_row + 1, read=True)
        assert manner_of(history, SEVEN) == manner

    def test_never_louder(self) -> None:
        manners = [manner_of(sent(*range(1, count + 1)), SEVEN) for count in range(12)]
        for size in ("accounts", "words"):
            sizes = [getattr(manner, size) for manner in manners]
            assert sizes == sorted(sizes, reverse=True)
        assert [one.days for one in manners] == sorted(one.days for one in manners)

    def test_one_that_is_read_brings_everything_back(self) -> None:
        ignored = sent(*range(2, 12))
        assert manner_of(ignored, SEVEN) == SHORTEST
        assert manner_of(sent(1, read=True) + ignored, SEVEN) == USUAL

    def test_a_brief_of_this_morning_has_not_had_its_chance(self) -> None:
        assert unread(sent(0.1, 1, 2), SEVEN) == 2

    @pytest.mark.parametrize(
        ("in_a_row", "mornings"),
        [
            (0, ["Tue 24", "Wed 25", "Thu 26", "Fri 27", "Mon 30", "Tue 01", "Wed 02", "Thu 03"]),
            (4, ["Thu 26", "Mon 30"]),
            (9, ["Mon 30"]),
        ],
    )
    def test_the_rhythm_of_two_weeks(self, in_a_row: int, mornings: list[str]) -> None:
        """Whoever reads gets one each working day; who ignores four, two more in a week, then one a week."""
        history = [Sent(SEVEN - (days + 1) * DAY, False) for days in range(in_a_row)] or [Sent(SEVEN - DAY, True)]
        came = []
        for days in range(10):
            at = SEVEN + days * DAY
            if due(at, tuple(history)):
                came.append(f"{at:%a %d}")
                history.insert(0, Sent(at, in_a_row == 0))
        assert came == mornings
