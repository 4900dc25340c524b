"""A lane plays histories one after the other, on a disk and with a PostgreSQL server of its own."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from accounts.ledger.engine import create_tables, open_ledger
from accounts.vocabulary import TouchState
from flows import nurturing
from flows.channels.email.memory import Memory
from tests.cast import NOW
from tests.chaos import databases
from tests.chaos.board import Board
from tests.chaos.conductor import Conductor, Files
from tests.chaos.disk import Disk
from tests.chaos.history import Database, History
from tests.chaos.judgement import Evidence, judge
from tests.chaos.processes import settle_memory
from tests.chaos.world import LOOSE, play, populate, settings


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a history. `guilty`: sentences; empty: it is clean."""

    history: History
    guilty: tuple[str, ...]
    letters: int = 0
    unknown: int = 0
    cut: int = 0
    nos: int = 0
    #: Faults that came true, and what workers ran into: kind -> how often.
    struck: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    #: Where its records are; None: they were removed.
    records: Path | None = None


def warm_up() -> None:
    """Import and prepare, once, all that a worker needs: what is forked afterwards has it."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_ledger(f"sqlite:///{folder}/warm.db")
        create_tables(engine)
        populate(engine, range(2))
        house = settings(Path(folder), str(engine.url))
        nurturing.nurture(engine, house, play(), NOW, channel=Memory(), limits=LOOSE)
        engine.dispose()
    settle_memory()


@contextmanager
def lane(keep: Path) -> Iterator["Lane"]:
    """Open while the block runs. keep: where records of guilty histories go."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- not to wait for a disk, nothing secret
    folder = Path(tempfile.mkdtemp(prefix="tandem-chaos-", dir=base))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        disk = Disk(folder / "disk")
        stack.callback(disk.umount)
        yield Lane(folder, disk, stack, keep)


class Lane:
    def __init__(self, folder: Path, disk: Disk, stack: ExitStack, keep: Path) -> None:
        self.disk = disk
        self._folder, self._stack, self._keep = folder, stack, keep
        self._board = Board()
        self._houses: dict[Database, databases.Database] = {}

    def play(self, history: History) -> Judged:
        """From an empty ledger to the judgement."""
        house, name = self._house(history.database), f"h{history.seed}"
        files = Files(self._folder / name)
        files.folder.mkdir()
        home = self.disk.path / name
        home.mkdir()
        self._board.clear()
        url = house.fresh(name, home)
        try:
            return self._judge(history, Conductor(history, house, self.disk, self._board, files, url, home), files, url)
        finally:
            house.tend()
            house.drop(name)
            shutil.rmtree(home)
            shutil.rmtree(files.folder, ignore_errors=True)

    def _judge(self, history: History, conductor: Conductor, files: Files, url: str) -> Judged:
        try:
            conductor.play()
        except TimeoutError as error:
            return Judged(history, (str(error),), records=self._kept(files, url))
        engine = open_ledger(url)
        evidence = Evidence(engine, history, files)
        engine.dispose()
        guilty = tuple(judge(evidence))
        unknown = sum(row.state == TouchState.UNKNOWN for row in evidence.touches.values())
        return Judged(
            history, guilty, len(evidence.letters), unknown, evidence.cut, len(evidence.nos), evidence.struck,
            evidence.troubles, self._kept(files, url) if guilty else None,
        )  # fmt: skip

    def _kept(self, files: Files, url: str) -> Path:
        place = self._keep / files.folder.name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(files.folder, place)
        if url.startswith("sqlite:///"):
            for file in Path(url.removeprefix("sqlite:///")).parent.glob("tandem.db*"):
                shutil.copy(file, place)
        return place

    def _house(self, database: Database) -> databases.Database:
        if database not in self._houses:
            folder = self._folder / database
            folder.mkdir()
            if database is Database.SQLITE:
                self._houses[database] = databases.Sqlite(folder)
            else:
                self._houses[database] = databases.Postgresql(folder, self._board)
            self._stack.callback(self._houses[database].close)
        return self._houses[database]
