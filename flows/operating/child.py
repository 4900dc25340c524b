"""Programs that run beside us and end when we do: the Prefect server, the web app, the served deployments.

    with running("Prefect server", ["prefect.cli:app", "server", "start"], env=…, log=…) as child:
        child.wait_until(it_answers, seconds=60)

A child is started without a shell, in a session of its own: Ctrl-C in the terminal reaches only us, and we stop the
children in the order that suits them. It holds the reading end of a pipe, its lifeline. Nothing is ever written to it;
when we let go of our end, or die in whatever way and the system closes it, the child stops: first what it started
itself, so that it can still report how that ended (a flow run whose runner is gone stays "running" for ever), then
itself, as SIGTERM would.
"""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from accounts.errors import TandemError

if TYPE_CHECKING:
    import psutil

#: How long a child may take to stop before it is killed, and what it started before that, in seconds.
STOP_SECONDS = 10.0
CHILDREN_SECONDS = 8.0
#: How long a child may take to report how what it started ended, in seconds.
REPORT_SECONDS = 0.5
#: How often we look whether a child has become healthy, in seconds.
LOOK_EVERY = 0.1
#: Variables a child does not get: without bytecode every start of Prefect takes twice as long.
NOT_INHERITED = frozenset({"PYTHONDONTWRITEBYTECODE"})
#: After how many new objects a child looks for garbage. After every 700, Python's own number, a fifth of the start of
#: Prefect's server (1.1 s of CPU of 5.5) goes by with looking through what has just been imported.
OBJECTS = 50_000


@dataclass(frozen=True, slots=True)
class Child:
    """A program we started. Everything it prints goes to `log`."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def wait_until(self, healthy: Callable[[], bool], seconds: float, every: float = LOOK_EVERY) -> None:
        """Come back once it is healthy, which is asked `every` so many seconds.

        Raises TandemError with its last words if it ends before, or takes too long.
        """
        give_up = time.monotonic() + seconds
        while not (self.alive and healthy()):
            self.must_live()
            if time.monotonic() > give_up:
                raise self.failed(f"was not ready after {seconds:.0f} s")
            time.sleep(every)

    def must_live(self) -> None:
        """Raises TandemError with its last words if it has ended."""
        if not self.alive:
            raise self.failed(f"ended with exit code {self.process.returncode}")

    def failed(self, how: str) -> TandemError:
        """What to raise when this child let us down."""
        return TandemError(f"{self.name} {how}; its last words: {self.last_words()}", cure=f"the whole log: {self.log}")

    def last_words(self, lines: int = 5) -> str:
        """The last lines of the log, as one; indented lines (of a traceback, of a banner) say nothing."""
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [line.strip() for line in said if line.strip() and not line[0].isspace()]
        return " / ".join(telling[-lines:]) or "none"

    def sweep(self, sign: signal.Signals) -> None:
        """It has ended: tell what it had started, and left behind, to end too."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, sign)

    def stop(self) -> None:
        """Let go of the lifeline, and wait; SIGKILL, for all that it started too, if it takes too long."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(CHILDREN_SECONDS + REPORT_SECONDS + STOP_SECONDS + 1)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(name: str, program: Sequence[str], *, env: Mapping[str, str], log: Path, again: bool = False) -> Child:
    """Start `program` (``module:function``, then its arguments); whoever starts it has to `stop` it.

    name: for messages. env: its whole environment. log: its folder must exist; written anew, unless it runs `again`.
    """
    command = [sys.executable, "-m", "flows.operating.child", *program]
    environment = {key: value for key, value in env.items() if key not in NOT_INHERITED}
    with log.open("ab" if again else "wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own interpreter, our own arguments, no shell
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=environment,
            start_new_session=True,
        )  # fmt: skip
    return Child(name, process, log)


@contextmanager
def running(name: str, program: Sequence[str], *, env: Mapping[str, str], log: Path) -> Iterator[Child]:
    """Run `program` while the block lasts."""
    child = start(name, program, env=env, log=log)
    try:
        yield child
    finally:
        child.stop()


def main() -> NoReturn:
    """The child's side: hold on to the lifeline, then become the program."""
    hold_lifeline()
    gc.set_threshold(OBJECTS)
    target = sys.argv[1]
    sys.argv = sys.argv[1:]
    module, _, function = target.partition(":")
    sys.exit(getattr(import_module(module), function)())


def hold_lifeline() -> None:
    """Stop this process as soon as the one that started it lets go, or is gone."""
    lifeline = os.dup(0)  # not inherited by what we start
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)  # returns when nobody is left who could write
    _stop_own_children()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)  # the thread that waits must be woken
    time.sleep(STOP_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _stop_own_children() -> None:
    """SIGTERM, and time to end; the main thread goes on meanwhile and reports what became of them."""
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    give_up = time.monotonic() + CHILDREN_SECONDS
    while any(map(_goes_on, children)) and time.monotonic() < give_up:
        time.sleep(0.05)
    if children:
        time.sleep(REPORT_SECONDS)


def _goes_on(process: "psutil.Process") -> bool:
    """Looks only: waiting for it would take its exit code from whoever started it."""
    import psutil

    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main()
