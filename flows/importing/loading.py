"""The import: files in, facts and quarantine out, one data set after the other.

Per data set: stage every row in short transactions, let the rules set rows aside, then write facts, quarantine and
marks in one transaction, which is committed only if Great Expectations has found that what is left keeps every rule.
Whatever is interrupted, the ledger has a data set whole or not at all, and importing again continues from there.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from accounts.ledger.importing import facts, incoming, quarantine, waiting_room
from accounts.playbook import Play
from flows.importing.answers import Imported, Taken
from flows.importing.counting import ready_or_not, sum_up
from flows.importing.datasets import DATASETS, Dataset
from flows.importing.finding import Arrival, Found, find
from flows.importing.job import Job, Progress, silence
from flows.importing.judging import compare, judged, set_rows_aside
from flows.importing.mapping import MappingFile
from flows.importing.quarantining import as_waiting
from flows.importing.shaping import Names
from flows.importing.staging import stage_files
from flows.importing.writing import write_facts


def import_paths(
    engine: Engine,
    paths: Sequence[Path],
    *,
    mapping: MappingFile | None = None,
    now: datetime,
    play: Play,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Imported:
    """Import files, or the files of folders, that the CSV contract or `mapping` knows. Idempotent.

    Raises InputRefused for a file that cannot be taken, before anything is written; Refused while another import runs.
    """
    found = find(paths, mapping)
    source = mapping.source if mapping else "csv"
    with waiting_room.one_at_a_time(engine), waiting_room.opened(engine) as seeing:
        job = Job(seeing, play, now, source, progress or silence, Names(is_rehearsal=dry_run))
        taken = [_take(job, dataset, found) for dataset in DATASETS.values() if found.of(dataset.name)]
        if mapping and mapping.owners == "latest opportunity":
            _give_owners(job, found)
        warnings = () if dry_run else ready_or_not(job)
    _take_signals(engine, job, found)
    return Imported(tuple(taken), warnings, (*found.notices, *job.notices), dry_run)


def _take(job: Job, dataset: Dataset, found: Found) -> Taken:
    arrivals = found.of(dataset.name)
    staged = stage_files(job, dataset, arrivals)
    set_rows_aside(job, dataset)
    differing = compare(job, dataset)
    if job.is_rehearsal:
        with judged(job, dataset, differing):
            pass
    else:
        with waiting_room.staging(job.engine) as connection, judged(job, dataset, differing):
            _put_aside(connection, job, dataset, arrivals)
            write_facts(connection, job, dataset, staged)
    return sum_up(job, dataset, staged, differing, [arrival.sheet.name for arrival in arrivals])


def _put_aside(connection: Connection, job: Job, dataset: Dataset, arrivals: Sequence[Arrival]) -> None:
    """Rows into quarantine, and those out of it that are settled by a row that came now."""
    quarantine.settle_superseded(connection, dataset.name, job.now)
    if incoming.count_rejected(connection, dataset.name):
        for rejected in incoming.rejected_rows(connection, dataset.name):
            quarantine.put_aside(connection, as_waiting(connection, rejected, arrivals, job.source, job.now))


def _give_owners(job: Job, found: Found) -> None:
    if found.of("opportunities") and not job.is_rehearsal:
        with waiting_room.staging(job.engine) as connection:
            facts.adopt_owners(connection, job.now)


def _take_signals(engine: Engine, job: Job, found: Found) -> None:
    """Signals have a door of their own; the people they speak of are in by now."""
    if job.is_rehearsal or not found.signals:
        return
    from flows.signals.intake import take_file

    for path in found.signals:
        tally = take_file(engine, path, job.now)
        told = f"{tally.recorded} new signals, {tally.duplicates} known, {tally.quarantined} in quarantine"
        job.notices.append(f"{path.name}: {told}; tandem run signals applies them")
