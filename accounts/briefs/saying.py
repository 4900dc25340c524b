"""How a brief says things: short, concrete, in the rep's own time, in words both teams use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self
from zoneinfo import ZoneInfo

from accounts.briefs.material import clip
from accounts.playbook import Play, Step
from accounts.vocabulary import HoldCause, Reason, Role, SignalKind

#: What a person did, after the name; `{of}` and `{to}` name the e-mail when we know which it was.
DID: dict[SignalKind, str] = {
    SignalKind.REPLIED: "replied{to}",
    SignalKind.FORM_FILLED: "filled in a form",
    SignalKind.MEETING_BOOKED: "booked a meeting",
    SignalKind.MEETING_HELD: "met with us",
    SignalKind.WEBINAR_ATTENDED: "attended a webinar",
    SignalKind.EVENT_ATTENDED: "came to an event",
    SignalKind.WEBINAR_REGISTERED: "registered for a webinar",
    SignalKind.DOWNLOADED: "downloaded a document{of}",
    SignalKind.CLICKED: "followed a link{of}",
    SignalKind.VISITED: "visited our website",
    SignalKind.AD_CLICKED: "clicked an ad",
    SignalKind.UNSUBSCRIBED: "opted out of marketing mail",
    SignalKind.PREFERRED: "chose which mail to get",
    SignalKind.COMPLAINED: "reported our mail as spam",
    SignalKind.BOUNCED: "cannot be reached: mail bounced",
    SignalKind.LEFT_COMPANY: "has left the company",
    SignalKind.OUT_OF_OFFICE: "is out of office",
}

#: The same in the picture of the buying group.
DID_SHORT: dict[SignalKind, str] = {
    SignalKind.REPLIED: "replied",
    SignalKind.FORM_FILLED: "filled in form",
    SignalKind.MEETING_BOOKED: "booked meeting",
    SignalKind.MEETING_HELD: "met with us",
    SignalKind.WEBINAR_ATTENDED: "at webinar",
    SignalKind.EVENT_ATTENDED: "at event",
    SignalKind.WEBINAR_REGISTERED: "webinar registration",
    SignalKind.DOWNLOADED: "downloaded",
    SignalKind.CLICKED: "followed link",
    SignalKind.VISITED: "visited website",
    SignalKind.AD_CLICKED: "clicked ad",
}

#: The question that fills an empty seat.
QUESTIONS: dict[Role, str] = {
    Role.ECONOMIC_BUYER: "Who signs off the budget?",
    Role.DECISION_MAKER: "Who makes the decision?",
    Role.EXECUTIVE_SPONSOR: "Which executive stands behind it?",
    Role.CHAMPION: "Who wants this to happen?",
    Role.TECHNICAL_EVALUATOR: "Who checks that it works?",
    Role.END_USER: "Who will use it every day?",
    Role.PROCUREMENT: "Who places the order?",
    Role.LEGAL: "Who reads the contract?",
    Role.INFLUENCER: "Whose opinion counts?",
    Role.BLOCKER: "Who is against it?",
}

#: Why nothing goes out to somebody, as half a sentence.
BECAUSE: dict[Reason, str] = {
    Reason.NOT_CONTACTED: "no sales contact yet",
    Reason.STAGE_NOT_NURTURED: "marketing is silent in this stage",
    Reason.ACCOUNT_HELD: "the account is on hold",
    Reason.STAKEHOLDER_HELD: "on hold",
    Reason.OPTED_OUT: "opted out",
    Reason.SUPPRESSED: "on the do-not-mail list",
    Reason.NO_CONSENT: "no consent",
    Reason.BOUNCED: "mail bounced",
    Reason.LEFT: "left the company",
    Reason.PAUSED_AFTER_REPLY: "paused after the reply",
    Reason.PAUSED_FOR_MEETING: "paused around the meeting",
    Reason.VETOED: "you said no",
    Reason.AWAITING_APPROVAL: "waiting for your yes",
    Reason.PERSON_CAP: "enough mail this week",
    Reason.ACCOUNT_CAP: "enough mail to this account this week",
    Reason.OUTSIDE_WINDOW: "outside office hours",
    Reason.HOLIDAY: "public holiday",
    Reason.WAITING_STEP: "the next mail is not due",
    Reason.SEQUENCE_FINISHED: "all mails of this stage are out",
    Reason.NO_CONTENT: "no mail for this role and stage",
    Reason.CONTENT_EXPIRED: "the next mail has expired",
    Reason.OWNER_CONFLICT: "stands in two accounts",
    Reason.STALE_CRM: "CRM data is too old",
    Reason.UNKNOWN_ROLE: "role unknown",
    Reason.NOT_IN_PLAY: "the play is not for this account",
    Reason.AWAY: "out of office",
    Reason.STAGGERED: "a colleague just got the same mail",
    Reason.LATE_STEP: "the next mail is too late and waits for a decision",
    Reason.OTHER_TOPIC: "wants mail about one topic only",
    Reason.DELAYED_BY_REP: "later, as you asked",
    Reason.PERSON_OFF_LIMITS: "off limits, as you asked",
    Reason.TOPIC_OFF_LIMITS: "the topic is off limits, as you asked",
    Reason.LEASE_CAP: "as many mails this week as you asked for",
    Reason.PLAN_CANCELLED: "marketing took the next mail back for now",
}

#: Why an account is on hold.
HELD_FOR: dict[HoldCause, str] = {
    HoldCause.REP: "by sales",
    HoldCause.REPLY: "after a reply",
    HoldCause.MEETING: "around a meeting",
    HoldCause.COMPLAINT: "after a complaint",
    HoldCause.SLA: "until sales answers",
    HoldCause.LEGAL: "for legal reasons",
}

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_VARIABLE = re.compile(r"{{\s*([a-z_.]+)\s*}}")


@dataclass(frozen=True, slots=True)
class Local:
    """Times as the rep's own clock and calendar show them, seen from `now`."""

    zone: ZoneInfo
    now: datetime
    today: date

    @classmethod
    def at(cls, now: datetime, zone: ZoneInfo) -> Self:
        return cls(zone, now, now.astimezone(zone).date())

    def moment(self, at: datetime) -> str:
        """``Mon 10:12`` within six days either way, otherwise ``Mon 12 Oct 10:12``."""
        there = at.astimezone(self.zone)
        day = "" if self._is_near(there) else f" {there.day} {_MONTHS[there.month - 1]}"
        return f"{_DAYS[there.weekday()]}{day} {there.hour:02}:{there.minute:02}"

    def day(self, at: datetime) -> str:
        """``Mon`` within six days either way, otherwise ``12 Oct``; with the year when it is another one."""
        there = at.astimezone(self.zone)
        if self._is_near(there):
            return _DAYS[there.weekday()]
        year = "" if there.year == self.today.year else f" {there.year}"
        return f"{there.day} {_MONTHS[there.month - 1]}{year}"

    def in_full(self, at: datetime) -> str:
        """``Tuesday 24 November 2026, 11:00``."""
        there = at.astimezone(self.zone)
        return f"{there:%A} {there.day} {there:%B %Y, %H:%M}"

    def _is_near(self, there: date) -> bool:
        return abs(there.toordinal() - self.today.toordinal()) <= 6


def title_of(content: str, play: Play, account: str, words: int = 8) -> str:
    """What an e-mail is called: its subject for this account, or its file's name when we cannot fill the subject in."""
    step = play.step(content)
    name = content.rpartition("/")[2].replace("-", " ").capitalize()
    return clip(_filled(step, play, account) or name if step else name, words, letters=56)


def _filled(step: Step, play: Play, account: str) -> str:
    known = {"account.name": account, "vendor.name": play.vendor.name}
    filled = _VARIABLE.sub(lambda match: known.get(match[1], match[0]), step.subject)
    return "" if "{{" in filled or "{%" in filled else filled


def did(kind: SignalKind, title: str | None) -> str:
    """``replied to “A pilot that can fail”``."""
    of, to = (f" in “{title}”", f" to “{title}”") if title else ("", "")
    return DID[kind].format(of=of, to=to)


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def counted(number: int, thing: str) -> str:
    """``1 mail``, ``2 mails``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
