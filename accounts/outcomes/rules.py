"""The rules of the table, each a signal's effects: what happened, and the play's pauses, to what follows."""

from collections.abc import Callable
from datetime import timedelta

from accounts.outcomes.effects import (
    Effect,
    FailBrief,
    FailTouch,
    HoldAccount,
    MarkComplained,
    MarkLeft,
    OptOut,
    PausePerson,
    Prefer,
    Propose,
    SettleTouch,
    Suppress,
)
from accounts.outcomes.happening import Happening
from accounts.playbook import Pauses
from accounts.vocabulary import HoldCause

Rule = Callable[[Happening, Pauses], tuple[Effect, ...]]

#: An absence note without a date that we can read.
UNDATED_ABSENCE = timedelta(days=7)
#: No absence note silences a person for longer; "back on 1.1.2099" is a joke or a misread date.
LONGEST_ABSENCE = timedelta(days=90)

#: Nor does a meeting that lies further ahead than this.
FURTHEST_MEETING = timedelta(days=180)


def arrived(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (SettleTouch(),)


def taken(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (SettleTouch(),)


def dropped(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (FailTouch(),)


def brief_bounced(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (FailBrief(happening.brief_id, happening.said),) if happening.brief_id else ()


def unsubscribed(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    return OptOut(at), Suppress("opted_out", at), SettleTouch()


def complained(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    hold = HoldAccount(HoldCause.COMPLAINT, at, None)
    return OptOut(at), Suppress("complained", at), MarkComplained(), hold, SettleTouch()


def left(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at, (name, email) = happening.occurred_at, happening.successor
    named = (Propose(name, email, at),) if name or email else ()
    return MarkLeft(), Suppress("left", at), *named, SettleTouch()


def replied(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    return HoldAccount(HoldCause.REPLY, at, at + pauses.after_reply), SettleTouch()


def away(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    until = min(happening.until or at + UNDATED_ABSENCE, at + LONGEST_ABSENCE)
    return (PausePerson(until), SettleTouch()) if until > at else (SettleTouch(),)


def preferred(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    until = min(happening.until or at, at + LONGEST_ABSENCE)
    if until > at:  # a pause leaves the other wishes as they are
        return PausePerson(until), SettleTouch()
    return Prefer(at, happening.every_days, happening.topic), SettleTouch()


def meeting_booked(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    meets = min(max(happening.until or at, at), at + FURTHEST_MEETING)
    return (HoldAccount(HoldCause.MEETING, at, meets + pauses.after_meeting),)


def meeting_held(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    at = happening.occurred_at
    return (HoldAccount(HoldCause.MEETING, at, at + pauses.after_meeting),)
