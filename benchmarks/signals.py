"""10,000 new signals against histories of 10 thousand, 1 million and 5 million, and all scores made anew.

    python -m benchmarks.signals [--history 10000 1000000 5000000] [--databases sqlite postgresql] [--new 10000]
                                 [--rounds 5]

On SQLite in a folder of its own and on a PostgreSQL server of its own. The last line of each says how much longer the
new ones take beside a longer history. Five million need three gigabytes of room.

`record` stores the new signals and finds whose they are; `apply` judges machines, performs effects and adds to the
scores. The mix is what providers send: deliveries, opens, clicks, now and then a reply, an opt-out, a bounce. Beside
`recompute` stands its limit: one GROUP BY with the same decay in the same database.
"""

import argparse
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, func, insert, select, text

from accounts.fingerprints import fingerprint
from accounts.identity import email_hash
from accounts.ledger.driver import Form, write_many
from accounts.ledger.engagement import scores, weighing
from accounts.ledger.engine import reading, writing
from accounts.ledger.signals.applying import apply_waiting
from accounts.ledger.signals.recorded import Incoming, record
from accounts.models import Account, Signal, Stakeholder, Touch
from accounts.vocabulary import SignalKind
from accounts.weeks import WEEK_SECONDS, week_of
from benchmarks.postroom import cpu_seconds, postgresql, sqlite
from tests.signals.post import play

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
ACCOUNTS, GROUP = 20_000, 5
YEARS = timedelta(days=730)
K = SignalKind
MIX = (
    (K.DELIVERED, 45), (K.OPENED, 25), (K.CLICKED, 15), (K.VISITED, 8), (K.DOWNLOADED, 4), (K.REPLIED, 1),
    (K.OUT_OF_OFFICE, 1), (K.BOUNCED, 0.5), (K.UNSUBSCRIBED, 0.5),
)  # fmt: skip
KINDS, SHARES = [kind for kind, _ in MIX], [share for _, share in MIX]
PEOPLE = ACCOUNTS * GROUP
DATABASES = {"sqlite": sqlite, "postgresql": postgresql}
#: Parts that kinds have shares of.
SCALE = 1_000


