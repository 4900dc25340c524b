"""E-mail channels `memory`, `outbox` and `smtp`: the same four verbs, declared here by the one who uses them."""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One finished message to one recipient: what leaves is exactly `content`."""

    #: With angle brackets; derived from the touch or brief, so that the same touch never has two.
    message_id: str
    #: Envelope sender (return path) and recipient, bare addresses.
    sender: str
    recipient: str
    #: The whole message, RFC 5322, CRLF line ends.
    content: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """Accepted by the provider; `provider_id` is its own name for the message, if it gave one."""

    provider: str
    provider_id: str | None = None


class EmailChannel(Protocol):
    """A way to send mail. Used as a context manager: enter opens connections, exit closes them.

    `send` returns `Sent` or raises `NotSent(permanent=…)` or `OutcomeUnknown` (accounts.errors); nothing else.
    """

    name: str
    #: How many messages may be on their way at once; `send` is called from that many threads.
    lanes: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def send(self, message: Outgoing) -> Sent: ...

    def check(self) -> str:
        """One line for `tandem doctor`: what answers; raises ChannelError with the cure."""
        ...
