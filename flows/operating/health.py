"""Looking after what runs: dead runs give their places back, claims of killed senders come back, and of each change
whoever watches hears once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from accounts.health import Sign, State, worst
from flows.nurturing import Tidied, tidy
from flows.operating.prefect_api import PrefectApi
from flows.operating.runs import Run, dead_runs, mark_crashed
from flows.operating.status import status
from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """A sign that is not what it was at the last look."""

    sign: Sign
    before: State


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, and what was done about it."""

    signs: tuple[Sign, ...]
    changes: tuple[Change, ...]
    #: Runs that were marked as crashed.
    crashed: tuple[Run, ...]
    #: What killed senders had left.
    tidied: Tidied

    @property
    def worst(self) -> State:
        return worst(self.signs)

    @property
    def states(self) -> dict[str, State]:
        """What the next look compares with."""
        return {sign.name: sign.state for sign in self.signs}


def look_after(
    engine: Engine, settings: Settings, server: PrefectApi | None, before: Mapping[str, State], now: datetime
) -> Looked:
    """Put right what needs nobody's judgement, then look. before: the states of the last look, by name."""
    crashed = dead_runs(server, now) if server else ()
    if server:
        mark_crashed(server, (run.id for run in crashed), "No sign of life for ten minutes: its process is gone.")
    tidied = tidy(engine, settings, now)
    signs = tuple(status(engine, settings, server, now))
    return Looked(signs, changes(before, signs), crashed, tidied)


def changes(before: Mapping[str, State], signs: Sequence[Sign]) -> tuple[Change, ...]:
    """Signs whose state is another one; one that was never looked at was well."""
    return tuple(Change(sign, was) for sign in signs if (was := before.get(sign.name, "ok")) != sign.state)
