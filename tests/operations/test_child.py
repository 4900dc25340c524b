"""Child processes end when the one that started them does, in whatever way that ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from accounts.errors import TandemError
from flows.operating.child import Child, running

PARENT = """
import os, sys, time
from pathlib import Path
from flows.operating.child import running
with running("Program", ["tests.operations.programs:wait_to_be_stopped"], env=os.environ, log=Path(sys.argv[1])):
    print("started", flush=True)
    time.sleep(60)
"""


def test_a_child_is_stopped_at_the_end_of_the_block(tmp_path: Path) -> None:
    with _program("wait_to_be_stopped", tmp_path) as child:
        child.wait_until(_says(child, "bytecode"), 10)
        assert child.alive
    assert child.process.returncode == 0
    assert "stopped" in child.log.read_text()


def test_a_child_stops_by_itself_when_its_parent_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(log)], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert parent.stdout
    assert parent.stdout.readline() == b"started\n"
    _within(10, lambda: "bytecode" in log.read_text())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _within(10, lambda: "stopped" in log.read_text())


def test_what_a_child_started_ends_first_and_the_child_can_report_it(tmp_path: Path) -> None:
    """A flow run whose runner is gone before it could say so is shown as running for ever."""
    with _program("keep_a_worker", tmp_path) as child:
        child.wait_until(_says(child, "worker at work"), 10)
    said = child.log.read_text().splitlines()
    assert said == ["worker at work", "worker ended with -15", "stopped"]


def test_a_child_compiles_what_it_imports_whatever_our_shell_is_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with _program("wait_to_be_stopped", tmp_path) as child:
        child.wait_until(_says(child, "bytecode"), 10)
    assert child.log.read_text().startswith("bytecode")


def test_a_child_that_fails_to_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(TandemError, match=r"ended with exit code 1; its last words: .*ValueError: the well is dry"),
        _program("fail_at_once", tmp_path) as child,
    ):
        child.wait_until(lambda: False, 10)


def test_a_child_that_ends_while_it_is_needed_is_noticed(tmp_path: Path) -> None:
    with _program("fail_at_once", tmp_path) as child:
        child.process.wait(10)
        with pytest.raises(TandemError, match="Program ended with exit code 1"):
            child.must_live()


def test_a_child_that_is_never_ready_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with (
        pytest.raises(TandemError, match="was not ready after 0 s"),
        _program("wait_to_be_stopped", tmp_path) as child,
    ):
        child.wait_until(lambda: False, 0.2)
    assert not child.alive


def _program(name: str, folder: Path) -> AbstractContextManager[Child]:
    return running("Program", [f"tests.operations.programs:{name}"], env=os.environ, log=folder / "log")


def _says(child: Child, words: str) -> Callable[[], bool]:
    return lambda: words in child.log.read_text()


def _within(seconds: float, happens: Callable[[], bool]) -> None:
    give_up = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)
