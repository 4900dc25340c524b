"""What starts a clock, and what stops it. Facts come in, causes with their answers go out.

A clock is kept by what happened, never by what somebody ticked, where the ledger can tell: a call, a mail that left, a
seat given to somebody else. Where it cannot, a person's word stops it (`tandem sla answer`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from accounts.vocabulary import Duty, HoldCause, Side, SignalKind, Verdict

#: Signals by which a person asks for something.
ASKS = frozenset({SignalKind.REPLIED, SignalKind.FORM_FILLED})
#: Nobody has to be called who has just agreed to meet.
MEETINGS = frozenset({SignalKind.MEETING_BOOKED, SignalKind.MEETING_HELD})
#: What happened longer ago when we hear of it is history: it starts no clock.
HISTORY = timedelta(days=28)
#: Holds that mean "sales has the word". They pause marketing, and start sales' clock rather than pausing it.
SALES_HAS_THE_WORD = frozenset({HoldCause.REPLY, HoldCause.MEETING, HoldCause.SLA})
#: Why people are taken off a plan that say something about the list: that they should not have stood on it.
ABOUT_PEOPLE = frozenset(
    {
        "opted_out", "suppressed", "left", "bounced", "no_consent", "not_contacted", "owner_conflict", "vetoed",
        "address_changed", "bad_address", "duplicate_address",
    }
)  # fmt: skip

SIDE_OF = {
    Duty.ANSWER: Side.SALES,
    Duty.CALL: Side.SALES,
    Duty.FIRST_NURTURE: Side.MARKETING,
    Duty.FRESH_CONTENT: Side.MARKETING,
    Duty.HANDOFF_ANSWER: Side.MARKETING,
    Duty.RIGHT_LIST: Side.MARKETING,
}

#: Which promise of the play covers a duty.
PROMISE_OF = {
    Duty.ANSWER: "sales_answer",
    Duty.CALL: "sales_answer",
    Duty.FIRST_NURTURE: "marketing_first_nurture",
    Duty.FRESH_CONTENT: "marketing_content",
    Duty.HANDOFF_ANSWER: "marketing_handoff",
    Duty.RIGHT_LIST: "marketing_list",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened at an account, and the row that proves it: ``signal:17``."""

    proof: str
    at: datetime
    #: When we knew of it; never before it happened.
    known_at: datetime
    person: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A rep's verdict."""

    fact: Fact
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Cause:
    """Why somebody owes something. (`duty`, `subject`) names its clock for ever."""

    duty: Duty
    subject: str
    happened_at: datetime
    started_at: datetime
    evidence: tuple[str, ...]
    account: int | None = None
    person: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a debt ended. `is_kept` False: nothing is owed any more, and nobody kept it either."""

    at: datetime
    by: str
    is_kept: bool = True


def asked(account: int, asks: Iterable[Fact], answers: Sequence[Fact]) -> list[Cause]:
    """One clock for all that people asked between two touches by sales: the first question we knew of starts it.

    answers: what sales did, in any order. What sales answered before we knew of the question starts no clock.
    """
    dated = [(ask, first_after(answers, ask.at)) for ask in asks]
    rounds = sorted(dated, key=lambda one: (_when(one[1]), one[0].known_at, one[0].proof))
    causes = []
    for _, group in groupby(rounds, key=lambda one: _when(one[1])):
        (first, answer), *more = group
        if answer is None or answer.at > first.known_at:
            proof = (first.proof, *(ask.proof for ask, _ in more))
            causes.append(Cause(Duty.ANSWER, first.proof, first.at, first.known_at, proof, account, first.person))
    return causes


def turned_hot(account: int, acts: Sequence[Fact], now: datetime) -> Cause:
    """The clock of an account that is hot at `now`; `acts`: what people did since sales' last touch, at least one.

    It runs from the moment it is seen: a question reaches the rep by itself, rising interest does not.
    """
    ordered = sorted(acts, key=lambda act: (act.at, act.proof))
    first = ordered[0]
    return Cause(Duty.CALL, first.proof, first.at, now, tuple(act.proof for act in ordered), account, first.person)


def came_back(account: int, told: Told) -> Cause | None:
    """The clock of a hand-off that a rep gave back; None for one that was taken."""
    if told.verdict is Verdict.RIPE:
        return None
    duty = Duty.RIGHT_LIST if told.verdict is Verdict.WRONG_PERSON else Duty.HANDOFF_ANSWER
    fact = told.fact
    return Cause(duty, fact.proof, fact.at, fact.known_at, (fact.proof,), account, fact.person)


def first_after(facts: Iterable[Fact], at: datetime) -> Fact | None:
    """The earliest of these facts after a moment."""
    later = [fact for fact in facts if fact.at > at]
    return min(later, key=lambda fact: (fact.at, fact.proof), default=None)


def ended_by(facts: Iterable[Fact], after: datetime) -> End | None:
    """The end that the first of these facts after `after` makes."""
    first = first_after(facts, after)
    return End(first.at, first.proof) if first else None


def _when(answer: Fact | None) -> float:
    return answer.at.timestamp() if answer else float("inf")
