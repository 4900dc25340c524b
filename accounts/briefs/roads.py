"""Which road a brief takes next. Pure: from what each road did so far to the one that is tried now, or to none.

Roads are tried in the rep's order, and one that took the brief is the last. A road that said no for good, or three
times for now, gives way to the next. The last road has no next: it is tried until a newer brief takes over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.vocabulary import BriefState

#: Tries of one road while there is another.
MOST_TRIES = 3
#: Whoever asks us to wait for longer is not waited for while there is another road.
PATIENCE = timedelta(hours=1)
#: It was taken, or may have been: nothing is sent again.
TAKEN = frozenset({BriefState.SENDING, BriefState.DELIVERED, BriefState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Tried:
    """What a road did so far."""

    state: BriefState
    attempts: int = 0
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """The road to try now, the how-manieth time, and whether there is none after it."""

    road: str
    attempt: int
    is_last: bool


def next_road(order: Sequence[str], tried: Mapping[str, Tried], now: datetime) -> Next | None:
    """None: it was taken, all roads said no, or the one whose turn it is asked us to wait."""
    if any(one.state in TAKEN for one in tried.values()):
        return None
    for road in order:
        so_far = tried.get(road, Tried(BriefState.PLANNED))
        if so_far.state is BriefState.FAILED:
            continue
        if so_far.retry_at is not None and so_far.retry_at > now:
            return None
        return Next(road, so_far.attempts + 1, road == order[-1])
    return None


def after_a_no(step: Next, *, permanent: bool, wait: timedelta | None) -> BriefState:
    """Of the road, once it said no: `planned` while it is worth another try, else `failed`."""
    gives_up = step.attempt >= MOST_TRIES or (wait is not None and wait > PATIENCE)
    return BriefState.FAILED if permanent or (gives_up and not step.is_last) else BriefState.PLANNED
