"""Processes of a history: forked from the lane that has imported everything, dead when the lane is dead."""

import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, linux/prctl.h
_INTERRUPT = {signal.SIGINT}


def fork(task: Callable[[], None], log: Path, *, gently: bool = False) -> int:
    """The id of a process that does `task` and ends: with 0, or with 1. What it says and its traceback go to `log`.

    When this process dies, that one does at once, or (`gently`) after it has tidied up.
    """
    parent, code = os.getpid(), 1
    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)  # a Ctrl-C must not reach a child that is not yet itself
    if pid := os.fork():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
        return pid
    try:
        _speak_into(log)
        signal.signal(signal.SIGTERM, _end if gently else signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM if gently else signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
        if os.getppid() == parent:
            task()
            code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end(*_: object) -> None:
    sys.exit(1)


def _speak_into(log: Path) -> None:
    """Many libraries say a lot when a database goes away; nobody wants to read it while nothing is wrong."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    os.close(file)


def exit_of(pid: int) -> int | None:
    """How a child of ours ended: its code, minus the signal that killed it, or None while it runs. Ask once more and
    it is gone."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return None if found == 0 else os.waitstatus_to_exitcode(status)


def wait_for(pid: int, seconds: float) -> int:
    """How it ended. One that takes longer is killed; TimeoutError."""
    deadline = time.monotonic() + seconds
    while (code := exit_of(pid)) is None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise TimeoutError(f"process {pid} took longer than {seconds} s")
        time.sleep(0.001)
    return code


def settle_memory() -> None:
    """Before many forks: what stands in memory now is not touched by the collector of any child."""
    gc.collect()
    gc.freeze()


def is_alive(pid: int) -> bool:
    """Whether a process, ours or not, still runs; one that is only waiting to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
