"""Work done together: what comes in while the last lot is being worked on becomes the next lot.

A commit costs the same for one row as for a hundred, so nobody waits longer than one lot, and the busier it is the
more is done at once. Where nobody waits for the answer, a breath between two lots makes larger ones.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """`work` is called in `executor` with at most `most` things at a time; it answers each, in order.

    breath: seconds from the end of one lot to the next; what comes in later than that is worked on at once.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Sequence[R]], executor: Executor, most: int, breath: float = 0
    ) -> None:
        self._work, self._executor, self._most, self._breath = work, executor, most, breath
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._worker: asyncio.Task[None] | None = None

    def put(self, one: T) -> "asyncio.Future[R]":
        """What became of it. Raises what `work` raises, for everybody of the lot."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((one, future))
        if self._worker is None:
            self._worker = loop.create_task(self._run())
        return future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                lot, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                try:
                    answers = await loop.run_in_executor(self._executor, self._work, [one for one, _ in lot])
                except Exception as error:
                    _tell(lot, [error] * len(lot))
                else:
                    _tell(lot, answers)
                if self._breath:
                    await asyncio.sleep(self._breath)
        finally:
            self._worker = None


def _tell(lot: Sequence[tuple[T, "asyncio.Future[R]"]], answers: Sequence[R | Exception]) -> None:
    for (_, future), answer in zip(lot, answers, strict=True):
        if future.done():  # whoever asked has gone
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
