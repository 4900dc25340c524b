"""The household of a run under Prefect: PostgreSQL, a Prefect server, a process that serves `nurture-accounts`, and the
post office. Each is a program as the product starts it; each can be killed as a power cut does it, and brought back.
"""

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from flows.operating.keeping import Kept
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer, running_server
from tests.chaos.board import Board
from tests.chaos.conductor import Files
from tests.chaos.databases import Postgresql
from tests.chaos.history import Strike
from tests.chaos.post import open_office
from tests.chaos.processes import fork, wait_for
from tests.chaos.records import Record
from tests.served import served, wait_until_served

ROOT = Path(__file__).parents[2]
DEPLOYMENT = "nurture-accounts"
CONNECTIONS = 2
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Victim(StrEnum):
    """What can be killed. Of the worker: who serves the deployment, and the run that it has started."""

    WORKER = "worker"
    SERVER = "prefect server"
    POSTGRES = "postgres"


@dataclass(slots=True)
class Household:
    """What runs. `url`: of the ledger."""

    files: Files
    home: Path
    board: Board
    postgres: Postgresql
    url: str
    server: PrefectServer
    worker: Kept

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

    def kill(self, victims: Collection[Victim]) -> None:
        """All of them at once: nobody can say a last word, or mourn who went first."""
        if Victim.POSTGRES in victims:
            self.postgres.strike(Strike.KILL_POSTGRES, random.Random(0))
        programs = {Victim.WORKER: self.worker, Victim.SERVER: self.server.kept}
        struck = [one.child for victim, one in programs.items() if victim in victims]
        families = [member for child in struck for member in _family(child.process.pid)]
        for member in families:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        for child in struck:
            child.process.wait(10)

    def bring_back(self) -> None:
        """Whatever was killed; back when each answers."""
        self.postgres.tend()
        self.postgres.wait()
        if _revive(self.server.kept):
            self.server.kept.child.wait_until(self.api.is_healthy, 60)
        began = datetime.now(UTC)
        if _revive(self.worker):
            wait_until_served(self.worker, self.server.url, self.files.folder / "served.yaml", began)


@contextmanager
def household(folder: Path, pace: float, entrypoint: str | None, variables: Mapping[str, str]) -> Iterator[Household]:
    """All of it, ready, in `folder`. pace: seconds the post office takes over a letter. entrypoint: of the flow that is
    served instead of the product's. variables: for the process that serves it."""
    files, home, board, port = Files(folder), folder / "home", Board(), _free_port()
    home.mkdir()
    with ExitStack() as stack:
        office = fork(lambda: open_office(port, board, Record(files.office), (), pace), files.tracebacks)
        stack.callback(_close, office)
        (folder / "postgres").mkdir()
        postgres = Postgresql(folder / "postgres", board)
        stack.callback(postgres.close)
        url = postgres.fresh("ledger", home)
        server = stack.enter_context(running_server(folder / "prefect"))
        ours = {
            "TANDEM_HOME": str(home), "TANDEM_DATABASE_URL": url, "TANDEM_CHANNEL": "smtp",
            "TANDEM_SMTP__PORT": str(port), "TANDEM_SMTP__SECURITY": "none", "TANDEM_SMTP__TIMEOUT_SECONDS": "5",
            "TANDEM_SMTP__CONNECTIONS": str(CONNECTIONS), "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        environment = os.environ | server.env | ours | variables
        worker = stack.enter_context(served([DEPLOYMENT], server.url, folder, environment, entrypoint))
        yield Household(files, home, board, postgres, url, server, worker)


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    """Raises TimeoutError."""
    give_up = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.02)


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _revive(one: Kept) -> bool:
    """As whoever keeps it running does: it looks, sees that it is dead, and after a while starts it again."""
    if one.child.alive:
        return False
    one.look(0.0)
    one.look(60.0)
    return True


def _close(office: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(office, signal.SIGKILL)
    wait_for(office, 5)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
