"""A program that is started again when it dies: later each time, and given up when it keeps dying.

with kept("Web app", ["flows.cli:main", "serve"], env=…, log=…) as web:
    while True:
        if words := web.look(time.monotonic()):
            tell(words)
"""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.operating.child import Child, start

#: So many deaths within so many seconds, and it is given up: what is wrong does not mend itself.
MOST_DEATHS, WITHIN_SECONDS = 5, 300.0
#: Before it is started again the first time, in seconds; twice as long each time after.
FIRST_WAIT = 1.0


def _nothing() -> None:
    pass


@dataclass(slots=True)
class Kept:
    """A program that runs, or will again. `before_again`: what has to be put in order first; an OSError puts it off."""

    program: Sequence[str]
    env: Mapping[str, str]
    child: Child
    before_again: Callable[[], object] = _nothing
    #: When it died of late, on the clock that `look` is asked with.
    _deaths: list[float] = field(default_factory=list)
    _again_at: float | None = None

    def look(self, at: float) -> str | None:
        """See whether it lives, and do what is due; what there is to tell.

        at: seconds of a clock that only goes forward. Raises TandemError, with its last words, when it is given up.
        """
        if self._again_at is None:
            return None if self.child.alive else self._mourn(at)
        return self._revive() if at >= self._again_at else None

    def _mourn(self, at: float) -> str:
        self._deaths = [*(death for death in self._deaths if at - death < WITHIN_SECONDS), at]
        if len(self._deaths) >= MOST_DEATHS:
            raise self.child.failed(f"died {MOST_DEATHS} times in {WITHIN_SECONDS / 60:.0f} minutes and is given up")
        wait = FIRST_WAIT * 2 ** (len(self._deaths) - 1)
        self._again_at = at + wait
        self.child.sweep(signal.SIGTERM)
        return f"{self.child.name} ended with exit code {self.child.process.returncode}; again in {wait:.0f} s"

    def _revive(self) -> str | None:
        self.child.sweep(signal.SIGKILL)
        try:
            self.before_again()
        except OSError:
            return None
        self.child.stop()
        self.child = start(self.child.name, self.program, env=self.env, log=self.child.log, again=True)
        self._again_at = None
        return f"{self.child.name} is started again"


@contextmanager
def kept(
    name: str, program: Sequence[str], *, env: Mapping[str, str], log: Path,
    before_again: Callable[[], object] = _nothing,
) -> Iterator[Kept]:  # fmt: skip
    """Run `program` while the block lasts, as `child.running` does; whoever watches asks `look` now and then."""
    one = Kept(program, env, start(name, program, env=env, log=log), before_again)
    try:
        yield one
    finally:
        one.child.stop()
