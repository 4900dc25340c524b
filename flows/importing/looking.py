"""What kind of file is this? Text or not, in which encoding, whole or cut off: found out from the bytes, before any row
is taken."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from accounts.errors import InputRefused

#: Stands between values where a row is kept as one string; a file that contains it is cleaned of it while reading.
UNIT = "\x1f"
BLOCK = 1 << 20

_BINARY = (
    (b"PK\x03\x04", "is an Excel workbook or another zip file", "open it and save it as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook", "open it and save it as CSV UTF-8"),
    (b"\x1f\x8b", "is compressed", "unpack it first"),
    (b"%PDF", "is a PDF", "ask for a CSV export"),
    (b"SQLite format", "is a database", "ask for a CSV export"),
)
#: Bytes that mean nothing in Windows-1252.
_NOT_WINDOWS = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])


@dataclass(slots=True)
class Seen:
    """What the bytes of a file say about it."""

    encoding: str
    size: int
    ends_whole: bool
    has_unit_marks: bool
    has_quotes: bool
    notices: list[str]


def look_through(path: Path, encoding: str | None) -> Seen:
    """One pass over the bytes, a block at a time. `encoding`: if somebody has named it, it is believed.

    Raises InputRefused for a file that is empty, binary, or in no known encoding.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
            _refuse_binary(path, start)
            if not encoding and start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return Seen("utf-16", path.stat().st_size, True, True, True, [f"{path.name} is UTF-16"])
            file.seek(0)
            return _look_at_bytes(path, file, encoding)
    except OSError as error:
        cure = "check the name and the rights"
        raise InputRefused(f"cannot be read: {error.strerror}", where=str(path), cure=cure) from None


def _refuse_binary(path: Path, start: bytes) -> None:
    for magic, what, cure in _BINARY:
        if start.startswith(magic):
            raise InputRefused(what, where=str(path), cure=cure)


def _look_at_bytes(path: Path, file: BinaryIO, encoding: str | None) -> Seen:
    check = _Utf8()
    size, lines, last, units, quotes, blank = 0, 0, b"", False, False, True
    while block := file.read(BLOCK):
        _refuse_no_text(path, block)
        check.feed(block, lines)
        blank = blank and not block.removeprefix(codecs.BOM_UTF8).strip()
        units = units or UNIT.encode() in block
        quotes = quotes or b'"' in block
        lines += block.count(b"\n")
        size += len(block)
        last = block[-1:]
    if blank:
        raise InputRefused("is empty", where=str(path), cure="export it again, with column names in the first row")
    seen = Seen(encoding or "utf-8-sig", size, last in b"\r\n", units, quotes, [])
    if encoding is None and check.first_line is not None:
        _take_for_windows(path, seen, check)
    return seen


def _refuse_no_text(path: Path, block: bytes) -> None:
    if b"\x00" in block:
        what = "is no text file: it contains null bytes"
    elif len(block) == BLOCK and b"\n" not in block and b"\r" not in block:
        what = "is no table: a line of it is longer than a megabyte"
    else:
        return
    raise InputRefused(what, where=str(path), cure="ask for a CSV export, UTF-8")


class _Utf8:
    """Whether bytes are UTF-8, and if not: in which line first, and whether they could be Windows-1252 instead."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.first_line: int | None = None
        self.is_mixed = False
        self.could_be_windows = True

    def feed(self, block: bytes, lines_before: int) -> None:
        if any(byte in block for byte in _NOT_WINDOWS):
            self.could_be_windows = False
        if self.first_line is not None:
            return
        try:
            self.is_mixed = self.is_mixed or not self._decoder.decode(block).isascii()
        except UnicodeDecodeError as error:
            held = len(error.object) - len(block)  # bytes of an unfinished character of the block before
            good = block[: max(0, error.start - held)]
            self.is_mixed = self.is_mixed or not good.isascii()
            self.first_line = lines_before + good.count(b"\n") + 1


def _take_for_windows(path: Path, seen: Seen, check: _Utf8) -> None:
    """A file that is UTF-8 up to some line is a mixture: read as Windows-1252, all its other names would be spoilt."""
    place = f"{path}:{check.first_line}"
    if check.is_mixed:
        raise InputRefused("is UTF-8 up to here, and not in this line", where=place, cure="save the file as UTF-8")
    if not check.could_be_windows:
        cure = "save it as UTF-8, or name its encoding in a mapping"
        raise InputRefused("is neither UTF-8 nor Windows-1252", where=place, cure=cure)
    seen.encoding = "cp1252"
    seen.notices.append(
        f"{path.name} is not UTF-8 and was read as Windows-1252: look at the name in line {check.first_line}"
    )