def build(engine: Engine, history: int) -> None:
    """20,000 accounts of five people, one sent mail each, and `history` applied signals of the last two years."""
    with writing(engine) as connection:
        connection.execute(
            insert(Account), [{"key": f"a{n}", "name": f"A {n}", "domain": f"a{n}.example"} for n in range(ACCOUNTS)]
        )
        addresses = [f"p{n}@a{n // GROUP}.example" for n in range(PEOPLE)]
        connection.execute(
            insert(Stakeholder),
            [
                {"account_id": n // GROUP + 1, "email": address, "email_hash": email_hash(address), "role": "champion"}
                for n, address in enumerate(addresses)
            ],
        )
        connection.execute(
            insert(Touch),
            [
                {
                    "account_id": n // GROUP + 1, "stakeholder_id": n + 1, "channel": "email", "play": "p",
                    "play_version": "1" * 64, "stage": "discovery", "content": "p/discovery/x",
                    "content_digest": "2" * 64, "address": address, "state": "sent", "due_at": NOW,
                    "message_id": f"<tandem.{n}@mail.example>",
                }
                for n, address in enumerate(addresses)
            ],
        )  # fmt: skip
    indexes = sorted(Signal.__table__.indexes, key=lambda index: str(index.name))
    with writing(engine) as connection:
        for index in indexes:
            index.drop(connection)
    for start in range(0, history, 500_000):
        with writing(engine) as connection:
            connection.execute(text(past(engine, start, min(start + 500_000, history), history)))
    with writing(engine) as connection:
        for index in indexes:  # made over all rows at once: row by row they are most of the time it takes
            index.create(connection)
        weighing.enter(connection, play())
        scores.recompute(connection)
    rest(engine)


def rest(engine: Engine) -> None:
    """What filling leaves for later is done now: else the first ones measured would pay for it."""
    with closing(engine.raw_connection()) as connection:
        driver: Any = connection.driver_connection
        if engine.dialect.name == "sqlite":
            driver.execute("ANALYZE")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            driver.autocommit = True
            driver.execute("VACUUM ANALYZE")
            driver.execute("CHECKPOINT")
            driver.autocommit = False


def past(engine: Engine, first: int, end: int, history: int) -> str:
    """Signals `first` to `end` of a history, made by the database itself: millions would take it minutes to be told.

    Whoever they are about, they come in as time goes by.
    """
    oldest = NOW - timedelta(days=1) - YEARS
    step = YEARS.total_seconds() / history
    if engine.dialect.name == "sqlite":
        numbers = f"WITH RECURSIVE one (n) AS (VALUES ({first}) UNION ALL SELECT n + 1 FROM one WHERE n < {end - 1})"
        dice, share, name = f"abs(random()) % {PEOPLE}", f"abs(random()) % {SCALE}", "printf('o%08d', n)"
        at = f"strftime('%Y-%m-%d %H:%M:%f000', '{oldest:%Y-%m-%d %H:%M:%S}', (n * {step}) || ' seconds')"
        known_by = "printf('%012x%s', strftime('%s', at) * 1000, lower(hex(randomblob(10))))"
        week = f"strftime('%s', at) / {WEEK_SECONDS}"
    else:
        numbers = f"WITH one AS (SELECT n FROM generate_series({first}, {end - 1}) AS n)"
        dice, share, name = (
            f"floor(random() * {PEOPLE})::bigint", f"floor(random() * {SCALE})::int", "'o' || lpad(n::text, 8, '0')"
        )  # fmt: skip
        at = f"timestamptz '{oldest.isoformat()}' + n * {step} * interval '1 second'"
        time = "lpad(to_hex((date_part('epoch', at) * 1000)::bigint), 12, '0')"
        known_by = f"{time} || substr(md5(random()::text), 1, 20)"
        week = f"floor(date_part('epoch', at) / {WEEK_SECONDS})::int"
    return f"""
        INSERT INTO signal (source, source_id, kind, account_id, stakeholder_id, touch_id, occurred_at, received_at,
                            is_machine, fingerprint, received_week)
        {numbers},
        made AS MATERIALIZED (SELECT n, {dice} AS person, {share} AS share, {at} AS at FROM one)
        SELECT 'old', {name}, CASE {_shares("share")} END, person / {GROUP} + 1, person + 1, person + 1, at, at,
               false, {known_by}, {week}
          FROM made"""


def _shares(column: str) -> str:
    """WHEN … THEN … for each kind, by its share of SCALE."""
    limits = accumulate(share * SCALE / sum(SHARES) for share in SHARES)
    return " ".join(f"WHEN {column} < {limit:.0f} THEN '{kind}'" for kind, limit in zip(KINDS, limits, strict=True))


def news(count: int, round_: int) -> list[Incoming]:
    """As a provider tells them: by Message-ID, out of order, under names that begin with anything."""
    dice = random.Random(round_)
    return [
        Incoming(
            "provider", f"{dice.getrandbits(128):032x}", dice.choices(KINDS, SHARES)[0].value,
            NOW - timedelta(seconds=dice.randrange(86_400)),
            message_id=f"<tandem.{dice.randrange(PEOPLE)}@mail.example>",
            is_dated=True,
            data={"url": f"https://x.example/{dice.randrange(9)}", "user_agent": "Mozilla/5.0"},
        )
        for _ in range(count)
    ]  # fmt: skip


def measure(engine: Engine, count: int, rounds: int) -> Iterator[tuple[float, float, float]]:
    """Seconds for (record, apply), commits included, and CPU seconds for both, ours and the database's."""
    for round_ in range(rounds):
        told = news(count, round_)
        cpu, start = cpu_seconds(engine), perf_counter()
        with writing(engine) as connection:
            record(connection, told, NOW)
        middle = perf_counter()
        applied = 0
        while True:
            with writing(engine) as connection:
                done = apply_waiting(connection, play(), NOW)
            applied += done.signals
            if not done.signals:
                break
        assert applied == count, applied
        yield middle - start, perf_counter() - middle, cpu_seconds(engine) - cpu


def bare(engine: Engine, count: int, rounds: int) -> Iterator[float]:
    """Seconds to insert as many ready rows into the same table and its indexes, and to commit."""
    columns = (
        "source, source_id, fingerprint, kind, account_id, stakeholder_id, touch_id, occurred_at, received_at, "
        "received_week, is_machine"
    )
    values = ", ".join("?" * 11)
    sql = f"INSERT INTO signal ({columns}) VALUES ({values}) ON CONFLICT (fingerprint) DO NOTHING"
    with reading(engine) as connection:
        at = Form.of(connection).write(NOW)
    for round_ in range(rounds):
        dice = random.Random(round_)
        people = [dice.randrange(PEOPLE) for _ in range(count)]
        ready = [
            ("bare", f"b{number}", fingerprint("bare", f"b{number}", NOW), "clicked", who // GROUP + 1, who + 1,
             who + 1, at, at, week_of(NOW), False)
            for number, who in enumerate(people)
        ]  # fmt: skip
        start = perf_counter()
        with writing(engine) as connection:
            write_many(connection, sql, ready)
        yield perf_counter() - start
        with writing(engine) as connection:
            connection.execute(text("DELETE FROM signal WHERE source = 'bare'"))


def group_by(engine: Engine) -> float:
    """The same decayed sums in one statement, of the kinds that weigh anything; the plus keeps it from walking the
    index of accounts."""
    half = play().engagement.half_life.total_seconds()
    age = (
        "(strftime('%s', '2026-11-24 10:00:00') - strftime('%s', occurred_at))"
        if engine.dialect.name == "sqlite"
        else "date_part('epoch', timestamptz '2026-11-24 10:00:00+00' - occurred_at)"
    )
    weights = {kind.value: weight for kind, weight in play().engagement.weights.items() if weight}
    cases = " ".join(f"WHEN '{kind}' THEN {weight}" for kind, weight in weights.items())
    query = (
        f"SELECT +account_id, +stakeholder_id, SUM(CASE kind {cases} END * pow(2.0, -({age}) / {half})) FROM signal "
        f"WHERE is_machine = false AND kind IN ({str(list(weights))[1:-1]}) GROUP BY 1, 2"
    )
    start = perf_counter()
    with reading(engine) as connection:
        connection.execute(text(query)).all()
    return perf_counter() - start


def recompute(engine: Engine) -> float:
    start = perf_counter()
    with writing(engine) as connection:
        scores.recompute(connection)
    return perf_counter() - start


def read_all(engine: Engine) -> tuple[int, float]:
    start = perf_counter()
    with reading(engine) as connection:
        count = len(scores.read_scores(connection, play().engagement, NOW))
    return count, perf_counter() - start


def report(engine: Engine, history: int, count: int, rounds: int) -> float:
    """Prints what was measured; the seconds that the new ones took."""
    build(engine, history)
    taken = list(measure(engine, count, rounds))
    recorded, applied, cpu = (median(column) for column in zip(*taken, strict=True))
    totals = [first + second for first, second, _ in taken]
    total = median(totals)
    with reading(engine) as connection:
        stored = connection.scalar(select(func.count()).select_from(Signal))
        assert not scores.needs_reweighing(connection, play())
    accounts, seconds = read_all(engine)
    span = f"{min(totals):.3f}..{max(totals):.3f}"
    print(
        f"{engine.dialect.name}, history {history:>9,}: {count:,} new in {total:.3f} s ({span}; {rounds} rounds): "
        f"record {recorded:.3f}, apply {applied:.3f}; CPU {cpu:.3f}; "
        f"bare insert of as many ready rows {median(bare(engine, count, rounds)):.3f} s"
    )
    limit, anew = group_by(engine), recompute(engine)
    print(f"   {stored:,} signals: all scores anew {anew:.2f} s, one GROUP BY {limit:.2f} s ({anew / limit:.1f} x); "
          f"{accounts:,} account scores read in {seconds:.3f} s")  # fmt: skip
    return total


def compare(taken: dict[int, float]) -> None:
    """Each history beside the shortest."""
    least = taken[min(taken)]
    told = ", ".join(f"{history:,}: {seconds:.3f} s ({seconds / least:.2f} x)" for history, seconds in taken.items())
    print(f"by history: {told}; wanted 0.3 s and 1.20 x at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=int, nargs="+", default=[10_000, 1_000_000, 5_000_000])
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--databases", nargs="+", choices=tuple(DATABASES), default=list(DATABASES))
    chosen = parser.parse_args()
    for database in chosen.databases:
        taken = {}
        for history in chosen.history:
            with DATABASES[database]() as engine:
                taken[history] = report(engine, history, chosen.new, chosen.rounds)
        compare(taken)


if __name__ == "__main__":
    main()
