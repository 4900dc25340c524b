"""Which file holds what: by the names of the CSV contract, or by a mapping file. Every file is looked at before any is
taken, so that a file that cannot be read stops the import before it has written anything."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from accounts.errors import InputRefused, NotFound
from accounts.textfiles import nearest, shown
from flows.importing.datasets import DATASETS, Dataset
from flows.importing.mapping import MappingFile, Reading, field_name, native
from flows.importing.reading import Sheet, open_sheet

SIGNALS = "signals"
ENDINGS = {".csv", ".tsv", ".txt"}
MAPPINGS = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file, and one data set that is read from it."""

    sheet: Sheet
    dataset: Dataset
    reading: Reading


@dataclass(frozen=True, slots=True)
class Found:
    arrivals: tuple[Arrival, ...]
    #: Files of signals: they go through the door for signals.
    signals: tuple[Path, ...]
    notices: tuple[str, ...]

    def of(self, dataset: str) -> tuple[Arrival, ...]:
        return tuple(arrival for arrival in self.arrivals if arrival.dataset.name == dataset)


def find(paths: Sequence[Path], mapping: MappingFile | None) -> Found:
    """Look at every file below `paths`. Raises InputRefused for the first that cannot be taken, NotFound for none."""
    arrivals: list[Arrival] = []
    signals: list[Path] = []
    notices: list[str] = []
    for path, is_named in _files(paths):
        if mapping is None and _dataset_of(path) == SIGNALS:
            signals.append(path)
        elif readings := _readings(path, mapping):
            arrivals.extend(_arrivals(path, readings))
        elif is_named:
            raise InputRefused("is not a file Tandem knows", where=shown(path), cure=_known_names(mapping))
        elif path.suffix.lower() not in MAPPINGS:
            notices.append(f"{path.name} was left alone: not a name Tandem knows")
        elif mapping is None:
            notices.append(f"{path.name} was left alone: a mapping is given with --mapping")
    if not arrivals and not signals:
        raise NotFound("nothing to import", where=shown(paths[0]), cure=_known_names(mapping))
    seen = (notice for arrival in arrivals for notice in (*arrival.sheet.notices, *_left_out(arrival, mapping)))
    return Found(tuple(arrivals), tuple(signals), tuple(dict.fromkeys((*notices, *seen))))


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """(file, whether somebody named it); hidden files of a folder are passed over."""
    for path in paths:
        if path.is_dir():
            yield from ((file, False) for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != ".")
        elif path.exists():
            yield path, True
        else:
            raise InputRefused("does not exist", where=shown(path), cure="check the name")


def _dataset_of(path: Path) -> str | None:
    """``accounts.csv``, ``accounts-2026-11.csv`` and ``Accounts_EMEA.tsv`` are accounts."""
    if path.suffix.lower() not in ENDINGS:
        return None
    first = re.split(r"[-_. ]", path.stem.lower())[0]
    return first if first in DATASETS or first == SIGNALS else None


def _readings(path: Path, mapping: MappingFile | None) -> tuple[Reading | Dataset, ...]:
    if mapping is not None:
        return mapping.readings_of(path.name)
    dataset = _dataset_of(path)
    return (DATASETS[dataset],) if dataset else ()


def _arrivals(path: Path, readings: Sequence[Reading | Dataset]) -> Iterator[Arrival]:
    for reading in readings:
        if isinstance(reading, Dataset):
            yield _native_arrival(path, reading)
        else:
            yield _mapped_arrival(path, reading)


def _native_arrival(path: Path, dataset: Dataset) -> Arrival:
    sheet = open_sheet(path, lambda column: field_name(column) in dataset.names)
    missing = [name for name in dataset.required if name not in map(field_name, sheet.header)]
    if missing:
        _refuse_header(sheet, missing[0], "rename a column, or describe the file in a mapping")
    return Arrival(sheet, dataset, native(dataset, sheet.header))


def _mapped_arrival(path: Path, reading: Reading) -> Arrival:
    wanted = {column.casefold() for column in reading.wanted}
    sheet = open_sheet(path, lambda column: column.casefold() in wanted, encoding=reading.encoding)
    there = {column.casefold() for column in sheet.header}
    missing = [column for column in sorted(reading.wanted) if column.casefold() not in there]
    if missing:
        _refuse_header(sheet, missing[0], "the mapping names it: " + nearest(missing[0], filter(None, sheet.header)))
    return Arrival(sheet, DATASETS[reading.dataset], reading)


def _refuse_header(sheet: Sheet, missing: str, cure: str) -> None:
    there = ", ".join(name for name in sheet.header if name)
    raise InputRefused(f"has no column {missing!r}, only {there}", where=f"{shown(sheet.path)}:1", cure=cure)


def _left_out(arrival: Arrival, mapping: MappingFile | None) -> Iterator[str]:
    unknown = [name for name in arrival.sheet.header if name and name not in arrival.reading.columns]
    if unknown and mapping is None:
        yield f"{arrival.sheet.name}: left out columns Tandem does not know: {', '.join(unknown)}"


def _known_names(mapping: MappingFile | None) -> str:
    if mapping is not None:
        return "the mapping reads " + ", ".join(reading.file for reading in mapping.read)
    return "name it " + ", ".join(f"{name}.csv" for name in (*DATASETS, SIGNALS)) + ", or give a --mapping"
