"""What the steps of one import share, and how they tell what they are doing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from accounts.playbook import Play
from flows.importing.cleaning import in_ledger
from flows.importing.shaping import Names

#: Told what is being done, how much of it is done, and how much there is; None when that is not known.
Progress = Callable[[str, int, int | None], None]


def silence(what: str, done: int, of: int | None) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class Job:
    """One import. `engine` sees the staging tables; `source` is the name of the export the rows come from."""

    engine: Engine
    play: Play
    now: datetime
    source: str
    tell: Progress = silence
    names: Names = field(default_factory=Names)
    notices: list[str] = field(default_factory=list)

    @property
    def is_rehearsal(self) -> bool:
        """Everything is judged, nothing written."""
        return self.names.is_rehearsal

    @property
    def values(self) -> dict[str, str]:
        """What the placeholders of rules stand for."""
        group = self.play.group
        return {"now": f"'{in_ledger(self.now)}'", "smallest": str(group.smallest), "largest": str(group.largest)}
