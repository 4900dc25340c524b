"""One history from its first process to its judgement: who is started when, what is struck when, and what is settled.

seed the world  ->  open the post office  ->  workers, naysayers and faults, all at once  ->  settle  ->  judge
"""

import random
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from accounts.ledger.engine import open_ledger, reading
from accounts.models import Touch
from accounts.touch_states import OPEN
from flows import nurturing
from tests.cast import NOW
from tests.chaos import board as boards
from tests.chaos.databases import Database
from tests.chaos.disk import Disk
from tests.chaos.history import AtTime, History, Run, Strike
from tests.chaos.naysayers import say_no
from tests.chaos.post import open_office
from tests.chaos.processes import exit_of, fork, wait_for
from tests.chaos.records import Record
from tests.chaos.worker import Errand, diary, work
from tests.chaos.world import LOOSE, play, populate, settings

#: Seconds a history may take before it counts as hung.
PATIENCE = 60.0
#: The clock of the runs that settle everything: from here on, so far apart, so often at most. A refusal for now waits
#: up to four hours, a lease half an hour, a colleague an hour.
AFTERWARDS = NOW + timedelta(days=1, hours=1)
STEP = timedelta(minutes=75)
MOST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Files:
    """Where a history wrote down what happened."""

    folder: Path

    @property
    def office(self) -> Path:
        return self.folder / "office.jsonl"

    @property
    def workers(self) -> Path:
        return self.folder / "workers.jsonl"

    @property
    def naysayers(self) -> Path:
        return self.folder / "naysayers.jsonl"

    @property
    def conductor(self) -> Path:
        return self.folder / "conductor.jsonl"

    @property
    def tracebacks(self) -> Path:
        return self.folder / "tracebacks.txt"


@dataclass(slots=True)
class _Slot:
    """A worker's place: the runs it still has to do and the process that does one."""

    runs: list[Run]
    pid: int = 0
    run: Run | None = None
    not_before: float = 0.0


