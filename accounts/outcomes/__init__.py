"""What comes back, and what it does: a pure table from a signal's kind to its effects.

    table.py       the table itself, one row for each kind of signal that does anything
    bounces.py     the same for bounces, by what follows from them
    rules.py       the rules the rows name             effects.py     what they return: values, performed elsewhere
    happening.py   a stored signal as the rules see it

Every effect is monotone, so signals that arrive late, twice or in any order lead to the same state.
"""

from accounts.outcomes.bounces import FULL_MAILBOX_PAUSE, SOFT_BOUNCE_PAUSE
from accounts.outcomes.effects import (
    GRAVITY,
    Effect,
    FailBrief,
    FailTouch,
    HoldAccount,
    MarkBounced,
    MarkComplained,
    MarkLeft,
    OptOut,
    PausePerson,
    Prefer,
    Propose,
    SettleTouch,
    Suppress,
)
from accounts.outcomes.happening import Happening, read_address, read_instant, read_kind
from accounts.outcomes.rules import LONGEST_ABSENCE, UNDATED_ABSENCE
from accounts.outcomes.table import ARRIVALS, NO_NEEDS_NO_NAME, REACH, READ_DATA, SETTLING, TABLE, effects_of

__all__ = [
    "ARRIVALS", "FULL_MAILBOX_PAUSE", "GRAVITY", "LONGEST_ABSENCE", "NO_NEEDS_NO_NAME", "REACH", "READ_DATA",
    "SETTLING", "SOFT_BOUNCE_PAUSE", "TABLE", "UNDATED_ABSENCE", "Effect", "FailBrief", "FailTouch", "Happening",
    "HoldAccount", "MarkBounced", "MarkComplained", "MarkLeft", "OptOut", "PausePerson", "Prefer", "Propose",
    "SettleTouch", "Suppress", "effects_of", "read_address", "read_instant", "read_kind",
]  # fmt: skip
