"""A manager's week on one page: what is owed, what is hot, what reps answered, of whom nothing was heard. At most 200
words, and no blame: who is silent may have every reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.briefs.material import clip
from accounts.briefs.saying import Local, counted, listed
from accounts.letters import EVERYTHING, Words

#: Accounts that are named; the others are counted.
MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Owed:
    """A call or an answer that a rep owes an account."""

    account: str
    rep: str
    due: datetime
    is_asked: bool


@dataclass(frozen=True, slots=True)
class RepWeek:
    """What a rep did with Tandem in the last week."""

    name: str
    accounts: int
    answers: int
    #: Digests of the last weeks, and how many of them were opened or answered.
    briefs: int
    read: int

    @property
    def is_silent(self) -> bool:
        """Neither answered nor opened anything, though there was something to open."""
        return not self.answers and not self.read and self.briefs > 1


@dataclass(frozen=True, slots=True)
class ManagerWeek:
    """All of one manager's reps."""

    address: str
    reps: tuple[RepWeek, ...]
    #: What is due first comes first.
    owed: tuple[Owed, ...]
    #: Promises of sales that ended in the last week, and how many of them in time.
    ended: int
    in_time: int


def roll_up(week: ManagerWeek, local: Local) -> Words:
    """The letter."""
    late = [one for one in week.owed if one.due <= local.now]
    open_still = [one for one in week.owed if one.due > local.now]
    lines = (
        _of_some("Overdue", late, local) or "Nothing is overdue.",
        _of_some("Due next", open_still, local),
        _kept(week),
        _answered(week.reps),
        _silent([rep for rep in week.reps if rep.is_silent]),
    )
    headline = f"Your reps' week: {counted(len(late), 'account')} waiting too long" if late else "Your reps' week"
    return Words(headline, tuple(line for line in lines if line), account=EVERYTHING)


def _of_some(label: str, owed: Sequence[Owed], local: Local) -> str:
    if not owed:
        return ""
    named = [_one(one, local) for one in owed[:MOST_NAMED]]
    left = len(owed) - len(named)
    return f"{label}: {listed(named + ([f'{left} more'] if left else []))}."


def _one(one: Owed, local: Local) -> str:
    what = "an answer" if one.is_asked else "a call"
    return f"{what} to {clip(one.account, 4, 40)} ({clip(one.rep, 3, 30)}, {local.moment(one.due)})"


def _kept(week: ManagerWeek) -> str:
    return f"Of {counted(week.ended, 'promise')} that ended, {week.in_time} were kept in time." if week.ended else ""


def _answered(reps: Sequence[RepWeek]) -> str:
    told = [f"{clip(rep.name, 3, 30)} {rep.answers}" for rep in reps if rep.answers]
    return f"Answers that changed what marketing does: {listed(told[:8])}." if told else ""


def _silent(reps: Sequence[RepWeek]) -> str:
    if not reps:
        return ""
    names = listed([f"{clip(rep.name, 3, 30)} ({counted(rep.accounts, 'account')})" for rep in reps[:MOST_NAMED]])
    return f"Briefs lie unopened at: {names}. Ask what would make them worth reading; we gladly change them."
