"""What a warning and an escalation say, in words both teams use. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from accounts.letters import Words
from accounts.vocabulary import Duty

#: What the letter about a broken promise is written under, with the number of its clock.
ESCALATED = "sla:{}:escalated"


@dataclass(frozen=True, slots=True)
class Owed:
    """What somebody owes, as its reader knows the things."""

    duty: Duty
    started_at: datetime
    #: None while a hold without an end pauses it.
    due_at: datetime | None
    #: The account's name; a plan or a content where there is none.
    where: str
    #: Who asked, where somebody did.
    person: str | None
    #: The rep who owes it (sales), or whom it is owed to (marketing).
    rep: str | None
    zone: ZoneInfo
    account: int | None = None
    account_key: str | None = None


class _Saying(NamedTuple):
    """`due`: while there is time. `late`: after. `since`: what happened."""

    due: str
    late: str
    since: str


_SAYINGS: Mapping[Duty, _Saying] = {
    Duty.ANSWER: _Saying(
        "{where} waits for your answer{by}", "{where} still waits for an answer", "{person} asked on {since}."
    ),
    Duty.CALL: _Saying(
        "{where} is hot: please call{by}", "{where} is hot, and nobody has called",
        "Since sales last spoke with them they did more than usual; we saw it on {since}.",
    ),
    Duty.FIRST_NURTURE: _Saying(
        "{where} waits for its first mail{by}", "{where} still waits for its first mail",
        "Sales made contact on {since}.",
    ),
    Duty.FRESH_CONTENT: _Saying(
        "{where} is to be replaced{by}", "{where} was not replaced",
        "People have waited for it since {since}, and its review or its last day has passed.",
    ),
    Duty.HANDOFF_ANSWER: _Saying(
        "{where} came back from sales: please answer{by}", "{where} came back from sales, and nobody answered",
        "{rep} gave it back on {since}.",
    ),
    Duty.RIGHT_LIST: _Saying(
        "A wrong list is to be put right{by}: {where}", "A wrong list was not put right: {where}",
        "On {since} we learned of somebody who should not be on it.",
    ),
}  # fmt: skip


def warning(owed: Owed, percent: int) -> Words:
    """For the one who owes it, while there is time."""
    words = _words(owed)
    left = f"{percent} % of the time is over; nights, weekends and holidays do not count."
    return _letter(owed, _SAYINGS[owed.duty].due.format_map(words), _since(owed), left, _stops(owed))


def escalation(owed: Owed) -> Words:
    """For the one who can help, once, when the time is over."""
    due = f"It was due {_moment(owed.due_at, owed.zone)}." if owed.due_at else ""
    whose = f" {owed.rep} may need a hand." if owed.rep and owed.duty in (Duty.ANSWER, Duty.CALL) else ""
    return _letter(owed, _SAYINGS[owed.duty].late.format_map(_words(owed)), _since(owed), due + whose, _stops(owed))


def _letter(owed: Owed, headline: str, *lines: str) -> Words:
    command = f"tandem sla --account {owed.account_key}" if owed.account_key else "tandem sla --side marketing"
    told = (*(line for line in lines if line), f"Times are those of {owed.zone.key}.")
    return Words(headline, told, owed.account, "other", command)


def _since(owed: Owed) -> str:
    return _SAYINGS[owed.duty].since.format_map(_words(owed))


def _stops(owed: Owed) -> str:
    """How the clock stops, for the two that a rep stops."""
    return {
        Duty.ANSWER: "A mail, a call or a meeting with them stops the clock, once it is in the CRM.",
        Duty.CALL: "A call or a word about the account stops the clock.",
    }.get(owed.duty, "")


def _words(owed: Owed) -> dict[str, str]:
    by = f" by {_moment(owed.due_at, owed.zone)}" if owed.due_at else ""
    return {
        "where": owed.where, "person": owed.person or "Somebody", "rep": owed.rep or "Sales", "by": by,
        "since": _moment(owed.started_at, owed.zone),
    }  # fmt: skip


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %d %b, %H:%M}"
