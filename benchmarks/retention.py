"""How large Prefect's database gets in a month, with the memory we give the server and without.

    python benchmarks/retention.py                      a month of 110 runs a day; `tandem up` makes four times as many
    python benchmarks/retention.py --runs-a-day 40 --sample 10 --days 20      small, to see that it works

Some runs are real: flows with tasks, an artifact and log lines, on a server of ours. Their rows are then copied day by
day into the past, with ids and times of their own. Then the server is started again: once as Prefect comes, once as we
start it, with its cleaning every few seconds instead of every hour. What is measured are the pages in use: a SQLite
file does not shrink by itself, it fills its free pages first.
"""

import argparse
import logging
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import RETENTION, hand_over, running_server

#: What grows with each run, parents first.
TABLES = ("flow_run", "flow_run_state", "task_run", "task_run_state", "task_run_state_cache", "log", "artifact",
          "events", "event_resources")  # fmt: skip
#: Looks in a row, 1.5 seconds apart, in which nothing was forgotten: then it is done.
QUIET = 30
#: As Prefect 3.8 comes: events for a week, runs for ever.
AS_IT_COMES = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D",
}
OFTEN = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "2",
}
Rows = list[dict[str, Any]]


def main() -> None:
    asked = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lived = Path(folder) / "lived"
        began = time.perf_counter()
        live_a_little(lived, asked.sample)
        runs = grow_old(lived / "prefect.db", asked.sample, asked.runs_a_day, asked.days)
        print(f"{asked.days} days, {runs} runs, {time.perf_counter() - began:.0f} s to make them")
        print(f"{'':<34}{'runs':>8}{'events':>9}{'MB in use':>11}{'kB a run':>10}{'cleaned in':>12}")
        print(_line("as they stand", lived / "prefect.db", None))
        for name, memory in (("Prefect as it comes", AS_IT_COMES), ("as tandem up starts it", RETENTION)):
            home = Path(folder) / name.replace(" ", "-")
            shutil.copytree(lived, home)
            took = clean(home, memory)
            print(_line(name, home / "prefect.db", took))


def live_a_little(home: Path, sample: int) -> None:
    """Real runs, of the shape that ours have."""
    logging.disable(logging.WARNING)
    with running_server(home) as server, _environment(server.env):
        from prefect import flow, get_run_logger, task
        from prefect.artifacts import create_markdown_artifact

        @task
        def step(number: int) -> int:
            return number

        @flow
        def nurture(number: int) -> None:
            for one in range(6):
                step(one)
            get_run_logger().warning("a line of the log, as long as they are")
            create_markdown_artifact("| who | what |\n| --- | --- |\n" + "| acme | why now |\n" * 40, key="nurture")

        for number in range(sample):
            nurture(number)
        assert hand_over(server, seconds=120)


def grow_old(file: Path, sample: int, runs_a_day: int, days: int) -> int:
    """Copy the rows into each of the last days, until each has its runs; how many runs there are."""
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        tables = {name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")] for name in _present(database)}
        copies = max(1, runs_a_day // sample)
        for day in range(1, days):
            for copy in range(copies):
                back = timedelta(days=day, minutes=copy)
                for name, rows in _moved(tables, back).items():
                    marks = ", ".join("?" * len(rows[0]))
                    columns = ", ".join(rows[0])
                    database.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", map(_values, rows))
            database.commit()
        return int(database.execute("SELECT count(*) FROM flow_run").fetchone()[0])


def clean(home: Path, memory: dict[str, str]) -> float:
    """Start a server with this memory and wait until it has nothing left to forget; seconds."""
    with _environment({**memory, **OFTEN}), running_server(home) as server:
        api, began, seen, still = PrefectApi(server.url), time.perf_counter(), None, 0
        assert api.is_healthy()
        while still < QUIET:
            time.sleep(1.5)
            now = _counts(home / "prefect.db")
            still, seen = (still + 1 if now == seen else 0), now
        return time.perf_counter() - began - QUIET * 1.5


def _moved(tables: dict[str, Rows], back: timedelta) -> dict[str, Rows]:
    """The same rows, that long ago: every id among them becomes another one, wherever it stands."""
    ids = {row["id"]: str(uuid4()) for rows in tables.values() for row in rows if isinstance(row.get("id"), str)}
    return {
        name: [{column: _earlier(ids.get(value, value), back) for column, value in row.items()} for row in rows]
        for name, rows in tables.items()
        if rows
    }


def _earlier(value: Any, back: timedelta) -> Any:
    if not isinstance(value, str) or len(value) < 19 or value[4:5] != "-" or value[13:14] != ":":
        return value
    try:
        moment = datetime.fromisoformat(value) - back
    except ValueError:
        return value
    return moment.isoformat(sep=value[10], timespec="microseconds")


def _values(row: dict[str, Any]) -> Sequence[Any]:
    return list(row.values())


def _present(database: sqlite3.Connection) -> list[str]:
    there = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [name for name in TABLES if name in there]


def _counts(file: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(file, timeout=30)) as database:
        runs, events = (
            database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("flow_run", "events")
        )
        return int(runs), int(events)


def _line(name: str, file: Path, took: float | None) -> str:
    with closing(sqlite3.connect(file)) as database:
        pages, free, size = (
            database.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
        )
    runs, events = _counts(file)
    cleaned = f"{took:>10.0f} s" if took is not None else f"{'–':>12}"
    used = (pages - free) * size
    return f"{name:<34}{runs:>8}{events:>9}{used / 1e6:>11.1f}{used / 1e3 / runs:>10.0f}{cleaned}"


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How large Prefect's database gets in a month.")
    parser.add_argument("--runs-a-day", type=int, default=110, help="`tandem up` makes some 440 (110)")
    parser.add_argument("--sample", type=int, default=11, help="real runs that are copied (11)")
    parser.add_argument("--days", type=int, default=30)
    return parser


if __name__ == "__main__":
    main()
