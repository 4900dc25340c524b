"""What a brief says that sales owes: since the oldest open question, or since the rep heard that an account is hot."""

from datetime import datetime, timedelta
from typing import NamedTuple

from accounts.sla.owed import Owing, owed_answer, owed_call
from tests.cast import NOW
from tests.plays import small_play

PLAY = small_play()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Did(NamedTuple):
    """A sign, so many hours before NOW: Tuesday, eleven in Berlin."""

    id: int
    hours: float
    person: int | None = 1

    @property
    def at(self) -> datetime:
        return NOW - self.hours * HOUR

    @property
    def evidence(self) -> tuple[str, ...]:
        return (f"signal:{self.id}",)


def asked(*asks: Did, answered: float | None = None) -> Owing | None:
    answered_at = None if answered is None else NOW - answered * HOUR
    return owed_answer(asks, answered_at, PLAY, "Europe/Berlin", NOW)


def hot(*signs: Did, contacted: float | None = None) -> Owing | None:
    contacted_at = None if contacted is None else NOW - contacted * HOUR
    return owed_call(signs, contacted_at, PLAY, "Europe/Berlin", NOW)


def test_the_oldest_open_question_counts_and_of_two_at_once_the_first_that_was_recorded() -> None:
    expected = Owing(NOW - HOUR, NOW - HOUR + DAY, 7, True, ("signal:3",))
    assert asked(Did(2, 0, 8), Did(3, 1, 7)) == asked(Did(3, 1, 7), Did(4, 1, 8)) == expected
    assert asked(Did(5, 1, 8), Did(3, 1, 7)) == expected


def test_a_question_is_open_until_sales_touches_the_account_after_it() -> None:
    assert asked() is None
    assert asked(Did(1, 2), answered=2) is None, "at the same moment"
    assert asked(Did(1, 2), answered=1) is None
    still_open = asked(Did(1, 2), Did(2, 1), answered=1.5)
    assert still_open is not None
    assert still_open.evidence == ("signal:2",)
    assert asked(Did(1, -1)) is None, "it lies ahead"
    assert asked(Did(1, 0)) is not None


def test_a_hot_account_is_to_be_called_from_the_moment_the_rep_is_told_with_all_that_made_it_hot() -> None:
    call = hot(Did(1, 30, 7), Did(2, 50, 8))
    assert call == Owing(NOW, NOW + DAY, 7, False, ("signal:1", "signal:2"))
    assert hot(Did(1, 30, 7), Did(2, 50, 8), contacted=40) == Owing(NOW, NOW + DAY, 7, False, ("signal:1",))
    assert hot(Did(1, 30), contacted=30) is None
    assert hot() is None


def test_where_nobody_ever_works_nothing_is_owed() -> None:
    never = PLAY.model_copy(update={"sla": PLAY.sla.model_copy(update={"hours": _no_hours()})})
    assert owed_answer([Did(1, 1)], None, never, "Europe/Berlin", NOW) is None


def _no_hours() -> object:
    return PLAY.sla.hours.model_copy(update={"days": ()})


def test_it_is_overdue_after_its_moment_and_ran_out_between_two_looks_once() -> None:
    owing = Owing(NOW - DAY, NOW, 1, True, ())
    assert [owing.is_overdue(NOW + seconds * HOUR) for seconds in (-1, 0, 1)] == [False, False, True]
    looks = [NOW - HOUR, NOW, NOW + HOUR]
    assert [owing.ran_out(since, as_of) for since, as_of in zip([NOW - DAY, *looks], looks, strict=False)] == [
        False, True, False,
    ]  # fmt: skip
