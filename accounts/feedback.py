"""What a rep's verdict changes, as values. A rep's word outranks automation; `ripe` and `not_yet` change no plan.

ripe          sales takes it from here: recorded, and weighed when scores are calibrated against verdicts
not_yet       go on nurturing: recorded likewise
bad_timing    the account or the person is left alone until the day the rep names
wrong_person  this person gets no more mail; colleagues go on
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from accounts.errors import InputRefused
from accounts.vocabulary import Verdict

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
