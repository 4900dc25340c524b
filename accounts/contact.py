"""Has sales really talked to them? The first two-way contact of an account, by the play's rules, with its evidence.

The play says which activities may count; it cannot make an attempt count. A dialled number, a voicemail, a no-show, a
meeting that lies ahead, an e-mail of ours without an answer, an absence note: nobody has talked to anybody.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from accounts.playbook import ContactRule
from accounts.spelling import squeeze
from accounts.vocabulary import ActivityKind, Direction


class Spoken(NamedTuple):
    """An activity, as far as it matters for contact. `occurred_at` is aware UTC."""

    id: int
    kind: str
    direction: str | None
    outcome: str | None
    subject: str | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """The first real contact and the activity that proves it."""

    activity_id: int
    at: datetime
    evidence: str


#: Outcomes that say nobody talked to anybody, in the words of CRMs and people; a part of the outcome is enough.
ATTEMPTS: tuple[str, ...] = (
    "voicemail", "voice message", "answering machine", "left message", "left live message", "no answer", "unanswered",
    "not answered", "no response", "not reached", "unreachable", "no connect", "not connected", "busy", "wrong number",
    "attempt", "tried", "no show", "absent", "out of office", "bounced", "undeliver", "cancel", "postponed", "declined",
    "not held", "did not take place",
    "mailbox", "anrufbeantworter", "nicht erreicht", "nicht erschienen", "besetzt", "niemand", "abwesen", "versuch",
    "abgesagt", "verschoben", "ausgefallen", "nicht stattgefunden",
    "messagerie", "répondeur", "pas de réponse", "sans réponse", "non abouti", "injoignable", "occupé", "tentative",
    "annulé",
    "buzón", "contestador", "sin respuesta", "no contesta", "no localizado", "ocupado", "ausente", "intento",
    "aplazad", "pospuest",
)  # fmt: skip

#: Outcomes that say not yet: they do not count unless the play names exactly this outcome.
NOT_YET: tuple[str, ...] = (
    "scheduled", "planned", "not started", "pending", "upcoming", "invited", "geplant", "offen", "planifié", "prévu",
    "programad", "planificad", "pendiente",
)  # fmt: skip

#: An e-mail went out and an answer came back, whatever the direction of the record says.
ANSWERED: tuple[str, ...] = ("replied", "answered", "reply", "beantwortet", "geantwortet", "répondu", "respondid")

#: Beginnings of subjects that a machine wrote.
AUTOMATIC = re.compile(
    r"^\W*(?:(?:re|aw|wg|fw|fwd|sv|tr|rv)\s*:\s*)*"
    r"(?:automatic reply|auto[- ]?reply|autoreply|out of (?:the )?office|undeliver\w+|delivery status|mail delivery|"
    r"returned mail|failure notice|automatische antwort|abwesenheit|unzustellbar|réponse automatique|"
    r"absence du bureau|non remis|respuesta automática|fuera de la oficina|no se puede entregar)",
    re.IGNORECASE,
)


class ContactTest:
    """A play's contact rules, ready to judge many activities; answers are remembered by kind, direction and outcome."""

    def __init__(self, rules: Iterable[ContactRule]) -> None:
        self.rules = tuple(rules)
        self._answers: dict[tuple[str, str | None, str | None, bool], str | None] = {}

    def why_not(self, activity: Spoken, now: datetime) -> str | None:
        """Why this activity is no real two-way contact; None if it is one."""
        if activity.occurred_at > now:
            return "it lies ahead"
        said = (activity.kind, activity.direction, activity.outcome, _is_automatic(activity))
        if said not in self._answers:
            self._answers[said] = _why_not(*said, self.rules)
        return self._answers[said]


def first_contact(activities: Iterable[Spoken], test: ContactTest, now: datetime) -> Contact | None:
    """The earliest activity that is a real two-way contact; of two at the same time the one recorded first."""
    return earliest(activity for activity in activities if test.why_not(activity, now) is None)


def earliest(real: Iterable[Spoken]) -> Contact | None:
    """The first of activities that are known to be real contact."""
    first = min(real, key=lambda activity: (activity.occurred_at, activity.id), default=None)
    return Contact(first.id, first.occurred_at, describe(first)) if first else None


def describe(activity: Spoken) -> str:
    """The evidence in words: ``call on 2026-10-25 (connected)``."""
    said = activity.outcome or activity.direction
    return f"{activity.kind} on {activity.occurred_at:%Y-%m-%d}" + (f" ({said[:60]})" if said else "")


def _is_automatic(activity: Spoken) -> bool:
    return bool(activity.kind == ActivityKind.EMAIL and activity.subject and AUTOMATIC.match(activity.subject))


def _why_not(
    kind: str, direction: str | None, outcome: str | None, automatic: bool, rules: tuple[ContactRule, ...]
) -> str | None:
    said = squeeze(outcome)
    fitting = [rule for rule in rules if _fits(rule, kind, direction, said)]
    if _says(said, ATTEMPTS):
        return f"an attempt: {outcome}"
    if _says(said, NOT_YET) and not any(rule.outcomes for rule in fitting):
        return f"not yet: {outcome}"
    if kind == ActivityKind.NOTE:
        return "a note talks to nobody"
    if automatic:
        return "a machine answered"
    if kind == ActivityKind.EMAIL and direction != Direction.INBOUND and not _says(said, ANSWERED):
        return "an e-mail without an answer"
    if not fitting:
        words = ", ".join(word for word in (direction, outcome) if word) or "no outcome"
        return f"the play does not count a {kind} like this ({words})"
    return None


def _says(said: str, words: Iterable[str]) -> bool:
    return any(squeeze(word) in said for word in words)


def _fits(rule: ContactRule, kind: str, direction: str | None, said: str) -> bool:
    return (
        rule.kind == kind
        and (not rule.directions or squeeze(direction) in map(squeeze, rule.directions))
        and (not rule.outcomes or said in map(squeeze, rule.outcomes))
    )
