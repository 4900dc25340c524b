"""What dies is started again, later each time; what keeps dying is given up with its last words."""

import os
import time
from pathlib import Path

import psutil
import pytest

from accounts.errors import TandemError
from flows.operating.keeping import Kept, kept

PROGRAMS = "tests.operations.programs"


def test_a_program_that_dies_is_started_again_after_a_while(tmp_path: Path) -> None:
    with kept("Program", [f"{PROGRAMS}:wait_to_be_stopped"], env=os.environ, log=tmp_path / "log") as one:
        assert one.look(0.0) is None
        _kill(one)
        assert one.look(0.0) == "Program ended with exit code -9; again in 1 s"
        assert one.look(0.9) is None
        assert one.look(1.0) == "Program is started again"
        assert one.child.alive
        assert one.look(1.5) is None
    assert not one.child.alive


def test_a_program_that_keeps_dying_is_given_up_loudly(tmp_path: Path) -> None:
    """It waits twice as long each time; the fifth death in five minutes is the last."""
    with kept("Program", [f"{PROGRAMS}:fail_at_once"], env=os.environ, log=tmp_path / "log") as one:
        at = 0.0
        for wait in (1, 2, 4, 8):
            one.child.process.wait(20)
            assert (one.look(at) or "").endswith(f"again in {wait} s")
            at += wait
            assert one.look(at) == "Program is started again"
        one.child.process.wait(20)
        with pytest.raises(TandemError, match=r"died 5 times in 5 minutes and is given up; .*the well is dry"):
            one.look(at)


def test_a_program_that_dies_once_an_hour_is_never_given_up(tmp_path: Path) -> None:
    with kept("Program", [f"{PROGRAMS}:fail_at_once"], env=os.environ, log=tmp_path / "log") as one:
        for hour in range(6):
            one.child.process.wait(20)
            assert (one.look(hour * 3600.0) or "").endswith("again in 1 s")
            one.look(hour * 3600.0 + 1)


def test_what_a_dead_program_had_started_ends_before_it_starts_again(tmp_path: Path) -> None:
    """A flow that goes on without its runner would be marked as crashed while it works."""
    with kept("Program", [f"{PROGRAMS}:keep_a_worker"], env=os.environ, log=tmp_path / "log") as one:
        _within(10, lambda: "worker at work" in one.child.log.read_text())
        (worker,) = psutil.Process(one.child.process.pid).children()
        _kill(one)
        one.look(0.0)
        _within(10, lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_it_is_not_started_before_what_must_come_first_has_worked(tmp_path: Path) -> None:
    asked = []

    def nobody_answers_yet() -> None:
        asked.append(True)
        if len(asked) == 1:
            raise OSError("connection refused")

    program = [f"{PROGRAMS}:wait_to_be_stopped"]
    with kept("Program", program, env=os.environ, log=tmp_path / "log", before_again=nobody_answers_yet) as one:
        _kill(one)
        one.look(0.0)
        assert one.look(1.0) is None
        assert one.look(1.5) == "Program is started again"


def _kill(one: Kept) -> None:
    one.child.process.kill()
    one.child.process.wait()


def _within(seconds: float, happens: object) -> None:
    assert callable(happens)
    give_up = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.02)
