"""Working time: the hours in which somebody is there who can keep a promise, less the spans in which it is paused.

For sales these are the hours of the rep's own zone and its public holidays; while the rep is away, those of the backup.
A rep who is away without a backup leaves the clock running: the customer waits all the same, and escalation finds out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from accounts.calendar import HORIZON, Calendar, Hours, Place, ZoneSource, calendar_at, country_of_zone, known_zone
from accounts.playbook import Play, Window, WorkingHours

#: From, and until; None: nobody knows until when.
Span = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Desk:
    """A rep, as far as clocks care."""

    id: int
    email: str
    timezone: str | None = None
    manager: str | None = None
    away_from: datetime | None = None
    away_until: datetime | None = None
    backup: int | None = None

    def is_away(self, at: datetime) -> bool:
        """Away from the first moment to before the last; without an end, until somebody says otherwise."""
        return self.away_from is not None and self.away_from <= at and (self.away_until is None or at < self.away_until)


class Shift(NamedTuple):
    """Who is on duty; the last shift has no end."""

    desk: Desk
    starts: datetime
    ends: datetime | None


def on_duty(owner: int, desks: Mapping[int, Desk], at: datetime) -> Desk:
    """The owner, or who stands in: the backup, the backup's backup. The owner when everybody in the chain is away."""
    for desk in _chain(owner, desks):
        if not desk.is_away(at):
            return desk
    return desks[owner]


def shifts(owner: int, desks: Mapping[int, Desk], start: datetime) -> list[Shift]:
    """Who is on duty from `start` on, without a gap; somebody new at each absence that begins or ends."""
    turns = sorted({start, *(at for desk in _chain(owner, desks) for at in _turns(desk) if at > start)})
    ends: list[datetime | None] = [*turns[1:], None]
    return [Shift(on_duty(owner, desks, turn), turn, end) for turn, end in zip(turns, ends, strict=True)]


def calendar_of(play: Play, timezone: str | None) -> Calendar:
    """The working hours of the play on the clock of a zone, with the public holidays of its country."""
    window = _window(play.sla.hours, play.window.default_timezone, play.window.default_country)
    if timezone and known_zone(timezone):
        return calendar_at(window, Place(timezone, ZoneSource.REP, country_of_zone(timezone) or window.default_country))
    return calendar_at(window, Place(window.default_timezone, ZoneSource.PLAY, window.default_country))


def sales_time(
    play: Play, owner: int | None, desks: Mapping[int, Desk], start: datetime, pauses: Sequence[Span] = ()
) -> Iterator[Hours]:
    """Working time of the account's owner and backups from `start` on; of the play's clock when nobody owns it."""
    if owner is None or owner not in desks:
        yield from less(opened(calendar_of(play, None), start), pauses)
        return
    for shift in shifts(owner, desks, start):
        yield from less(_within(opened(calendar_of(play, shift.desk.timezone), shift.starts), shift.ends), pauses)


def marketing_time(play: Play, start: datetime, pauses: Sequence[Span] = ()) -> Iterator[Hours]:
    """Working time on the play's own clock from `start` on."""
    yield from less(opened(calendar_of(play, None), start), pauses)


def opened(calendar: Calendar, start: datetime) -> Iterator[Hours]:
    """The hours of a calendar from `start` on, for as long as calendars look ahead."""
    first = calendar.local(start).date() - timedelta(days=1)  # hours past midnight belong to the day before
    for offset in range(HORIZON):
        hours = calendar.hours(first + timedelta(days=offset))
        if hours is not None and hours.closes > start:
            yield Hours(max(hours.opens, start), hours.closes)


def less(time: Iterable[Hours], pauses: Sequence[Span]) -> Iterator[Hours]:
    """Working time without the paused spans; these may overlap and come in any order."""
    ordered = sorted(pauses, key=lambda span: span[0])
    for hours in time:
        opens: datetime | None = hours.opens
        for starts, ends in ordered:
            if opens is None or starts >= hours.closes or (ends is not None and ends <= opens):
                continue
            if starts > opens:
                yield Hours(opens, starts)
            opens = ends if ends is not None and ends < hours.closes else None
        if opens is not None:
            yield Hours(opens, hours.closes)


def due(time: Iterable[Hours], allowed: timedelta) -> datetime | None:
    """When `allowed` of working time is used up. None when that never comes, as under a hold without an end."""
    left = allowed
    for opens, closes in time:
        if left <= closes - opens:
            return opens + left
        left -= closes - opens
    return None


def spent(time: Iterable[Hours], until: datetime) -> timedelta:
    """Working time before `until`."""
    total = timedelta(0)
    for opens, closes in time:
        if opens >= until:
            break
        total += min(closes, until) - opens
    return total


@cache
def _window(hours: WorkingHours, timezone: str, country: str | None) -> Window:
    """Made once, since every clock asks for it."""
    return Window(
        days=hours.days, opens=hours.opens, closes=hours.closes, default_timezone=timezone, default_country=country
    )


def _chain(owner: int, desks: Mapping[int, Desk]) -> list[Desk]:
    """The owner, the backup, the backup's backup …, each once."""
    chain: dict[int, Desk] = {}
    next_one: int | None = owner
    while next_one is not None and next_one in desks and next_one not in chain:
        chain[next_one] = desks[next_one]
        next_one = desks[next_one].backup
    return list(chain.values())


def _turns(desk: Desk) -> list[datetime]:
    return [at for at in (desk.away_from, desk.away_until) if at is not None]


def _within(time: Iterable[Hours], end: datetime | None) -> Iterator[Hours]:
    for opens, closes in time:
        if end is not None and opens >= end:
            return
        yield Hours(opens, closes if end is None else min(closes, end))
