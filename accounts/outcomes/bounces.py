"""What a bounce does: by what follows from it, and where its reader could not say, by hard and soft."""

from collections.abc import Mapping
from datetime import timedelta

from accounts.outcomes.effects import Effect, MarkBounced, MarkLeft, PausePerson, SettleTouch, Suppress
from accounts.outcomes.happening import Happening
from accounts.outcomes.rules import Rule
from accounts.playbook import Pauses
from accounts.vocabulary import BounceAction

#: A soft bounce (mailbox full, server busy) says: not today.
SOFT_BOUNCE_PAUSE = timedelta(days=3)
#: A full mailbox is emptied by people who come back to it, not overnight.
FULL_MAILBOX_PAUSE = timedelta(days=7)


def bounced(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    """Each of them left us: not a second time."""
    rule = BOUNCES.get(happening.action) or (_dead if happening.is_hard else _later)
    return (*rule(happening, pauses), SettleTouch())


def _dead(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return MarkBounced(), Suppress("bounced", happening.occurred_at)


def _replaced(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    """Either way the seat is empty; only of somebody who left is it said that they are gone."""
    if happening.person_left:
        return MarkLeft(), Suppress("left", happening.occurred_at)
    return _dead(happening, pauses)


def _later(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (PausePerson(happening.occurred_at + SOFT_BOUNCE_PAUSE),)


def _full(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    return (PausePerson(happening.occurred_at + FULL_MAILBOX_PAUSE),)


def _no_fault(happening: Happening, _: Pauses) -> tuple[Effect, ...]:
    """They refuse us, whoever reads there: the brakes count it, the person is not to blame."""
    return ()


BOUNCES: Mapping[BounceAction, Rule] = {
    BounceAction.NEVER_AGAIN: _dead,
    BounceAction.ASK_REPLACEMENT: _replaced,
    BounceAction.RETRY_LATER: _later,
    BounceAction.MAILBOX_FULL: _full,
    BounceAction.OUR_FAULT: _no_fault,
}
"""`unknown` has no row: whether it is hard decides."""
