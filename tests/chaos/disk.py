"""The small disk on which a ledger and its journals live, and how it gets full.

Root gets a real one: a tmpfs of a few megabytes, filled by a ballast file, so writers meet ENOSPC. Others get the
nearest thing: RLIMIT_FSIZE set on the running workers, so files stop growing with EFBIG.
"""

import os
import resource
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: Bytes; a ledger of sixty people needs about 3 MB with its log.
SIZE = 24 << 20
#: What a full disk still takes: with a little room, some writes succeed and later ones do not.
_ROOM = 16 << 10


class Disk:
    """`path`: where homes stand. Use `umount` at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        folder.mkdir()
        self._is_small = _mounted(folder)
        self._ballast = folder / "ballast"

    @property
    def kind(self) -> str:
        return f"a tmpfs of {SIZE >> 20} MB" if self._is_small else "a limit on the size of files (RLIMIT_FSIZE)"

    def fill(self, workers: Iterable[int]) -> None:
        """From now on nothing more fits on it. workers: the processes that write there."""
        if self._is_small:
            free = os.statvfs(self.path)
            with self._ballast.open("wb") as file, suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize - _ROOM, 1))
        else:
            self._limit(workers, _ROOM)

    def clear(self, workers: Iterable[int]) -> None:
        if self._is_small:
            self._ballast.unlink(missing_ok=True)
        else:
            self._limit(workers, resource.RLIM_INFINITY)

    def umount(self) -> None:
        if self._is_small:
            subprocess.run(["umount", "--lazy", str(self.path)], capture_output=True, check=False)

    def _limit(self, workers: Iterable[int], size: int) -> None:
        for pid in workers:
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _mounted(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tandem-chaos", str(folder)]
    try:
        return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
