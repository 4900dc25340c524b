"""What a sentence of a brief rests on, in words: who did what and when, or where it is on file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from accounts.playbook import Play
from accounts.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Proof:
    """One row behind a sentence. `at` None: it holds now."""

    at: datetime | None
    #: Where it comes from: Buyer, Marketing, Sales …
    source: str
    text: str


def rows_behind(evidence: Iterable[str]) -> dict[str, list[int]]:
    """``("signal:12", "wanted:legal")``: row 12 of `signal`; what stands in no table is left out."""
    found: dict[str, list[int]] = {}
    for one in evidence:
        table, _, id = one.partition(":")
        if id.isascii() and id.isdecimal():
            found.setdefault(table, []).append(int(id))
    return found


def by_itself(proof: str, play: Play) -> Proof | None:
    """What the play says, which stands in no table: a wanted seat, a piece of content."""
    kind, _, name = proof.partition(":")
    if kind == "wanted" and name in list(Role):
        return Proof(None, "Plan", f"The plan asks for a {Role(name).label} in the group")
    step = play.step(name) if kind == "content" else None
    if step is None:
        return None
    slug = name.rpartition("/")[2]
    return Proof(None, "Marketing", f"From “{slug}”, which marketing looks at again by {step.review_by}")
