"""Briefs: what changed for a rep since the last one, at most five accounts, 150 words each, nothing without proof.

material.py     the facts a brief is written from          saying.py    how a brief says things
news.py         what is new, and how much it matters       seats.py     the buying group as a picture
case.py         an account on the desk                     coming.py    what goes out in the next seven days
next_steps.py   situation -> suggested step, one table     brevity.py   150 words: what goes first
account.py      one account of a brief                     writing.py   the brief: which accounts, in which order
stored.py       a brief as JSON, and back
"""

from accounts.briefs.account import LABELS, AccountBrief
from accounts.briefs.assets import Asset
from accounts.briefs.brevity import MOST_WORDS
from accounts.briefs.coming import Planned
from accounts.briefs.material import AccountMaterial, RepMaterial, Statement
from accounts.briefs.seats import Seat, SeatState
from accounts.briefs.writing import MOST_ACCOUNTS, Brief, Choice, choose, write, write_brief

__all__ = [
    "LABELS",
    "MOST_ACCOUNTS",
    "MOST_WORDS",
    "AccountBrief",
    "AccountMaterial",
    "Asset",
    "Brief",
    "Choice",
    "Planned",
    "RepMaterial",
    "Seat",
    "SeatState",
    "Statement",
    "choose",
    "write",
    "write_brief",
]
