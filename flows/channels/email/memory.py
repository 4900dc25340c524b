"""E-mail kept in memory: for tests, rehearsals and the preview of a day. A real channel, only nobody is disturbed."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from flows.channels.email import OneByOne, Outgoing, Sent

#: Asked before a message is kept; raises NotSent or OutcomeUnknown to play a difficult server.
Temper = Callable[[Outgoing], None]


class Memory(OneByOne):
    """Keeps what was sent in `sent`, in order. A message that comes again replaces itself, as at a careful provider."""

    name = "memory"
    lanes = 1

    def __init__(self, temper: Temper | None = None) -> None:
        self._temper = temper
        self._kept: dict[str, Outgoing] = {}

    @property
    def sent(self) -> list[Outgoing]:
        return list(self._kept.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def send(self, message: Outgoing) -> Sent:
        if self._temper is not None:
            self._temper(message)
        self._kept[message.message_id] = message
        return Sent(self.name, str(len(self._kept)))

    def check(self) -> str:
        return f"memory: {len(self._kept)} messages kept, none leaves this process"
