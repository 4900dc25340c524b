"""A hold as an answer places it: it replaces what the speaker may lift, and stands beside what they may not."""

from dataclasses import dataclass
from datetime import datetime

from accounts.ledger.people import holds
from accounts.vocabulary import HoldCause, PauseClock
from flows.sales.deeds.scene import Scene


@dataclass(frozen=True, slots=True)
class Placed:
    id: int
    is_new: bool
    #: Whether a rep's hold stays in force with it.
    is_beside: bool
    #: That it does so for longer; empty where it does not.
    outlasted: str


def place(
    scene: Scene, cause: HoldCause, until: datetime | None, *, note: str | None, clock: PauseClock | None = None
) -> Placed:
    """Hold what the scene is about until then."""
    before = holds.open_holds(scene.connection, scene.now, scene.subject)
    kept = scene.out_of_reach(one.by for one in before)
    id = holds.place(
        scene.connection, scene.subject, cause, by=scene.speaker.by, starts_at=scene.now, ends_at=until, note=note,
        clock=clock, beside=kept,
    )  # fmt: skip
    after = holds.open_holds(scene.connection, scene.now, scene.subject)
    outlasted = [
        scene.stands(one.by, one.ends_at)
        for one in after
        if one.by in kept and until is not None and (one.ends_at is None or one.ends_at > until)
    ]
    is_new = {one.id for one in before} != {one.id for one in after}
    return Placed(id, is_new, bool(kept), " ".join(outlasted))
