"""A real mail server on loopback, with TLS, logins and moods: aiosmtpd and a certificate made on the spot."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flows.settings import Smtp as SmtpSettings

USER, PASSWORD = "tandem", "correct horse battery staple"
#: What the server says to a command, or None to be content.
Mood = Callable[[SMTP, Session, Envelope], str | None]


@dataclass
class PostOffice:
    """Keeps every letter it took, and how often somebody connected. Its moods can be changed while it runs."""

    rcpt: Mood = lambda *_: None
    data: Mood = lambda *_: None
    pipelining: bool = True
    letters: list[Envelope] = field(default_factory=list)
    connections: int = 0
    logins: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def message_ids(self) -> list[str]:
        return [_header(letter.content, b"message-id") for letter in self.letters]

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += server.tls_context is None or session.ssl is not None
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.pipelining else responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self.rcpt(server, session, envelope)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        refusal = self.data(server, session, envelope)
        if refusal is None or refusal.startswith("drop"):
            self.letters.append(envelope)
        if refusal == "drop":
            await hang_up(server)
        return refusal or "250 2.0.0 Ok: queued as 4711"

    def log_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        self.logins.append(mechanism)
        return AuthResult(success=(auth.login, auth.password) == (USER.encode(), PASSWORD.encode()), handled=False)


async def hang_up(server: SMTP) -> None:
    """Close the line without a word, and wait until it is closed."""
    server.transport.abort()
    await asyncio.sleep(0.05)


@contextmanager
def post_office(
    house: PostOffice, certificate: "Certificate | None" = None, *, tls: bool = False
) -> Iterator[PostOffice]:
    """Open while the block runs. With a certificate: STARTTLS and a login are demanded (`tls`: TLS from the start)."""
    house.port = _free_port()
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": house.port, "ready_timeout": 10}
    if certificate is not None and not tls:
        demands = {"tls_context": certificate.server, "require_starttls": True, "auth_required": True}
        options |= {**demands, "authenticator": house.log_in}
    elif certificate is not None:
        options["ssl_context"] = certificate.server
    controller = Controller(house, **options)
    controller.start()
    try:
        yield house
    finally:
        controller.stop()


def settings_for(house: PostOffice, **changes: Any) -> SmtpSettings:
    """How a channel reaches this server, in clear unless told otherwise."""
    values = {"host": "127.0.0.1", "port": house.port, "security": "none", "timeout_seconds": 5}
    return SmtpSettings(**{**values, **changes})


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1, its authority as a file, and the server's side of it."""

    authority: Path
    server: ssl.SSLContext


def make_certificate(folder: Path, name: str = "127.0.0.1") -> Certificate:
    """A certificate for `name` that is its own authority, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Post office of the tests")])
    try:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(name))]
    except ValueError:
        names = [x509.DNSName(name)]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    form = serialization.PrivateFormat.TraditionalOpenSSL
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, private)
    return Certificate(pem, server)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _header(content: bytes | str | None, name: bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content or b""
    for line in raw.splitlines():
        if line.lower().startswith(name + b":"):
            return line.partition(b":")[2].strip().decode()
    return ""
