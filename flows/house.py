"""What every flow and command stands on: settings, the open ledger, the play."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from accounts.errors import NotFound
from accounts.ledger.engine import open_existing_ledger
from accounts.playbook import Play
from accounts.playfiles import load_play
from flows.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings
    engine: Engine
    play: Play


@contextmanager
def open_house(play: str) -> Iterator[House]:
    """Settings, ledger and one play, for the length of a task or command. Raises NotFound for a play nobody wrote."""
    settings = load_settings()
    engine = open_existing_ledger(settings.ledger_url)
    try:
        yield House(settings, engine, load_play(play_folder(settings, play)))
    finally:
        engine.dispose()


def play_folder(settings: Settings, play: str) -> Path:
    """The folder of a play, by its key."""
    plays = settings.templates / "plays"
    folder = plays / play
    if not (folder / "play.yaml").is_file():
        known = ", ".join(sorted(path.parent.name for path in plays.glob("*/play.yaml"))) or "none yet"
        raise NotFound(f"no play called {play!r}", where=str(plays), cure=f"there are: {known}")
    return folder
