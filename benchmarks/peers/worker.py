"""A sender in a process of its own: started by benchmarks/sending.py, driven over its pipes.

    python -m benchmarks.peers.worker URL PORT          opens ledger, mailroom and connection, says "ready"
    a plan's number on its standard input               answered by {"begun": …, "ended": …, "sent": …, "peak": octets}

Times are of the machine's monotonic clock, which all processes share.
"""

import json
import re
import sys
import tempfile
import time
from pathlib import Path

from accounts.ledger.engine import open_ledger
from accounts.vocabulary import TouchState
from benchmarks.crowd import NOW
from benchmarks.postroom import mailroom, server_at
from flows.channels.email.smtp import Smtp
from flows.sending.journal import Journal
from flows.sending.leaving import despatch


def main(url: str, port: int) -> None:
    engine, room = open_ledger(url), mailroom()
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder), engine) as journal,
        Smtp(server_at(port), "mail.example") as smtp,
    ):
        print("ready", flush=True)
        for line in sys.stdin:
            begun = time.monotonic()
            done = despatch(engine, room, int(line), NOW, smtp, journal=journal)
            told = {"begun": begun, "ended": time.monotonic(), "sent": done.outcomes.get(TouchState.SENT, 0)}
            print(json.dumps({**told, "peak": peak_memory()}), flush=True)
    engine.dispose()


def peak_memory() -> int:
    """Octets this program has held at most. `ru_maxrss` begins with what its parent held when it was started."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
