"""Is the buying group complete? Seats the play wants, people we can reach in them, and the seat most worth finding.

A person who cannot be reached fills no seat: without a basis for writing to them, opted out, bounced or gone; nor does
one whom a rep called the wrong person.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from accounts.playbook import Group
from accounts.vocabulary import EmailStatus, Reason, Role


class Member(NamedTuple):
    """A stakeholder, as far as it matters for reaching them."""

    role: str
    consent_basis: str | None
    consent_at: datetime | None
    email_status: str
    opted_out_at: datetime | None
    suppressed: bool = False
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat the play wants, and how many reachable people sit in it."""

    role: Role
    wanted: int
    filled: int

    @property
    def missing(self) -> int:
        return max(0, self.wanted - self.filled)


@dataclass(frozen=True, slots=True)
class Completeness:
    """The buying group against the play's wish. `size` and `seats` count reachable people only."""

    known: int
    size: int
    smallest: int
    largest: int
    seats: tuple[Seat, ...]
    #: Why the others cannot be reached, with counts.
    unreachable: tuple[tuple[Reason, int], ...] = ()

    @property
    def missing(self) -> tuple[Seat, ...]:
        """Seats with nobody, or too few, in them, in the play's order."""
        return tuple(seat for seat in self.seats if seat.missing)

    @property
    def most_wanted(self) -> Role | None:
        """The empty seat to find first: the play's order says which matters more. None: no seat is empty."""
        return self.missing[0].role if self.missing else None

    @property
    def is_complete(self) -> bool:
        return not self.missing and self.smallest <= self.size

    @property
    def is_too_large(self) -> bool:
        """More people than decide anything together; a hint to look who really does."""
        return self.known > self.largest

    @property
    def share(self) -> float:
        """Wanted seats that are filled, from 0 to 1; 1 if the play wants none."""
        wanted = sum(seat.wanted for seat in self.seats)
        return (wanted - sum(seat.missing for seat in self.seats)) / wanted if wanted else 1.0

    def __str__(self) -> str:
        """``3 of 4 seats, 5 people reachable; missing: economic buyer``."""
        filled = sum(seat.wanted - seat.missing for seat in self.seats)
        people = "1 person" if self.size == 1 else f"{self.size} people"
        head = f"{filled} of {sum(seat.wanted for seat in self.seats)} seats, {people} reachable"
        named = ", ".join(seat.role.label for seat in self.missing)
        few = f"; fewer than {self.smallest}" if self.size < self.smallest else ""
        return head + (f"; missing: {named}" if named else "") + few


def unreachable_because(member: Member, now: datetime) -> Reason | None:
    """Why nobody may or can write to this person; None if somebody may."""
    if member.email_status == EmailStatus.LEFT:
        return Reason.LEFT
    if member.email_status == EmailStatus.COMPLAINED or (member.opted_out_at and member.opted_out_at <= now):
        return Reason.OPTED_OUT
    if member.suppressed:
        return Reason.SUPPRESSED
    if member.is_wrong:
        return Reason.VETOED
    if member.email_status != EmailStatus.OK:
        return Reason.BOUNCED
    if not member.consent_basis or (member.consent_at and member.consent_at > now):
        return Reason.NO_CONSENT
    return None


def measure(members: Iterable[Member], group: Group, now: datetime) -> Completeness:
    """The group of one account against the play's wish, as of `now` (aware UTC)."""
    answers = [(member, unreachable_because(member, now)) for member in members]
    seated = Counter(member.role for member, reason in answers if reason is None)
    return Completeness(
        known=len(answers),
        size=sum(seated.values()),
        smallest=group.smallest,
        largest=group.largest,
        seats=tuple(Seat(wish.role, wish.least, seated[wish.role]) for wish in group.wanted),
        unreachable=tuple(sorted(Counter(reason for _, reason in answers if reason).items())),
    )
