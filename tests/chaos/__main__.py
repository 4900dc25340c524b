"""The chaos suite from the command line: `python -m tests.chaos --help`.

First the histories, which have to be clean; then each sabotage, which has to be found out. The same for runs under
Prefect that are killed, unless a seed asks for one history again.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.chaos.doors import lives
from tests.chaos.history import Database, draw
from tests.chaos.killed_runs import KILLS, kill_a_run
from tests.chaos.lane import Judged, lane, warm_up
from tests.chaos.processes import exit_of, fork
from tests.chaos.sabotage import SABOTAGES, Sabotage, sabotaged

ALL = "all"
#: Lives of the web app, on the databases in turn. In so many on one, each door is heard at least once.
DOORS, MANY_LIVES = 200, 10
#: The sabotage that is also tried in a run under Prefect: it shows that a killed run can be found guilty.
SHOWS = "silent-journal"


@dataclass(frozen=True, slots=True)
class Order:
    """What to play. sabotage: it ends with the history that finds it out."""

    seeds: Sequence[int]
    lanes: int
    database: Database | None
    keep: Path
    sabotage: Sabotage | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all histories were clean and all sabotages found out; 1: not so."""
    asked = _parser().parse_args(arguments)
    start = random.SystemRandom().randrange(10**6) * 1000 if asked.seed is None else asked.seed
    number = asked.histories if asked.histories is not None else 1000 if asked.seed is None else 1
    asked.keep.mkdir(parents=True, exist_ok=True)
    kills, rounds = _kills(asked), asked.doors if asked.doors is not None else DOORS if asked.seed is None else 0
    if number:
        warm_up()
    well = _are_clean(Order(range(start, start + number), asked.lanes, asked.database, asked.keep), asked.quiet)
    for kill in kills:
        well &= _run_is_clean(kill, asked.keep)
    databases = [asked.database] if asked.database else list(Database)
    for place, database in enumerate(databases[:rounds]):
        well &= _doors_are_clean(database, range(start + place, start + rounds, len(databases)), asked.quiet)
    for name in sorted(SABOTAGES) if ALL in asked.sabotage else asked.sabotage:
        sabotage, seeds = SABOTAGES[name], range(start, start + asked.within)
        well &= _is_found_out(sabotage, Order(seeds, asked.lanes, asked.database, asked.keep / name, sabotage))
        if kills and name == SHOWS:
            well &= _run_is_found_out(sabotage, asked.keep / name)
    return int(not well)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill Tandem at random moments.")
    parser.add_argument("--histories", type=int, help="how many (1000; with --seed: 1)")
    parser.add_argument("--seed", type=int, help="the first one's seed, to play it again")
    parser.add_argument("--lanes", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--database", type=Database, choices=list(Database), help="only on this one")
    parser.add_argument("--sabotage", choices=[ALL, *SABOTAGES], action="append", default=[],
                        help="then remove this protection, too: it must be found out")  # fmt: skip
    parser.add_argument("--kill", choices=[ALL, *KILLS], action="append",
                        help="a run under Prefect that is killed so (all; with --seed: none)")  # fmt: skip
    parser.add_argument("--doors", type=int,
                        help=f"lives of the web app that are ended, in all ({DOORS}; with --seed: none)")  # fmt: skip
    parser.add_argument("--within", type=int, default=100, help="within so many histories (100)")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "tandem-chaos",
                        help="where the records of guilty histories go")  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no line for clean histories")
    return parser


def _kills(asked: argparse.Namespace) -> Sequence[str]:
    named = asked.kill if asked.kill is not None else [ALL] if asked.seed is None else []
    return list(KILLS) if ALL in named else named


def _doors_are_clean(database: Database, seeds: Sequence[int], quiet: bool) -> bool:
    """All doors answered something, and all they answered was kept."""
    answered, guilty = Counter[str](), 0
    for life in lives(database, seeds):
        answered.update(life.answered)
        guilty += bool(life.guilty)
        if life.guilty or not quiet:
            print("\n    ".join((str(life), *life.guilty)), flush=True)
    silent = [door for door, number in answered.items() if not number]
    print(
        f"doors: {len(seeds)} lives on {database}: {answered.total()} answers kept, by {_listed(answered)}; "
        f"guilty: {guilty or 'none'}; silent: {', '.join(silent) or 'none'}",
        flush=True,
    )
    return not guilty and not (silent and len(seeds) >= MANY_LIVES)


def _run_is_clean(kill: str, keep: Path) -> bool:
    played = kill_a_run(kill, keep)
    print(f"run killed with its {played}", flush=True)
    return not played.guilty


