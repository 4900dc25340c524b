"""Weeks, by number: what came in together stands together."""

from datetime import datetime

WEEK_SECONDS = 7 * 86_400


def week_of(moment: datetime) -> int:
    """Whole weeks since 1970, in UTC; they change on Thursdays."""
    return int(moment.timestamp() // WEEK_SECONDS)
