"""Reading a delimited text file, whatever state it is in, without ever holding more than a piece of it.

`open_sheet` looks at the bytes and at the header; `Sheet.rows` then streams. A file that cannot be read is refused
whole, with its cure; a row that cannot be read is handed over as `Broken`, with its text, and the reading goes on in
the line below.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from accounts.errors import InputRefused
from flows.importing.looking import UNIT, look_through

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is none: its first line, its text, and what is wrong with it."""

    line: int
    text: str
    complaint: str


@dataclass(slots=True)
class Rows:
    """A piece of a file: values of each row in the order of the header, with the line each begins on."""

    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    #: Rows that had fewer values than the header; the missing ones were read as empty.
    short: int = 0
    #: Bytes read so far.
    position: int = 0

    def __bool__(self) -> bool:
        return bool(self.rows or self.broken)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that can be read: how, and what its columns are called."""

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    size: int
    ends_whole: bool
    has_unit_marks: bool
    #: Without any, each line is a row, and reading is twice as fast.
    has_quotes: bool
    notices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.name

    def rows(self, at_once: int = 2_000) -> Iterator[Rows]:
        """All rows below the header, in pieces of at most `at_once`. Memory stays flat whatever the size."""
        with _open(self.path, self.encoding) as file:
            lines = _Lines(file, clean=self.has_unit_marks)
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            next(reader, None)
            while True:
                plain = None if self.has_quotes or self.has_unit_marks else self._plain_piece(file, lines, at_once)
                piece = plain or self._piece(reader, lines, at_once)
                piece.position = file.buffer.tell()
                if not piece:
                    return
                yield piece

    def _plain_piece(self, file: TextIO, lines: "_Lines", at_once: int) -> Rows | None:
        """A piece of a file in which each line is a row. If one of them is not as wide as the header, the lines are
        handed back to be read with care."""
        some = lines.take(at_once)
        rows = list(csv.reader(some, delimiter=self.delimiter))
        if set(map(len, rows)) != {len(self.header)} or len(rows) != len(some):
            lines.give_back(some)
            return None
        return Rows(list(range(lines.number - len(some) + 1, lines.number + 1)), rows)

    def _piece(self, reader: Iterator[list[str]], lines: "_Lines", at_once: int) -> Rows:
        piece, width = Rows(), len(self.header)
        while len(piece.rows) + len(piece.broken) < at_once:
            lines.taken.clear()
            first = lines.number + 1
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                piece.broken.append(self._broken(first, lines, error))
                continue
            if len(row) != width and not self._fits(piece, first, row, lines):
                continue
            piece.lines.append(first)
            piece.rows.append(row)
        return piece

    def _fits(self, piece: Rows, line: int, row: list[str], lines: "_Lines") -> bool:
        """Fill up a short row; sort out one that is empty, too long, or cut off by the end of the file."""
        missing = len(self.header) - len(row)
        if not row:
            return False
        text = "".join(lines.taken).rstrip("\r\n")
        if missing < 0:
            what = f"has {len(row)} values where the header has {len(self.header)}"
            piece.broken.append(Broken(line, text, what))
            return False
        if not self.ends_whole and lines.is_at_the_end():
            piece.broken.append(Broken(line, text, "is cut off: the file ends inside it"))
            return False
        piece.short += 1
        row.extend([""] * missing)
        return True

    def _broken(self, line: int, lines: "_Lines", error: csv.Error) -> Broken:
        """Only the line in which the quote opens is given up; those it swallowed are read again, one by one."""
        text = lines.give_back_all_but_one()
        if "unexpected end" in str(error) and lines.is_at_the_end():
            return Broken(line, text, "is cut off: the file ends inside a quoted value")
        if "field larger" in str(error) or "unexpected end" in str(error):
            return Broken(line, text, "opens a quote that is never closed")
        return Broken(line, text, "has text after a closing quote")


def open_sheet(path: Path, expected: Callable[[str], bool], *, encoding: str | None = None) -> Sheet:
    """Look at a file before anything of it is taken.

    expected(name) says whether a column of that name is wanted; the delimiter that yields most of them wins.
    Raises InputRefused for a file that is empty, binary, in no known encoding, or has no usable header.
    """
    seen = look_through(path, encoding)
    with _open(path, seen.encoding) as file:
        lines = _Lines(file, clean=seen.has_unit_marks)
        top = next(lines, "")
    delimiter, header = _split_header(path, top, expected)
    return Sheet(
        path, seen.encoding, delimiter, header, seen.size, seen.ends_whole, seen.has_unit_marks, seen.has_quotes,
        tuple(seen.notices),
    )  # fmt: skip


def _split_header(path: Path, top: str, expected: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    def split(delimiter: str) -> tuple[str, ...]:
        try:
            return tuple(name.strip() for name in next(csv.reader([top], delimiter=delimiter), []))
        except csv.Error:
            return ()

    headers = {delimiter: split(delimiter) for delimiter in DELIMITERS}
    best = max(headers, key=lambda delimiter: (sum(map(expected, headers[delimiter])), len(headers[delimiter])))
    header = headers[best]
    _refuse_twins(path, header)
    return best, header


def _refuse_twins(path: Path, header: Sequence[str]) -> None:
    named = [name.casefold() for name in header if name]
    twin = next((name for name in named if named.count(name) > 1), None)
    if twin:
        raise InputRefused(f"has two columns {twin!r}", where=f"{path}:1", cure="rename or remove one of them")


def _open(path: Path, encoding: str) -> TextIO:
    # a character cut off by the end of the file must not stop the reading: its row is reported as cut off
    return path.open(encoding=encoding, errors="replace", newline="")


class _Lines:
    """The lines of a file, numbered, with a way back: lines that were taken can be read again."""

    def __init__(self, file: TextIO, *, clean: bool) -> None:
        self._file = file
        self._clean = clean
        self._again: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._file)
        self.number += 1
        if self._clean:
            line = line.replace(UNIT, " ")
        self.taken.append(line)
        return line

    def take(self, most: int) -> list[str]:
        """Up to `most` lines at once."""
        again = [self._again.popleft() for _ in range(min(most, len(self._again)))]
        lines = [*again, *islice(self._file, most - len(again))]
        self.number += len(lines)
        return lines

    def give_back(self, lines: Sequence[str]) -> None:
        """These come again."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)

    def give_back_all_but_one(self) -> str:
        """The first line taken, without its end; the others come again."""
        first, *others = self.taken or [""]
        self.give_back(others)
        return first.rstrip("\r\n")

    def is_at_the_end(self) -> bool:
        if not self._again:
            following = next(self._file, None)
            if following is not None:
                self._again.append(following)
        return not self._again
