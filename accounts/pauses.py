"""What a pause does with the steps whose time comes meanwhile. A hold is a pause, and so is the quiet after a reply.

    hold   the clock stands still: the plan moves by the length of the pause
    keep   the clock goes on: steps keep their dates, and what has become late waits for a decision
    skip   the clock goes on, and steps whose time fell into the pause are left out for good

Under all three nothing leaves before the pause is over.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from accounts.calendar import Calendar
from accounts.snapshots import Hold
from accounts.vocabulary import PauseClock

#: (from, to) of pauses that are over: sorted, without overlaps.
Stops = Sequence[tuple[datetime, datetime]]

#: Stands in `veto.by` of a step that was left out by a pause.
PAUSE = "pause"

DAY = timedelta(days=1)


class Skip(NamedTuple):
    """A step whose time, `at`, fell into a pause (`begins`, `ends`) that skips."""

    person_id: int
    content: str
    at: datetime
    begins: datetime
    ends: datetime

    @property
    def note(self) -> str:
        """Why, for whoever asks: kept with the record."""
        return f"its time, {self.at:%d %b %Y}, fell into the pause from {self.begins:%d %b} to {self.ends:%d %b %Y}"


def ended(holds: Iterable[Hold], person_id: int, now: datetime, clock: PauseClock) -> Stops:
    """Pauses of this kind that are over, of the whole account and of this person."""
    merged: list[tuple[datetime, datetime]] = []
    for begins, ends in sorted(
        (hold.starts_at, hold.ends_at)
        for hold in holds
        if hold.clock == clock
        and hold.person_id in (None, person_id)
        and hold.ends_at is not None
        and hold.ends_at <= now
    ):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return merged


def elapse(start: datetime, span: timedelta, stops: Stops) -> datetime:
    """The moment at which `span` has passed since `start`, not counting the stops."""
    end = start + span
    for begins, ends in stops:
        if begins > end:
            break
        if ends > start:
            end += ends - max(begins, start)
    return end


def resume(start: datetime, due: datetime, stops: Stops, calendar: Calendar) -> datetime:
    """Where a step that counts from `start` and was due at `due` stands after the stops.

    After a pause of some days it comes at its own hour, also where the reader's clock was changed meanwhile.
    """
    moved = elapse(start, due - start, stops)
    days = round((moved - due) / DAY)
    at_its_hour = calendar.later(due, days * DAY)
    changed = abs(calendar.offset(moved) - calendar.offset(due))
    return at_its_hour if days and abs(at_its_hour - moved) <= changed else moved


def stop_around(moment: datetime, stops: Stops) -> tuple[datetime, datetime] | None:
    """The pause that `moment` fell into."""
    return next(((begins, ends) for begins, ends in stops if begins <= moment < ends), None)
