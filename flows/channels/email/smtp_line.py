"""One connection to a mail server that is open and logged in: a message goes over it, or is refused, or nobody knows.

MAIL, RCPT and DATA leave in one write where the server takes pipelining (RFC 2920), the message in another.
"""

import re
import smtplib
import socket
from collections.abc import Iterator
from contextlib import suppress

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import Outgoing
from flows.channels.email.replies import BEFORE_READER, Meaning, Moment, Reply, meaning_of, read_reply
from flows.channels.email.reply_stream import Nonsense, RawReply, ReplyStream
from flows.masking import mask

#: How long a server gets to say goodbye, in seconds.
FAREWELL = 2.0
#: The answer to the final dot takes longest, and giving up on it costs most: RFC 5321 4.5.3.2 gives it twice as long
#: as a command.
DOT_PATIENCE = 2
#: What a connection can die of. smtplib's exceptions are OSErrors too, except for a reply it cannot read.
_BROKEN = (OSError, smtplib.SMTPException, Nonsense)

_ENVELOPE = (Moment.MAIL, Moment.RCPT, Moment.DATA)


class HungUp(Exception):
    """The line is of no use any more, and the server does not have the message.

    reason: what the server said it was for, if it said anything. is_about_everybody: it did not know the reader yet.
    """

    def __init__(self, what: str, reason: Refusal | None = None, is_about_everybody: bool = False) -> None:
        super().__init__(what)
        self.reason, self.is_about_everybody = reason, is_about_everybody


class Line:
    """One connection, open, greeted, encrypted and logged in. `patience`: seconds for the answer to a command."""

    def __init__(self, client: smtplib.SMTP, patience: float) -> None:
        #: Server and line are in step: what is read next answers what is asked next.
        self.is_usable = True
        self._client, self._patience = client, patience
        self._sock: socket.socket = client.sock  # type: ignore[assignment]
        # Else the last piece of a message waits for the acknowledgement of the one before: up to 40 ms a mail.
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = ReplyStream(self._sock)
        self._pipelining = client.has_extn("pipelining")
        self._eight_bit = client.has_extn("8bitmime")
        self._utf8 = client.has_extn("smtputf8")
        self._sized = client.has_extn("size")
        self._most = _number(client.esmtp_features.get("size", ""))

    def deliver(self, message: Outgoing) -> str:
        """The server's answer to the final dot. Raises NotSent, OutcomeUnknown, HungUp."""
        content = with_crlf(message.content)
        try:
            self._announce(message, content)
            if self._replies.is_ahead:
                raise Nonsense
            self._sock.sendall(stuffed(content))
        except _BROKEN as error:
            # The dot is the last thing in the buffer: an error here means that it never left.
            raise HungUp(f"the line broke ({type(error).__name__})") from None
        return self._answer(message)

    def drop(self) -> None:
        self._client.close()

    def close(self) -> None:
        with suppress(*_BROKEN):
            self._sock.settimeout(FAREWELL)
            self._client.quit()
        self._client.close()

    def _announce(self, message: Outgoing, content: bytes) -> None:
        """Sender, recipient, DATA; afterwards the server waits for the message."""
        commands = (
            f"MAIL FROM:<{message.sender}>{self._options(message, content)}\r\n",
            f"RCPT TO:<{message.recipient}>\r\n",
            "DATA\r\n",
        )
        refused: NotSent | None = None
        for moment, raw in zip(_ENVELOPE, self._ask(commands), strict=False):
            if raw.code >= 400:
                # What follows a refused command under pipelining is refused for that, and says nothing of its own.
                refused = refused or self._refused(moment, raw, message)
            elif raw.code != 354 if moment is Moment.DATA else raw.code >= 300:
                raise Nonsense
        if refused is not None:
            self._start_over(raw.code)
            raise refused

    def _ask(self, commands: tuple[str, ...]) -> Iterator[RawReply]:
        """The replies, one a command; without pipelining nothing is asked after a refusal."""
        if self._pipelining:
            self._write("".join(commands))
            for _ in commands:
                yield self._replies.next()
            return
        for command in commands:
            self._write(command)
            reply = self._replies.next()
            yield reply
            if reply.code >= 400:
                return

    def _answer(self, message: Outgoing) -> str:
        """What the server says to the whole message."""
        try:
            self._sock.settimeout(self._patience * DOT_PATIENCE)
            raw = self._replies.next()
            self._sock.settimeout(self._patience)
        except Nonsense:
            raise OutcomeUnknown("the mail server's answer makes no sense; the message may have arrived") from None
        except OSError as error:
            what = "the connection was lost after the message was handed over"
            raise OutcomeUnknown(f"{what} ({type(error).__name__}); it may have arrived") from None
        if raw.code >= 400:
            raise self._refused(Moment.DOT, raw, message)
        if raw.code >= 300:
            raise OutcomeUnknown("the mail server is out of step; the message may have arrived")
        self.is_usable = not self._replies.is_ahead  # mostly a 421 in the same packet
        return _one_line(b" ".join(raw.lines).decode("utf-8", "replace"), message)

    def _write(self, commands: str) -> None:
        self._sock.sendall(commands.encode("utf-8"))

    def _options(self, message: Outgoing, content: bytes) -> str:
        """What MAIL says besides the sender. Raises NotSent for what this server cannot take."""
        options = ""
        if self._sized:
            options += f" SIZE={len(content)}"
            if 0 < self._most < len(content):
                what = f"the message has {len(content):,} octets, the mail server takes {self._most:,}"
                raise NotSent(what, permanent=True, reason=Refusal.TOO_LARGE)
        if not content.isascii():
            if not self._eight_bit:
                raise NotSent("the mail server takes 7-bit messages only", permanent=True)
            options += " BODY=8BITMIME"
        if not (message.sender + message.recipient).isascii():
            if not self._utf8:
                raise NotSent(
                    f"the mail server cannot write to {mask(message.recipient)}",
                    permanent=True, reason=Refusal.BAD_ADDRESS,
                )  # fmt: skip
            options += " SMTPUTF8"
        return options

    def _refused(self, moment: Moment, raw: RawReply, message: Outgoing) -> NotSent:
        """The refusal to raise. Raises HungUp instead where a fresh connection may help."""
        reply = read_reply(raw.code, raw.decoded())
        meaning = meaning_of(moment, reply)
        if reply.code == 421 or (reply.code == 452 and meaning.reason is Refusal.TOO_MANY):
            raise HungUp(_one_line(str(reply), message), meaning.reason, moment in BEFORE_READER)
        return _not_sent(moment, reply, meaning, message)

    def _start_over(self, last_code: int) -> None:
        """Forget the refused envelope. A server that wants the message all the same gets none: hanging up is the one
        way to be sure that nobody is sent an empty one."""
        self.is_usable = False
        if last_code == 354:
            return
        with suppress(*_BROKEN):
            self._write("RSET\r\n")
            self.is_usable = self._replies.next().code < 300 and not self._replies.is_ahead


