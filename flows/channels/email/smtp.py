"""E-mail through a mail server: TLS with verified certificates, AUTH, connections that are kept and used again.

Where it fails decides what it means (RFC 5321); what the server says about it is read in replies.py.

    connecting, EHLO, STARTTLS, AUTH      Unreachable       nobody is to blame but the line
    MAIL refused for good                 Unreachable       our sender, so every message would fare the same
    MAIL, RCPT, DATA refused              NotSent           5xx permanent, 4xx later, with the reason
    larger than the server takes          NotSent           permanent, before a byte has left (RFC 1870)
    lost before the final dot left        NotSent, later    after a second try over a fresh connection
    the final dot refused                 NotSent           5xx permanent, 4xx later, with the reason
    lost after the final dot              OutcomeUnknown    the server may have taken it
    421, or 452 "too many"                a fresh connection gets one try; then NotSent, later; at MAIL Unreachable
    five mishaps in a row                 Unreachable       before the next message is begun

MAIL, RCPT and DATA leave in one write where the server takes pipelining (RFC 2920), the message in another. A further
message is never begun before the answer to the last: at most one outcome per connection can be unknown.
"""

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from queue import Empty, LifoQueue
from threading import BoundedSemaphore
from time import sleep
from types import TracebackType
from typing import Self

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import OneByOne, Outgoing, Sent
from flows.channels.email.replies import BEFORE_READER, OURS, Meaning, Moment, Reply, meaning_of, read_reply
from flows.channels.email.reply_stream import Nonsense, RawReply, ReplyStream
from flows.masking import mask
from flows.settings import Smtp as SmtpSettings

#: How long a server gets to say goodbye, in seconds.
FAREWELL = 2.0
#: The answer to the final dot takes longest, and giving up on it costs most: RFC 5321 4.5.3.2 gives it twice as long
#: as a command.
DOT_PATIENCE = 2
#: How long we wait before we knock again at a server that has had too much of us, in seconds.
BREATH = 1.0
#: After so many mishaps in a row the next message would be one more: time for a person to look.
MOST_MISHAPS = 5
#: What counts as one, besides lines that break: nothing of it is about the one message.
_MISHAPS = OURS | {Refusal.SERVER_BUSY, Refusal.TOO_MANY}
#: What a connection can die of. smtplib's exceptions are OSErrors too, except for a reply it cannot read.
_BROKEN = (OSError, smtplib.SMTPException, Nonsense)

_ENVELOPE = (Moment.MAIL, Moment.RCPT, Moment.DATA)
_ODD = re.compile(r"[\s<>\x00-\x1f\x7f]")


class Smtp(OneByOne):
    """At most `settings.connections` connections, opened when needed; `send` may be called from that many threads.

    domain: what we call ourselves in EHLO.
    """

    name = "smtp"

    def __init__(self, settings: SmtpSettings, domain: str) -> None:
        self.lanes = settings.connections
        self._settings, self._domain = settings, domain
        self._room = BoundedSemaphore(self.lanes)
        self._idle: LifoQueue[_Line] = LifoQueue()
        #: Since the last message that was taken. Lanes count without a lock: one more or less decides nothing.
        self._mishaps = 0
        self._last_mishap = ""

    def __enter__(self) -> Self:
        """Opens the first connection. Raises Unreachable before anything is claimed for sending."""
        self._mishaps = 0
        self._idle.put(self._new_line())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def send(self, message: Outgoing) -> Sent:
        _refuse_odd_envelope(message)
        if self._mishaps >= MOST_MISHAPS:
            what = f"{self._mishaps} messages in a row failed by the server or by us; the last one: {self._last_mishap}"
            raise Unreachable(what, where=self._where, cure="mend it, then run again")
        try:
            with self._room:
                sent = self._send(message)
        except (NotSent, OutcomeUnknown) as error:
            if isinstance(error, OutcomeUnknown) or error.reason in _MISHAPS:
                self._mishaps += 1
                self._last_mishap = error.what
            raise
        self._mishaps = 0
        return sent

    def check(self) -> str:
        """Connects and logs in. Raises Unreachable with the cure."""
        self._new_line().close()
        who = f" as {self._settings.username}" if self._settings.username else ""
        return f"smtp: {self._where} answers{who}, {self._settings.security}"

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return _trust(self._settings)

    def _new_line(self) -> "_Line":
        trust = self._trust if self._settings.security != "none" else None
        return _Line(_connect(self._settings, self._domain, trust), self._settings.timeout_seconds)

    def _send(self, message: Outgoing) -> Sent:
        """Over a kept line, and once more over a fresh one when that line turns out to be gone."""
        with suppress(Empty):
            try:
                return self._send_on(self._idle.get_nowait(), message)
            except _HungUp as error:
                if error.reason is Refusal.TOO_MANY:
                    sleep(BREATH)
        try:
            return self._send_on(self._new_line(), message)
        except _HungUp as error:
            what = f"the mail server sent us away: {error}"
            if error.is_about_everybody:
                raise Unreachable(what, where=self._where, reason=error.reason) from None
            raise NotSent(what, permanent=False, reason=error.reason or Refusal.SERVER_BUSY) from None

    def _send_on(self, line: "_Line", message: Outgoing) -> Sent:
        """A line that refused a message is good for the next one; a line that broke is not."""
        is_good = False
        try:
            answer = line.deliver(message)
            is_good = line.is_usable
        except NotSent:
            is_good = line.is_usable
            raise
        finally:
            if is_good:
                self._idle.put(line)
            else:
                line.drop()
        return Sent(self.name, answer)


