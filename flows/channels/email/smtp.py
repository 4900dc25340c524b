"""E-mail through a mail server: TLS with verified certificates, AUTH, connections that are kept and used again.

Where it fails decides what it means (RFC 5321):

    connecting, EHLO, STARTTLS, AUTH      Unreachable       nobody is to blame but the line
    MAIL, RCPT, DATA refused              NotSent           5xx permanent, 4xx later
    lost before the final dot left        NotSent, later    the server cannot have taken it
    the final dot refused                 NotSent           5xx permanent, 4xx later
    lost after the final dot              OutcomeUnknown    the server may have taken it
    421 anywhere                          the server hangs up; a fresh connection gets one try

MAIL, RCPT and DATA leave in one write where the server takes pipelining (RFC 2920), the message in another.
"""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from threading import BoundedSemaphore
from types import TracebackType
from typing import Self

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from flows.channels.email import OneByOne, Outgoing, Sent
from flows.masking import mask
from flows.settings import Smtp as SmtpSettings

#: How long a server gets to say goodbye, in seconds.
FAREWELL = 2.0
#: What a connection can die of. smtplib's exceptions are OSErrors too, except for a reply it cannot read.
_BROKEN = (OSError, smtplib.SMTPException)


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

    def __enter__(self) -> Self:
        """Opens the first connection. Raises Unreachable before anything is claimed for sending."""
        self._idle.put(_Line(self._settings, self._domain))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def send(self, message: Outgoing) -> Sent:
        _refuse_odd_envelope(message)
        with self._room:
            line = self._kept_or_new()
            try:
                return self._send_on(line, message)
            except _HungUp as error:
                if line.is_new:
                    raise Unreachable(f"the mail server hung up ({error})", where=self._where) from None
            try:
                return self._send_on(_Line(self._settings, self._domain), message)
            except _HungUp as error:
                raise Unreachable(f"the mail server hung up again ({error})", where=self._where) from None

    def check(self) -> str:
        """Connects and logs in. Raises Unreachable with the cure."""
        line = _Line(self._settings, self._domain)
        line.close()
        who = f" as {self._settings.username}" if self._settings.username else ""
        return f"smtp: {self._where} answers{who}, {self._settings.security}"

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _kept_or_new(self) -> "_Line":
        try:
            return self._idle.get_nowait()
        except Empty:
            return _Line(self._settings, self._domain)

    def _send_on(self, line: "_Line", message: Outgoing) -> Sent:
        """A line that refused a message is good for the next one; a line that broke is not."""
        try:
            answer = line.deliver(message)
        except NotSent:
            self._idle.put(line)
            raise
        except BaseException:
            line.drop()
            raise
        self._idle.put(line)
        return Sent(self.name, answer)


class _HungUp(Exception):
    """The server closed the connection and does not have the message."""


class _Line:
    """One connection, open, greeted, encrypted and logged in."""

    def __init__(self, settings: SmtpSettings, domain: str) -> None:
        #: Nothing was sent on it yet.
        self.is_new = True
        self._client = _connect(settings, domain)
        self._pipelining = self._client.has_extn("pipelining")

    def deliver(self, message: Outgoing) -> str:
        """The server's answer to the final dot. Raises NotSent, OutcomeUnknown, _HungUp."""
        content = _stuffed(message.content)
        try:
            self._announce(message)
            self._client.sock.sendall(content)  # type: ignore[union-attr]
        except _BROKEN as error:
            # The dot is the last thing in the buffer: an error here means that it never left.
            raise _HungUp(type(error).__name__) from None
        try:
            code, said = self._client.getreply()
        except _BROKEN as error:
            what = "the connection was lost after the message was handed over"
            raise OutcomeUnknown(f"{what} ({type(error).__name__}); it may have arrived") from None
        self.is_new = False
        if code == 421:
            raise _HungUp("421")
        if code < 0:
            raise OutcomeUnknown("the mail server's answer makes no sense; the message may have arrived")
        if not 200 <= code < 300:
            raise _refused("the message", code, said, message)
        return _one_line(said, message)

    def drop(self) -> None:
        self._client.close()

    def close(self) -> None:
        with suppress(*_BROKEN):
            self._client.sock.settimeout(FAREWELL)  # type: ignore[union-attr]
            self._client.quit()
        self._client.close()

    def _announce(self, message: Outgoing) -> None:
        """Sender, recipient, DATA; afterwards the server waits for the message."""
        commands = (
            f"MAIL FROM:<{message.sender}>{self._options(message)}",
            f"RCPT TO:<{message.recipient}>",
            "DATA",
        )
        refusal: NotSent | None = None
        for name, (code, said) in zip(
            ("the sender", "the recipient", "the message"), self._ask(commands), strict=False
        ):
            if code == 421:
                raise _HungUp("421")
            if refusal is None and code not in (250, 251, 252, 354):
                refusal = _refused(name, code, said, message)
        if refusal is not None:
            self._start_over(code)
            raise refusal

    def _ask(self, commands: tuple[str, ...]) -> Iterator[tuple[int, bytes]]:
        """The answers, one a command; without pipelining nothing is asked after a refusal."""
        if self._pipelining:
            self._write("".join(f"{command}\r\n" for command in commands))
            for _ in commands:
                yield self._client.getreply()
            return
        for command in commands:
            self._write(f"{command}\r\n")
            answer = self._client.getreply()
            yield answer
            if answer[0] >= 400:
                return

    def _write(self, commands: str) -> None:
        self._client.sock.sendall(commands.encode("utf-8"))  # type: ignore[union-attr]

    def _options(self, message: Outgoing) -> str:
        options = ""
        if not message.content.isascii() and self._client.has_extn("8bitmime"):
            options += " BODY=8BITMIME"
        if not (message.sender + message.recipient).isascii():
            if not self._client.has_extn("smtputf8"):
                raise NotSent(f"the mail server cannot write to {mask(message.recipient)}", permanent=True)
            options += " SMTPUTF8"
        return options

    def _start_over(self, last_code: int) -> None:
        """Forget the refused envelope. A server that wants the message all the same gets an empty one, for nobody."""
        with suppress(*_BROKEN):  # then the next message finds a broken line, and opens another
            if last_code == 354:
                self._write(".\r\n")
                self._client.getreply()
            self._client.rset()


