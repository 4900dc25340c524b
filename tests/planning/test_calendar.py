"""When mail may leave: the recipient's own clock, also on the days it jumps, and their holidays."""

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.calendar import Calendar, Hours, Place, ZoneSource, place_of, zone_of_country
from accounts.playbook import Window
from accounts.public_holidays import public_holidays
from accounts.vocabulary import Reason

NINE_TO_FIVE = Window(default_timezone="Europe/Berlin", default_country="DE")
EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def in_zone(zone: str, country: str | None = None, **window: object) -> Calendar:
    return Calendar(Window.model_validate(window), Place(zone, ZoneSource.STAKEHOLDER, country))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Where somebody is: the chain.


def test_the_persons_own_zone_comes_first() -> None:
    place = place_of(NINE_TO_FIVE, "Asia/Tokyo", "DE", "Europe/Paris", "FR", "America/New_York")
    assert place == Place("Asia/Tokyo", ZoneSource.STAKEHOLDER, "DE")


@pytest.mark.parametrize(
    ("chain", "zone", "source"),
    [
        ((None, "JP", "Europe/Paris", "FR", "America/New_York"), "Asia/Tokyo", "stakeholder_country"),
        ((None, None, "Europe/Paris", "US", "America/New_York"), "Europe/Paris", "account"),
        ((None, None, None, "US", "Asia/Tokyo"), "America/New_York", "account_country"),
        ((None, None, None, None, "Asia/Tokyo"), "Asia/Tokyo", "rep"),
        ((None, None, None, None, None), "Europe/Berlin", "play"),
    ],
)
def test_then_country_account_owner_and_play_and_it_says_which(
    chain: tuple[str | None, ...], zone: str, source: str
) -> None:
    place = place_of(NINE_TO_FIVE, *chain)
    assert (place.timezone, place.source) == (zone, source)


@pytest.mark.parametrize("nonsense", ["Mars/Olympus", "", "Europe", "../etc/passwd", "GMT+25:00", "Europe/Berlin "])
def test_a_zone_nobody_knows_falls_to_the_next_link(nonsense: str) -> None:
    assert place_of(NINE_TO_FIVE, nonsense, None, "Europe/Paris").source == ZoneSource.ACCOUNT


def test_a_play_with_an_unknown_zone_ends_at_utc() -> None:
    assert place_of(Window(default_timezone="Nowhere/Land")).timezone == "UTC"


@pytest.mark.parametrize(
    ("country", "zone"),
    [
        ("DE", "Europe/Berlin"), ("us", "America/New_York"), ("AU", "Australia/Sydney"), ("BR", "America/Sao_Paulo"),
        ("CA", "America/Toronto"), ("RU", "Europe/Moscow"), ("UA", "Europe/Kyiv"), ("UK", "Europe/London"),
        ("ES", "Europe/Madrid"), ("PT", "Europe/Lisbon"), ("NZ", "Pacific/Auckland"), ("CN", "Asia/Shanghai"),
        ("MX", "America/Mexico_City"), ("XX", None), ("Germany", None), (None, None),
    ],
)  # fmt: skip
def test_a_country_stands_for_the_zone_most_people_there_live_in(country: str | None, zone: str | None) -> None:
    assert zone_of_country(country) == zone


# Days and hours.


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        ("2026-11-24T10:00", "2026-11-24T10:00"),  # open
        ("2026-11-24T07:59", "2026-11-24T08:00"),  # before nine in Berlin
        ("2026-11-24T08:00", "2026-11-24T08:00"),  # the opening is inside
        ("2026-11-24T16:00", "2026-11-25T08:00"),  # the closing is outside
        ("2026-11-27T16:00", "2026-11-30T08:00"),  # Friday at five
        ("2026-11-28T10:00", "2026-11-30T08:00"),  # Saturday
        ("2026-12-24T17:00", "2026-12-28T08:00"),  # Christmas, then a weekend
        ("2026-12-31T16:30", "2027-01-04T08:00"),  # over the turn of the year
    ],
)
def test_the_next_allowed_moment_in_berlin(moment: str, allowed: str) -> None:
    assert in_zone("Europe/Berlin", "DE").next_allowed(utc(moment)) == utc(allowed)


def test_holidays_follow_the_country_and_have_names() -> None:
    thanksgiving = utc("2026-11-26T16:00")
    assert in_zone("America/New_York", "US").next_allowed(thanksgiving) == utc("2026-11-27T14:00")
    assert in_zone("America/New_York", "CA").next_allowed(thanksgiving) == thanksgiving
    assert in_zone("America/New_York", "US").holiday(thanksgiving) == "Thanksgiving Day"
    assert in_zone("America/New_York", "US").why_closed(thanksgiving) is Reason.HOLIDAY


def test_a_holiday_on_a_day_off_is_a_day_off() -> None:
    christmas_day_two = utc("2026-12-26T10:00")  # a Saturday
    assert in_zone("Europe/Berlin", "DE").why_closed(christmas_day_two) is Reason.OUTSIDE_WINDOW


def test_an_unknown_country_has_no_holidays() -> None:
    assert public_holidays("XX", 2026) == {}
    assert public_holidays(None, 2026) == {}


@pytest.mark.parametrize("country", ["DE", "US", "GB", "FR", "JP", "AX", "HK", "IN", "BR", "ZA", "UM", "GG"])
def test_a_country_loaded_alone_has_the_holidays_it_has_in_the_package(country: str) -> None:
    import holidays

    assert public_holidays(country, 2027) == dict(holidays.country_holidays(country, years=2027, language="en_US"))


