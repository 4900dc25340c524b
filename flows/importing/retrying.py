"""Trying rows in quarantine again: after the missing account has come, a date has been reached, or the rules changed.

They go the way of every row, through staging, rules and judgement. What passes is written and settled; what does not
waits on, with the reasons of today. Nothing is lost either way.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.ledger.engine import reading
from accounts.ledger.importing import facts, incoming, quarantine, waiting_room
from accounts.ledger.importing.quarantine import Entry
from accounts.playbook import Play
from flows.importing.answers import Retried, Taken
from flows.importing.counting import sum_up
from flows.importing.datasets import DATASETS, Dataset
from flows.importing.finding import SIGNALS
from flows.importing.job import Job, Progress, silence
from flows.importing.judging import compare, judged, set_rows_aside
from flows.importing.quarantining import reasons_of
from flows.importing.staging import Piece, Staged, Stager, finish_staging
from flows.importing.writing import write_facts

#: How the rules end that a row broke because another one with its key was there first.
TWIN = "_stands_once"


def retry_quarantine(
    engine: Engine, *, now: datetime, play: Play, dataset: str | None = None, progress: Progress | None = None
) -> Retried:
    """Judge every open row again, or those of one data set. Raises Refused while an import runs."""
    chosen = [one for one in DATASETS.values() if dataset in (None, one.name)]
    with waiting_room.one_at_a_time(engine), waiting_room.opened(engine) as seeing:
        job = Job(seeing, play, now, "", progress or silence)
        taken = [taken for one in chosen if (taken := _retry(job, one))]
    passed = sum(one.added + one.changed + one.unchanged for one in taken)
    with reading(engine) as connection:
        still = sum(quarantine.count_open(connection, one.name) for one in chosen)
    if dataset in (None, SIGNALS):
        passed, still = passed + _retry_signals(engine, now), still + _open_signals(engine)
    return Retried(passed + still, passed, still, tuple(taken))


def _retry_signals(engine: Engine, now: datetime) -> int:
    from flows.signals.intake import Tally, retry_quarantined

    tally = Tally()
    retry_quarantined(engine, now, tally)
    return tally.retried


def _open_signals(engine: Engine) -> int:
    with reading(engine) as connection:
        return quarantine.count_open(connection, SIGNALS)


class _Files:
    """Numbers for (source, fields given): rows of one number are written together."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, tuple[str, ...]], int] = {}

    def number(self, entry: Entry, given: tuple[str, ...]) -> int:
        return self.known.setdefault((entry.source, given), len(self.known))

    @property
    def names(self) -> list[str]:
        return [source for source, _ in self.known]

    def of_export(self) -> dict[str, list[int]]:
        """Name of an export -> its files: it stands before the slash of the source."""
        found: dict[str, list[int]] = {}
        for (source, _), number in self.known.items():
            found.setdefault(source.partition("/")[0], []).append(number)
        return found


def _retry(job: Job, dataset: Dataset) -> Taken | None:
    staged, files = Staged(), _Files()
    _stage_waiting(job, dataset, staged, files)
    if not staged.entries:
        return None
    finish_staging(job, dataset, staged)
    set_rows_aside(job, dataset)
    differing = compare(job, dataset)
    with waiting_room.staging(job.engine) as connection, judged(job, dataset, differing):
        _settle(connection, job, dataset)
        for source, numbers in files.of_export().items():
            job.source = source
            mine = {number: given for number, given in staged.given.items() if number in numbers}
            write_facts(connection, job, dataset, Staged(given=mine))
    return sum_up(job, dataset, staged, differing, files.names)


def _stage_waiting(job: Job, dataset: Dataset, staged: Staged, files: _Files) -> None:
    stager, last = Stager(job, dataset, staged), 0
    while True:
        with waiting_room.staging(job.engine) as connection:
            entries = quarantine.read_open(connection, dataset=dataset.name, after=last)
            if not entries:
                return
            last = entries[-1].id
            for piece in _pieces(dataset, _without_twins(connection, dataset, entries, job.now), files):
                stager.stage(connection, piece)
        job.tell(f"trying {dataset.name} again", staged.entries, None)


def _pieces(dataset: Dataset, entries: Sequence[Entry], files: _Files) -> Iterator[Piece]:
    """Rows that give the same fields of the same file together; each remembers its number in quarantine."""
    together: dict[int, tuple[tuple[str, ...], list[Entry]]] = {}
    for entry in entries:
        given = tuple(name for name in dataset.names if name in (entry.fields or {}))
        together.setdefault(files.number(entry, given), (given, []))[1].append(entry)
    for number, (given, some) in together.items():
        fields = {name: [(entry.fields or {})[name] for entry in some] for name in given}
        lines = [entry.row_number or 0 for entry in some]
        yield Piece(number, given, fields, lines, [str(entry.id) for entry in some])


def _without_twins(connection: Connection, dataset: Dataset, entries: Sequence[Entry], now: datetime) -> list[Entry]:
    """Rows that can be judged: they were read, and no other row with their key has been taken in their stead."""
    readable = [entry for entry in entries if entry.fields is not None]
    twins = [entry for entry in readable if any(reason.rule.endswith(TWIN) for reason in entry.reasons)]
    taken = facts.known_among(connection, dataset.name, [(entry.account or "", entry.key or "") for entry in twins])
    still = [entry for entry in twins if (entry.account or "", entry.key or "") in taken]
    quarantine.mark_retried(connection, {entry.id: entry.reasons for entry in still}, now)
    waiting_on = {entry.id for entry in still}
    return [entry for entry in readable if entry.id not in waiting_on]


def _settle(connection: Connection, job: Job, dataset: Dataset) -> None:
    """What passed is resolved; what did not gets its reasons of today."""
    for ids in incoming.accepted_raw(connection, dataset.name):
        quarantine.mark_resolved(connection, [int(id) for id in ids], job.now)
    for rejected in incoming.rejected_rows(connection, dataset.name):
        fields = quarantine.read_fields(connection, [int(one.raw) for one in rejected])
        reasons = {int(one.raw): reasons_of(one, dataset, fields[int(one.raw)]) for one in rejected}
        quarantine.mark_retried(connection, reasons, job.now)
