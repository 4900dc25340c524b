"""Uses of links, put on record together: to reach the disk takes as long for one visitor as for fifty.

Nobody sees a page before the use of its link is on disk. While one transaction is under way, the next visitors wait,
and whoever's turn comes first writes for all of them.

A page that is opened again from the same network on the same day adds nothing: programs that look at links open one by
the dozen. Nor does a link that is refused again. Answers are on record each time.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Engine

from accounts.ledger.engine import writing
from accounts.ledger.reps.links import REFUSED, Use, note_uses

#: Openings and refusals that are remembered; beyond that some are put on record again.
REMEMBERED = 50_000


@dataclass(eq=False, slots=True)
class _Waiting:
    use: Use
    is_written: bool = False
    #: Why it could not be written.
    error: BaseException | None = None


class Record:
    """Of one app."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[_Waiting] = []
        self._arriving, self._turn = Lock(), Lock()
        self._opened: set[Hashable] = set()

    def keep(self, use: Use) -> None:
        """Returns when it is on disk. Raises what the ledger raises, to everybody of that transaction."""
        if _name(use) in self._opened:
            return
        mine = _Waiting(use)
        with self._arriving:
            self._waiting.append(mine)
        with self._turn:
            if not mine.is_written and mine.error is None:
                self._write()
        if mine.error is not None:
            raise mine.error

    def _write(self) -> None:
        with self._arriving:
            together, self._waiting = self._waiting, []
        try:
            with writing(self._engine) as connection:
                note_uses(connection, [one.use for one in together])
        except BaseException as error:
            for one in together:
                one.error = error
        else:
            for one in together:
                one.is_written = True
            self._remember([one.use for one in together])

    def _remember(self, uses: Iterable[Use]) -> None:
        if len(self._opened) > REMEMBERED:
            self._opened = set()
        self._opened |= {_name(use) for use in uses if use.action == REFUSED or use.after.get("method") == "GET"}


def _name(use: Use) -> Hashable:
    """The same for the same link, opened by the same sort of visitor from one network on one day."""
    return use.action, use.holder.id, use.holder.subject, use.at.date(), frozenset(use.after.items())
