"""Who owes whom an answer, and by when: what sales promised marketing in `play.yaml` (`sla.sales_answer`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from accounts.briefs.material import Evidence, Sign
from accounts.playbook import Sla
from accounts.vocabulary import SignalKind

#: Signals by which a person asks for something.
ASKS = frozenset({SignalKind.REPLIED, SignalKind.FORM_FILLED})


@dataclass(frozen=True, slots=True)
class Clock:
    """Sales owes an answer by `due`."""

    since: datetime
    due: datetime
    #: Whom; None when only the company is known.
    person: int | None
    #: A person asked; otherwise the account turned hot and a call is wanted.
    is_asked: bool
    evidence: Evidence

    def is_overdue(self, as_of: datetime) -> bool:
        return as_of > self.due

    def ran_out(self, since: datetime, as_of: datetime) -> bool:
        """Passed its due time between two looks: worth telling even if nothing else happened."""
        return since < self.due <= as_of


def owed_answer(asks: Iterable[Sign], answered_at: datetime | None, sla: Sla, as_of: datetime) -> Clock | None:
    """The clock of the oldest question that sales has not touched the account since; None when nothing is open."""
    open_asks = [ask for ask in asks if ask.at <= as_of and (answered_at is None or ask.at > answered_at)]
    if not open_asks:
        return None
    oldest = min(open_asks, key=lambda ask: (ask.at, ask.id))
    return Clock(oldest.at, oldest.at + sla.sales_answer, oldest.person, True, oldest.evidence)


def owed_call(signs: Iterable[Sign], contacted_at: datetime | None, sla: Sla, told_at: datetime) -> Clock | None:
    """The clock of an account that turned hot, if any of these signs came after sales' own last touch.

    It runs from the moment sales is told: a reply reaches the rep by itself, rising interest does not.
    """
    fresh = [sign for sign in signs if contacted_at is None or sign.at > contacted_at]
    if not fresh:
        return None
    proof = tuple(proof for sign in fresh for proof in sign.evidence)
    return Clock(told_at, told_at + sla.sales_answer, fresh[0].person, False, proof)
