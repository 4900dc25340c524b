"""From a file to the staging tables: piece by piece translated, cleaned, shaped and appended, in short transactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

from sqlalchemy import Connection

from accounts.ledger.importing import incoming, waiting_room
from flows.importing.cleaning import Cleaner, Column
from flows.importing.datasets import Dataset
from flows.importing.finding import Arrival
from flows.importing.job import Job
from flows.importing.looking import UNIT
from flows.importing.quarantining import broken_row, note_defects
from flows.importing.reading import Rows
from flows.importing.shaping import Shaper, hashed_columns, hashes
from flows.importing.translating import Translator

#: Pieces of a file staged in one transaction.
AT_ONCE = 5


@dataclass(slots=True)
class Piece:
    """Some rows of one file, as fields of the CSV contract."""

    #: Number of the file within its data set.
    file: int
    given: tuple[str, ...]
    fields: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    #: Each row as it came, in one string.
    raw: Sequence[str]


@dataclass(slots=True)
class Staged:
    """What has been staged of a data set so far."""

    entries: int = 0
    left_out: int = 0
    forgotten: int = 0
    #: Rows that say what an earlier one of their file says.
    copies: int = 0
    #: Number of a file -> the fields it gives.
    given: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def by_fields(self) -> dict[tuple[str, ...], list[int]]:
        """Files that give the same fields: they are written together, and what a file does not give is not touched."""
        files: dict[tuple[str, ...], list[int]] = {}
        for file, given in self.given.items():
            files.setdefault(given, []).append(file)
        return files


def stage_files(job: Job, dataset: Dataset, arrivals: Sequence[Arrival]) -> Staged:
    """Every row of these files, ready to be judged."""
    staged = Staged()
    for number, arrival in enumerate(arrivals):
        _stage_file(job, Stager(job, dataset, staged), number, arrival)
    finish_staging(job, dataset, staged)
    with waiting_room.staging(job.engine) as connection:
        staged.copies = incoming.leave_out_copies(connection, dataset.name)
    return staged


def finish_staging(job: Job, dataset: Dataset, staged: Staged) -> None:
    """After the last row: the index, and nothing of people who asked to be forgotten."""
    with waiting_room.staging(job.engine) as connection:
        incoming.index(connection, dataset.name)
        if dataset.name == "stakeholders":
            staged.forgotten = incoming.leave_out_forgotten(connection)


def _stage_file(job: Job, stager: "Stager", number: int, arrival: Arrival) -> None:
    sheet, before, short = arrival.sheet, stager.staged.entries + stager.staged.left_out, 0
    translator, pieces = Translator(arrival.reading, sheet.header), sheet.rows()
    while batch := list(islice(pieces, AT_ONCE)):
        with waiting_room.staging(job.engine) as connection:
            for some in batch:
                stager.stage(connection, _piece(number, arrival, translator, some, stager.staged))
                stager.stage_broken(connection, number, some)
                short += some.short
        job.tell(f"reading {sheet.name}", batch[-1].position, sheet.size)
    if stager.staged.entries + stager.staged.left_out == before:
        job.notices.append(f"{sheet.name} has column names and no rows")
    if short:
        job.notices.append(f"{sheet.name}: {short} rows are shorter than the header; what is missing was read as empty")


def _piece(number: int, arrival: Arrival, translator: Translator, some: Rows, staged: Staged) -> Piece:
    """The rows the reading wants, as fields."""
    table, lines = some.rows, some.lines
    if arrival.reading.when:
        wanted = translator.wanted_rows(table)
        staged.left_out += len(table) - len(wanted)
        table, lines = [table[row] for row in wanted], [lines[row] for row in wanted]
    fields = translator.columns(table) if table else {}
    return Piece(number, arrival.reading.fields, fields, lines, [UNIT.join(row) for row in table])


class Stager:
    """Stages pieces of the files of one data set."""

    def __init__(self, job: Job, dataset: Dataset, staged: Staged) -> None:
        self.staged = staged
        self._job, self._dataset = job, dataset
        self._cleaners: dict[tuple[str, ...], Cleaner] = {}
        self._shaper = Shaper(dataset.name, job.play, job.names, job.now)

    def stage(self, connection: Connection, piece: Piece) -> None:
        """Append the rows of a piece; what is wrong with them stands beside them."""
        size = len(piece.lines)
        self.staged.given[piece.file] = piece.given
        if not size:
            return
        cleaned = self._cleaner(piece.given).clean(piece.fields)
        columns = self._shaper.shape(connection, cleaned.columns, size)
        columns["row_hash"] = list(hashes(columns, hashed_columns(self._dataset.name, piece.given)))
        columns["defects"] = [None] * size
        for row, names in cleaned.defects.items():
            columns["defects"][row] = note_defects(names)
        self._append(connection, columns, piece.file, piece.lines, piece.raw)

    def stage_broken(self, connection: Connection, file: int, some: Rows) -> None:
        """Rows that are none wait beside the others, for quarantine."""
        if some.broken:
            texts = [broken.text for broken in some.broken]
            columns: dict[str, Column] = {
                "row_hash": [sha256(text.encode()).hexdigest() for text in texts],
                "defects": [broken_row(broken.complaint) for broken in some.broken],
            }
            self._append(connection, columns, file, [broken.line for broken in some.broken], texts)

    def _append(
        self, connection: Connection, columns: dict[str, Column], file: int, lines: Sequence[int], raw: Sequence[str]
    ) -> None:
        first, size = self.staged.entries, len(lines)
        place: dict[str, Column] = {
            "entry": list(range(first, first + size)), "file": [file] * size, "line": list(lines), "raw": list(raw),
        }  # fmt: skip
        incoming.stage(connection, self._dataset.name, {**place, **columns})
        self.staged.entries += size

    def _cleaner(self, given: tuple[str, ...]) -> Cleaner:
        if given not in self._cleaners:
            self._cleaners[given] = Cleaner(self._dataset, given, self._job.play)
        return self._cleaners[given]
