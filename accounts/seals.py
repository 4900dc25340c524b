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
            str(self.touch_id), str(self.stakeholder_id), self.address, self.content, self.content_digest,
            self.stage, self.play_version,
        )  # fmt: skip
        return sha256("\x1f".join(facts).encode()).hexdigest()


def digest_of(seals: Iterable[tuple[int, str]]) -> str:
    """SHA-256 (hex) of a plan: its (touch id, seal) pairs in the order of touch ids, whatever order they come in."""
    lines = (f"{touch_id}:{seal}\n" for touch_id, seal in sorted(seals))
    return sha256("".join(lines).encode()).hexdigest()
