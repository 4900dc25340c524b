"""When to stop by oneself: too many messages of a play, or to one recipient domain, bounce or are called spam.

Pure: counts and limits in, a verdict out. Gmail wants complaints below 0.1 % and never at 0.3 %; sending services
review a sender at 5 % hard bounces. The shares are of what was sent over the last days, from a number on that says
something.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from accounts.vocabulary import BrakeScope


class Tolerance(BaseModel):
    """From when on bounces and complaints warn, and from when on they stop. Shares: 0.003 is 0.3 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: How many days back sent messages count.
    days: int = Field(7, ge=1)
    #: Fewer messages than this say nothing yet.
    least_sent: int = Field(100, ge=1)
    #: Nor do fewer complaints, or bounces, than this.
    least: int = Field(2, ge=1)
    complaints_warn: float = Field(0.001, gt=0, le=1)
    complaints_stop: float = Field(0.003, gt=0, le=1)
    bounces_warn: float = Field(0.02, gt=0, le=1)
    bounces_stop: float = Field(0.05, gt=0, le=1)


class Word(StrEnum):
    WARN = "warn"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Record:
    """What became of the messages of a play, or to a recipient domain, that left since `since`."""

    scope: BrakeScope
    target: str
    since: datetime
    #: Accepted for delivery, or refused for good.
    sent: int
    #: Messages that bounced for good, and those that were called spam.
    bounced: int
    complained: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a record, in a sentence."""

    word: Word
    record: Record
    says: str


def judge(record: Record, tolerance: Tolerance) -> Finding | None:
    """The graver of what bounces and complaints come to; None when there is nothing to say."""
    complaints = (
        record.complained, "were called spam by their readers", tolerance.complaints_warn, tolerance.complaints_stop
    )  # fmt: skip
    bounces = (record.bounced, "bounced", tolerance.bounces_warn, tolerance.bounces_stop)
    found = [_judge(record, tolerance, *one) for one in (complaints, bounces)]
    told = [one for one in found if one]
    return next((one for one in told if one.word is Word.STOP), told[0] if told else None)


def _judge(
    record: Record, tolerance: Tolerance, count: int, became: str, warn: float, stop: float
) -> Finding | None:  # fmt: skip
    if record.sent < tolerance.least_sent or count < tolerance.least:
        return None
    share = count / record.sent
    if share < min(warn, stop):
        return None
    told = f"{count:,} of {record.sent:,} messages since {record.since:%d %b %H:%M} UTC {became}: {share:.2%}"
    if share >= stop:
        return Finding(Word.STOP, record, f"{told}, the limit is {stop:.2%}")
    return Finding(Word.WARN, record, f"{told}, stopped at {stop:.2%}")
