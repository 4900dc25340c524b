"""Every e-mail channel with the place its mail arrives at: what the contract is held against."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import SecretStr

from accounts.errors import NotSent, OutcomeUnknown
from flows.channels.email import EmailChannel, Outgoing
from flows.channels.email.compose import Composer, Envelope, Mailbox
from flows.channels.email.letters import write_letter
from flows.channels.email.mailgun import Mailgun
from flows.channels.email.memory import Memory
from flows.channels.email.outbox import Outbox
from flows.channels.email.postmark import Postmark
from flows.channels.email.resend import Resend
from flows.channels.email.sendgrid import SendGrid
from flows.channels.email.ses import Ses
from flows.channels.email.smtp import Smtp
from flows.providers import Mailgun as MailgunSettings
from flows.providers import Postmark as PostmarkSettings
from flows.providers import Resend as ResendSettings
from flows.providers import SendGrid as SendGridSettings
from flows.providers import Ses as SesSettings
from tests.channels.servers import Api, Arrived, Trouble, at_work, mailgun, postmark, read_message, resend, ses
from tests.channels.servers import sendgrid as sendgrid_server
from tests.sending.post_office import PostOffice, post_office, settings_for

DOMAIN = "mail.example"
SENDER = Mailbox("Ravi Menon", f"ravi@{DOMAIN}")
REPLY_TO = Mailbox("Ravi Menon", "ravi@lumenflow.example")
SUBJECT = "Why now"
TEXT = "Hello Dana,\n.\n..dots, Grüße aus Köln, 東京\n"
HTML = "<p>Hello Dana,</p><p>Grüße aus Köln, 東京</p>\n"
NOBODY = "nobody@acme.example"


@dataclass
class Road:
    """A channel, and what arrived through it. `fail` makes the place difficult, where a place can be."""

    name: str
    #: A channel of its own each time, with settings changed by name.
    open: Callable[..., EmailChannel]
    #: The provider's settings that lead here.
    settings: Callable[..., Any] = lambda: None
    #: Finished messages, as bytes; none where the provider is handed letters.
    contents: Callable[[], list[bytes]] = list
    #: What a server of a provider's understood.
    understood: Callable[[], list[Arrived]] = list
    #: The place says no to this address: for good, or for now.
    refuse: Callable[[str, bool], None] = lambda address, permanent: None
    #: The place takes a message, and its answer is lost.
    lose_answers: Callable[[], None] = lambda: None
    #: What the place was asked that is not in its documentation.
    refused: Callable[[], Sequence[str]] = tuple
    #: Connections that are open at the place.
    open_connections: Callable[[], int] = lambda: 0
    secrets: Sequence[str] = ()
    #: Where nobody listens.
    elsewhere: dict[str, Any] = field(default_factory=dict)
    wrong_key: dict[str, Any] = field(default_factory=dict)
    api: Api | None = None

    def arrived(self) -> list[Arrived]:
        return self.understood() or [read_message(content) for content in self.contents()]


def mail(
    channel: EmailChannel, number: int = 17, *, to: Mailbox | None = None, subject: str = SUBJECT,
    sender: Mailbox = SENDER, text: str = TEXT, html: str = HTML,
) -> Outgoing:  # fmt: skip
    """A message as sending would hand it to this channel: finished, or a letter. Raises InputRefused as that does."""
    recipient = to or Mailbox("Dana Example", f"dana{number}@acme.example")
    message_id = f"<tandem.{number}.5d41402abc4b2a76@{DOMAIN}>"
    envelope = Envelope(
        sender=sender, recipient=recipient, reply_to=REPLY_TO, return_path=f"bounce+{number}@{DOMAIN}",
        message_id=message_id, date=datetime(2026, 11, 24, 10, tzinfo=UTC),
        unsubscribe_url=f"https://t.example/u/token-{number}", headers=(("Feedback-ID", "discovery:new-business"),),
    )  # fmt: skip
    words = SimpleNamespace(subject=subject, text=text, html=html)
    key = f"touch-{number}"
    bounces = f"bounce+{number}@{DOMAIN}"
    if channel.letters:
        return Outgoing(message_id, bounces, recipient.address, b"", write_letter(envelope, words), key)
    return Outgoing(message_id, bounces, recipient.address, Composer().fill(envelope, words), None, key)


@contextmanager
def memory_road(tmp_path: Path, moto: Callable[[], str]) -> Iterator[Road]:
    difficult: dict[str, Exception] = {}
    kept = Memory(lambda message: _play(difficult, message))

    def refuse(address: str, permanent: bool) -> None:
        difficult[address] = NotSent("no such reader", permanent=permanent)

    def lose() -> None:
        difficult["*"] = OutcomeUnknown("no answer")

    yield Road("memory", lambda: kept, contents=lambda: [one.content for one in kept.sent], refuse=refuse,
               lose_answers=lose)  # fmt: skip


def _play(difficult: dict[str, Exception], message: Outgoing) -> None:
    error = difficult.get(message.recipient) or difficult.get("*")
    if error is not None:
        raise error


@contextmanager
def outbox_road(tmp_path: Path, moto: Callable[[], str]) -> Iterator[Road]:
    folder = tmp_path / "outbox"
    yield Road(
        "outbox", lambda: Outbox(folder), contents=lambda: [file.read_bytes() for file in sorted(folder.glob("*.eml"))]
    )


@contextmanager
def smtp_road(tmp_path: Path, moto: Callable[[], str], *, pipelining: bool = True) -> Iterator[Road]:
    with post_office(PostOffice(pipelining=pipelining)) as house:

        def refuse(address: str, permanent: bool) -> None:
            code = "550 5.1.1" if permanent else "450 4.2.1"
            house.handle_RCPT = _refusing(address, code)  # type: ignore[method-assign]

        def lose() -> None:
            house.data = lambda *_: "drop"

        yield Road(
            "smtp", lambda **changes: Smtp(settings_for(house, **changes), DOMAIN),
            contents=lambda: [bytes(letter.content or b"") for letter in house.letters],  # type: ignore[arg-type]
            refuse=refuse, lose_answers=lose, elsewhere={"port": free_port()},
        )  # fmt: skip


def smtp_lockstep_road(tmp_path: Path, moto: Callable[[], str]) -> AbstractContextManager[Road]:
    """A server that wants one command at a time."""
    return smtp_road(tmp_path, moto, pipelining=False)


def _refusing(unwanted: str, code: str) -> Any:
    async def handle(server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address == unwanted:
            return f"{code} <{address}> no"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    return handle


@contextmanager
def sendgrid_road(tmp_path: Path, moto: Callable[[], str]) -> Iterator[Road]:
    with at_work(sendgrid_server.SendGrid()) as api:
        told = {"key": SecretStr(sendgrid_server.KEY), "base_url": api.url, "timeout_seconds": 10}
        yield _over_http(
            api, "sendgrid", SendGrid, lambda **changes: SendGridSettings(**{**told, **changes}), sendgrid_server.KEY,
            {"key": SecretStr("SG.another")}, {"base_url": nowhere()},
        )  # fmt: skip


@contextmanager
def postmark_road(tmp_path: Path, moto: Callable[[], str]) -> Iterator[Road]:
    with at_work(postmark.Postmark()) as api:
        told = {"token": SecretStr(postmark.TOKEN), "base_url": api.url, "timeout_seconds": 10}
        yield _over_http(
            api, "postmark", Postmark, lambda **changes: PostmarkSettings(**{**told, **changes}), postmark.TOKEN,
            {"token": SecretStr("another")}, {"base_url": nowhere()},
        )  # fmt: skip


@contextmanager
def mailgun_road(tmp_path: Path, moto: Callable[[], str]) -> Iterator[Road]:
    with at_work(mailgun.Mailgun()) as api:
        told = {"key": SecretStr(mailgun.KEY), "base_url": api.url, "timeout_seconds": 10}
        yield _over_http(
            api, "mailgun", lambda settings: Mailgun(settings, DOMAIN),
            lambda **changes: MailgunSettings(**{**told, **changes}), mailgun.KEY,
            {"key": SecretStr("another")}, {"base_url": nowhere()},
        )  # fmt: skip


@contextmanager
def ses_road(tmp_path: Path, moto: Callable[[], str]) -> Iterator[Road]:
    with at_work(ses.Ses(moto())) as api:
        told = {
            "region": ses.REGION, "access_key_id": ses.KEY_ID, "secret_access_key": SecretStr(ses.KEY),
            "endpoint_url": api.url, "timeout_seconds": 10,
        }  # fmt: skip
        yield _over_http(
            api, "ses", Ses, lambda **changes: SesSettings(**{**told, **changes}), ses.KEY,
            {"access_key_id": "AKIAANOTHER"}, {"endpoint_url": nowhere()},
        )  # fmt: skip


@contextmanager
def resend_road(tmp_path: Path, moto: Callable[[], str]) -> Iterator[Road]:
    with at_work(resend.Resend()) as api:
        told = {"key": SecretStr(resend.KEY), "base_url": api.url, "timeout_seconds": 10}
        yield _over_http(
            api, "resend", Resend, lambda **changes: ResendSettings(**{**told, **changes}), resend.KEY,
            {"key": SecretStr("re_another")}, {"base_url": nowhere()},
        )  # fmt: skip


def _over_http(
    api: Api, name: str, make: Callable[[Any], EmailChannel], tell: Callable[..., Any], key: str,
    wrong_key: dict[str, Any], elsewhere: dict[str, Any],
) -> Road:  # fmt: skip
    def refuse(address: str, permanent: bool) -> None:
        if permanent:
            api.mood = lambda asked: api.refuse_address(asked, address)
        else:
            api.mood = lambda asked: api.errors["unavailable"] if address.encode() in readable(asked.body) else None

    def lose() -> None:
        api.mood = lambda asked: Trouble.LOST

    return Road(
        name, lambda **changes: make(tell(**changes)), settings=tell, understood=lambda: list(api.arrived),
        refuse=refuse, lose_answers=lose,
        refused=lambda: api.refused, open_connections=lambda: api.open_connections, secrets=[key],
        elsewhere=elsewhere, wrong_key=wrong_key, api=api,
    )  # fmt: skip


def readable(body: bytes) -> bytes:
    """A request's body, with what SES wraps up in base64 beside it."""
    from base64 import b64decode

    _, found, rest = body.partition(b'"Raw": {"Data": "')
    return body + b64decode(rest.partition(b'"')[0]) if found else body


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


ROADS = {
    "memory": memory_road, "outbox": outbox_road, "smtp": smtp_road, "smtp-lockstep": smtp_lockstep_road,
    "sendgrid": sendgrid_road,
    "postmark": postmark_road, "mailgun": mailgun_road, "ses": ses_road, "resend": resend_road,
}  # fmt: skip
OVER_HTTP = ("sendgrid", "postmark", "mailgun", "ses", "resend")
