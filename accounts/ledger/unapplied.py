"""The queue of signals whose effects wait, beside the history, which is written once.

Whoever records a signal puts it in; whoever applies its effects takes it out in the same transaction.
"""

from sqlalchemy import ColumnElement, exists

from accounts.models import Signal, Unapplied

#: The signals that wait, for `rows`.
QUEUED = "SELECT signal_id FROM unapplied"
#: The condition that what a signal does has been done, for `rows`.
APPLIED = "NOT EXISTS (SELECT 1 FROM unapplied WHERE signal_id = signal.id)"


def is_applied() -> ColumnElement[bool]:
    """The condition that what a signal does has been done."""
    return ~exists().where(Unapplied.signal_id == Signal.id)
