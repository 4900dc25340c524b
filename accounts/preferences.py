"""What a recipient may choose about our mail, and what each choice means: pure.

pause   nothing for thirty days
fewer   at most one mail in fourteen days
topic   only mail about one topic, one of those of the mail the page was opened from
all     fewer and topic are taken back; a pause runs to its end, and an opt-out stands
none    no mail at all: the opt-out
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from accounts.vocabulary import Reason

PAUSE = timedelta(days=30)
FEWER = timedelta(days=14)


class Choice(StrEnum):
    PAUSE = "pause"
    FEWER = "fewer"
    TOPIC = "topic"
    ALL = "all"
    NONE = "none"


#: Why a mail that was planned before the choice does not leave.
STOPPED_BY: Mapping[Choice, Reason] = {
    Choice.PAUSE: Reason.AWAY,
    Choice.FEWER: Reason.PERSON_CAP,
    Choice.TOPIC: Reason.OTHER_TOPIC,
}


def said(choice: Choice, topic: str | None, now: datetime) -> dict[str, Any]:
    """The data of the signal `preferred`, as accounts/outcomes reads it."""
    match choice:
        case Choice.PAUSE:
            return {"choice": choice.value, "until": (now + PAUSE).isoformat()}
        case Choice.FEWER:
            return {"choice": choice.value, "every_days": FEWER.days}
        case Choice.TOPIC:
            return {"choice": choice.value, "topic": topic}
        case _:
            return {"choice": choice.value}
