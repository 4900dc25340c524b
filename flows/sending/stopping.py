"""Ctrl-C and SIGTERM while mails leave: nothing is torn in the middle, the work ends after the mail that is on its way.

    with stopping() as stop:       # in the main thread; in any other nothing is installed, and nobody asks
        while not stop: ...
        stop.wait(5)               # True as soon as somebody asks
    ...                            # here the signal has its usual effect

An interrupt that is raised wherever Python happens to be can end a claim in the middle of a statement, or between a
commit and our knowing of it. A handler that raises nothing cannot.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, current_thread, main_thread
from types import FrameType

#: Their handlers are put back in this order: a Ctrl-C meanwhile finds the other one back in its place.
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """True once a signal has asked for the end."""

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        #: Opened by the handler. A handler may release a lock; the inside of an Event could be busy at that moment.
        self._gate = Lock()
        self._gate.acquire()

    def __bool__(self) -> bool:
        return self.by is not None

    def wait(self, seconds: float) -> bool:
        """At most so long; True when somebody asks, or has asked."""
        if self._gate.acquire(timeout=seconds):
            self._gate.release()
        return bool(self)

    def ask(self, number: int, _frame: FrameType | None) -> None:
        """What a signal does."""
        self.by = signal.Signals(number)
        if self._gate.locked():
            self._gate.release()


@contextmanager
def stopping() -> Iterator[Stop]:
    """While the block runs a signal only asks; after it, the last one that came has its usual effect."""
    stop = Stop()
    usual = {number: signal.getsignal(number) for number in SIGNALS if _is_main()}
    # None: not set from Python, so it could not be put back. Ignored: somebody wants it so.
    usual = {number: handler for number, handler in usual.items() if handler not in (None, signal.SIG_IGN)}
    try:
        for number in usual:
            signal.signal(number, stop.ask)
        yield stop
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        if stop.by is not None:
            signal.raise_signal(stop.by)


def _is_main() -> bool:
    return current_thread() is main_thread()
