"""A rep's accounts in one list: what is owed comes first, then what is warm."""

from dataclasses import dataclass
from datetime import datetime

from accounts.engagement import HeatReading
from accounts.vocabulary import Duty, Heat


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account. Times are UTC."""

    id: int
    key: str
    name: str
    stage: str
    score: float
    heat: HeatReading
    #: What sales owes next, and by when.
    owed: Duty | None
    due_at: datetime | None
    #: When marketing writes next.
    next_at: datetime | None
    is_held: bool
    #: Whose account it is, when the rep stands in, or is their manager.
    instead_of: str | None

    def is_late(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now


def in_order(lines: list[AccountLine]) -> tuple[AccountLine, ...]:
    """What is due first comes first; then what heats up, then the warmest, then by name."""
    return tuple(
        sorted(
            lines,
            key=lambda line: (
                line.due_at is None, line.due_at, line.heat.heat is not Heat.RISING, -line.score, line.name, line.id,
            ),
        )
    )  # fmt: skip
