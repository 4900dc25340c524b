"""When a rep is briefed, and at what length: at their own hour, rarer and shorter while nobody reads, never louder.

    unread in a row   daily brief comes   accounts   words each
    0 to 2            every working day   5          150
    3 to 5            twice a week        3          100
    6 and more        once a week         1          60

A weekly brief stays weekly and gets shorter in the same steps. One that was opened or answered brings all of it back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from accounts.calendar import Calendar


class Every(StrEnum):
    """How often a rep wants to be briefed."""

    DAILY = "daily"
    WEEKLY = "weekly"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Manner:
    """How much of a brief there is, and how many days lie between two."""

    accounts: int
    words: int
    #: Least number of days from one brief to the next, by the rep's own calendar.
    days: int
    #: So many were not read in a row when it became this.
    unread: int = 0


USUAL = Manner(accounts=5, words=150, days=1)
SHORTER = Manner(accounts=3, words=100, days=3, unread=3)
SHORTEST = Manner(accounts=1, words=60, days=7, unread=6)
#: The least attentive first.
MANNERS = (SHORTEST, SHORTER, USUAL)
#: Of the brief that one account gets by itself when it turns hot.
AT_ONCE = Manner(accounts=1, words=100, days=1)

#: A brief that is younger has not had its chance to be read.
CHANCE = timedelta(hours=12)
#: So long after its hour a digest still goes out, when nothing could run at the hour itself.
GRACE = timedelta(hours=3)
_FULL_HOUR = re.compile(r"([0-9]{1,2})(?::00)?").fullmatch


class Sent(NamedTuple):
    """One digest of the past."""

    as_of: datetime
    was_read: bool


def full_hour(text: str) -> int | None:
    """``16``, ``7`` or ``07:00`` as an hour of the day; None for anything else, also for minutes."""
    found = _FULL_HOUR(text.strip())
    return int(found[1]) if found and int(found[1]) < 24 else None


def unread(history: Sequence[Sent], now: datetime) -> int:
    """How many of the last digests nobody opened or answered, in a row. history: newest first."""
    count = 0
    for sent in history:
        if sent.was_read:
            break
        count += sent.as_of <= now - CHANCE
    return count


def manner_of(history: Sequence[Sent], now: datetime) -> Manner:
    """The length and the pace that the rep's reading asks for."""
    count = unread(history, now)
    return next(manner for manner in MANNERS if count >= manner.unread)


def slot(hour: time, calendar: Calendar, now: datetime) -> datetime | None:
    """The digest's moment of this day at the rep's place, if it has come, is not long over and it is a working day.

    An hour that the change of the clocks leaves out comes an hour later; one that comes twice counts the first time.
    """
    today = calendar.local(now).date()
    at = _moment(today, hour, calendar)
    return at if at <= now < at + GRACE and is_working_day(today, calendar) else None


def is_due(every: Every, hour: time, calendar: Calendar, history: Sequence[Sent], now: datetime) -> bool:
    """Whether a rep is to be briefed at `now`. history: their digests, newest first."""
    at = slot(hour, calendar, now)
    if every is Every.OFF or at is None:
        return False
    today = calendar.local(now).date()
    if every is Every.WEEKLY and not _opens_the_week(today, calendar):
        return False
    if not history:
        return True
    last = calendar.local(history[0].as_of).date()
    if every is Every.WEEKLY:
        return last < today
    return (today - last).days >= manner_of(history, now).days


def is_working_day(day: date, calendar: Calendar) -> bool:
    """Whether somebody is there to read it: no weekend, no public holiday of the rep's country."""
    return calendar.hours(day) is not None


def _opens_the_week(day: date, calendar: Calendar) -> bool:
    """The first working day of its week: a holiday on Monday makes it Tuesday."""
    before = (day - timedelta(days=ahead) for ahead in range(1, day.weekday() + 1))
    return is_working_day(day, calendar) and not any(is_working_day(one, calendar) for one in before)


def _moment(day: date, hour: time, calendar: Calendar) -> datetime:
    zone = calendar.local(datetime.combine(day, hour, tzinfo=UTC)).tzinfo
    return datetime.combine(day, hour, tzinfo=zone).astimezone(UTC)
