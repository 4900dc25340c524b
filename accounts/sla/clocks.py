"""One clock, looked at: pure, so that looking twice, late, or after facts came out of order tells the same.

What a clock is worth follows from facts each time anew: when it started, what paused it, what ended it. Only what was
told (warnings, the escalation) is remembered, since nobody is told twice.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from accounts.calendar import Hours
from accounts.sla.causes import Cause, End
from accounts.sla.hours import Span, due, spent
from accounts.vocabulary import ClockState

#: (percent of the time, when it was told).
Warning = tuple[int, datetime]


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise between the teams, as it stands."""

    cause: Cause
    #: The rep on duty (sales), or to whom it is owed (marketing).
    rep: int | None = None
    due_at: datetime | None = None
    paused: tuple[Span, ...] = ()
    state: ClockState = ClockState.RUNNING
    warned: tuple[Warning, ...] = ()
    escalated_at: datetime | None = None
    escalated_to: str | None = None
    end: End | None = None

    @property
    def is_open(self) -> bool:
        """Still owed, in time or not."""
        return self.end is None

    @property
    def is_late(self) -> bool:
        return self.state is ClockState.BREACHED


@dataclass(frozen=True, slots=True)
class Promise:
    """How long somebody has, in working time, when they are warned, and who is told when they break it."""

    allowed: timedelta
    warn_at: tuple[int, ...]
    tells: str | None = None


def look(
    clock: Clock, promise: Promise, time: Callable[[], Iterable[Hours]], pauses: Iterable[Span], end: End | None,
    now: datetime,
) -> Clock:  # fmt: skip
    """The clock as of `now`. time: gives its working time from its start on, pauses taken out; asked anew each time."""
    due_at = due(time(), promise.allowed)
    paused = tuple(sorted(span for span in pauses if _matters(span, clock.cause.started_at, end, now)))
    state = _state(due_at, paused, end, now)
    seen = replace(clock, due_at=due_at, paused=paused, state=state, end=end)
    if end is not None:
        return seen
    if state is ClockState.BREACHED:
        return seen if clock.escalated_at else replace(seen, escalated_at=now, escalated_to=promise.tells)
    return replace(seen, warned=(*clock.warned, *_warnings(clock, promise, time, now)))


def _state(due_at: datetime | None, paused: tuple[Span, ...], end: End | None, now: datetime) -> ClockState:
    if due_at is not None and due_at <= (end.at if end else now):
        return ClockState.BREACHED
    if end is not None:
        return ClockState.MET if end.is_kept else ClockState.LAPSED
    is_paused = any(starts <= now and (ends is None or now < ends) for starts, ends in paused)
    return ClockState.PAUSED if is_paused else ClockState.RUNNING


def _warnings(
    clock: Clock, promise: Promise, time: Callable[[], Iterable[Hours]], now: datetime
) -> Iterator[Warning]:  # fmt: skip
    told = {percent for percent, _ in clock.warned}
    share = 100 * (spent(time(), now) / promise.allowed)
    yield from ((percent, now) for percent in promise.warn_at if percent <= share and percent not in told)


def _matters(span: Span, start: datetime, end: End | None, now: datetime) -> bool:
    """Whether it lies in the clock's life so far; holds that begin later are told when they begin."""
    last = end.at if end else now
    return span[0] <= last and (span[1] is None or span[1] > start)
