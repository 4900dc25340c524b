from collections.abc import Callable, Iterator
from contextlib import contextmanager

SABOTAGES: dict[str, object] = {}


@contextmanager
def sabotaged(name: str | None) -> Iterator[Callable[[str], None]]:
    yield lambda url: None
