"""What a rep's verdict changes, as values."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.errors import InputRefused
from accounts.feedback import UNDATED_PAUSE, LeaveAlone, VetoPerson, consequences
from accounts.vocabulary import Verdict
from tests.cast import NOW


@pytest.mark.parametrize("verdict", [Verdict.RIPE, Verdict.NOT_YET])
@pytest.mark.parametrize("is_person", [True, False])
def test_ripe_and_not_yet_change_no_plan(verdict: Verdict, is_person: bool) -> None:
    assert consequences(verdict, NOW, callback_on=date(2027, 1, 1), is_person=is_person) == ()


def test_bad_timing_waits_for_the_day_the_rep_names_or_for_a_month() -> None:
    named = consequences(Verdict.BAD_TIMING, NOW, callback_on=date(2027, 1, 15), is_person=False)
    assert named == (LeaveAlone(datetime(2027, 1, 15, tzinfo=UTC)),)
    assert consequences(Verdict.BAD_TIMING, NOW, is_person=True) == (LeaveAlone(NOW + UNDATED_PAUSE),)
    assert consequences(Verdict.BAD_TIMING, NOW, callback_on=NOW.date(), is_person=True) == ()


def test_the_wrong_person_gets_no_more_mail_and_an_account_is_never_one() -> None:
    assert consequences(Verdict.WRONG_PERSON, NOW, is_person=True) == (VetoPerson(),)
    with pytest.raises(InputRefused, match="an account is no wrong person"):
        consequences(Verdict.WRONG_PERSON, NOW, is_person=False)


def test_a_day_that_is_over_is_refused() -> None:
    with pytest.raises(InputRefused, match="is over"):
        consequences(Verdict.RIPE, NOW, callback_on=(NOW - timedelta(days=1)).date(), is_person=True)
