"""A Prefect server of our own: in a home of its own, on loopback, without telemetry, gone when we are.

    with running_server(Path(".tandem/prefect")) as server:
        os.environ.update(server.env)  # before Prefect is imported

What the variables do and cost was measured with Prefect 3.8; `tandem doctor` checks that they hold.
"""

import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from accounts.errors import Refused
from flows.operating.keeping import Kept, kept
from flows.operating.prefect_api import LOOPBACK, PrefectApi, credentials

HOST = "127.0.0.1"
#: Prefect's own port, which people know; another free one is taken when it is in use.
USUAL_PORT = 4200
#: The first start creates Prefect's database: 9 s on two quiet cores, several times that on busy ones.
START_SECONDS = 120.0
PROGRAM = ("prefect.cli:app", "server", "start")
#: Variables of the person's own Prefect that would lead ours to another server, account or database.
FOREIGN = frozenset(
    {"PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "PREFECT_API_KEY", "PREFECT_API_DATABASE_CONNECTION_URL"}
)
#: How long the server remembers; what is set in the environment outranks it. Runs are the larger part of its database,
#: and events two thirds of the rest (docs/deploy.md). The record of what was sent is the ledger, not this.
RETENTION = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",  # else runs are kept for ever
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(14 * 86_400),
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P3D",
}
ENDED = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}}


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A server that answers. `env`: the variables that make Prefect in any process use it and nothing else."""

    url: str
    ui_url: str
    env: dict[str, str]
    kept: Kept


def client_environment(home: Path, url: str) -> dict[str, str]:
    """The variables of whatever talks to the server at `url`, keeping its results and profiles in `home`."""
    return {
        "PREFECT_HOME": str(home.absolute()),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # a missing server is an error, not a second one in secret
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # the terminal is quiet, the pages show every line
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "1",
        **({"PREFECT_API_AUTH_STRING": login} if (login := credentials()) else {}),
        **_no_proxy(os.environ),
    }


def server_environment(home: Path, port: int, database_url: str | None = None, host: str = HOST) -> dict[str, str]:
    """The variables of an isolated server: those of its clients, and its own.

    home: its folder (database, results, profiles). database_url: ``postgresql+asyncpg://…``; a SQLite file in `home`
    if None. host: the address it listens on.
    """
    url = f"http://{host}:{port}/api"
    return client_environment(home, url) | {
        # without it the pages of a server on any port but 4200 ask port 4200, and stay empty
        "PREFECT_UI_API_URL": os.environ.get("PREFECT_UI_API_URL") or url,
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url or single_connection_url(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the newer pages ask a host of an analytics vendor each time
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # remembered over a restart, or a run that outlives one keeps its deployment's place for ever
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        **({"PREFECT_SERVER_API_AUTH_STRING": login} if (login := credentials()) else {}),
        **{name: os.environ.get(name, value) for name, value in RETENTION.items()},
    }


def single_connection_url(home: Path) -> str:
    """Prefect's SQLite file in `home`, over one connection.

    Over several, its own writers lock each other out, and flows that follow each other closely wait 2 s or more, each
    (0.2 s over one). Prefect 3.8 keeps to one when it reads ``:memory:`` anywhere in the URL, so a parameter that
    SQLite ignores says it; a version that no longer looks there is slow again, not wrong.
    """
    return f"sqlite+aiosqlite:///file:{quote(str(home.absolute() / 'prefect.db'))}?uri=true&connections=:memory:"


@contextmanager
def running_server(
    home: Path, port: int | None = None, *, host: str = HOST, database_url: str | None = None,
    start_seconds: float = START_SECONDS,
) -> Iterator[PrefectServer]:  # fmt: skip
    """A server that answers, for the length of the block; any free port if none is named.

    Raises Refused when one already runs in this home, the port is taken, or others could reach it without a password;
    TandemError with its last words when it does not come up.
    """
    _must_be_guarded(host)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _sole_server(home) as address:
        port = free_port(port or 0, host)
        block = _inherited() | server_environment(home, port, database_url, host)
        url = block["PREFECT_API_URL"]
        with kept("Prefect server", PROGRAM, env=block, log=home / "server.log") as one:
            server = PrefectServer(url, f"http://{host}:{port}", client_environment(home, url), one)
            one.child.wait_until(PrefectApi(server.url).is_healthy, start_seconds)
            address.write(server.url)
            address.flush()
            yield server
            hand_over(server)


def server_of(home: Path) -> str | None:
    """The API address of the server that runs in this home at the moment, if one does."""
    try:
        with (home / "server.address").open("r+") as address:
            if _lock(address):
                return None
            return address.read() or None
    except OSError:
        return None


def usual_port(host: str = HOST) -> int:
    """Prefect's usual port, or another free one while that is in use."""
    try:
        return free_port(USUAL_PORT, host)
    except Refused:
        return free_port(0, host)


def free_port(wanted: int, host: str = HOST) -> int:
    """`wanted` if nobody listens there, any free port for 0. Raises Refused."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Refused(
                    f"{host} is no address of this machine: {error.strerror}", cure="name one that is"
                ) from None
            raise Refused(f"port {wanted} is in use", cure="name another one, or stop what uses it") from None
        return int(probe.getsockname()[1])


def hand_over(server: PrefectServer, seconds: float = 15.0) -> bool:
    """Let the server digest what this process ran; whether it has, within `seconds`.

    States of task runs, log lines and events reach it behind the flow's back. Stopped too early, it shows finished
    tasks as running for ever.
    """
    if "prefect" not in sys.modules:
        return True
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.drain_all(timeout=seconds, at_exit=False)
    APILogWorker.drain_all(timeout=seconds, at_exit=False)
    give_up, before = time.monotonic() + seconds, None
    while time.monotonic() < give_up:
        try:
            seen = _count_task_runs(PrefectApi(server.url))
        except OSError:
            return False  # already gone: nothing to wait for
        if seen == before and seen[0] == seen[1]:
            return True
        before = seen
        time.sleep(0.3)
    return False


def _count_task_runs(api: PrefectApi) -> tuple[int, int]:
    """All of them, and those that have ended."""
    every, ended = api.post("/task_runs/count", {}), api.post("/task_runs/count", {"task_runs": ENDED})
    return int(every), int(ended)


@contextmanager
def _sole_server(home: Path) -> Iterator[IO[str]]:
    """The address file of this home, locked while the server runs: two on one database schedule everything twice."""
    with (home / "server.address").open("a+") as address:
        if not _lock(address):
            address.seek(0)
            raise Refused(
                f"a Prefect server already runs here, at {address.read()}",
                where=str(home),
                cure="use it, or stop it first",
            )
        address.truncate(0)
        yield address
        address.truncate(0)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _must_be_guarded(host: str) -> None:
    """Whoever reaches the server may start every flow and read what runs have written."""
    if host in LOOPBACK:
        return
    if credentials() is None:
        cure = "set PREFECT_SERVER_API_AUTH_STRING=user:password in the environment"
        raise Refused(f"others could reach the Prefect server on {host} without a password", cure=cure)
    if host in ("0.0.0.0", "::"):  # noqa: S104  refused, not used
        raise Refused(f"{host} is no address that a browser could open", cure="name the one that others know it by")


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in FOREIGN}


def _no_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Calls to loopback pass by whatever proxy the machine is set up for."""
    named = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = dict.fromkeys([*filter(None, (host.strip() for host in named.split(","))), HOST, "localhost"])
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))
