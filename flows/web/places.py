"""The places of one server: how many connections there are, and how many of them one network holds.

Without the second, one address could hold all of them by asking slowly, and nobody else would be let in.
"""

from collections import Counter
from enum import Enum

MOST = 10_000
#: What part of all places one network may hold, and what it may hold at least.
PART, LEAST = 20, 50


class Seat(Enum):
    """What a connection gets."""

    TAKEN = "taken"
    #: There is none left.
    FULL = "full"
    #: Its network holds as many as it may.
    ENOUGH = "enough"


def share_of(most: int) -> int:
    """How much of something one network may have at a time."""
    return min(most, max(most // PART, LEAST))


class Places:
    """Of one server, in its one thread. `most`: connections; `share`: those of one network."""

    def __init__(self, most: int = MOST, share: int | None = None) -> None:
        self.most, self.share = most, share or share_of(most)
        self._held = Counter[str]()
        self._seated = 0
        #: Who found none and has not gone yet.
        self.standing = 0

    def take(self, network: str | None) -> Seat:
        """A place, if there is one. `network` None: a proxy's, which has no share."""
        seat = self._found(network)
        if seat is Seat.TAKEN:
            self._seated += 1
            if network:
                self._held[network] += 1
        else:
            self.standing += 1
        return seat

    def leave(self, network: str | None, seat: Seat) -> None:
        """Whoever had asked goes, with what it got."""
        if seat is not Seat.TAKEN:
            self.standing -= 1
            return
        self._seated -= 1
        if network:
            self._held[network] -= 1
            if not self._held[network]:
                del self._held[network]

    def _found(self, network: str | None) -> Seat:
        if self._seated >= self.most:
            return Seat.FULL
        return Seat.ENOUGH if network and self._held[network] >= self.share else Seat.TAKEN
