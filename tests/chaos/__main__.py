"""The chaos suite from the command line: `python -m tests.chaos --help`."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.chaos.history import Database, draw
from tests.chaos.lane import Judged, lane, warm_up
from tests.chaos.processes import exit_of, fork
from tests.chaos.sabotage import SABOTAGES, sabotaged


@dataclass(frozen=True, slots=True)
class Order:
    """What to play."""

    seeds: Sequence[int]
    lanes: int
    database: Database | None
    sabotage: str | None
    keep: Path
    first: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all histories are clean, or the sabotage was found out; 1: not so."""
    asked = _parser().parse_args(arguments)
    start = random.SystemRandom().randrange(10**6) * 1000 if asked.seed is None else asked.seed
    number = asked.histories or (1 if asked.seed is not None else 1000)
    keep = asked.keep or Path(tempfile.gettempdir()) / "tandem-chaos"
    lanes = min(asked.lanes, number)
    order = Order(range(start, start + number), lanes, asked.database, asked.sabotage, keep, asked.sabotage is not None)
    print(f"chaos: {number} histories, seeds {start} to {start + number - 1}, {lanes} lanes", flush=True)
    began = time.monotonic()
    with sabotaged(order.sabotage):
        warm_up()
        judged = [_tell(one, asked.quiet) for one in _played(order)]
    _sum_up(judged, time.monotonic() - began)
    guilty = [one for one in judged if one.guilty]
    if order.sabotage:
        print(f"sabotage {order.sabotage!r}: " + ("found out" if guilty else "NOT found out"))
        return int(not guilty)
    return int(bool(guilty) or len(judged) < number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill Tandem at random moments.")
    parser.add_argument("--histories", type=int, help="how many (1000; with --seed: 1)")
    parser.add_argument("--seed", type=int, help="the first one's seed, to play it again")
    parser.add_argument("--lanes", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--database", type=Database, choices=list(Database), help="only on this one")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="remove a protection; stops when it is found out")
    parser.add_argument("--keep", type=Path, help="where the records of guilty histories go")
    parser.add_argument("--quiet", action="store_true", help="no line for clean histories")
    return parser


def _played(order: Order) -> Iterator[Judged]:
    """Histories as they become judged, from all lanes. A lane that falls over says why; its histories are missing."""
    order.keep.mkdir(parents=True, exist_ok=True)
    log = order.keep / "lanes.txt"
    log.unlink(missing_ok=True)
    results = get_context("fork").SimpleQueue()
    lanes = {fork(lambda n=n: _lane(order, n, results), log) for n in range(order.lanes)}  # type: ignore[misc]
    while lanes or not results.empty():
        if not results.empty():
            yield results.get()
            continue
        lanes -= {pid for pid in lanes if exit_of(pid) is not None}
        time.sleep(0.01)
    print(log.read_text(encoding="utf-8"), end="")


def _lane(order: Order, number: int, results: Any) -> None:
    with lane(order.keep) as mine:
        if number == 0:
            print(f"chaos: the disk that gets full is {mine.disk.kind}")
        seeds = order.seeds[number :: order.lanes]
        for judged in mine.play_all(draw(seed, order.database) for seed in seeds):
            results.put(judged)
            if judged.guilty and order.first:
                break


def _tell(judged: Judged, quiet: bool) -> Judged:
    history = judged.history
    said = f"{judged.letters} letters, {history.faults} faults, {judged.killed} killed, {judged.nos} nos, "
    said += f"{judged.unknown} unknown of {judged.cut} cut"
    if judged.guilty or not quiet:
        verdict = "GUILTY" if judged.guilty else "clean"
        print(f"seed {history.seed} {history.database} {len(history.workers)} workers: {verdict}; {said}", flush=True)
    for sentence in judged.guilty:
        print(f"    {sentence}")
    if judged.guilty:
        print(f"    again: python -m tests.chaos --seed {history.seed}    records: {judged.records}", flush=True)
    return judged


def _sum_up(judged: Sequence[Judged], seconds: float) -> None:
    letters, killed = sum(one.letters for one in judged), sum(one.killed for one in judged)
    faults = sum(one.history.faults for one in judged)
    unknown, cut = sum(one.unknown for one in judged), sum(one.cut for one in judged)
    guilty = [one.history.seed for one in judged if one.guilty]
    print(
        f"chaos: {len(judged)} histories in {seconds:.0f} s, {letters} letters, {faults} faults, "
        f"{killed} workers killed, {unknown} unknown of {cut} connections cut; guilty: {guilty or 'none'}"
    )


if __name__ == "__main__":
    sys.exit(main())
