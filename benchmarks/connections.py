"""Thousands of connections at once against `tandem serve`: who is let in, who is told to come later, what it costs.

    python -m benchmarks.connections [--connections 10000] [--limit 8000] [--from-one 400]

A third of them says nothing, a third begins a request and a third begins a body; then all wait. So many come from each
network as `--from-one` says; a network holds a twentieth of the places. Meanwhile a visitor from another one asks for
a page again and again, which is refused while all places are taken. After the server's patience has ended
with the crowd, the same visitor is served as before. Needs about as many open files as connections (`ulimit -n`).
"""

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from accounts.ledger.engine import open_ledger
from accounts.ledger.schema import upgrade
from flows.web.places import share_of
from flows.web.serving import PATIENCE
from tests.web.crowd import Crowd

#: Files of this process that are not connections.
OTHER_FILES = 100
#: Of another network than any of the crowd, and no proxy.
VISITOR = "127.250.0.1"


@contextmanager
def tandem_serve(home: Path, limit: int) -> Iterator[tuple[int, psutil.Process]]:
    """Port and process of a `tandem serve` that holds so many connections, begun with few files as shells do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"sqlite:///{home / 'tandem.db'}"
    engine = open_ledger(url)
    upgrade(engine)
    engine.dispose()
    around = {
        "TANDEM_HOME": str(home), "TANDEM_DATABASE_URL": url, "TANDEM_WEB__CONNECTIONS": str(limit),
        "TANDEM_WEB__REQUESTS_PER_SECOND": "1000000", "TANDEM_WEB__BURST": "1000000",
    }  # fmt: skip
    command = [sys.executable, "-c", "from flows.cli import main; main()", "serve", "--port", str(port)]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    process = subprocess.Popen(
        command, env={**os.environ, **around}, stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard)),
    )  # fmt: skip
    try:
        while _asked(port) is None:
            if process.poll() is not None:
                raise SystemExit("tandem serve did not start")
            time.sleep(0.05)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _asked(port: int) -> tuple[int, float] | None:
    """Status and seconds of one request; None when nobody answers."""
    begun = time.perf_counter()
    with closing(HTTPConnection("127.0.0.1", port, timeout=20, source_address=(VISITOR, 0))) as line:
        try:
            line.request("GET", "/robots.txt")
            return line.getresponse().status, time.perf_counter() - begun
        except (OSError, HTTPException):
            return None


def _served(port: int) -> list[float]:
    """Seconds of what was answered with 200, of fifty requests, in order of size."""
    asked = [_asked(port) for _ in range(50)]
    return sorted(one[1] for one in asked if one and one[0] == 200)


def play(connections: int, limit: int, from_one: int) -> None:
    """One crowd, told line by line."""
    _make_room(connections)
    with tempfile.TemporaryDirectory() as home, tandem_serve(Path(home), limit) as (port, server):
        before, rss = _served(port), server.memory_info().rss
        crowd, begun = Crowd(port, connections, from_one), time.perf_counter()
        crowd.come()
        share = -(-connections // from_one) * min(from_one, share_of(limit))
        crowd.listen(5, until=max(connections - min(limit, share), 0))
        taken, full = time.perf_counter() - begun, server.memory_info().rss
        print(f"{connections} connections in {taken:.1f} s, {from_one} from a network; {limit} places")
        print(f"  let in {crowd.inside}, told to come later {crowd.refused}, cut off {crowd.cut_off}")
        meanwhile = _served(port)
        print(f"  meanwhile {len(meanwhile)} of 50 requests were served" + _median(meanwhile))
        print(f"  memory {rss / 2**20:.0f} MiB -> {full / 2**20:.0f} MiB, open files {server.num_fds()}")
        crowd.listen(PATIENCE + 10, until=connections)
        after = _served(port)
        print(
            f"  {PATIENCE:.0f} s later {crowd.inside} are still inside; {len(after)} of 50 were served{_median(after)}"
        )
        print(f"  before: {len(before)} of 50{_median(before)}; memory now {server.memory_info().rss / 2**20:.0f} MiB")
        crowd.leave()


def _median(seconds: list[float]) -> str:
    return f", {seconds[len(seconds) // 2] * 1000:.0f} ms in the middle" if seconds else ""


def _make_room(connections: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if hard not in (resource.RLIM_INFINITY,) and hard < wanted:
        raise SystemExit(f"{wanted} open files are needed, {hard} are allowed: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=8_000)
    parser.add_argument("--from-one", type=int, default=400)
    asked = parser.parse_args()
    play(asked.connections, asked.limit, asked.from_one)
