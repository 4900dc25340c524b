"""The one look at the clock: at the door of a flow or a command; everything behind it is handed `now`.

What takes long is handed how the time goes on from there: `running` where `now` is the present, `standing` where it was
asked for.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

#: Tells the time when it is asked.
Clock = Callable[[], datetime]


def clock(as_of: datetime | None) -> datetime:
    """The time that was asked for, as aware UTC (a time without a zone is the user's), or now."""
    return as_of.astimezone(UTC) if as_of else datetime.now(UTC)


def running(now: datetime) -> Clock:
    """Shows `now` at once, and goes on from there second by second, whoever sets the machine's clock meanwhile."""
    begun = monotonic()
    return lambda: now + timedelta(seconds=monotonic() - begun)


def standing(now: datetime) -> Clock:
    """Shows `now` for ever."""
    return lambda: now
