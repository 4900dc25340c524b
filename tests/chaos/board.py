"""What all processes of a history see at the same time: counters and process ids in shared memory.

Made before the processes are forked, or in a file for those that are not; lives as long as one of them, whoever is
killed.
"""

import mmap
import os
import signal
from pathlib import Path

#: Most workers at once.
SLOTS = 3
_LETTERS, _OFFICE, _POSTMASTER, _LINES, _OVER, _WORKERS = 0, 1, 2, 3, 4, 5


class Board:
    """Numbers of eight bytes, each written by one process at a time."""

    def __init__(self, file: Path | None = None) -> None:
        """file: by which processes find it that were not forked; made if there is none."""
        memory = mmap.mmap(-1, mmap.PAGESIZE) if file is None else _mapped(file)
        self._cells = memoryview(memory).cast("q")

    def clear(self) -> None:
        """For the next history; PostgreSQL stays."""
        for cell in (_LETTERS, _OFFICE, _LINES, _OVER, *range(_WORKERS, _WORKERS + SLOTS)):
            self._cells[cell] = 0

    @property
    def letters(self) -> int:
        """Letters begun at the post office so far, over all its lives."""
        return self._cells[_LETTERS]

    def next_letter(self) -> int:
        """The number of the letter that begins; the first is 1. For the post office, under its own lock."""
        self._cells[_LETTERS] += 1
        return self._cells[_LETTERS]

    @property
    def lines(self) -> int:
        """Connections that are open at the post office."""
        return self._cells[_LINES]

    @lines.setter
    def lines(self, number: int) -> None:
        self._cells[_LINES] = number

    @property
    def is_over(self) -> bool:
        """No worker will be sent out any more: whoever still waits for a moment need not."""
        return bool(self._cells[_OVER])

    def end(self) -> None:
        self._cells[_OVER] = 1

    @property
    def office(self) -> int:
        """Process id of the post office; 0: closed."""
        return self._cells[_OFFICE]

    @office.setter
    def office(self, pid: int) -> None:
        self._cells[_OFFICE] = pid

    @property
    def postmaster(self) -> int:
        """Process id of PostgreSQL's first process; 0: none of ours runs."""
        return self._cells[_POSTMASTER]

    @postmaster.setter
    def postmaster(self, pid: int) -> None:
        self._cells[_POSTMASTER] = pid

    def worker(self, slot: int) -> int:
        """Process id of the worker in this slot; 0: nobody works there now."""
        return self._cells[_WORKERS + slot]

    def place(self, slot: int, pid: int) -> None:
        self._cells[_WORKERS + slot] = pid

    def kill_worker(self, slot: int, sign: int = signal.SIGKILL) -> bool:
        """Strike whoever works in this slot; False: nobody does."""
        return _kill(self.worker(slot), sign)

    def kill_postmaster(self, sign: int = signal.SIGKILL) -> bool:
        return _kill(self.postmaster, sign)

    def kill_office(self) -> bool:
        return _kill(self.office, signal.SIGKILL)


def _mapped(file: Path) -> mmap.mmap:
    number = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.truncate(number, mmap.PAGESIZE)
        return mmap.mmap(number, mmap.PAGESIZE)
    finally:
        os.close(number)


def _kill(pid: int, sign: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return False
    return True
