"""Waiting at the mailbox, so that an answer is heard within seconds instead of at the next scheduled reading.

Only the first folder is waited at; the others are read along with it. Where the server cannot tell (no IDLE), it is
looked at every minute. A line that breaks is opened again, after a while that grows; a run that fails is told, and
what it left the next one takes.
"""

import time
from collections.abc import Callable

from accounts.errors import Unreachable
from flows.mailbox.imap import LONGEST_IDLE, Imap
from flows.settings import Mailbox

#: Seconds between two looks where the server cannot tell; and before a broken line is opened again, first and at most.
LOOK_EVERY, FIRST_BREATH, LONGEST_BREATH = 60.0, 5.0, 300.0

Hear = Callable[[], object]
Tell = Callable[[str], None]


def watch(settings: Mailbox, hear: Hear, tell: Tell, *, breath: float = FIRST_BREATH) -> None:
    """Call `hear` now and whenever mail comes; comes back never. `tell`: what goes wrong on the line, for a log."""
    wait = breath
    while True:
        try:
            with Imap(settings) as imap:
                imap.open(settings.folder_names[0])
                _run(hear, tell)  # what came while nobody waited
                wait = breath
                _wait_here(imap, hear, tell)
        except Unreachable as error:
            tell(f"{error}; trying again in {wait:.0f} s")
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_BREATH)


def _wait_here(imap: Imap, hear: Hear, tell: Tell) -> None:
    """What comes while `hear` reads is told when the next waiting begins. Raises Unreachable when the line ends."""
    while True:
        if imap.can_wait:
            if imap.wait(LONGEST_IDLE):
                _run(hear, tell)
        else:
            time.sleep(LOOK_EVERY)
            imap.knock()
            _run(hear, tell)


def _run(hear: Hear, tell: Tell) -> None:
    try:
        hear()
    except Exception as error:  # the mail is still there: the next run, or the scheduled one, reads it
        tell(f"what came could not be taken in: {error}")
