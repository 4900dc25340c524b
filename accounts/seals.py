"""Is this what was certified? A seal per touch, and one digest over all seals of a plan.

What is sealed must not change between the freezing of a plan and the moment its bytes leave: who, at which address,
with which words, for which stage, from which edition of the play.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Sealed:
    """The facts of a touch that its seal covers."""

    touch_id: int
    stakeholder_id: int
    address: str
    content: str
    content_digest: str
    stage: str
    play_version: str

    @property
    def seal(self) -> str:
        """SHA-256 (hex) over the facts, kept apart by a character that occurs in none of them."""
        facts = (
            f"{self.touch_id}\x1f{self.stakeholder_id}\x1f{self.address}\x1f{self.content}\x1f{self.content_digest}"
            f"\x1f{self.stage}\x1f{self.play_version}"
        )
        return sha256(facts.encode()).hexdigest()


class Roll:
    """The members of a plan, called one after the other: how many there are, and one digest over all their seals."""

    def __init__(self) -> None:
        self.size = 0
        self._last = 0
        self._digest = sha256()

    def add(self, touch_id: int, seal: str) -> None:
        """The next one. Raises ValueError when its id does not come after the last one's."""
        if touch_id <= self._last:
            raise ValueError(f"touch {touch_id} is called after touch {self._last}")
        self._digest.update(f"{touch_id}:{seal}\n".encode())
        self._last = touch_id
        self.size += 1

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the (touch id, seal) pairs so far."""
        return self._digest.hexdigest()


def digest_of(seals: Iterable[tuple[int, str]]) -> str:
    """The digest of a plan with these (touch id, seal) pairs, whatever order they come in."""
    roll = Roll()
    for touch_id, seal in sorted(seals):
        roll.add(touch_id, seal)
    return roll.digest
