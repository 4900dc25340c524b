"""Sending: the product end to end beside its limits and its peers, all into Postfix's smtp-sink, in turns, in one run.

    python benchmarks/sending.py                                     (about two minutes)
    python benchmarks/sending.py --mails 3000 --rounds 9             (quieter figures)
    python benchmarks/sending.py --memory                            (peak memory at 1,000 to 200,000 messages)

Every way sends mails of the same play to different people, about 6 KB each, over one connection; ours to other ones in
each round, since we remember what we have encoded. Shown are medians of
the rounds: mails a second by the wall clock, and the CPU time that the sending process itself spent on a mail.

    bytes          smtplib, one connection kept, messages composed before: the limit
    no ledger      our pipeline without any database: render, compose, send
    SQLite         the product: claim, render, compose, send, record, with its journal
    PostgreSQL     the same
    1, 2 workers   processes of their own on one plan in PostgreSQL
    RSA, Ed25519   SQLite, and each mail is signed (DKIM)
    textbook       Jinja2, EmailMessage, send_message, one connection kept; no database
    post_office    django-post-office, its queue in SQLite, templates rendered at delivery
"""

import argparse
import itertools
import json
import smtplib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine

from accounts.ledger.sending.recipients import Recipient
from accounts.vocabulary import TouchState
from benchmarks.compose import bare_values, library_message, people
from benchmarks.crowd import NOW
from benchmarks.postroom import (
    CONTENT,
    SINK,
    benchmark_play,
    certified_plan,
    mailroom,
    postgresql,
    server_at,
    sink,
    sqlite,
)  # fmt: skip
from flows.channels.email import Outgoing
from flows.channels.email.smtp import Smtp
from flows.content.mailing import Mailroom, compose_touch
from flows.content.render import read_layout, write_templates
from flows.sending.journal import Journal
from flows.sending.leaving import despatch
from flows.settings import TEMPLATES, Dkim

ROOT = Path(__file__).resolve().parent.parent
#: Slow ways send fewer mails a round.
SLOW = 4
#: (way, at least so many times, of that way)
TARGETS = (
    ("SQLite", 0.8, "no ledger"), ("PostgreSQL", 0.8, "no ledger"), ("SQLite", 0.4, "bytes"),
    ("PostgreSQL", 0.4, "bytes"), ("2 workers", 1.5, "1 worker"), ("SQLite", 5.0, "textbook"),
    ("PostgreSQL", 5.0, "textbook"), ("SQLite", 4.0, "post_office"), ("PostgreSQL", 4.0, "post_office"),
    ("RSA", 0.45, "SQLite"), ("Ed25519", 0.8, "SQLite"),
)  # fmt: skip
#: Peak memory at the largest size over that at the smallest.
FLAT = 1.25


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the wall clock, and of CPU in this process; None where another process did the work."""

    wall: float
    cpu: float | None = None


class Watch:
    """Started when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), process_time()

    def read(self) -> Spent:
        return Spent(perf_counter() - self._wall, process_time() - self._cpu)


@dataclass
class Way:
    """One way of sending. `send(n)` says what n mails took, without what was prepared for them."""

    name: str
    send: Callable[[int], Spent]
    share: int = 1
    #: By round, of one mail.
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def go(self, mails: int) -> None:
        count = max(mails // self.share, 1)
        spent = self.send(count)
        self.wall.append(spent.wall / count)
        if spent.cpu is not None:
            self.cpu.append(spent.cpu / count)

    @property
    def rate(self) -> float:
        return 1 / median(self.wall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1_000, help="a round and way")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=1, help="of the product")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=(1_000, 20_000, 200_000), help="for --memory")
    asked = parser.parse_args()
    if SINK is None:
        print("needs smtp-sink, which comes with Postfix (Debian: apt-get install postfix); nothing was measured")
        return
    with sink() as port:
        if asked.memory:
            memory(port, asked.sizes)
        else:
            compare(port, asked.mails, asked.rounds, asked.connections)


def compare(port: int, mails: int, rounds: int, connections: int) -> None:
    with ExitStack() as stack:
        stages: dict[str, Counter[str]] = {}
        ways = list(_ways(stack, port, mails, connections, stages))
        for way in ways:
            way.go(mails)  # warms up, and is not counted
            way.wall.clear()
            way.cpu.clear()
        stages.clear()
        for number in range(rounds):
            for way in ways if number % 2 else reversed(ways):
                way.go(mails)
        _print_rates(ways)
        _print_stages(stages, mails * rounds)
        _print_targets({way.name: way.rate for way in ways})


