"""Runs of `nurture-accounts` under Prefect, killed in the middle of sending: who served it, the Prefect server,
PostgreSQL, or all of them at once, as when the power of the machine goes.

    people who are due  ->  a run of the deployment  ->  at the n-th letter: SIGKILL  ->  all is brought back
    ->  whoever looks after runs finds the dead one  ->  the next run  ->  judge

The post office stands elsewhere and lives on; the judgement asks what it wrote down.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from accounts.errors import TandemError
from accounts.ledger.engine import open_ledger
from accounts.vocabulary import TouchState
from flows.operating.runs import SILENT_FOR, dead_runs, mark_crashed
from tests.cast import NOW
from tests.chaos import history, judgement
from tests.chaos.household import ENDED, Household, Victim, household, wait_until
from tests.chaos.judgement import Evidence
from tests.chaos.records import read
from tests.chaos.sabotage import Sabotage
from tests.chaos.world import populate

#: None of them is a colleague of another one, so all are due at once.
PEOPLE = [number for number in range(30) if number % 5 != 4]
#: The kill comes when the post office has kept so many letters, and takes so long over each.
LETTERS, PACE = 6, 0.1
#: The clock of the next run: long before a claim of the first one is too old.
LATER = timedelta(minutes=10)
#: The variable that names the protection which is missing in a run (sabotaged_run.py).
SABOTAGE = "CHAOS_SABOTAGE"
#: Before a run has begun to send; until it has ended, which takes longest where it waits before it tries again.
BEGIN_SECONDS, END_SECONDS = 90.0, 120.0


#: What is killed together, by the name of the history.
KILLS: Mapping[str, tuple[Victim, ...]] = {
    "worker": (Victim.WORKER,),
    "prefect-server": (Victim.SERVER,),
    "postgres": (Victim.POSTGRES,),
    "machine": tuple(Victim),
}
#: The charges of the long histories that are not about somebody's no, or the clock.
CHARGES = (
    judgement.nobody_got_two, judgement.letters_are_what_was_certified, judgement.the_ledger_says_what_happened,
    judgement.nothing_is_lost,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KilledRun:
    """What became of it. `guilty`: sentences; empty: it is clean."""

    kill: str
    guilty: tuple[str, ...]
    before: int = 0
    letters: int = 0
    unknown: int = 0
    cut: int = 0
    #: How the run that met the kill ended, and the next one.
    ends: tuple[str, str] = ("", "")
    seconds: float = 0.0
    #: Where its records are; None: they were removed.
    records: Path | None = None


def kill_a_run(kill: str, keep: Path, sabotage: Sabotage | None = None) -> KilledRun:
    """From an empty house to the judgement. keep: where the records of a guilty one go."""
    entrypoint, variables = None, dict[str, str]()
    if sabotage is not None:
        entrypoint, variables = "tests.chaos.sabotaged_run:nurture_accounts", {SABOTAGE: sabotage.name}
    began = time.monotonic()
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- not to wait for a disk, nothing secret
    with tempfile.TemporaryDirectory(prefix="tandem-killed-", dir=base, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            with household(folder, PACE, entrypoint, variables) as house:
                played = _play(house, kill)
        except (TimeoutError, TandemError) as error:
            played = KilledRun(kill, (str(error),))
        records = _kept(folder, keep / kill) if played.guilty else None
        return replace(played, seconds=time.monotonic() - began, records=records)


def _play(house: Household, kill: str) -> KilledRun:
    engine = open_ledger(house.url)
    populate(engine, PEOPLE)
    run = house.start_run(as_of=NOW.isoformat())
    wait_until(lambda: len(_letters(house)) >= LETTERS, BEGIN_SECONDS)
    house.kill(KILLS[kill])
    cut, before = house.board.lines, len(_letters(house))
    house.bring_back()
    first = _see_it_end(house, run, dead=Victim.WORKER in KILLS[kill])
    second = house.wait_for_end(house.start_run(as_of=(NOW + LATER).isoformat()), END_SECONDS)
    engine.dispose()
    engine = open_ledger(house.url)
    evidence = Evidence(engine, _history(), house.files)
    engine.dispose()
    unknown = sum(row.state == TouchState.UNKNOWN for row in evidence.touches.values())
    guilty = [said for charge in CHARGES for said in charge(evidence)]
    guilty += _charges_of_runs(first, second, before, unknown, cut)
    return KilledRun(kill, tuple(guilty), before, len(evidence.letters), unknown, cut, (first, second))


def _charges_of_runs(first: str, second: str, before: int, unknown: int, cut: int) -> Iterator[str]:
    if before >= len(PEOPLE):
        yield "nobody was left to get a letter when the kill came"
    if first not in ENDED:
        yield f"the run that met the kill is still {first}"
    if second != "COMPLETED":
        yield f"the next run ended {second}"
    if unknown > cut:
        yield f"{unknown} touches are unknown, and {cut} connections were open at the kill"


def _see_it_end(house: Household, run: str, *, dead: bool) -> str:
    """A run that lives on ends by itself. One whose process is gone claims to run until whoever looks after runs has
    heard nothing of it for long enough."""
    if dead:
        long_after = datetime.now(UTC) + SILENT_FOR + timedelta(minutes=1)
        found = [one.id for one in dead_runs(house.api, long_after)]
        mark_crashed(house.api, found, "Its process is gone.")
        return house.state_of(run)
    return house.wait_for_end(run, END_SECONDS)


def _letters(house: Household) -> list[dict[str, object]]:
    return read(house.files.office, "kept")


def _history() -> history.History:
    return history.History(0, history.Database.POSTGRESQL, len(PEOPLE), (), (), (), (), PACE)


def _kept(folder: Path, place: Path) -> Path:
    """What everybody wrote down, without the databases."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for file in (*folder.glob("*.*"), *folder.glob("prefect/*.log")):
        if file.is_file():
            shutil.copy(file, place)
    return place
