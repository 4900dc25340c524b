"""Runs of `nurture-accounts` under Prefect, killed in the middle of sending: who carries it out, the Prefect server,
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
from flows.operating.keeping import Kept
from flows.operating.prefect_server import running_server
from flows.operating.runs import SILENT_FOR, dead_runs, mark_crashed
from tests.cast import NOW
from tests.chaos import history, judgement
from tests.chaos.household import DEPLOYMENT, ENDED, Household, Victim, household, revive, wait_until
from tests.chaos.judgement import Evidence
from tests.chaos.records import read
from tests.chaos.sabotage import Sabotage
from tests.chaos.world import populate
from tests.served import FILE, served, wait_until_served

#: None of them is a colleague of another one, so all are due at once.
PEOPLE = [number for number in range(30) if number % 5 != 4]
#: The kill comes when the post office has kept so many letters, and takes so long over each.
LETTERS, PACE = 6, 0.1
#: The clock of the next run: long before a claim of the first one is too old.
LATER = timedelta(minutes=10)
#: The variable that names the protection which is missing in a run (sabotaged_run.py), and the flow that misses it.
SABOTAGE, SABOTAGED = "CHAOS_SABOTAGE", "tests.chaos.sabotaged_run:nurture_accounts"
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
    #: Letters at the kill, and in the end.
    before: int = 0
    letters: int = 0
    unknown: int = 0
    #: Connections open at the kill.
    cut: int = 0
    #: How the run that met the kill ended, and the next one.
    ends: tuple[str, str] = ("", "")
    seconds: float = 0.0
    #: Where its records are; None: they were removed.
    records: Path | None = None

    def __str__(self) -> str:
        verdict = "GUILTY" if self.guilty else "clean"
        said = (
            f"{self.kill.replace('-', ' ')}: {verdict}; killed at letter {self.before} of {len(PEOPLE)}, "
            f"{self.letters} arrived, {self.unknown} unknown of {self.cut} cut; the run {self.ends[0].lower()}, "
            f"the next one {self.ends[1].lower()}; {self.seconds:.0f} s"
        )
        return "\n    ".join((said, *self.guilty, *([f"records: {self.records}"] if self.records else [])))


def kill_a_run(kill: str, keep: Path, sabotage: Sabotage | None = None) -> KilledRun:
    """From an empty house to the judgement. keep: where the records of a guilty one go."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="tandem-prefect-", ignore_cleanup_errors=True) as prefect,
        running_server(Path(prefect)) as server,
        household(server, PACE) as house,
    ):
        try:
            played = _play(house, kill, sabotage)
        except (TimeoutError, TandemError) as error:
            played = KilledRun(kill, (str(error),))
        records = _kept(house.files.folder, keep / kill) if played.guilty else None
    return replace(played, seconds=time.monotonic() - began, records=records)


def _play(house: Household, kill: str, sabotage: Sabotage | None) -> KilledRun:
    folder, victims = house.files.folder, KILLS[kill]
    environment = house.environment | ({SABOTAGE: sabotage.name} if sabotage else {})
    entrypoint = SABOTAGED if sabotage else None
    populate_ledger(house)
    with served([DEPLOYMENT], house.server.url, folder, environment, entrypoint) as worker:
        run = house.start_run(as_of=NOW.isoformat())
        before, cut = strike_in_the_middle(house, worker, victims)
        house.bring_back()
        began = datetime.now(UTC)
        if revive(worker):
            wait_until_served(worker, house.server.url, folder / FILE, began)
        if Victim.WORKER in victims:
            find_the_dead(house)
        first = house.wait_for_end(run, END_SECONDS)
        second = house.wait_for_end(house.start_run(as_of=(NOW + LATER).isoformat()), END_SECONDS)
    return judged(house, kill, before, cut, (first, second))


def populate_ledger(house: Household) -> None:
    engine = open_ledger(house.url)
    populate(engine, PEOPLE)
    engine.dispose()


def strike_in_the_middle(house: Household, worker: Kept, victims: tuple[Victim, ...]) -> tuple[int, int]:
    """When the post office has kept some letters; how many then, and how many connections were open."""
    wait_until(lambda: len(_letters(house)) >= LETTERS, BEGIN_SECONDS)
    cut = house.board.lines  # beforehand: whoever is killed hangs up
    house.kill(victims, worker)
    return len(_letters(house)), cut


def find_the_dead(house: Household) -> int:
    """What `watch-health` does, long after: a run whose process is gone claims to run until nothing was heard of it
    for ten minutes; how many there were."""
    long_after = datetime.now(UTC) + SILENT_FOR + timedelta(minutes=1)
    found = dead_runs(house.api, long_after)
    return mark_crashed(house.api, (one.id for one in found), "No sign of life for ten minutes: its process is gone.")


def judged(house: Household, kill: str, before: int, cut: int, ends: tuple[str, str]) -> KilledRun:
    engine = open_ledger(house.url)
    played = history.History(0, history.Database.POSTGRESQL, len(PEOPLE), (), (), (), (), PACE)
    evidence = Evidence(engine, played, house.files)
    engine.dispose()
    unknown = sum(row.state == TouchState.UNKNOWN for row in evidence.touches.values())
    run = KilledRun(kill, (), before, len(evidence.letters), unknown, cut, ends)
    guilty = [said for charge in CHARGES for said in charge(evidence)]
    return replace(run, guilty=(*guilty, *_charges_of_runs(run)))


def _charges_of_runs(run: KilledRun) -> Iterator[str]:
    first, second = run.ends
    if run.before >= len(PEOPLE):
        yield "nobody was left to get a letter when the kill came"
    if first not in ENDED:
        yield f"the run that met the kill is still {first}"
    if second != "COMPLETED":
        yield f"the next run ended {second}"
    if run.unknown > run.cut:
        yield f"{run.unknown} touches are unknown, and {run.cut} connections were open at the kill"


def _letters(house: Household) -> list[dict[str, object]]:
    return read(house.files.office, "kept")


def _kept(folder: Path, place: Path) -> Path:
    """What everybody wrote down, without the databases."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for file in folder.glob("*.*"):
        if file.is_file():
            shutil.copy(file, place)
    return place
