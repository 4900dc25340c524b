"""What a rep's verdict changes, as values. A rep's word outranks automation; `ripe` and `not_yet` change no plan.

ripe          sales takes it from here: recorded, and weighed when scores are calibrated against verdicts
not_yet       go on nurturing: recorded likewise
bad_timing    the account or the person is left alone until the day the rep names
wrong_person  this person gets no more mail; colleagues go on

The score counts the latest word on an account or a person like a signal (`WEIGHS_AS`, weighed by the play). The part of
a wrong person is left out of it for as long as no mail may reach them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from accounts.errors import InputRefused
from accounts.vocabulary import SignalKind, Verdict

#: What a word weighs in the score as.
WEIGHS_AS: Mapping[Verdict, SignalKind] = {
    Verdict.RIPE: SignalKind.SAID_RIPE,
    Verdict.NOT_YET: SignalKind.SAID_NOT_YET,
    Verdict.BAD_TIMING: SignalKind.SAID_BAD_TIMING,
}
#: Signals that are words of ours: they say nothing of how busy an account is, and prove no score.
REPS_WORDS: frozenset[SignalKind] = frozenset(WEIGHS_AS.values())

#: How long "bad timing" without a day lasts.
UNDATED_PAUSE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class LeaveAlone:
    """A hold by the rep."""

    until: datetime


@dataclass(frozen=True, slots=True)
class VetoPerson:
    """No mail to this person at all."""


def consequences(
    verdict: Verdict, at: datetime, *, callback_on: date | None = None, is_person: bool, until: datetime | None = None
) -> tuple[LeaveAlone | VetoPerson, ...]:
    """What follows from a verdict on an account, or on a person. until: when that day begins where the rep is.

    Raises InputRefused for `wrong_person` said of an account, and for a day that is over.
    """
    if callback_on is not None and callback_on < at.date():
        raise InputRefused(f"{callback_on} is over", where="callback_on", cure="name a day to come")
    if verdict is Verdict.BAD_TIMING:
        day = datetime.combine(callback_on, time(), UTC) if callback_on else at + UNDATED_PAUSE
        ends = until or day
        return (LeaveAlone(ends),) if ends > at else ()
    if verdict is Verdict.WRONG_PERSON:
        if not is_person:
            raise InputRefused("an account is no wrong person", cure="give the person's address, not the account's key")
        return (VetoPerson(),)
    return ()
