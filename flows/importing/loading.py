"""The import: files in, facts and quarantine out, one data set after the other.

Per data set: stage every row in short transactions, let the rules set rows aside, then write facts, quarantine and
marks in one transaction, which is committed only if Great Expectations has found that what is left keeps every rule.
Whatever is interrupted, the ledger has a data set whole or not at all, and importing again continues from there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from accounts.errors import InputRefused
from accounts.identity import email_hash
from accounts.ledger import facts, incoming, quarantine
from accounts.ledger.engine import writing
from accounts.ledger.suppressions import forgotten_among
from accounts.playbook import Play
from expectations.judging import judge
from expectations.readiness import READINESS
from expectations.rules import Rule, any_broken, filled
from flows.importing.answers import Imported, SetAside, Taken, Warned
from flows.importing.cleaning import Cleaner, in_ledger
from flows.importing.datasets import DATASETS, Dataset, Kind
from flows.importing.finding import Arrival, Found, find
from flows.importing.mapping import MappingFile, Translator, translate_one
from flows.importing.reading import UNIT, Rows
from flows.importing.reasons import LINE, WHOLE_ROW, as_quarantine, note_defects
from flows.importing.shaping import Names, Shaper, hashed_columns, hashes, written_columns

#: Told what is being done, how much of it is done, and how much there is; None when that is not known.
Progress = Callable[[str, int, int | None], None]
#: Pieces of a file staged in one transaction.
AT_ONCE = 10


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
    with incoming.one_at_a_time(engine), incoming.waiting_room(engine) as seeing:
        job = Job(seeing, play, now, source, progress or _silence, Names(dry_run))
        taken = [_take(job, dataset, found) for dataset in DATASETS.values() if found.of(dataset.name)]
        if mapping and mapping.owners == "latest opportunity" and found.of("opportunities") and not dry_run:
            with writing(seeing) as connection:
                facts.adopt_owners(connection, now)
        warnings = () if dry_run else ready_or_not(job)
    _take_signals(engine, job, found)
    return Imported(tuple(taken), warnings, (*found.notices, *job.notices), dry_run)


def _take_signals(engine: Engine, job: "Job", found: Found) -> None:
    """Signals have a door of their own; the people they speak of are in by now."""
    if job.is_rehearsal or not found.signals:
        return
    from flows.intake import take_file

    for path in found.signals:
        tally = take_file(engine, path, job.now)
        told = f"{tally.recorded} new signals, {tally.duplicates} known, {tally.quarantined} in quarantine"
        job.notices.append(f"{path.name}: {told}; tandem run signals applies them")


@dataclass(slots=True)
class Job:
    """What the steps of one import share."""

    engine: Engine
    play: Play
    now: datetime
    source: str
    tell: Progress
    names: Names
    notices: list[str] = field(default_factory=list)

    @property
    def is_rehearsal(self) -> bool:
        return self.names.is_rehearsal

    @property
    def values(self) -> dict[str, str]:
        """What the placeholders of rules stand for."""
        group = self.play.group
        return {"now": f"'{in_ledger(self.now)}'", "smallest": str(group.smallest), "largest": str(group.largest)}


@dataclass(slots=True)
class Piece:
    """Some rows of one file, as fields of the CSV contract."""

    #: Number of the file within its data set.
    file: int
    given: tuple[str, ...]
    fields: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    raw: Sequence[str]


@dataclass(slots=True)
class Staged:
    """What has been staged of a data set so far."""

    entries: int = 0
    left_out: int = 0
    forgotten: int = 0
    #: Number of a file -> the fields it gives.
    given: dict[int, tuple[str, ...]] = field(default_factory=dict)


# One data set


def _take(job: Job, dataset: Dataset, found: Found) -> Taken:
    arrivals = found.of(dataset.name)
    staged = _stage_files(job, dataset, arrivals)
    set_rows_aside(job, dataset)
    differing = compare(job, dataset)
    if job.is_rehearsal:
        with judged(job, dataset, differing):
            pass
    else:
        with writing(job.engine) as connection, judged(job, dataset, differing):
            _put_aside(connection, job, dataset, arrivals)
            write_facts(connection, job, dataset, staged)
    return summed(job, dataset, staged, differing, [arrival.sheet.name for arrival in arrivals])


def _put_aside(connection: Connection, job: Job, dataset: Dataset, arrivals: Sequence[Arrival]) -> None:
    """Rows into quarantine, and those out of it that are settled by a row that came now."""
    quarantine.settle_superseded(connection, dataset.name, job.now)
    if not incoming.count_rejected(connection, dataset.name):
        return
    for rejected in incoming.rejected_rows(connection, dataset.name):
        quarantine.put_aside(connection, _for_quarantine(connection, rejected, arrivals, job.now))


def _stage_files(job: Job, dataset: Dataset, arrivals: Sequence[Arrival]) -> Staged:
    staged = Staged()
    for number, arrival in enumerate(arrivals):
        stager = Stager(job, dataset, staged)
        translator = Translator(arrival.reading, arrival.sheet.header)
        short, pieces = 0, arrival.sheet.rows()
        while batch := list(islice(pieces, AT_ONCE)):
            with incoming.staging(job.engine) as connection:
                for some in batch:
                    short += some.short
                    stager.stage(connection, _piece(number, arrival, translator, some, staged))
                    _stage_broken(connection, dataset, number, some, staged)
            job.tell(f"reading {arrival.sheet.name}", batch[-1].position, arrival.sheet.size)
        _note_oddities(job, arrival, short, staged)
    with incoming.staging(job.engine) as connection:
        incoming.index(connection, dataset.name)
        if dataset.name == "stakeholders":
            staged.forgotten = incoming.leave_out_forgotten(connection)
    return staged


def _piece(number: int, arrival: Arrival, translator: Translator, some: Rows, staged: Staged) -> Piece:
    """The rows the reading wants, as fields."""
    table, lines = some.rows, some.lines
    if arrival.reading.when:
        wanted = translator.wanted_rows(table)
        staged.left_out += len(table) - len(wanted)
        table, lines = [table[row] for row in wanted], [lines[row] for row in wanted]
    fields = translator.columns(table) if table else {}
    return Piece(number, arrival.reading.fields, fields, lines, [UNIT.join(row) for row in table])


def _stage_broken(connection: Connection, dataset: Dataset, number: int, some: Rows, staged: Staged) -> None:
    """Rows that are none wait beside the others, for quarantine."""
    for broken in some.broken:
        columns: dict[str, Any] = {
            "entry": [staged.entries], "file": [number], "line": [broken.line], "raw": [broken.text],
            "row_hash": [email_hash(broken.text)], "defects": [f",{WHOLE_ROW},{broken.complaint.replace(',', ';')}"],
        }  # fmt: skip
        incoming.stage(connection, dataset.name, columns)
        staged.entries += 1


def _note_oddities(job: Job, arrival: Arrival, short: int, staged: Staged) -> None:
    name = arrival.sheet.name
    if not staged.entries and not staged.left_out:
        job.notices.append(f"{name} has column names and no rows")
    if short:
        job.notices.append(f"{name}: {short} rows are shorter than the header; what is missing was read as empty")


class Stager:
    """Cleans, shapes and stages pieces of one file."""

    def __init__(self, job: Job, dataset: Dataset, staged: Staged) -> None:
        self._job, self._dataset, self._staged = job, dataset, staged
        self._cleaners: dict[tuple[str, ...], Cleaner] = {}
        self._shaper = Shaper(dataset.name, job.play, job.names, job.now)

    def stage(self, connection: Connection, piece: Piece) -> None:
        size = len(piece.lines)
        self._staged.given[piece.file] = piece.given
        if not size:
            return
        cleaned = self._cleaner(piece.given).clean(piece.fields)
        columns = self._shaper.shape(connection, cleaned.columns, size)
        columns["row_hash"] = list(hashes(columns, hashed_columns(self._dataset.name, piece.given)))
        first = self._staged.entries
        columns["entry"] = list(range(first, first + size))
        columns["file"] = [piece.file] * size
        columns["line"], columns["raw"] = list(piece.lines), list(piece.raw)
        columns["defects"] = [None] * size
        for row, names in cleaned.defects.items():
            columns["defects"][row] = note_defects(names)
        incoming.stage(connection, self._dataset.name, columns)
        self._staged.entries += size

    def _cleaner(self, given: tuple[str, ...]) -> Cleaner:
        if given not in self._cleaners:
            self._cleaners[given] = Cleaner(self._dataset, given, self._job.play)
        return self._cleaners[given]


# Judging


def set_rows_aside(job: Job, dataset: Dataset) -> None:
    """First the rules about single rows, then those about what is left: of two equal rows the good one is taken."""
    name, suite = dataset.name, dataset.suite
    job.tell(f"checking {name}", 0, None)
    with incoming.staging(job.engine) as connection:
        if incoming.suspect(connection, name, any_broken(suite.about_rows, job.values)):
            _note(connection, job, dataset, suite.about_rows, incoming.suspects(name))
        _note(connection, job, dataset, suite.about_all, incoming.accepted(name))


def _note(connection: Connection, job: Job, dataset: Dataset, rules: Sequence[Rule], batch: str) -> None:
    found = [incoming.note_failures(connection, dataset.name, rule.id, rule.query(batch, job.values)) for rule in rules]
    if any(found):
        incoming.set_aside(connection, dataset.name)


def compare(job: Job, dataset: Dataset) -> tuple[int, int]:
    """(new, changed) rows."""
    with incoming.staging(job.engine) as connection:
        return facts.compare(connection, dataset.name)


@contextmanager
def judged(job: Job, dataset: Dataset, differing: tuple[int, int]) -> Iterator[None]:
    """Great Expectations judges the accepted rows while they are being written: the body must not have committed when
    it ends. Where nothing differs there is nothing to judge.

    Raises InputRefused if a rule is not kept by the rows that are about to be written.
    """
    if not any(differing):
        yield
        return
    place = incoming.room_file(job.engine) or job.engine
    with ThreadPoolExecutor(1) as beside:
        verdict = beside.submit(judge, place, incoming.accepted_rows(dataset.name), dataset.suite, job.values)
        yield
        job.tell(f"judging {dataset.name}", 0, None)
        if not verdict.result().passed:
            cure = "nothing of them was written; please report this with the file"
            raise InputRefused(f"{dataset.name} do not meet their expectations: {verdict.result()}", cure=cure)


# Writing


def write_facts(connection: Connection, job: Job, dataset: Dataset, staged: Staged) -> None:
    """New and changed rows, and the marks on the accounts they concern."""
    name = dataset.name
    job.tell(f"writing {name}", 0, None)
    for given, files in _by_columns(staged):
        facts.write(connection, name, written_columns(name, given), files, source=job.source, now=job.now)
        if "parent" in given:
            facts.link_parents(connection, files)
    facts.mark_changed(connection, name, job.now)
    facts.mark_seen(connection, name, job.now)
    if name == "stakeholders":
        facts.note_owner_conflicts(connection, job.now)


def _by_columns(staged: Staged) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """Files that give the same fields are written together: what a file does not give is not touched."""
    for given in dict.fromkeys(staged.given.values()):
        yield given, [file for file, fields in staged.given.items() if fields == given]


def _for_quarantine(
    connection: Connection, rejected: Sequence[incoming.Rejected], arrivals: Sequence[Arrival], now: datetime
) -> list[dict[str, Any]]:
    """Rows as they will wait; what names a person who asked to be erased is not kept."""
    waiting: dict[tuple[str, str], dict[str, Any]] = {}
    for one in rejected:
        arrival = arrivals[one.file]
        values = one.raw.split(UNIT)
        if len(values) == len(arrival.sheet.header) and f",{WHOLE_ROW}," not in (one.defects or ""):
            row = {name: value for name, value in zip(arrival.sheet.header, values, strict=True) if name}
            fields = translate_one(arrival.reading, arrival.sheet.header, values)
        else:
            row, fields = {LINE: one.raw}, None
        entry = as_quarantine(one, arrival.dataset, arrival.sheet.name, row, fields, now)
        waiting[entry["source"], entry["row_hash"]] = entry
    forgotten = forgotten_among(connection, {hashed for entry in waiting.values() for hashed in _people_in(entry)})
    return [entry for entry in waiting.values() if forgotten.isdisjoint(_people_in(entry))]


def _people_in(entry: Mapping[str, Any]) -> set[str]:
    """Hashes of the addresses a row names."""
    dataset = DATASETS[entry["dataset"]]
    named = (field.name for field in dataset.fields if field.kind is Kind.EMAIL)
    return {email_hash(address) for name in named if (address := (entry["fields"] or {}).get(name))}


# Telling


def summed(job: Job, dataset: Dataset, staged: Staged, differing: tuple[int, int], files: Sequence[str]) -> Taken:
    """What became of the data set."""
    name, (added, changed) = dataset.name, differing
    with incoming.staging(job.engine) as connection:
        rejected = incoming.count_rejected(connection, name)
        reasons = tuple(_reasons(connection, dataset, files))
        warned = tuple(warning for rule in dataset.suite.warnings if (warning := _warning(connection, job, name, rule)))
    unchanged = staged.entries - staged.forgotten - rejected - added - changed
    return Taken(
        name, tuple(files), staged.entries + staged.left_out, added, changed, unchanged, rejected, staged.left_out,
        staged.forgotten, reasons, warned,
    )  # fmt: skip


def _reasons(connection: Connection, dataset: Dataset, files: Sequence[str]) -> Iterator[SetAside]:
    for id, (count, first) in incoming.count_by_rule(connection, dataset.name).items():
        file, line = incoming.place_of(connection, dataset.name, first)
        rule = dataset.suite.rule(id)
        yield SetAside(dataset.name, id, rule.complaint, rule.cure, count, f"{files[file]}:{line}")


def _warning(connection: Connection, job: Job, dataset: str, rule: Rule) -> Warned | None:
    cases, examples = incoming.found_by(connection, dataset, rule.query(incoming.accepted(dataset), job.values))
    return Warned(rule.id, rule.complaint, rule.cure, cases, tuple(examples)) if cases else None


def ready_or_not(job: Job) -> tuple[Warned, ...]:
    """What the accounts of this import still lack."""
    warned = []
    with incoming.staging(job.engine) as connection:
        facts.count_groups(connection, job.now)
        for rule in READINESS.warnings:
            cases, examples = incoming.found_by(connection, "group", rule.query(incoming.GROUP.name, job.values))
            if cases:
                said = filled(rule.complaint, job.values)
                warned.append(Warned(rule.id, said, rule.cure, cases, tuple(examples)))
    return tuple(warned)


def _silence(what: str, done: int, of: int | None) -> None:
    return None
