"""Webhooks: taken in, expanded into signals, and how soon they act; on SQLite and on PostgreSQL.

    python -m benchmarks.webhooks [door|expand|effect|clicks …] [--databases sqlite postgresql] [--seconds 5]
                                  [--rounds 5] [--batches 300]

door    batches of 100 SendGrid events over loopback, signature checked and stored before the answer; beside it the
        same uvicorn with a bare handler that does the same check and one insert.
expand  stored batches into signals, one event in ten told twice, out of order; beside it executemany of as many rows
        that are ready beforehand (11 columns; a signal has 15), in lots of 10,000: once into a table with one unique
        key of two names, once with the signal table's whole indexes besides. Neither has the fingerprint, the address's
        hash and the foreign key that a signal has. CPU is ours and the database's together.
effect  from the POST of an opt-out to "the claim refuses this person", and of a click to the updated score.
clicks  what a reader waits for a redirect, alone and while 1,000 events a second come in and are collected.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests
import uvicorn
from sqlalchemy import Engine, select, text

from accounts.ledger.driver import Form, write_many
from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.sending.links import Link, remember_links
from accounts.ledger.signals.webhooks import Post, keep
from accounts.models import Score, Signal, Stakeholder
from accounts.weeks import week_of
from benchmarks.postroom import cpu_seconds
from benchmarks.signals import DATABASES, PEOPLE, build
from flows.settings import Settings
from flows.signals.intake import Tally, drain, take_webhooks
from flows.web.app import create_app
from flows.web.serving import config_of
from flows.webhooks import sendgrid as door
from flows.webhooks.reading import read_posts
from tests.signals.post import play
from tests.web.visitor import SECRET, click_path
from tests.webhooks import senders

EVENTS = 100
#: What SendGrid tells, in shares of a hundred; one in two hundred is a no.
MIX = {"processed": 25, "delivered": 35, "open": 25, "click": 13, "deferred": 1, "bounce": 0.5, "unsubscribe": 0.5}
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
)


def events(number: int, dice: random.Random, count: int = EVENTS) -> list[dict[str, Any]]:
    """One batch, as SendGrid writes it: about 31 KB."""
    now = int(time.time())
    made = []
    for place in range(count):
        person = dice.randrange(PEOPLE)
        event = dice.choices(list(MIX), list(MIX.values()))[0]
        made.append(
            {
                "email": f"p{person}@a{person // 5}.example", "timestamp": now - dice.randrange(86_400), "event": event,
                "smtp-id": f"<tandem.{person}@mail.example>", "sg_event_id": f"b{number}-{place}-{dice.random():.12f}",
                "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "category": ["nurture"],
                "tandem": f"touch-{person + 1}", "ip": "203.0.113.7", "useragent": USER_AGENT,
                "url": f"https://www.lumenflow.example/{dice.randrange(9)}",
                "type": "bounce" if event == "bounce" else "",
            }
        )  # fmt: skip
    return made


def batches(count: int, repeated: float = 0.1) -> list[bytes]:
    """Of `count` batches one event in ten was told before, in another batch."""
    dice = random.Random(11)
    told: list[dict[str, Any]] = []
    made = []
    for number in range(count):
        batch = events(number, dice)
        if told:
            for place in range(EVENTS):
                if dice.random() < repeated:
                    batch[place] = dice.choice(told)
        told = [*told[-900:], *batch]
        made.append(json.dumps(batch).encode())
    dice.shuffle(made)
    return made


# the servers


def bare(url: str) -> Any:
    """The least that keeps the promise: check, insert, commit, answer."""
    engine = open_ledger(url)
    key = door.Door(senders.sendgrid_public())
    connection = engine.connect()
    driver: Any = connection.connection.driver_connection
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    insertion = f"INSERT INTO bare_inbox (digest, body) VALUES ({mark}, {mark}) ON CONFLICT DO NOTHING"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] == "POST":  # else somebody asks whether we are up
            key.prove(door.Call("", headers, body), datetime.now(UTC))
        if engine.dialect.name == "sqlite":
            driver.execute("BEGIN IMMEDIATE")
        driver.execute(insertion, (sha256(body).hexdigest(), body))
        driver.execute("COMMIT") if engine.dialect.name == "sqlite" else driver.commit()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return app


def product(url: str) -> Any:
    settings = Settings(home=Path(tempfile.gettempdir()), secret_key=SECRET, webhooks=senders.secrets())
    return create_app(open_ledger(url), settings, play())


def run_server(make: Callable[[str], Any], url: str, listener: socket.socket) -> None:
    uvicorn.Server(config_of(make(url), log_level="error")).run(sockets=[listener])


@contextmanager
def serving(make: Callable[[str], Any], url: str) -> Iterator[int]:
    """The app in a process of its own; its port."""
    senders.secrets()  # the keys are made here: made after the fork, each side would have its own
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        port: int = listener.getsockname()[1]
        process = multiprocessing.get_context("fork").Process(target=run_server, args=(make, url, listener))
        process.start()
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                requests.get(f"http://127.0.0.1:{port}/robots.txt", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.join()


# door


async def load(port: int, wires: list[bytes], seconds: float, connections: int) -> tuple[float, list[float]]:
    """Answers a second and how long each took, over so many connections that ask one thing after the other."""
    taken: list[float] = []
    until = time.perf_counter() + seconds
    supply = iter(wires)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until and (wire := next(supply, None)) is not None:
            start = time.perf_counter()
            writer.write(wire)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head[:20], head
            taken.append(time.perf_counter() - start)
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return len(taken) / (time.perf_counter() - start), taken


def wire(body: bytes) -> bytes:
    """The whole request, ready to be written; no two are alike, since a repetition is not kept."""
    request = senders.sendgrid(body, datetime.now(UTC))
    lines = [b"POST /hooks/sendgrid HTTP/1.1", b"host: t.example", b"content-length: %d" % len(body)]
    lines += [f"{name}: {value}".encode() for name, value in request.headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def measure_door(engine: Engine, url: str, seconds: float, rounds: int) -> None:
    bodies = batches(60)
    numbers = iter(range(10**9))
    speeds: dict[str, list[float]] = {"bare": [], "product": []}
    waits: list[float] = []
    with writing(engine) as connection:
        octets = "BLOB" if engine.dialect.name == "sqlite" else "BYTEA"
        connection.execute(
            text(f"CREATE TABLE IF NOT EXISTS bare_inbox (digest VARCHAR(64) PRIMARY KEY, body {octets})")
        )
    for _ in range(rounds):
        for name, make in (("bare", bare), ("product", product)):
            some = range(int(seconds * 4_000))
            wires = [wire(_numbered(bodies[n % len(bodies)], next(numbers))) for n in some]
            with serving(make, url) as port:
                speed, taken = asyncio.run(load(port, wires, seconds, 16))
            speeds[name].append(speed)
            waits += taken if name == "product" else []
        with writing(engine) as connection:
            connection.execute(text("DELETE FROM webhook"))
            connection.execute(text("DELETE FROM bare_inbox"))
    ours, limit = median(speeds["product"]), median(speeds["bare"])
    share = median(one / other for one, other in zip(speeds["product"], speeds["bare"], strict=True))
    slow = quantiles(waits, n=100)
    print(
        f"door    {engine.dialect.name}: {ours:,.0f} batches/s ({ours * EVENTS:,.0f} events/s) of {limit:,.0f} bare: "
        f"{share:.2f} (wanted 0.45); answered in {slow[49] * 1e3:.1f} ms, p99 {slow[98] * 1e3:.1f} ms at 16 at a time"
    )


def _numbered(body: bytes, number: int) -> bytes:
    """The same events under another digest: white space counts."""
    return body[:-1] + b" " * (number % 997) + b"\n" * (number // 997) + b"]"


# expand


def measure_expand(engine: Engine, count: int, rounds: int) -> None:
    bodies = batches(count)
    speeds, narrow, wide, cpu = [], [], [], []
    for _ in range(rounds):
        _empty(engine)
        with writing(engine) as connection:
            now = datetime.now(UTC)
            keep(connection, [_post(body, now) for body in bodies])
        start, worked = time.perf_counter(), cpu_seconds(engine)
        understood = read_posts(engine, datetime.now(UTC))
        seconds, worked = time.perf_counter() - start, cpu_seconds(engine) - worked
        told = sum(one.new + one.duplicates for one in understood.recorded)
        assert told == count * EVENTS, understood
        assert not understood.quarantined, understood
        speeds.append(told / seconds)
        bare_narrow, bare_wide = (bare_rows(engine, bodies, table) for table in ("bare_narrow", "bare_wide"))
        narrow.append(told / bare_narrow[0])
        wide.append(told / bare_wide[0])
        cpu.append([each / told for each in (worked, bare_narrow[1], bare_wide[1])])
    ours, spent = median(speeds), [median(column) * 1e6 for column in zip(*cpu, strict=True)]
    print(
        f"expand  {engine.dialect.name}: {ours:,.0f} events/s of {median(narrow):,.0f} executemany with a unique key: "
        f"{ours / median(narrow):.2f} (wanted 0.5); of {median(wide):,.0f} with the ledger's indexes: "
        f"{ours / median(wide):.2f}; CPU an event {spent[0]:.1f} us, bare {spent[1]:.1f} and {spent[2]:.1f} us"
    )


def _post(body: bytes, now: datetime) -> Post:
    digest = sha256(body).hexdigest()
    return Post("sendgrid", digest, digest, now, "application/json", body)


def bare_rows(engine: Engine, bodies: list[bytes], table: str) -> tuple[float, float]:
    """Seconds, and CPU seconds, to insert ready rows into an empty table."""
    with reading(engine) as connection:
        write = Form.of(connection).write
    now = datetime.now(UTC)
    received, week, rows = write(now), week_of(now), []
    for event in (event for body in bodies for event in json.loads(body)):
        person, at = int(event["tandem"][6:]), write(datetime.fromtimestamp(event["timestamp"], UTC))
        data = json.dumps({"url": event["url"], "user_agent": event["useragent"]})
        who = ((person - 1) // 5 + 1, person, person)
        rows.append(("sendgrid", event["sg_event_id"], event["event"], *who, at, received, week, False, data))
    id_, time_ = ("INTEGER", "TEXT") if engine.dialect.name == "sqlite" else ("BIGSERIAL", "TIMESTAMPTZ")
    with writing(engine) as connection:
        connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
        connection.execute(
            text(
                f"CREATE TABLE {table} (id {id_} PRIMARY KEY, source VARCHAR(40), source_id VARCHAR(120), "
                f"kind VARCHAR(40), account_id BIGINT, stakeholder_id BIGINT, touch_id BIGINT, occurred_at {time_}, "
                f"received_at {time_}, received_week INTEGER, is_machine BOOLEAN, data TEXT, "
                "UNIQUE (source, source_id))"
            )
        )
        if table == "bare_wide":
            for number, index in enumerate(_indexes()):
                connection.execute(text(f"CREATE INDEX {table}_{number} ON {table} ({index})"))
    insertion = f"""
        INSERT INTO {table} (source, source_id, kind, account_id, stakeholder_id, touch_id, occurred_at, received_at,
        received_week, is_machine, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (source, source_id) DO NOTHING"""
    start, worked = time.perf_counter(), cpu_seconds(engine)
    for first in range(0, len(rows), 10_000):
        with writing(engine) as connection:
            write_many(connection, insertion, rows[first : first + 10_000])
    return time.perf_counter() - start, cpu_seconds(engine) - worked


def _indexes() -> list[str]:
    """Of the signal table, the whole ones."""
    own = [index for index in Signal.__table__.indexes if index.dialect_options["sqlite"]["where"] is None]
    return [", ".join(column.name for column in index.columns) for index in own]


def _empty(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in ("signal", "unapplied", "webhook", "quarantine", "score", "suppression"):
            connection.execute(text(f"DELETE FROM {table}"))


# effect


def measure_effect(engine: Engine, url: str, rounds: int) -> None:
    """`opted out` is what the claim's statement asks for; the score is read as briefs read it."""
    refused, scored = [], []
    dice = random.Random(5)
    with serving(product, url) as port:
        session = requests.Session()
        session.trust_env = False
        for round_ in range(rounds * 10):
            person = dice.randrange(PEOPLE)
            start = time.perf_counter()
            _tell(session, port, person, "unsubscribe", round_)
            _until(engine, select(Stakeholder.opted_out_at).where(Stakeholder.id == person + 1))
            refused.append(time.perf_counter() - start)
        for round_ in range(rounds):
            person = dice.randrange(PEOPLE)
            start = time.perf_counter()
            _tell(session, port, person, "click", 10_000 + round_)
            collect_now(engine)
            _until(engine, select(Score.mass).where(Score.person == person + 1))
            scored.append(time.perf_counter() - start)
    worst = quantiles(refused, n=20)[18]
    print(
        f"effect  {engine.dialect.name}: POST to refused {median(refused) * 1e3:.0f} ms, p95 {worst * 1e3:.0f} ms "
        f"(wanted 1,000); POST to updated score, when a collection begins at once, {median(scored) * 1e3:.0f} ms"
    )


def _tell(session: requests.Session, port: int, person: int, event: str, number: int) -> None:
    told = {
        "email": f"p{person}@a{person // 5}.example", "timestamp": int(time.time()) - 60, "event": event,
        "sg_event_id": f"effect-{number}-{time.time_ns()}", "tandem": f"touch-{person + 1}", "useragent": USER_AGENT,
        "url": "https://www.lumenflow.example/x",
    }  # fmt: skip
    request = senders.sendgrid([told], datetime.now(UTC))
    answer = session.post(f"http://127.0.0.1:{port}/hooks/sendgrid", data=request.body, headers=dict(request.headers))
    assert answer.status_code == 200, answer.status_code


def _until(engine: Engine, query: Any) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with reading(engine) as connection:
            if connection.scalar(query) is not None:
                return
        time.sleep(0.001)
    raise AssertionError("nothing happened within ten seconds")


def collect_now(engine: Engine) -> None:
    now = datetime.now(UTC)
    take_webhooks(engine, now, Tally())
    for _ in drain(engine, play(), now):
        pass


# clicks


def measure_clicks(engine: Engine, url: str, seconds: float) -> None:
    with writing(engine) as connection:
        remember_links(connection, {"2" * 64: [Link("https://www.lumenflow.example/pilot")]})
    with serving(product, url) as port:
        alone = asyncio.run(_clicking(port, seconds))
        others = multiprocessing.get_context("fork")  # processes of their own, or clicks would wait for threads of ours
        stop = others.Event()
        work = [
            others.Process(target=_intake, args=(port, stop)),
            others.Process(target=_collecting, args=(url, stop)),
        ]
        for one in work:
            one.start()
        busy = asyncio.run(_clicking(port, seconds))
        stop.set()
        for one in work:
            one.join()
    says = [
        f"{quantiles(times, n=100)[49] * 1e3:.1f} ms, p99 {quantiles(times, n=100)[98] * 1e3:.1f} ms"
        for times in (alone, busy)
    ]
    print(f"clicks  {engine.dialect.name}: a redirect takes {says[0]}; with 1,000 events/s coming in {says[1]}")


async def _clicking(port: int, seconds: float) -> list[float]:
    """Fifty clicks a second, each begun at its time whatever the others do, from as many offices, through the proxy on
    this machine that uvicorn trusts: from one office there may be no more than a few."""
    taken: list[float] = []
    dice = random.Random(3)

    async def click() -> None:
        start = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reader_of = f"x-forwarded-for: {dice.randrange(11, 99)}.{dice.randrange(256)}.{dice.randrange(256)}.7"
        path = click_path(dice.randrange(PEOPLE) + 1)
        writer.write(f"GET {path} HTTP/1.1\r\nhost: t\r\n{reader_of}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        taken.append(time.perf_counter() - start)
        assert b" 302 " in head[:20], head
        writer.close()

    tasks = []
    for _ in range(int(seconds * 50)):
        tasks.append(asyncio.create_task(click()))
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)
    return taken


def _intake(port: int, stop: Any) -> None:
    """Ten batches of a hundred events a second."""
    session, dice, number = requests.Session(), random.Random(9), 0
    session.trust_env = False
    begun = time.monotonic()
    while not stop.is_set():
        number += 1
        request = senders.sendgrid(events(number, dice), datetime.now(UTC))
        session.post(f"http://127.0.0.1:{port}/hooks/sendgrid", data=request.body, headers=dict(request.headers))
        time.sleep(max(0.0, begun + number * 0.1 - time.monotonic()))


def _collecting(url: str, stop: Any) -> None:
    engine = open_ledger(url)
    while not stop.wait(1):
        collect_now(engine)
    engine.dispose()


PARTS = ("door", "expand", "effect", "clicks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--databases", nargs="+", choices=tuple(DATABASES), default=list(DATABASES))
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=300, help="stored batches of 100 events to expand")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, {PEOPLE:,} people, a touch each")
    for database in chosen.databases:
        with DATABASES[database]() as engine:
            build(engine, 0)
            run(engine, chosen)


def run(engine: Engine, chosen: argparse.Namespace) -> None:
    """The parts that were asked for."""
    url = engine.url.render_as_string(hide_password=False)
    if "door" in chosen.parts:
        measure_door(engine, url, chosen.seconds, chosen.rounds)
    if "expand" in chosen.parts:
        measure_expand(engine, chosen.batches, chosen.rounds)
    if "effect" in chosen.parts:
        measure_effect(engine, url, chosen.rounds)
    if "clicks" in chosen.parts:
        measure_clicks(engine, url, chosen.seconds)


if __name__ == "__main__":
    main()
