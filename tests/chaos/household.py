"""The household of a run under Prefect: PostgreSQL, a Prefect server, whoever carries the run out, and the post office.
Each is a program as the product starts it; each can be killed as a power cut does it, and brought back.
"""

import os
import random
import socket
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from flows.operating.child import running
from flows.operating.keeping import Kept
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from tests.chaos.board import Board
from tests.chaos.conductor import Files
from tests.chaos.databases import Postgresql
from tests.chaos.history import Strike

ROOT = Path(__file__).parents[2]
DEPLOYMENT = "nurture-accounts"
CONNECTIONS = 2
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Victim(StrEnum):
    """What can be killed. Of the worker: whoever carries the run out, and the process it has started for it."""

    WORKER = "worker"
    SERVER = "prefect server"
    POSTGRES = "postgres"


@dataclass(slots=True)
class Household:
    """What runs. `url`: of the ledger. `environment`: of whoever carries runs out."""

    files: Files
    board: Board
    postgres: Postgresql
    url: str
    server: PrefectServer
    environment: dict[str, str] = field(repr=False)

    @property
    def api(self) -> PrefectApi:
        return PrefectApi(self.server.url)

    def start_run(self, **parameters: Any) -> str:
        """A run of the deployment, as a person or a schedule starts one; its id."""
        deployment = self.api.get(f"/deployments/name/{DEPLOYMENT}/{DEPLOYMENT}")["id"]
        return str(self.api.post(f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"])

    def state_of(self, run: str) -> str:
        return str(self.api.get(f"/flow_runs/{run}")["state_type"])

    def wait_for_end(self, run: str, seconds: float) -> str:
        """How it ended; what it says of itself when that takes longer."""
        with suppress(TimeoutError):
            wait_until(lambda: self.state_of(run) in ENDED, seconds)
        return self.state_of(run)

    def kill(self, victims: Collection[Victim], worker: Kept) -> None:
        """All of them at once: nobody can say a last word, or mourn who went first."""
        if Victim.POSTGRES in victims:
            self.postgres.strike(Strike.KILL_POSTGRES, random.Random(0))
        programs = {Victim.WORKER: worker, Victim.SERVER: self.server.kept}
        struck = [one.child for victim, one in programs.items() if victim in victims]
        families = [member for child in struck for member in _family(child.process.pid)]
        for member in families:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        for child in struck:
            child.process.wait(10)

    def bring_back(self) -> None:
        """The databases and the server, if they were killed; back when they answer."""
        self.postgres.tend()
        self.postgres.wait()
        if revive(self.server.kept):
            self.server.kept.child.wait_until(self.api.is_healthy, 60)


@contextmanager
def household(server: PrefectServer, pace: float) -> Iterator[Household]:
    """All of it but who carries runs out. pace: seconds the post office takes over a letter."""
    port = _free_port()
    with _folder() as folder, ExitStack() as stack:
        files, board = Files(folder), Board(folder / "board")
        post = ["tests.chaos.post:main", str(port), str(folder / "board"), str(files.office), str(pace)]
        environment = os.environ | server.env | {"PYTHONPATH": str(ROOT)}
        office = running("Post office", post, env=environment, log=files.tracebacks)
        stack.enter_context(office).wait_until(lambda: board.office != 0, 10)
        (folder / "postgres").mkdir()
        postgres = Postgresql(folder / "postgres", board)
        stack.callback(postgres.close)
        (folder / "home").mkdir()
        url = postgres.fresh("ledger", folder / "home")
        environment |= {
            "TANDEM_HOME": str(folder / "home"), "TANDEM_DATABASE_URL": url, "TANDEM_CHANNEL": "smtp",
            "TANDEM_SMTP__PORT": str(port), "TANDEM_SMTP__SECURITY": "none", "TANDEM_SMTP__TIMEOUT_SECONDS": "5",
            "TANDEM_SMTP__CONNECTIONS": str(CONNECTIONS),
        }  # fmt: skip
        yield Household(files, board, postgres, url, server, environment)


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    """Raises TimeoutError."""
    give_up = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.02)


def revive(one: Kept) -> bool:
    """As whoever keeps it running does: it looks, sees that it is dead, and after a while starts it again."""
    if one.child.alive:
        return False
    one.look(0.0)
    one.look(60.0)
    return True


@contextmanager
def _folder() -> Iterator[Path]:
    """Where nobody waits for a disk."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- nothing secret
    with tempfile.TemporaryDirectory(prefix="tandem-killed-", dir=base, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
