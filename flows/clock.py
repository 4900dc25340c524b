"""The one look at the clock: at the door of a flow or a command; everything behind it is handed `now`."""

from datetime import UTC, datetime


def clock(as_of: datetime | None) -> datetime:
    """The time that was asked for, as aware UTC (a time without a zone is the user's), or now."""
    return as_of.astimezone(UTC) if as_of else datetime.now(UTC)