def test_one_country_does_not_load_the_others() -> None:
    loaded = "import sys; print(sum(name.startswith('holidays.countries') for name in sys.modules))"
    ask = "from accounts.public_holidays import public_holidays as of; assert of('DE', 2026) and of('US', 2026)"
    done = subprocess.run([sys.executable, "-c", f"{ask}; {loaded}"], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0


def test_a_window_may_reach_past_midnight() -> None:
    night = in_zone("UTC", days=("mon",), opens="22:00", closes="06:00")
    assert night.next_allowed(utc("2026-11-24T03:00")) == utc("2026-11-24T03:00")  # Tuesday night, opened on Monday
    assert night.next_allowed(utc("2026-11-24T06:00")) == utc("2026-11-30T22:00")


def test_a_window_without_days_never_opens() -> None:
    assert in_zone("UTC", days=()).next_allowed(utc("2026-11-24T10:00")) is None


# Days on which the clock jumps.


def test_nine_oclock_stays_nine_oclock_when_summer_time_begins() -> None:
    berlin = in_zone("Europe/Berlin", days=EVERY_DAY)
    assert berlin.hours(date(2026, 3, 28)) == Hours(utc("2026-03-28T08:00"), utc("2026-03-28T16:00"))
    assert berlin.hours(date(2026, 3, 29)) == Hours(utc("2026-03-29T07:00"), utc("2026-03-29T15:00"))


def test_nine_oclock_stays_nine_oclock_when_summer_time_ends() -> None:
    berlin = in_zone("Europe/Berlin", days=EVERY_DAY)
    assert berlin.hours(date(2026, 10, 24)) == Hours(utc("2026-10-24T07:00"), utc("2026-10-24T15:00"))
    assert berlin.hours(date(2026, 10, 25)) == Hours(utc("2026-10-25T08:00"), utc("2026-10-25T16:00"))


def test_the_southern_hemisphere_jumps_the_other_way() -> None:
    sydney = in_zone("Australia/Sydney", days=EVERY_DAY)
    assert sydney.hours(date(2026, 10, 3)) == Hours(utc("2026-10-02T23:00"), utc("2026-10-03T07:00"))
    assert sydney.hours(date(2026, 10, 4)) == Hours(utc("2026-10-03T22:00"), utc("2026-10-04T06:00"))
    assert sydney.hours(date(2026, 4, 5)) == Hours(utc("2026-04-04T23:00"), utc("2026-04-05T07:00"))


def test_an_opening_in_the_hour_that_does_not_exist_waits_until_it_is_past_on_every_reading() -> None:
    """02:30 does not exist in Berlin on 29 March 2026: it opens at 03:30 summer time, never at 01:30 before."""
    early = in_zone("Europe/Berlin", days=EVERY_DAY, opens="02:30", closes="12:00")
    assert early.hours(date(2026, 3, 29)) == Hours(utc("2026-03-29T01:30"), utc("2026-03-29T10:00"))


def test_an_opening_in_the_hour_that_exists_twice_is_the_second_one_and_a_closing_the_first() -> None:
    """02:30 is 00:30 and 01:30 UTC in Berlin on 25 October 2026."""
    early = in_zone("Europe/Berlin", days=EVERY_DAY, opens="02:30", closes="12:00")
    late = in_zone("Europe/Berlin", days=EVERY_DAY, opens="01:00", closes="02:30")
    assert early.hours(date(2026, 10, 25)) == Hours(utc("2026-10-25T01:30"), utc("2026-10-25T11:00"))
    assert late.hours(date(2026, 10, 25)) == Hours(utc("2026-10-24T23:00"), utc("2026-10-25T00:30"))


def test_a_window_that_lies_in_the_missing_hour_stays_closed_that_day() -> None:
    missing = in_zone("Europe/Berlin", days=EVERY_DAY, opens="02:10", closes="02:50")
    assert missing.hours(date(2026, 3, 29)) is None
    assert missing.next_allowed(utc("2026-03-28T12:00")) == utc("2026-03-30T00:10")


def test_a_zone_that_jumps_at_midnight_and_one_that_skipped_a_day() -> None:
    beirut = in_zone("Asia/Beirut", days=EVERY_DAY, opens="00:30", closes="08:00")
    assert beirut.next_allowed(utc("2026-03-28T21:00")) == utc("2026-03-28T22:30")  # 01:30, since 00:30 is missing
    apia = in_zone("Pacific/Apia", days=EVERY_DAY)
    assert apia.next_allowed(utc("2011-12-30T05:00")) == utc("2011-12-30T19:00")  # from the 29th to the 31st


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "America/Sao_Paulo",
         "Asia/Kathmandu", "Pacific/Pago_Pago", "Africa/Casablanca", "UTC")  # fmt: skip


@given(
    zone=st.sampled_from(ZONES),
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    opens=st.integers(0, 22),
    length=st.integers(1, 12),
)
def test_the_recipients_clock_is_inside_the_window_whenever_mail_may_leave(
    zone: str, moment: datetime, opens: int, length: int
) -> None:
    closes = min(opens + length, 23)
    calendar = in_zone(zone, opens=f"{opens:02}:00", closes=f"{closes:02}:00")
    allowed = calendar.next_allowed(moment)
    assert allowed is not None
    local = allowed.astimezone(ZoneInfo(zone))
    assert time(opens) <= local.time().replace(fold=0) < time(closes)
    assert local.weekday() < 5
    assert moment <= allowed <= moment + timedelta(days=8)
    assert calendar.next_allowed(allowed) == allowed