def with_crlf(content: bytes) -> bytes:
    """CRLF everywhere, also at the end: what counts as the message's size."""
    if not content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r"):
        content = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def stuffed(content: bytes) -> bytes:
    """As it goes over the line: leading dots doubled, the final dot at its end."""
    first = b"." if content.startswith(b".") else b""
    # Three times as quick as `replace`, ten times as quick as a pattern.
    return first + b"\n..".join(content.split(b"\n.")) + b".\r\n"


def _not_sent(moment: Moment, reply: Reply, meaning: Meaning, message: Outgoing) -> NotSent:
    when = "" if meaning.permanent else " for now"
    what = f"the mail server refused {moment}{when}: {_one_line(str(reply), message)}"
    if moment is Moment.MAIL and meaning.permanent and meaning.reason is not Refusal.TOO_LARGE:
        return Unreachable(what, cure="check sending_domain and smtp.username", reason=meaning.reason)
    return NotSent(what, permanent=meaning.permanent, reason=meaning.reason)


def _one_line(words: str, message: Outgoing) -> str:
    """The server's words with the recipient masked, since servers like to repeat addresses."""
    words = " ".join(words.split())
    if message.recipient.lower() in words.lower():
        words = re.sub(re.escape(message.recipient), mask(message.recipient), words, flags=re.IGNORECASE)
    return words[:240]


def _number(said: str) -> int:
    """The server's limit; 0, as the RFC has it, for none."""
    return int(said) if said.isascii() and said.isdigit() else 0
