"""The journal of a sender: what had begun to leave and what became of it, in case the process is killed.

    {"worker": "mail1-4711-9f2c51aa", "host": "mail1", "boot": "0a4f…", "ledger": "b1946ac92492d234"}
    b 17                                              touch 17 may leave from here on
    e [17, "sent", null, null, "smtp", "250 ok", null]
    b 18 19 20                                        one call of a provider that takes several

A line is one write to the end of the file, so lanes need no lock among themselves. Nothing is forced to disk: what was
written outlives the process, and of a crash of the machine the boot id tells; then the journal is worth nothing. While
its process lives it holds a lock (flock) on the file, which the kernel drops with it: whoever gets the lock is looking
at the journal of the dead. A fork does not hand it on.
"""

import fcntl
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self
from weakref import WeakSet

from sqlalchemy import Engine

from accounts.errors import Unreachable
from accounts.ledger.sending.claims import Outcome
from accounts.vocabulary import TouchState

_SUFFIX = ".journal"
_BEGUN = re.compile(rb"b( \d+)+")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Journal:
    """Open for one run of a sender; `begin` and `end` may be called from several threads."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        #: Who claims: stands in `touch.claimed_by`, and names the file.
        self.worker = path.stem
        self._fd = fd
        _open_here.add(self)

    @classmethod
    def open(cls, folder: Path, engine: Engine) -> Self:
        """A new journal in `folder`, which is made when it is missing. Raises Unreachable when it cannot be written:
        nothing may leave then."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            journal = cls._locked(folder)
        except OSError as error:
            raise _unwritable(error.strerror, folder) from None
        try:
            header = {"worker": journal.worker, "host": _host(), "boot": boot(), "ledger": ledger_mark(engine)}
            journal._write(json.dumps(header).encode())
        except BaseException:
            journal.close(settled=True)
            raise
        return journal

    @classmethod
    def _locked(cls, folder: Path) -> Self:
        """Between making the file and locking it a tidier may take it for a dead one's and remove it: then another."""
        while True:
            path = folder / f"{_host()}-{os.getpid()}-{token_hex(4)}{_SUFFIX}"
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            if _lock(fd) and os.fstat(fd).st_nlink:
                return cls(path, fd)
            os.close(fd)

    def begin(self, touch_ids: Iterable[int]) -> None:
        """Before the first byte of these leaves. Raises Unreachable when it cannot be written: none may leave then."""
        self._write(b"b " + " ".join(map(str, touch_ids)).encode())

    def end(self, outcome: Outcome) -> None:
        """After the answer. That it cannot be written is no harm: the outcome stands in memory and goes to the ledger,
        and to a process that dies before that it is unknown."""
        again = outcome.retry_at and outcome.retry_at.isoformat()
        told = (outcome.touch_id, outcome.state, outcome.reason, outcome.error, outcome.provider,
                outcome.provider_id, again)  # fmt: skip
        with suppress(Unreachable):
            self._write(b"e " + _ENCODER.encode(told).encode())

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line + b"\n")
        except OSError as error:
            raise _unwritable(error.strerror, self.path) from None
        if written <= len(line):
            raise _unwritable("no space left", self.path)

    def fileno(self) -> int:
        return self._fd

    def close(self, *, settled: bool) -> None:
        """settled: every outcome stands in the ledger, so nobody has to read it any more."""
        if self._fd < 0:
            return
        if settled:
            self.path.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(settled=error is None)


@dataclass(frozen=True, slots=True)
class Told:
    """What the journal of a dead sender tells."""

    worker: str
    #: touch id -> its last outcome; None: it had begun to leave, and no answer is known. Others had not begun.
    #: None instead of all: the journal is worth nothing, and any touch of this sender may have left.
    touches: Mapping[int, Outcome | None] | None


@contextmanager
def left_behind(path: Path, engine: Engine) -> Iterator[Told | None]:
    """The journal at `path`, locked while the block runs and removed after it, unless the block raises.

    None, and it stays where it is: its sender lives, or it belongs to another ledger, machine or user.
    """
    try:
        file = path.open("r+b")
    except (FileNotFoundError, PermissionError):  # somebody else has taken it up, or it is another user's to take up
        yield None
        return
    with file:
        mine = _lock(file.fileno()) and os.fstat(file.fileno()).st_nlink  # none: taken up since it was opened here
        told = _read(file.read(), path.stem, engine) if mine else None
        yield told
        if told is not None:
            path.unlink(missing_ok=True)


def journals_in(folder: Path) -> list[Path]:
    """Every journal there, of the living and the dead."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def is_held(path: Path) -> bool:
    """Whether a living process writes this journal."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        return not _lock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


@cache
def boot() -> str | None:
    """Changes with every start of the machine; None where the system does not tell."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


def ledger_mark(engine: Engine) -> str:
    """Which ledger it is, without its password: the touches of another one have the same numbers."""
    return sha256(engine.url.render_as_string(hide_password=True).encode()).hexdigest()[:16]


def _read(journal: bytes, worker: str, engine: Engine) -> Told | None:
    head, _, lines = journal.partition(b"\n")
    try:
        header = json.loads(head)
        mine = header["ledger"] == ledger_mark(engine)
        same_boot, same_host = header["boot"] == boot() is not None, header["host"] == _host()
    except (ValueError, TypeError, KeyError):
        return Told(worker, None)
    if not mine or not (same_boot or same_host):
        return None
    return Told(worker, _touches(lines) if same_boot else None)


def _touches(lines: bytes) -> dict[int, Outcome | None] | None:
    """What stands after the last line end was not written whole. If it is a beginning, nothing of it had left, since
    that waits for the whole line; if it is an end, the touch stays without an answer. A line that cannot be read makes
    all of it worthless."""
    touches: dict[int, Outcome | None] = {}
    for line in lines.split(b"\n")[:-1]:
        if _BEGUN.fullmatch(line):
            touches.update(dict.fromkeys(map(int, line.split()[1:])))
            continue
        outcome = _outcome(line)
        if outcome is None:
            return None
        touches[outcome.touch_id] = outcome
    return touches


def _outcome(line: bytes) -> Outcome | None:
    try:
        touch, state, reason, error, provider, provider_id, again = json.loads(line.removeprefix(b"e "))
        retry_at = again and datetime.fromisoformat(again)
        return Outcome(int(touch), TouchState(state), reason, error, provider, provider_id, retry_at)
    except (ValueError, TypeError):
        return None


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _lock(fd: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@cache
def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname())[:60] or "host"


def _unwritable(why: str | None, path: Path) -> Unreachable:
    return Unreachable(f"the journal cannot be written: {why}", where=str(path), cure="check space and rights")


#: The journals of this process: a child of a fork must not keep their locks alive, nor write into them.
_open_here: WeakSet[Journal] = WeakSet()


def _forget_after_fork() -> None:
    for journal in list(_open_here):
        if journal.fileno() >= 0:
            journal._let_go()


os.register_at_fork(after_in_child=_forget_after_fork)