def _ways(stack: ExitStack, port: int, mails: int, connections: int, stages: dict[str, Counter[str]]) -> Iterator[Way]:
    room = mailroom()
    digest, firsts = room.compiled.content(CONTENT).step.digest, itertools.count(0, mails)
    crowd = people(mails, digest)
    outgoing = [_outgoing(room, person) for person in crowd]
    print(f"{mails:,} mails a round, {median(len(one.content) for one in outgoing):,.0f} octets each")
    yield Way("bytes", lambda count: _smtplib(port, outgoing[:count]))
    yield Way("no ledger", lambda count: _without_ledger(port, room, people(count, digest, next(firsts))))
    files, server = stack.enter_context(sqlite()), stack.enter_context(postgresql())
    lite, postgres = Desk(files, port, connections, stages), Desk(server, port, connections, stages)
    yield Way("SQLite", lambda count: lite.send("SQLite", room, count))
    yield Way("PostgreSQL", lambda count: postgres.send("PostgreSQL", room, count))
    workers = [stack.enter_context(companion("worker", url_of(server), str(port))) for _ in range(2)]
    for worker in workers:
        assert worker.hear() == "ready"
    yield Way("1 worker", lambda count: postgres.hand_to(workers[:1], count))
    yield Way("2 workers", lambda count: postgres.hand_to(workers, count))
    for name, keys in signing_keys().items():
        signed = mailroom(dkim=keys)
        yield Way(name, lambda count, name=name, signed=signed: lite.send(name, signed, count))  # type: ignore[misc]
    yield Way("textbook", lambda count: _textbook(port, room, crowd[:count]), SLOW)
    if find_spec("post_office"):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        office = stack.enter_context(companion("django_post_office"))
        office.tell(_for_post_office(Path(folder), port, room, crowd[: mails // SLOW or 1]))
        yield Way("post_office", lambda count: _post_office(office, count), SLOW)
    else:
        print("django-post-office is not installed (pip install '.[bench]'): left out")


def _smtplib(port: int, outgoing: list[Outgoing]) -> Spent:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        watch = Watch()
        for one in outgoing:
            client.sendmail(one.sender, [one.recipient], one.content)
        return watch.read()


def _without_ledger(port: int, room: Mailroom, crowd: list[Recipient]) -> Spent:
    with Smtp(server_at(port), "mail.example") as smtp:
        watch = Watch()
        for person in crowd:
            smtp.send(_outgoing(room, person))
        return watch.read()


def _outgoing(room: Mailroom, person: Recipient) -> Outgoing:
    mail = compose_touch(room, person, NOW)
    return Outgoing(mail.envelope.message_id, mail.envelope.return_path, person.address, mail.raw)


class Desk:
    """A ledger from which certified plans are sent, each to people of its own."""

    def __init__(self, engine: Engine, port: int, connections: int, stages: dict[str, Counter[str]]) -> None:
        self._engine, self._port, self._connections = engine, port, connections
        self._stages, self._play, self._next = stages, benchmark_play(), 1

    def plan(self, people: int) -> int:
        first, self._next = self._next, self._next + people
        return certified_plan(self._engine, self._play, people, first)

    def send(self, name: str, room: Mailroom, count: int) -> Spent:
        plan_id = self.plan(count)
        with (
            tempfile.TemporaryDirectory() as folder,
            Journal.open(Path(folder), self._engine) as journal,
            Smtp(server_at(self._port, self._connections), "mail.example") as smtp,
        ):
            watch = Watch()
            done = despatch(self._engine, room, plan_id, NOW, smtp, journal=journal)
            spent = watch.read()
        assert done.outcomes == {TouchState.SENT: count}, done
        self._stages.setdefault(name, Counter()).update(asdict(done.stages))
        return spent

    def hand_to(self, workers: "list[Companion]", count: int) -> Spent:
        """From the first one's beginning to the last one's end."""
        plan_id = self.plan(count)
        for worker in workers:
            worker.tell(plan_id)
        told = [json.loads(worker.hear()) for worker in workers]
        assert sum(one["sent"] for one in told) == count, told
        return Spent(max(one["ended"] for one in told) - min(one["begun"] for one in told))


def signing_keys() -> dict[str, Dkim]:
    """A key of either kind, made on the spot."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    def pem(key: Any) -> SecretStr:
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return SecretStr(key.private_bytes(serialization.Encoding.PEM, form, none).decode())

    return {
        "RSA": Dkim(rsa_key=pem(rsa.generate_private_key(65537, 2048))),
        "Ed25519": Dkim(ed25519_key=pem(ed25519.Ed25519PrivateKey.generate())),
    }


def _textbook(port: int, room: Mailroom, crowd: list[Recipient]) -> Spent:
    """What a tutorial shows, with its templates held and its connection kept."""
    from jinja2 import Environment

    sources = _sources()
    html = Environment(autoescape=True).from_string(sources.html)
    subject, text = map(Environment(autoescape=False).from_string, (sources.subject, sources.text))  # noqa: S701
    envelopes = [compose_touch(room, person, NOW).envelope for person in crowd]
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        watch = Watch()
        for person, envelope in zip(crowd, envelopes, strict=True):
            values = bare_values(room, person)
            texts = {"subject": subject, "html": html, "text": text}
            words: Any = SimpleNamespace(**{part: template.render(values) for part, template in texts.items()})
            client.send_message(library_message(envelope, words), envelope.return_path, [person.address])
        return watch.read()


def _sources() -> Any:
    step = benchmark_play().step(CONTENT)
    assert step is not None
    return write_templates(step, read_layout(TEMPLATES / "layout"))


def _for_post_office(folder: Path, port: int, room: Mailroom, crowd: list[Recipient]) -> dict[str, Any]:
    sources = _sources()
    contexts = []
    for person in crowd:
        envelope = compose_touch(room, person, NOW).envelope
        values = {name: getattr(value, "__dict__", value) for name, value in bare_values(room, person).items()}
        headers = {"Message-ID": envelope.message_id, "Reply-To": envelope.reply_to.address,
                   "List-Unsubscribe": f"<{envelope.unsubscribe_url}>",
                   "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}  # fmt: skip
        contexts.append({**values, "address": person.address, "sender": envelope.sender.address, "headers": headers})
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "office.db")}
    words = {"subject": sources.subject, "text": sources.text, "html": sources.html}
    return {"port": port, "database": database, "contexts": contexts, **words}


def _post_office(office: "Companion", count: int) -> Spent:
    """Its queue is filled before, as our plan is certified before."""
    office.tell({"send": count})
    told = json.loads(office.hear())
    assert told["delivered"] == count, told
    return Spent(told["sent"])


@dataclass(frozen=True)
class Companion:
    """A process of its own that is told a line and answers with a line."""

    process: subprocess.Popen[str]

    def tell(self, value: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a companion process has died")
        return line.strip()


@contextmanager
def companion(name: str, *arguments: str) -> Iterator[Companion]:
    command = [sys.executable, "-m", f"benchmarks.peers.{name}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Companion(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def memory(port: int, sizes: Sequence[int]) -> None:
    """Each size in a ledger and a process of its own; seeding is done elsewhere and does not count."""
    peaks = {}
    for name, open_it in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        for count in sizes:
            with open_it() as engine:
                plan_id = certified_plan(engine, benchmark_play(), count, 1)
                with companion("worker", url_of(engine), str(port)) as worker:
                    assert worker.hear() == "ready"
                    worker.tell(plan_id)
                    told = json.loads(worker.hear())
            assert told["sent"] == count, told
            peaks[count] = told["peak"]
            rate = count / (told["ended"] - told["begun"])
            print(f"{name}: {count:>9,} messages, peak {told['peak'] / 2**20:.1f} MiB, {rate:,.0f} mails/s", flush=True)
        ratio = peaks[sizes[-1]] / peaks[sizes[0]]
        print(f"{name}: {ratio:.2f}x; target at most {FLAT}x: {'reached' if ratio <= FLAT else 'MISSED'}")


def _print_rates(ways: list[Way]) -> None:
    for way in ways:
        cpu = f"{median(way.cpu) * 1e6:6.0f} us CPU" if way.cpu else " " * 13
        spread = f"{1 / max(way.wall):,.0f}..{1 / min(way.wall):,.0f}"
        print(f"{way.name:>12}  {way.rate:8,.0f} mails/s  {cpu}  ({spread})")


def _print_stages(stages: dict[str, Counter[str]], mails: int) -> None:
    """Where the time of the product goes, in microseconds a mail."""
    for name, spent in stages.items():
        print(f"{name:>12}  " + "  ".join(f"{part} {taken / mails * 1e6:.0f} us" for part, taken in spent.items()))


def _print_targets(rates: dict[str, float]) -> None:
    for way, target, limit in TARGETS:
        if way in rates and limit in rates:
            ratio = rates[way] / rates[limit]
            print(f"{ratio:6.2f}x  {way} / {limit}; target {target}: {'reached' if ratio >= target else 'MISSED'}")


if __name__ == "__main__":
    main()