def _connect(settings: SmtpSettings, domain: str) -> smtplib.SMTP:
    """Connected, encrypted as `settings.security` says, logged in. Raises Unreachable, SettingsRefused."""
    where, place = f"{settings.host}:{settings.port}", (settings.host, settings.port)
    with _explained(where):
        client: smtplib.SMTP
        if settings.security == "tls":
            client = smtplib.SMTP_SSL(*place, domain, context=_trust(settings), timeout=settings.timeout_seconds)
        else:
            client = smtplib.SMTP(*place, domain, timeout=settings.timeout_seconds)
    try:
        with _explained(where):
            client.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                client.starttls(context=_trust(settings))
                client.ehlo_or_helo_if_needed()
            if settings.username is not None:
                client.login(settings.username, settings.password.get_secret_value() if settings.password else "")
    except BaseException:
        client.close()
        raise
    return client


def _trust(settings: SmtpSettings) -> ssl.SSLContext:
    """The system's authorities, and the one of `ca_file`; names are checked."""
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
        raise Unreachable(
            f"the mail server refused the login ({error.smtp_code})", where=where, cure="check smtp.username, password"
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise Unreachable(
            "the mail server offers no STARTTLS or no login we know", where=where, cure="check smtp.security and port"
        ) from None
    except ssl.SSLCertVerificationError as error:
        said = f"the mail server's certificate is not trusted: {error.verify_message}"
        raise Unreachable(said, where=where, cure="check smtp.host, or name its authority in smtp.ca_file") from None
    except smtplib.SMTPResponseException as error:
        raise Unreachable(f"the mail server lets nobody in ({error.smtp_code})", where=where) from None
    except _BROKEN as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise Unreachable(f"the mail server does not answer: {said}", where=where, cure="check smtp.host") from None


def _refuse_odd_envelope(message: Outgoing) -> None:
    """An address that could end its own command never reaches the line."""
    for address in (message.sender, message.recipient):
        if not address or re.search(r"[\s<>\x00-\x1f\x7f]", address):
            raise NotSent(f"{mask(address)!r} cannot stand in an envelope", permanent=True)


def _stuffed(content: bytes) -> bytes:
    """As it goes over the line: CRLF everywhere, leading dots doubled, the final dot at its end."""
    breaks = content.count(b"\r\n")
    if content.count(b"\n") != breaks or content.count(b"\r") != breaks:
        content = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    if content.startswith(b".") or b"\n." in content:
        content = re.sub(rb"(?m)^\.", b"..", content)
    return content + (b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n")


def _refused(what: str, code: int, said: bytes, message: Outgoing) -> NotSent:
    permanent = code >= 500
    when = "" if permanent else " for now"
    return NotSent(f"the mail server refused {what}{when}: {code} {_one_line(said, message)}", permanent=permanent)


def _one_line(said: bytes, message: Outgoing) -> str:
    """The server's words with the recipient masked, since servers like to repeat addresses."""
    words = " ".join(said.decode("utf-8", "replace").split())
    return re.sub(re.escape(message.recipient), mask(message.recipient), words, flags=re.IGNORECASE)[:240]