class Conductor:
    """Plays one history. The stage (database, disk) is the lane's and outlives it."""

    def __init__(
        self, history: History, house: Database, disk: Disk, board: boards.Board, files: Files, url: str, home: Path
    ) -> None:
        self.history, self.url = history, url
        self._house, self._disk, self._board, self._files, self._home = house, disk, board, files, home
        self._record = Record(files.conductor)
        self._dice = random.Random(history.seed)
        self._port = _free_port()
        self._office = 0
        self._office_opens_at = 0.0
        self._postgres_returns_at = 0.0
        self._slots = [_Slot(list(runs)) for runs in history.workers]
        self._strikes = list(history.strikes)
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._began = 0.0

    def play(self) -> None:
        """Everything but the judgement. Raises TimeoutError when somebody hangs."""
        engine = open_ledger(self.url)
        populate(engine, range(self.history.people))
        engine.dispose()
        self._began = time.monotonic()
        self._open_office()
        naysayer = fork(self._say_no, self._files.tracebacks)
        while self._is_working() or self._strikes or self._ends:
            self._beat()
            if time.monotonic() - self._began > PATIENCE:
                self._end_workers()
                raise TimeoutError(f"history {self.history.seed} hangs")
            time.sleep(0.001)
        self._board.end()
        while (code := exit_of(naysayer)) is None:
            self._tend()
            time.sleep(0.001)
        self._record.write("naysayer", code=code)
        self._settle()
        self._close_office()

    def _beat(self) -> None:
        now = time.monotonic() - self._began
        for strike in [one for one in self._strikes if one.second <= now]:
            self._strikes.remove(strike)
            self._strike(strike, now)
        for end in [one for one in self._ends if one[0] <= now]:
            self._ends.remove(end)
            end[1]()
        self._tend()
        for number, slot in enumerate(self._slots):
            self._look_after(number, slot, now)

    # Workers.

    def _is_working(self) -> bool:
        return any(slot.pid or slot.runs for slot in self._slots)

    def _look_after(self, number: int, slot: _Slot, now: float) -> None:
        if slot.pid and slot.run is not None:
            code = exit_of(slot.pid)
            if code is not None:
                self._board.place(number, 0)
                self._record.write("worker", slot=number, pid=slot.pid, code=code, connections=slot.run.connections)
                slot.pid, slot.run = 0, None
        elif slot.runs and now >= slot.not_before:
            run = slot.runs.pop(0)
            slot.pid, slot.run = self._send_out(number, run), run
            slot.not_before = now + (slot.runs[0].rest if slot.runs else 0.0)
            self._board.place(number, slot.pid)

    def _send_out(self, number: int, run: Run) -> int:
        errand = Errand(number, run, NOW + run.clock, self._home, self.url, self._port)
        return fork(lambda: work(errand, self._board, Record(self._files.workers)), self._files.tracebacks)

    def _end_workers(self) -> None:
        for number in range(len(self._slots)):
            self._board.kill_worker(number)

    def _say_no(self) -> None:
        say_no(self.url, self.history.nos, self._board, Record(self._files.naysayers), NOW)

    # Faults.

    def _strike(self, strike: AtTime, now: float) -> None:
        hit = True
        if strike.deed is Strike.KILL_WORKER:
            hit = self._board.kill_worker(strike.slot)
        elif strike.deed is Strike.INTERRUPT_WORKER:
            hit = self._board.kill_worker(strike.slot, signal.SIGINT)
        elif strike.deed is Strike.KILL_OFFICE:
            hit = self._board.kill_office()
            self._office_opens_at = now + strike.lasts
        elif strike.deed is Strike.FILL_DISK:
            self._disk.fill(slot.pid for slot in self._slots if slot.pid)
            self._ends.append((now + strike.lasts, self._clear_disk))
        else:
            self._house.strike(strike.deed, self._dice)
            self._postgres_returns_at = now + strike.lasts
        self._record.write("strike", deed=strike.deed, slot=strike.slot, hit=hit)

    def _clear_disk(self) -> None:
        self._disk.clear(slot.pid for slot in self._slots if slot.pid)

    def _tend(self) -> None:
        """What was killed is started again, when its time has come."""
        now = time.monotonic() - self._began
        if self._office and (code := exit_of(self._office)) is not None:
            self._record.write("office", code=code, connections=self._board.lines)
            self._board.office = self._office = self._board.lines = 0
        if not self._office and now >= self._office_opens_at:
            self._open_office()
        if now >= self._postgres_returns_at:
            self._house.tend()

    # The post office.

    def _open_office(self) -> None:
        history, board, port = self.history, self._board, self._port
        record = Record(self._files.office)
        self._office = fork(
            lambda: open_office(port, board, record, history.incidents, history.pace), self._files.tracebacks
        )
        while not self._board.office:
            if exit_of(self._office) is not None:  # somebody else had the port: once more, at the next beat
                self._office = 0
                return
            time.sleep(0.0005)

    def _close_office(self) -> None:
        if self._office:
            self._board.kill_office()
            wait_for(self._office, 5)
        self._board.office = self._office = self._board.lines = 0

    # Afterwards.

    def _settle(self) -> None:
        """Runs without a fault until nothing is open: what a quiet day makes of what is left."""
        self.history = replace(self.history, incidents=(), pace=0.0)
        self._close_office()
        self._open_office()
        self._house.wait()
        self._record.write("settling")
        code = wait_for(fork(self._quiet_day, self._files.tracebacks), PATIENCE)
        self._record.write("settled", code=code)

    def _quiet_day(self) -> None:
        engine = open_ledger(self.url)
        house = settings(self._home, self.url, self._port)
        idle, now = 0, AFTERWARDS
        with diary(Record(self._files.workers)):
            for _ in range(MOST_STEPS):
                done = nurturing.nurture(engine, house, play(), now, limits=LOOSE)
                idle = 0 if done.plan_id or done.sent or _is_open(self.url) else idle + 1
                if idle == 2:
                    break
                now += STEP
        engine.dispose()


def _is_open(url: str) -> bool:
    engine = open_ledger(url)
    with reading(engine) as connection:
        waits = connection.scalar(select(Touch.id).where(Touch.state.in_(OPEN)).limit(1))
    engine.dispose()
    return waits is not None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
