"""What the channels over HTTP have in common: one letter a call or several, and how a letter becomes JSON.

What a broken line and a refusal mean for a message stands in http_line.py.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import TracebackType
from typing import ClassVar, Self

import orjson
from pydantic import SecretStr

from accounts.errors import InputRefused, NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import Answer, Letter, OneByOne, Outgoing, Sent
from flows.channels.email.compose import Mailbox, ascii_address
from flows.channels.email.http_line import Line, Reply
from flows.masking import mask
from flows.providers import Provider

#: What our name for a message is called in a provider's metadata.
KEY = "tandem"


class HttpChannel:
    """What the channels over HTTP have in common, besides their line."""

    name: str
    letters = True

    def __init__(self, line: Line, settings: Provider) -> None:
        self._line, self.lanes = line, settings.connections

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()

    def _accepted(self, provider_id: object) -> Sent:
        return Sent(self.name, str(provider_id) if provider_id else None)

    def _garbled(self, reply: Reply) -> OutcomeUnknown:
        """A success that is not in the provider's words: somebody between us may have said it."""
        return OutcomeUnknown(
            f"{self.name} said {reply.status} in words it does not use; it may have taken the message"
        )


class OneLetter(HttpChannel, OneByOne):
    """For providers that take one message a call."""

    letters = True


class Bundles(HttpChannel):
    """For providers that take several messages in one call, as a JSON list."""

    #: Octets a call may have.
    octets: ClassVar[int]

    def __init__(self, line: Line, settings: Provider, most: int) -> None:
        super().__init__(line, settings)
        self.most = most

    def send(self, message: Outgoing) -> Sent:
        return self._send_one(message, self._write(message))

    def send_many(self, messages: Sequence[Outgoing]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        written: list[tuple[int, bytes]] = []
        for number, message in enumerate(messages):
            try:
                written.append((number, self._write(message)))
            except NotSent as refusal:
                answers[number] = refusal
        for calls, bundle in enumerate(_bundles(written, self.most, self.octets)):
            some = [messages[number] for number, _ in bundle]
            said = self._answers(some, b"[" + b",".join(one for _, one in bundle) + b"]", first=calls == 0)
            answers.update(zip((number for number, _ in bundle), said, strict=True))
        return [answers[number] for number in range(len(messages))]

    def _answers(self, messages: Sequence[Outgoing], written: bytes, *, first: bool) -> list[Answer]:
        """Raises Unreachable as long as nothing left."""
        try:
            return self._send_bundle(messages, written)
        except Unreachable as error:
            if first:
                raise
            return [error] * len(messages)
        except (NotSent, OutcomeUnknown) as error:
            return [error] * len(messages)

    def _write(self, message: Outgoing) -> bytes:
        """One message as JSON. Raises NotSent for one that cannot be written."""
        raise NotImplementedError

    def _send_one(self, message: Outgoing, written: bytes) -> Sent:
        """Raises NotSent, OutcomeUnknown."""
        raise NotImplementedError

    def _send_bundle(self, messages: Sequence[Outgoing], written: bytes) -> list[Answer]:
        """An answer for each, in order. Raises NotSent or OutcomeUnknown for the call as a whole."""
        raise NotImplementedError


def secret(value: SecretStr | None, key: str) -> str:
    """A key that a provider cannot do without. Raises SettingsRefused naming the setting."""
    if value is None or not value.get_secret_value():
        cure = f"set TANDEM_{key.upper().replace('.', '__')}"
        raise SettingsRefused("is needed for this channel and not set", where=key, cure=cure)
    return one_word(value.get_secret_value(), key)


def one_word(value: str, key: str) -> str:
    """A key as a header can hold it; what is around it in a file is no part of it. Raises SettingsRefused."""
    word = value.strip()
    if not re.fullmatch("[!-~]+", word):
        raise SettingsRefused("has a blank, a line break or a foreign letter in it", where=key, cure="copy it again")
    return word


def address_of(message: Outgoing) -> str:
    """Whom a finished message goes to, in the letters of mail servers. Raises NotSent, for good."""
    return mailbox_of(Mailbox("", message.recipient)).address


def letter_of(message: Outgoing) -> Letter:
    """The letter of a message, with nothing in it that could become a header of its own.

    Raises NotSent, for good, for what no header can hold.
    """
    letter = message.letter
    if letter is None:
        raise NotSent("a letter is wanted, and the message has none", permanent=True, reason=Refusal.NOT_COMPOSED)
    _refuse_control_characters("the subject", letter.subject)
    for name, value in letter.headers.items():
        _refuse_control_characters("a header", name + value)
    return letter


def mailbox_of(box: Mailbox) -> Mailbox:
    """A name and an address as providers take them. Raises NotSent, for good, for one that nobody can write to."""
    _refuse_control_characters("a name", box.name)
    try:
        return Mailbox(box.name, ascii_address(box.address))
    except InputRefused as error:
        said = f"nobody can be written to at {mask(box.address)}"
        raise NotSent(said, permanent=True, cure=error.cure, reason=Refusal.BAD_ADDRESS) from None


@lru_cache(maxsize=4096)
def rep_in_one_line(box: Mailbox) -> str:
    """As `in_one_line`, kept: reps write many messages."""
    return in_one_line(box)


def in_one_line(box: Mailbox) -> str:
    """``"Müller, Jürgen" <juergen@acme.example>``: as JSON can carry it, the name in quotes and in its own letters."""
    box = mailbox_of(box)
    name = box.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{box.address}>' if name else box.address


def as_json(value: object) -> bytes:
    """Raises NotSent, for good, for text that is not text."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        said = "the message has half a character in it"
        raise NotSent(said, permanent=True, cure="mend the source of it", reason=Refusal.NOT_COMPOSED) from None


def _bundles(written: Sequence[tuple[int, bytes]], most: int, octets: int) -> Iterator[list[tuple[int, bytes]]]:
    """Neighbours together, as many as a call may carry."""
    bundle: list[tuple[int, bytes]] = []
    size = 2
    for one in written:
        if bundle and (len(bundle) == most or size + len(one[1]) + 1 > octets):
            yield bundle
            bundle, size = [], 2
        bundle.append(one)
        size += len(one[1]) + 1
    if bundle:
        yield bundle


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _refuse_control_characters(what: str, value: str) -> None:
    """Said without the value, which may be somebody's name."""
    if not value.isprintable() and _CONTROL.search(value):
        said = f"{what} has a line break or control character"
        cure = "correct it where it comes from"
        raise NotSent(said, permanent=True, cure=cure, reason=Refusal.NOT_COMPOSED)
