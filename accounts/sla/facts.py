"""The facts that clocks are kept by, as one value: `accounts/ledger/sla/facts.py` reads it, `keeping.py` judges it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.sla.causes import Fact, Told
from accounts.sla.hours import Desk, Span
from accounts.vocabulary import Side

#: Account id -> facts, in any order.
ByAccount = Mapping[int, Sequence[Fact]]


@dataclass(frozen=True, slots=True)
class Stood:
    """An account, as far as clocks care."""

    id: int
    key: str
    stage: str
    owner: int | None


@dataclass(frozen=True, slots=True)
class PlanFact:
    """A send plan: whether it was stopped, by what the gate found, or went."""

    id: int
    state: str
    created_at: datetime
    approved_at: datetime | None
    checks: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many people of a stage and role for whom planning says: this content, or that theirs has expired."""

    stage: str
    role: str
    content: str | None
    reason: str | None
    people: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that starts or stops a clock of one play, as known at one moment."""

    desks: Mapping[int, Desk] = field(default_factory=dict)
    accounts: Mapping[int, Stood] = field(default_factory=dict)
    #: What people asked; what people did at hot accounts since sales' last word; meetings they agreed to.
    asks: ByAccount = field(default_factory=dict)
    hot: ByAccount = field(default_factory=dict)
    meetings: ByAccount = field(default_factory=dict)
    #: First contacts.
    contacted: Mapping[int, Fact] = field(default_factory=dict)
    verdicts: Mapping[int, Sequence[Told]] = field(default_factory=dict)
    #: What sales did, what marketing sent, seats of the buying group that changed hands.
    sales: ByAccount = field(default_factory=dict)
    mails: ByAccount = field(default_factory=dict)
    seats: ByAccount = field(default_factory=dict)
    #: Spans in which a hold on the account pauses the clocks of a side.
    pauses: Mapping[tuple[int, Side], Sequence[Span]] = field(default_factory=dict)
    #: Send plans, oldest first.
    plans: Sequence[PlanFact] = ()
    waiting: Sequence[Waiting] = ()
