"""Work done together: who is worked on with whom."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from flows.webhooks.together import Together


def test_the_first_goes_at_once_and_what_comes_in_one_by_one_during_a_breath_is_one_lot() -> None:
    lots: list[list[int]] = []

    def work(lot: Sequence[int]) -> list[int]:
        lots.append(list(lot))
        return [-one for one in lot]

    async def story(executor: ThreadPoolExecutor) -> list[int]:
        together = Together(work, executor, most=3, breath=0.5)
        first = await together.put(1)
        others = []
        for one in (2, 3, 4):
            others.append(together.put(one))
            for _ in range(3):  # long enough to be worked on alone, were it not for the breath
                await asyncio.get_running_loop().run_in_executor(executor, int)
        return [first, *await asyncio.gather(*others)]

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(story(executor)) == [-1, -2, -3, -4]
    assert lots == [[1], [2, 3, 4]]


def test_without_a_breath_whatever_waits_goes_as_soon_as_the_last_lot_is_done() -> None:
    lots: list[list[str]] = []

    def work(lot: Sequence[str]) -> list[None]:
        lots.append(list(lot))
        return [None] * len(lot)

    async def story(executor: ThreadPoolExecutor) -> None:
        together = Together(work, executor, most=3)
        await asyncio.gather(*(together.put(one) for one in "abcde"))

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(story(executor))
    assert lots == [list("abc"), list("de")]
