"""E-mail channels, one file each: the same verbs, declared here by the one who uses them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from accounts.errors import NotSent, OutcomeUnknown
from flows.channels.email.compose import Mailbox


@dataclass(frozen=True, slots=True)
class Letter:
    """What a provider is told that writes the message itself: the same words as the finished message has."""

    sender: Mailbox
    recipient: Mailbox
    reply_to: Mailbox
    subject: str
    text: str
    html: str
    #: Name -> value of what stands in the head besides: Message-ID, List-Unsubscribe … Never From, To, Subject.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one recipient: what leaves is exactly `content`, or `letter` where the channel asks for that."""

    #: With angle brackets; derived from the touch or brief, so that the same touch never has two.
    message_id: str
    #: Envelope sender (return path) and recipient, bare addresses.
    sender: str
    recipient: str
    #: The whole message, RFC 5322, CRLF line ends; empty where `letter` speaks.
    content: bytes
    letter: Letter | None = None
    #: Our own name for it, for the provider's metadata: ``touch-17``, ``brief-3``. No personal data.
    key: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """Accepted by the provider; `provider_id` is its own name for the message, if it gave one."""

    provider: str
    provider_id: str | None = None


class EmailChannel(Protocol):
    """A way to send mail. Used as a context manager: enter opens connections, exit closes them.

    `send` returns `Sent` or raises `NotSent(permanent=…)` or `OutcomeUnknown` (accounts.errors); nothing else.
    `send_many` answers for each message in its order what `send` would have returned or raised; it raises
    `Unreachable` only when nothing of any of them left.
    """

    name: str
    #: How many calls may be on their way at once; `send` is called from that many threads.
    lanes: int
    #: How many messages one call of `send_many` may carry; 1: the provider takes them one by one.
    most: int
    #: Whether `Outgoing.letter` is wanted instead of finished bytes.
    letters: bool

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def send(self, message: Outgoing) -> Sent: ...

    def send_many(self, messages: Sequence[Outgoing]) -> "list[Answer]": ...

    def check(self) -> str:
        """One line for `tandem doctor`: what answers; raises ChannelError with the cure."""
        ...


#: What became of one message of a call.
Answer = Sent | NotSent | OutcomeUnknown


class OneByOne:
    """For channels whose provider takes one message a call: `send_many` and what goes with it, from `send`."""

    most = 1
    letters = False

    def send(self, message: Outgoing) -> Sent:
        raise NotImplementedError

    def send_many(self, messages: Sequence[Outgoing]) -> list[Answer]:
        return [self._answer(message) for message in messages]

    def _answer(self, message: Outgoing) -> Answer:
        try:
            return self.send(message)
        except (NotSent, OutcomeUnknown) as error:
            return error
