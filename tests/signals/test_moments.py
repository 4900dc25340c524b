"""Times as spreadsheets of three countries write them: read where they mean one thing, never guessed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.signals.moments import moments_in, the_moment

DAY = datetime(2026, 11, 20, tzinfo=UTC)
MORNING = DAY.replace(hour=9, minute=30)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("2026-11-20", DAY),
        ("2026-11-20T10:30+01:00", MORNING),
        ("2026-11-20 09:30:00", MORNING),
        ("20.11.2026", DAY),
        ("20.11.2026 09:30", MORNING),
        ("20. 11. 2026, 9:30:00", MORNING),
        ("03.04.2026", datetime(2026, 4, 3, tzinfo=UTC)),
        ("20/11/2026 9:30", MORNING),
        ("11/20/2026", DAY),
        ("11/20/2026 9:30 AM", MORNING),
        ("11/20/2026 9:30:00 p.m.", DAY.replace(hour=21, minute=30)),
        ("11/20/2026 12:05 am", DAY.replace(minute=5)),
        ("2026/11/20", DAY),
        ("4/4/2026", datetime(2026, 4, 4, tzinfo=UTC)),
    ],
)
def test_each_country_is_understood(written: str, means: datetime) -> None:
    assert the_moment(written) == means


def test_what_may_be_two_days_is_neither() -> None:
    found = moments_in("03/04/2026 09:30")
    assert [moment.isoformat() for moment in found] == ["2026-03-04T09:30:00+00:00", "2026-04-03T09:30:00+00:00"]
    assert the_moment("03/04/2026 09:30") is None


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "20.11.26", "31.02.2026", "20/20/2026", "11/20/2026 13:00 PM", "20.11.2026 24:00", "46346",
     "20.11.2026 9", "1.1.0000", "2026-13-01", "٢٠.١١.٢٠٢٦"],
)  # fmt: skip
def test_what_means_no_day_is_none(written: str) -> None:
    assert moments_in(written) == ()


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001  a spreadsheet knows no zone
def test_whatever_a_country_writes_its_own_reading_is_among_the_meanings(moment: datetime) -> None:
    means = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    for form in ("%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M"):
        found = moments_in(f"{means:{form}}")
        assert means in found
        assert len(found) == 1 or "/" in form
