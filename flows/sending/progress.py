"""How far sending has come, as a bar on the page of the run; only where it takes longer than a glance."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Thread
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext
from sqlalchemy import Engine

from accounts.ledger.engine import reading
from accounts.ledger.planning.touches import share_done
from flows.publishing import artifact_key

#: How often the bar is drawn anew, in seconds; what is over sooner has none.
EVERY = 10.0


@contextmanager
def shown(engine: Engine, play: str, plans: Sequence[int], every: float = EVERY) -> Iterator[None]:
    """While the block lasts, a thread beside it asks the ledger how much of these plans is through."""
    if FlowRunContext.get() is None or not plans:
        yield
        return
    over = Event()
    watcher = Thread(target=copy_context().run, args=(_watch, engine, play, plans, over, every), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(engine: Engine, play: str, plans: Sequence[int], over: Event, every: float) -> None:
    bar: UUID | None = None
    while not over.wait(every):
        done = _percent(engine, plans)
        if bar is None:
            named = ", ".join(map(str, plans))
            words = {"key": artifact_key(f"sending-{play}"), "description": f"Sending plans {named}"}
            bar = cast(UUID, create_progress_artifact(done, **words))
        else:
            update_progress_artifact(bar, progress=done)
    if bar is not None:
        update_progress_artifact(bar, progress=_percent(engine, plans))


def _percent(engine: Engine, plans: Sequence[int]) -> float:
    with reading(engine) as connection:
        return round(100 * share_done(connection, plans), 1)
