"""Signs, and what they add up to.

Each sign is a share of certainty from 0 to 1. Signs of different families are taken as independent, and what is left of
the doubt is multiplied: 0.7 and 0.5 make 1 - 0.3 x 0.5 = 0.85 ("noisy or": J. Pearl, "Probabilistic Reasoning in
Intelligent Systems", 1988, 4.3.2). Of one family only the strongest counts. So more signs never make a signal a
person's again, and their order does not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import prod
from typing import NamedTuple

from accounts.vocabulary import SignalKind

#: Only these can be a machine's doing.
SUSPECTS: frozenset[SignalKind] = frozenset(
    {SignalKind.OPENED, SignalKind.CLICKED, SignalKind.VISITED, SignalKind.DOWNLOADED, SignalKind.AD_CLICKED}
)
#: Only these are held against their neighbours. Opens weigh nothing, visits and ads belong to no mail.
JUDGED: frozenset[SignalKind] = frozenset({SignalKind.CLICKED, SignalKind.DOWNLOADED})

#: From here on a signal counts as a machine's.
ENOUGH = 0.8


class Family(StrEnum):
    """Signs of one family say the same thing twice. In the order in which reasons are told."""

    TRAP = "trap"
    PROVIDER = "provider"
    PROGRAM = "program"
    METHOD = "method"
    NETWORK = "network"
    PACE = "pace"
    LINKS = "links"
    COMPANY = "company"


_PLACES = {family: place for place, family in enumerate(Family)}


class Sign(NamedTuple):
    """One thing that speaks for a machine, by itself so sure, in words a person reads."""

    family: Family
    sure: float
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How sure it is that no person made a signal, and why; the first reason is the strongest family's."""

    confidence: float
    reasons: tuple[str, ...]

    @property
    def is_machine(self) -> bool:
        return self.confidence >= ENOUGH

    @property
    def reason(self) -> str:
        """All reasons on one line, as the ledger keeps them."""
        return "; ".join(self.reasons)[:300]


def add_up(signs: Iterable[Sign]) -> Verdict | None:
    """What these signs make together; None without any."""
    strongest: dict[Family, Sign] = {}
    for sign in signs:
        known = strongest.get(sign.family)
        if known is None or (sign.sure, sign.reason) > (known.sure, known.reason):
            strongest[sign.family] = sign
    return _verdict(tuple(sorted(strongest.values(), key=_in_order))) if strongest else None


@lru_cache(maxsize=4096)
def _verdict(signs: tuple[Sign, ...]) -> Verdict:
    return Verdict(1.0 - prod(1.0 - sign.sure for sign in signs), tuple(sign.reason for sign in signs))


def _in_order(sign: Sign) -> tuple[float, int]:
    """The surest first: a list of reasons is cut where the column ends."""
    return -sign.sure, _PLACES[sign.family]