class _HungUp(Exception):
    """The line is of no use any more, and the server does not have the message.

    reason: what the server said it was for, if it said anything. is_about_everybody: it did not know the reader yet.
    """

    def __init__(self, what: str, reason: Refusal | None = None, is_about_everybody: bool = False) -> None:
        super().__init__(what)
        self.reason, self.is_about_everybody = reason, is_about_everybody


class _Line:
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
        """The server's answer to the final dot. Raises NotSent, OutcomeUnknown, _HungUp."""
        content = _with_crlf(message.content)
        try:
            self._announce(message, content)
            if self._replies.is_ahead:
                raise Nonsense
            self._sock.sendall(_stuffed(content))
        except _BROKEN as error:
            # The dot is the last thing in the buffer: an error here means that it never left.
            raise _HungUp(f"the line broke ({type(error).__name__})") from None
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
        """The refusal to raise. Raises _HungUp instead where a fresh connection may help."""
        reply = read_reply(raw.code, raw.decoded())
        meaning = meaning_of(moment, reply)
        if reply.code == 421 or (reply.code == 452 and meaning.reason is Refusal.TOO_MANY):
            raise _HungUp(_one_line(str(reply), message), meaning.reason, moment in BEFORE_READER)
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


def _connect(settings: SmtpSettings, domain: str, trust: ssl.SSLContext | None) -> smtplib.SMTP:
    """Connected, encrypted as `settings.security` says, logged in. Raises Unreachable."""
    where, place = f"{settings.host}:{settings.port}", (settings.host, settings.port)
    with _explained(where):
        client: smtplib.SMTP
        if settings.security == "tls":
            client = smtplib.SMTP_SSL(*place, domain, context=trust, timeout=settings.timeout_seconds)
        else:
            client = smtplib.SMTP(*place, domain, timeout=settings.timeout_seconds)
    try:
        with _explained(where):
            client.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                client.starttls(context=trust)
                client.ehlo_or_helo_if_needed()
            if settings.username is not None:
                client.login(settings.username, settings.password.get_secret_value() if settings.password else "")
    except BaseException:
        client.close()
        raise
    return client


def _trust(settings: SmtpSettings) -> ssl.SSLContext:
    """The system's authorities, and the one of `ca_file`; names are checked. Raises SettingsRefused."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError:
            raise SettingsRefused(
                "no certificate authority can be read from it", where="smtp.ca_file", cure="name a PEM file"
            ) from None
    return context


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Whatever goes wrong on the way in, in one line with its cure, and without a word of the login."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        reason = _said_on_the_way_in(Moment.AUTH, error).reason
        raise Unreachable(
            f"the mail server refused the login ({error.smtp_code})",
            where=where, cure="check smtp.username, password", reason=reason,
        ) from None  # fmt: skip
    except smtplib.SMTPNotSupportedError:
        raise Unreachable(
            "the mail server offers no STARTTLS or no login we know", where=where, cure="check smtp.security and port"
        ) from None
    except ssl.SSLCertVerificationError as error:
        said = f"the mail server's certificate is not trusted: {error.verify_message}"
        raise Unreachable(said, where=where, cure="check smtp.host, or name its authority in smtp.ca_file") from None
    except smtplib.SMTPResponseException as error:
        reason = _said_on_the_way_in(Moment.CONNECT, error).reason
        raise Unreachable(f"the mail server lets nobody in ({error.smtp_code})", where=where, reason=reason) from None
    except _BROKEN as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise Unreachable(f"the mail server does not answer: {said}", where=where, cure="check smtp.host") from None


def _said_on_the_way_in(moment: Moment, error: smtplib.SMTPResponseException) -> Meaning:
    said = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
    return meaning_of(moment, read_reply(error.smtp_code, said.decode("utf-8", "replace").split("\n")))


def _refuse_odd_envelope(message: Outgoing) -> None:
    """An address that could end its own command never reaches the line."""
    for address in (message.sender, message.recipient):
        if not address or _ODD.search(address):
            what = f"{mask(address)!r} cannot stand in an envelope"
            raise NotSent(what, permanent=True, reason=Refusal.BAD_ADDRESS)


def _with_crlf(content: bytes) -> bytes:
    """CRLF everywhere, also at the end: what counts as the message's size."""
    if not content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r"):
        content = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def _stuffed(content: bytes) -> bytes:
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
