"""Append-only records, a line of JSON an event. One write a line, so a kill leaves whole lines only."""

import json
import os
import time
from pathlib import Path
from typing import Any


class Record:
    """Where one process, and its threads, write down what happened. `at` is the machine's monotonic clock, in seconds:
    the same for all processes of a history."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, what: str, **facts: Any) -> None:
        line = json.dumps({"what": what, "at": time.monotonic(), **facts}, default=str)
        os.write(self._file, f"{line}\n".encode())


def read(path: Path, what: str | None = None) -> list[dict[str, Any]]:
    """The events of a record, in the order they were written; of one kind, or all. No record is an empty one."""
    if not path.exists():
        return []
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [event for event in events if what in (None, event["what"])]
