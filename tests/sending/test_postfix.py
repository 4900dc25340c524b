"""Mail to real servers: Postfix with its own answers and TLS, and its sink with the moods it was built to have."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import Outgoing
from flows.channels.email.smtp import Smtp
from flows.settings import Smtp as SmtpSettings
from tests.channels.finished import letter
from tests.sending.post_office import Certificate, make_certificate
from tests.sending.postfix import Postfix, needs_postfix, needs_sink, postfix, smtp_sink


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def house(certificate: Certificate) -> Iterator[Postfix]:
    # Postfix drops its privileges and must be able to walk to its queue: pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with postfix(Path(folder), certificate) as house:
            yield house


def channel(port: int, **changes: object) -> Smtp:
    values = {"host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 10, "connections": 1}
    return Smtp(SmtpSettings.model_validate({**values, **changes}), "mail.example")


def mail_to(address: str, number: int, content: bytes = b"Hello.\r\n.\r\n") -> Outgoing:
    message_id = f"<{number}.{address}>"
    head = f"Message-ID: {message_id}\r\nFrom: ravi@mail.example\r\nSubject: Hello\r\n\r\n".encode()
    return Outgoing(message_id, "bounce@mail.example", address, head + content)


@needs_postfix
def test_postfix_takes_what_it_takes_and_says_why_it_refuses_the_rest(house: Postfix, certificate: Certificate) -> None:
    """Over one encrypted connection: a refusal in between spoils nobody's mail."""
    refusals = {
        "nobody@acme.example": (Refusal.NO_SUCH_MAILBOX, True),
        "full@acme.example": (Refusal.MAILBOX_FULL, True),
        "new@acme.example": (Refusal.GREYLISTED, False),
    }
    with channel(house.port, security="starttls", ca_file=certificate.authority) as smtp:
        for number, (address, expected) in enumerate(refusals.items()):
            with pytest.raises(NotSent) as caught:
                smtp.send(mail_to(address, number))
            assert (caught.value.reason, caught.value.permanent) == expected
            assert "queued as" in (smtp.send(mail_to("dana@acme.example", number)).provider_id or "")
        assert len(smtp._idle) == 1
    taken = house.taken()
    assert [f"message-id=<{number}.dana@acme.example>" in taken for number in range(3)] == [True] * 3
    assert taken.count("message-id=") == 3


@needs_postfix
def test_postfix_says_how_much_it_takes_and_is_believed(house: Postfix) -> None:
    with channel(house.port) as smtp:
        with pytest.raises(NotSent, match="the mail server takes 20,000") as caught:
            smtp.send(mail_to("dana@acme.example", 10, b"x" * 70 + b"\r\n" + b"y" * 20_000))
        assert caught.value.reason is Refusal.TOO_LARGE
        smtp.send(mail_to("dana@acme.example", 11, "Grüße, Zoë\r\n".encode()))
    assert "message-id=<11." in house.taken()
    assert "message-id=<10." not in house.taken()


@needs_sink
@pytest.mark.parametrize("options", [[], ["-p"], ["-e"], ["-8"]], ids=["all", "no pipelining", "no ESMTP", "7 bits"])
def test_a_sink_takes_everything_whatever_it_announces(options: list[str]) -> None:
    with smtp_sink(options) as port, channel(port) as smtp:
        for number in range(20):
            smtp.send(letter(number))


@needs_sink
@pytest.mark.parametrize(
    ("command", "mood", "error"),
    [
        ("RCPT", "-f", NotSent), ("RCPT", "-r", NotSent), ("DATA", "-f", NotSent), (".", "-r", NotSent),
        (".", "-f", NotSent), ("MAIL", "-q", NotSent), ("DATA", "-q", NotSent), (".", "-q", OutcomeUnknown),
        ("MAIL", "-f", Unreachable), ("CONNECT", "-q", Unreachable),
    ],
)  # fmt: skip
def test_a_sink_in_a_mood_is_understood(command: str, mood: str, error: type[Exception]) -> None:
    """-f refuses for good, -r for now, -q hangs up; the dot stands for the end of the message."""
    with smtp_sink([mood, command]) as port, pytest.raises(error) as caught, channel(port) as smtp:
        smtp.send(letter())
    assert isinstance(caught.value, Unreachable) is (error is Unreachable)
    if isinstance(caught.value, NotSent) and error is NotSent:
        assert caught.value.permanent is (mood == "-f")
