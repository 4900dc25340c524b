"""What a brief says of sales' clock. The ledger's clock where one stands; worked out from the material where none does.

Both come to the same: the ledger is asked for what cannot be worked out again, such as when an account was first hot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from accounts.playbook import Play
from accounts.sla.hours import calendar_of, due, less, opened


class Sign(Protocol):
    """Something a person did, as briefs know it."""

    @property
    def id(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def person(self) -> int | None: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Owing:
    """Sales owes an answer by `due`."""

    since: datetime
    due: datetime
    #: Whom; None when only the company is known.
    person: int | None
    #: A person asked; otherwise the account turned hot and a call is wanted.
    is_asked: bool
    evidence: tuple[str, ...]

    def is_overdue(self, as_of: datetime) -> bool:
        return as_of > self.due

    def ran_out(self, since: datetime, as_of: datetime) -> bool:
        """Passed its due time between two looks: worth telling even if nothing else happened."""
        return since < self.due <= as_of


def owed_answer(
    asks: Iterable[Sign], answered_at: datetime | None, play: Play, zone: str, as_of: datetime
) -> Owing | None:
    """The clock of the oldest question that sales has not touched the account since; None when nothing is open."""
    open_asks = [ask for ask in asks if ask.at <= as_of and (answered_at is None or ask.at > answered_at)]
    if not open_asks:
        return None
    oldest = min(open_asks, key=lambda ask: (ask.at, ask.id))
    return _owing(oldest.at, oldest.person, True, oldest.evidence, play, zone)


def owed_call(
    signs: Sequence[Sign], contacted_at: datetime | None, play: Play, zone: str, told_at: datetime
) -> Owing | None:
    """The clock of an account that turned hot, if any of these signs came after sales' own last touch.

    It runs from the moment sales is told: a reply reaches the rep by itself, rising interest does not.
    """
    fresh = [sign for sign in signs if contacted_at is None or sign.at > contacted_at]
    if not fresh:
        return None
    proof = tuple(proof for sign in fresh for proof in sign.evidence)
    return _owing(told_at, fresh[0].person, False, proof, play, zone)


def _owing(
    since: datetime, person: int | None, is_asked: bool, evidence: tuple[str, ...], play: Play, zone: str
) -> Owing | None:  # fmt: skip
    at = due(less(opened(calendar_of(play, zone), since), ()), play.sla.sales_answer)
    return Owing(since, at, person, is_asked, evidence) if at else None
