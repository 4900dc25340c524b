"""What reps wait for their pages: 50 of them at once against `tandem serve`, on a ledger of 1,000 accounts.

    python -m benchmarks.rep_pages [--seconds 10] [--reps 50] [--accounts 1000] [--pause 1.0] [--url postgresql://…]

Each rep opens accounts of theirs, one page in four the list of them all, one in four a form. Twice: one page after the
other without a breath, which tells how many pages a second there are; and with `--pause` seconds of reading between
two, which tells what a rep waits for. Beside it a bare uvicorn that sends the same page from memory. CPU time is the
server's, for one page.
"""

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
import requests
import uvicorn
from sqlalchemy import Engine, func, insert, select, text, update

from accounts.ledger.engagement import scores
from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.schema import upgrade
from accounts.models import Account, Audit, Signal, Stakeholder
from accounts.playfiles import load_play
from accounts.tick import decide
from benchmarks.crowd import fill
from flows.briefs.links import Links
from flows.settings import TEMPLATES
from flows.web.serving import config_of
from tests.web.visitor import SECRET

#: Signals that people made at each account; a third as many were made by programs.
SIGNALS = 40
KINDS = ("clicked", "visited", "downloaded", "replied", "clicked", "visited", "clicked")
USER_AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def build(engine: Engine, accounts: int, reps: int) -> None:
    """Accounts with groups, mails, signals and answers of planning, shared out among so many reps."""
    upgrade(engine)
    fill(engine, accounts)
    now = datetime.now(UTC)
    play = load_play(TEMPLATES / "plays" / "new-business")
    with writing(engine) as connection:
        connection.execute(update(Account).values(owner_id=1 + Account.id % reps, synced_at=now, replan_at=now))
        groups = select(Stakeholder.account_id, func.min(Stakeholder.id), func.max(Stakeholder.id))
        rows = connection.execute(groups.group_by(Stakeholder.account_id)).all()
        connection.execute(insert(Signal), list(_signals(rows, now)))
        scores.weighing_for(connection, play)
        scores.recompute(connection)
    decide(engine, play, now)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _signals(groups: Any, now: datetime) -> Iterator[dict[str, Any]]:
    dice = random.Random(5)
    for account, first, last in groups:
        for number in range(SIGNALS * 4 // 3):
            at = now - timedelta(minutes=dice.randrange(60 * 24 * 60))
            yield {
                "source": "bench", "source_id": f"{account}-{number}", "kind": KINDS[number % len(KINDS)],
                "account_id": account, "stakeholder_id": dice.randrange(first, last + 1), "occurred_at": at,
                "received_at": at, "is_machine": number >= SIGNALS,
            }  # fmt: skip


@contextmanager
def tandem_serve(home: Path, url: str) -> Iterator[tuple[int, int]]:
    """Port and process id of a `tandem serve` with no limit for one network: all reps come from here."""
    port = _free_port()
    around = {
        "TANDEM_HOME": str(home), "TANDEM_DATABASE_URL": url, "TANDEM_SECRET_KEY": SECRET,
        "TANDEM_WEB__REQUESTS_PER_SECOND": "100000", "TANDEM_WEB__BURST": "100000",
    }  # fmt: skip
    command = [sys.executable, "-c", "from flows.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **around}, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def bare(page: bytes) -> Iterator[tuple[int, int]]:
    """Port and process id of uvicorn and the same page from memory."""
    port = _free_port()
    process = get_context("fork").Process(target=_serve_bare, args=(page, port))
    process.start()
    try:
        _wait_for(port)
        yield port, int(process.pid or 0)
    finally:
        process.terminate()
        process.join()


def _serve_bare(page: bytes, port: int) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(page)).encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    uvicorn.Server(config_of(app, port=port)).run()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            requests.get(f"http://127.0.0.1:{port}/robots.txt", timeout=5)
            return
        except requests.RequestException:
            time.sleep(0.1)
    raise SystemExit("the server did not begin")


async def visit(port: int, paths: list[list[str]], seconds: float, pause: float) -> tuple[float, list[float]]:
    """Pages a second, and how long each took: as many reps as lists of paths, each over a connection of its own."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    async def rep(number: int) -> None:
        dice = random.Random(number)
        await asyncio.sleep(dice.random() * pause)
        while time.perf_counter() < until:
            start = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            request = f"GET {dice.choice(paths[number])} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
            writer.write(request + b"User-Agent: " + USER_AGENT + b"\r\n\r\n")
            answer = await reader.read(-1)
            assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
            taken.append(time.perf_counter() - start)
            writer.close()
            await asyncio.sleep(pause * (0.5 + dice.random()))

    start = time.perf_counter()
    await asyncio.gather(*(rep(number) for number in range(len(paths))))
    return len(taken) / (time.perf_counter() - start), taken


def paths_of(engine: Engine, reps: int) -> list[list[str]]:
    """For each rep: accounts, and as often as half of these the list and a form."""
    owned: dict[int, list[int]] = {}
    with reading(engine) as connection:
        for rep, account in connection.execute(select(Account.owner_id, Account.id).order_by(Account.id)):
            owned.setdefault(rep, []).append(account)
    found = []
    for rep in sorted(owned)[:reps]:
        links = Links("", SECRET, rep, 0, datetime.now(UTC).date())
        pages = [links("page", account) for account in owned[rep]]
        half = max(1, len(pages) // 2)
        found.append([*pages, *[links("page")] * half, *[links("hold", account) for account in owned[rep][:half]]])
    return found


def report(name: str, served: tuple[int, int], paths: list[list[str]], seconds: float, pause: float) -> None:
    """Lets the reps visit, and prints what they waited for and what it took."""
    port, server = served[0], psutil.Process(served[1])
    before = server.cpu_times()
    speed, taken = asyncio.run(visit(port, paths, seconds, pause))
    after, cuts = server.cpu_times(), quantiles(taken, n=100)
    each = (after.user + after.system - before.user - before.system) / len(taken)
    p50, p95, p99 = (f"{1000 * cuts[place]:8.1f} ms" for place in (49, 94, 98))
    print(f"{name:<34}{speed:7.0f} pages/s   p50 {p50}   p95 {p95}   p99 {p99}   CPU {1000 * each:5.2f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--reps", type=int, default=50)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--pause", type=float, default=1.0)
    parser.add_argument("--url", default=None, help="an empty PostgreSQL database; default: SQLite in a new folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'tandem.db'}"
        engine = open_ledger(url)
        build(engine, asked.accounts, asked.reps)
        paths = paths_of(engine, asked.reps)
        with tandem_serve(Path(folder), url) as served:
            page = requests.get(f"http://127.0.0.1:{served[0]}{paths[0][0]}", timeout=30).content
            print(f"an account's page has {len(page):,} bytes")
            for name, pause in (("one after the other", 0.0), (f"{asked.pause:g} s between two", asked.pause)):
                report(f"tandem serve, {name}", served, paths, asked.seconds, pause)
        with bare(page) as served:
            report("the same page from memory", served, paths, asked.seconds, 0.0)
        with reading(engine) as connection:
            uses = connection.scalar(select(func.count()).where(Audit.action == "rep-link"))
        print(f"{uses:,} uses of links are on record")
        engine.dispose()


if __name__ == "__main__":
    main()
