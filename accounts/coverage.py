"""Which seat of the buying group has something to read in which stage, where the gaps are and who waits there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from accounts.playbook import Play, Step
from accounts.vocabulary import Role

#: How long before a day it is worth saying that it comes.
SOON_DAYS = 30

#: A stage and a role: one cell of the matrix.
Cell = tuple[str, Role]


@dataclass(frozen=True, slots=True)
class Seats:
    """The people in one cell."""

    #: Everybody with this role in accounts that are in this stage.
    people: int = 0
    #: Those we may write to: a basis, no opt-out, a working address.
    reachable: int = 0
    #: Those whom planning last told that there is nothing for them, or nothing current.
    waiting: int = 0
    #: Those who have read everything there is.
    finished: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A cell without anything current to read, where people sit whom we may write to."""

    stage: str
    role: Role
    seats: Seats
    #: What would fill it if it had not expired.
    expired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """A content that somebody must look at: by `day` it is reviewed, or no longer sent."""

    content: str
    owner: str
    what: str
    day: date


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a play has to say, to whom, on one day."""

    stages: tuple[str, ...]
    roles: tuple[Role, ...]
    #: Keys of the contents of a cell that are current, in the order of their steps.
    cells: Mapping[Cell, tuple[str, ...]]
    seats: Mapping[Cell, Seats]
    #: Most people first.
    gaps: tuple[Gap, ...]
    due: tuple[Due, ...]


def cover(play: Play, seats: Mapping[Cell, Seats], today: date) -> Coverage:
    """The matrix of nurtured stages and roles as of a day."""
    stages = tuple(stage.key for stage in play.stages if stage.nurtured)
    cells, expired = _cells(play, today)
    shown = tuple(role for role in Role if any((stage, role) in cells or (stage, role) in seats for stage in stages))
    gaps = [
        Gap(stage, role, seats[stage, role], expired.get((stage, role), ()))
        for stage in stages
        for role in shown
        if (stage, role) not in cells and (stage, role) in seats and seats[stage, role].reachable
    ]
    gaps.sort(key=lambda gap: -gap.seats.reachable)
    due = sorted((due for step in play.steps if (due := _due(step, today))), key=lambda due: (due.day, due.content))
    return Coverage(stages, shown, cells, seats, tuple(gaps), tuple(due))


def _cells(play: Play, today: date) -> tuple[dict[Cell, tuple[str, ...]], dict[Cell, tuple[str, ...]]]:
    """Current and expired contents of each cell."""
    current: dict[Cell, tuple[str, ...]] = {}
    expired: dict[Cell, tuple[str, ...]] = {}
    for step in sorted(play.steps, key=lambda step: (step.step, step.key)):
        kind = expired if step.expires < today else current
        for role in step.roles:
            kind[step.stage, role] = (*kind.get((step.stage, role), ()), step.key)
    return current, expired


def _due(step: Step, today: date) -> Due | None:
    if step.expires < today:
        return Due(step.key, step.owner, "expired", step.expires)
    if (step.expires - today).days <= SOON_DAYS:
        return Due(step.key, step.owner, "expires soon", step.expires)
    if step.review_by < today:
        return Due(step.key, step.owner, "review overdue", step.review_by)
    if (step.review_by - today).days <= SOON_DAYS:
        return Due(step.key, step.owner, "review due", step.review_by)
    return None
