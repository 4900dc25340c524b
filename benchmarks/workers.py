"""Where the CPU goes when one worker, and when two, send from one plan in PostgreSQL: theirs, the server's, the sink's.

    python -m benchmarks.workers [--mails 4000] [--rounds 5]

CPU time does not depend on who else is at work, so it says what to expect of a machine: with all of it on c cores, no
number of workers sends faster than c seconds of CPU a second. Two workers can be so many times as quick as one as one
of them leaves cores idle, and not more.
"""

import argparse
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from sqlalchemy import Engine, text

from accounts.ledger.engine import reading
from benchmarks.postroom import SINK, benchmark_play, certified_plan, postgresql, sink
from benchmarks.sending import Companion, companion, url_of

#: Seconds of a tick in /proc/PID/stat.
TICK = 1 / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if SINK is None:
        print("needs smtp-sink, which comes with Postfix (Debian: apt-get install postfix); nothing was measured")
        return
    with ExitStack() as stack:
        port = stack.enter_context(sink())
        engine = stack.enter_context(postgresql())
        workers = [stack.enter_context(companion("worker", url_of(engine), str(port))) for _ in range(2)]
        for worker in workers:
            assert worker.hear() == "ready"
        firsts = itertools.count(1, asked.mails)
        rounds: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for _ in range(asked.rounds + 1):
            for count, spent in rounds.items():
                spent.append(_round(engine, workers[:count], asked.mails, next(firsts)))
        for count, spent in rounds.items():
            _print(count, spent[1:], asked.mails)  # the first one warms up


def _round(engine: Engine, workers: list[Companion], mails: int, first: int) -> dict[str, float]:
    """Seconds of CPU by whose they are, and of the wall clock."""
    plan_id = certified_plan(engine, benchmark_play(), mails, first)
    groups = {
        "workers": [worker.process.pid for worker in workers], "PostgreSQL": list(_family(_postmaster(engine))),
        "sink": [pid for pid in _family(os.getpid()) if _name(pid) == "smtp-sink"],
    }  # fmt: skip
    before = {name: sum(map(_cpu, pids)) for name, pids in groups.items()}
    for worker in workers:
        worker.tell(plan_id)
    told = [json.loads(worker.hear()) for worker in workers]
    assert sum(one["sent"] for one in told) == mails, told
    spent = {name: sum(map(_cpu, pids)) - before[name] for name, pids in groups.items()}
    return {**spent, "wall": max(one["ended"] for one in told) - min(one["begun"] for one in told)}


def _print(workers: int, rounds: list[dict[str, float]], mails: int) -> None:
    each = {name: median(one[name] for one in rounds) / mails * 1e6 for name in rounds[0]}
    wall = each.pop("wall")
    parts = "  ".join(f"{name} {spent:.0f} us" for name, spent in each.items())
    total, cores = sum(each.values()), os.cpu_count() or 1
    print(f"{workers} at work: {parts}; in all {total:.0f} us of CPU a mail")
    print(f"    {cores} cores allow {cores / total * 1e6:,.0f} mails/s; it was {1e6 / wall:,.0f}")


def _postmaster(engine: Engine) -> int:
    with reading(engine) as connection:
        backend = connection.scalar(text("SELECT pg_backend_pid()"))
    return _parent(int(backend or 0))


def _family(pid: int) -> Iterator[int]:
    """A process and its children."""
    yield pid
    yield from (child for child in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(child) == pid)


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _cpu(pid: int) -> float:
    """Of the process, in seconds: in its own code and in the kernel."""
    fields = _fields(pid)
    return sum(map(int, fields[11:13])) * TICK if fields else 0.0


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, those behind the name; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


if __name__ == "__main__":
    main()
