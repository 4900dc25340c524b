"""Small programs for the tests of child processes; each says in its log what happens to it."""

import os
import signal
import subprocess
import sys
import time
from typing import NoReturn

import click


def wait_to_be_stopped() -> None:
    """Says whether it writes bytecode, waits, says that it was stopped."""
    _say_when_stopped("stopped")
    click.echo("bytecode" if "PYTHONDONTWRITEBYTECODE" not in os.environ else "no bytecode")
    time.sleep(60)


def keep_a_worker() -> None:
    """Starts a program of its own, and says how that ended."""
    worker = [sys.executable, "-c", "import time; print('worker at work', flush=True); time.sleep(60)"]
    _say_when_stopped("stopped")
    process = subprocess.Popen(worker)
    click.echo(f"worker ended with {process.wait()}")
    time.sleep(60)


def fail_at_once() -> NoReturn:
    raise ValueError("the well is dry")


def _say_when_stopped(words: str) -> None:
    def say(_number: int, _frame: object) -> NoReturn:
        click.echo(words)
        sys.exit(0)

    signal.signal(signal.SIGTERM, say)
