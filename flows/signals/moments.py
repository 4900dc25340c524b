"""When something happened, as spreadsheets of several countries write it: ``2026-11-20``, ``20.11.2026 09:30``,
``20/11/2026``, ``11/20/2026 9:30 AM``, ``2026/11/20``.

Nothing is guessed: ``03/04/2026`` is the third of April or the fourth of March, so it is both.
"""

import re
from datetime import UTC, datetime

from accounts.outcomes import read_instant

_TIME = r"(?:,?[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
#: Between dots the day comes first everywhere, a year in front is followed by its month; between slashes either.
_DAYS = tuple(
    re.compile(rf"{day}{_TIME}", re.ASCII)
    for day in (
        r"(?P<day>\d{1,2})\. ?(?P<month>\d{1,2})\. ?(?P<year>\d{4})",
        r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})",
        r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})",
        r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
    )
)


def moments_in(value: str) -> tuple[datetime, ...]:
    """All that the text can mean, as aware UTC (a time without a zone is UTC): none, one, or two."""
    instant = read_instant(value)
    if instant is not None:
        return (instant,)
    found = (_moment(match) for match in (day.fullmatch(value) for day in _DAYS) if match)
    return tuple(sorted({moment for moment in found if moment is not None}))


def the_moment(value: str | None) -> datetime | None:
    """What it means, where it means one thing."""
    found = moments_in(value) if value else ()
    return found[0] if len(found) == 1 else None


def _moment(said: re.Match[str]) -> datetime | None:
    hour, half = int(said["hour"] or 0), (said["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "p") if half else hour
    year, month, day, minute, second = (int(said[name] or 0) for name in ("year", "month", "day", "minute", "second"))
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