def _run_is_found_out(sabotage: Sabotage, keep: Path) -> bool:
    """Of a run that loses everything at once."""
    played = kill_a_run("machine", keep, sabotage)
    found = sabotage.finds(played.guilty)
    print(f"sabotage {sabotage.name} in a killed run: {'found out' if found else 'NOT found out'}. {found or played}",
          flush=True)  # fmt: skip
    return found is not None


def _are_clean(order: Order, quiet: bool) -> bool:
    if not order.seeds:
        return True
    print(f"chaos: {len(order.seeds)} histories, seeds {order.seeds[0]} to {order.seeds[-1]}", flush=True)
    began, judged = time.monotonic(), []
    for one in _played(order):
        judged.append(one)
        if one.guilty or not quiet:
            print(_told(one), flush=True)
    print(_summed_up(judged, time.monotonic() - began), flush=True)
    return len(judged) == len(order.seeds) and not any(one.guilty for one in judged)


def _is_found_out(sabotage: Sabotage, order: Order) -> bool:
    with sabotaged(sabotage):
        judged = list(_played(order))
    found = [(one, sentence) for one in judged if (sentence := sabotage.finds(one.guilty))]
    verdict = f"by history {len(judged)}" if found else f"NOT within {len(judged)} histories"
    print(f"sabotage {sabotage.name}: found out {verdict}. {sabotage.what}", flush=True)
    for one, sentence in found[:1]:
        print(f"    seed {one.history.seed} {one.history.database}: {sentence}", flush=True)
    for one in judged if not found else ():
        print("\n".join(f"    seed {one.history.seed}: {sentence}" for sentence in one.guilty[:1]), flush=True)
    return bool(found)


def _played(order: Order) -> Iterator[Judged]:
    """Histories as they become judged, from all lanes. A lane that falls over says why; its histories are missing."""
    order.keep.mkdir(parents=True, exist_ok=True)
    log = order.keep / "lanes.txt"
    log.unlink(missing_ok=True)
    results, enough = get_context("fork").SimpleQueue(), get_context("fork").Event()
    lanes = {
        fork(lambda n=n: _lane(order, n, results, enough), log, gently=True)  # type: ignore[misc]
        for n in range(min(order.lanes, len(order.seeds)))
    }
    while lanes or not results.empty():
        if results.empty():
            lanes -= {pid for pid in lanes if exit_of(pid) is not None}
            time.sleep(0.01)
        else:
            yield results.get()
    print(log.read_text(encoding="utf-8"), end="")


def _lane(order: Order, number: int, results: Any, enough: Any) -> None:
    with lane(order.keep) as mine:
        if number == 0 and not order.sabotage:
            print(f"chaos: the disk that gets full is {mine.disk.kind}")
        for seed in order.seeds[number :: order.lanes]:
            judged = mine.play(draw(seed, order.database))
            results.put(judged)
            if order.sabotage and order.sabotage.finds(judged.guilty):
                enough.set()
            if enough.is_set():
                break


def _told(judged: Judged) -> str:
    """One line; more for a guilty history, with the way to play it again."""
    history, verdict = judged.history, "GUILTY" if judged.guilty else "clean"
    line = (
        f"seed {history.seed} {history.database} {len(history.workers)} workers: {verdict}; "
        f"{judged.letters} letters, {judged.struck.total()} faults, {judged.nos} nos, "
        f"{judged.unknown} unknown of {judged.cut} cut"
    )
    if judged.guilty:
        again = f"again: python -m tests.chaos --seed {history.seed}    records: {judged.records}"
        return "\n    ".join((line, *judged.guilty, again))
    return line


def _summed_up(judged: Sequence[Judged], seconds: float) -> str:
    letters, nos, unknown, cut = (
        sum(getattr(one, of) for one in judged) for of in ("letters", "nos", "unknown", "cut")
    )
    struck = sum((one.struck for one in judged), Counter[str]())
    troubles = sum((one.troubles for one in judged), Counter[str]())
    guilty = [one.history.seed for one in judged if one.guilty]
    return (
        f"chaos: {len(judged)} histories in {seconds:.0f} s: {letters} letters, {struck.total()} faults, {nos} nos, "
        f"{unknown} unknown of {cut} connections cut; guilty: {guilty or 'none'}\n"
        f"    faults: {_listed(struck)}\n    workers ran into: {_listed(troubles)}"
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.most_common()) or "nothing"


if __name__ == "__main__":
    sys.exit(main())
