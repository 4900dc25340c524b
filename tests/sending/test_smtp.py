"""Mail over a real server: where it fails decides what it means, and nothing is guessed."""

import asyncio
import socket
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from flows.channels.email import Outgoing
from flows.channels.email.smtp import MOST_MISHAPS, Smtp
from flows.channels.email.smtp_line import stuffed, with_crlf
from tests.channels.finished import letter
from tests.sending.post_office import (
    PASSWORD,
    USER,
    Certificate,
    PostOffice,
    make_certificate,
    post_office,
    settings_for,
)  # fmt: skip


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def house() -> Iterator[PostOffice]:
    with post_office(PostOffice()) as house:
        yield house


def channel(house: PostOffice, **changes: object) -> Smtp:
    return Smtp(settings_for(house, **changes), "mail.example")


def secured(house: PostOffice, certificate: Certificate, **changes: object) -> Smtp:
    trusted = {"security": "starttls", "ca_file": certificate.authority, "username": USER, "password": PASSWORD}
    return channel(house, **{**trusted, **changes})


# The way in.


def test_starttls_with_a_verified_certificate_and_a_login(certificate: Certificate) -> None:
    with post_office(PostOffice(), certificate) as house, secured(house, certificate) as smtp:
        smtp.send(letter())
        assert len(house.letters) == 1
        assert len(house.logins) == 1
        assert f"answers as {USER}, starttls" in smtp.check()


def test_tls_from_the_first_byte(certificate: Certificate) -> None:
    with (
        post_office(PostOffice(), certificate, tls=True) as house,
        channel(house, security="tls", ca_file=certificate.authority) as smtp,
    ):
        smtp.send(letter())
        assert len(house.letters) == 1


def test_a_certificate_nobody_vouches_for_is_refused(certificate: Certificate) -> None:
    with post_office(PostOffice(), certificate) as house, pytest.raises(Unreachable, match="not trusted") as caught:
        secured(house, certificate, ca_file=None).check()
    assert "smtp.ca_file" in str(caught.value)


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "mail.elsewhere.example")
    with post_office(PostOffice(), other) as house, pytest.raises(Unreachable, match="not trusted"):
        secured(house, other).check()


def test_a_server_without_starttls_gets_no_mail_in_clear(house: PostOffice) -> None:
    with pytest.raises(Unreachable, match="no STARTTLS"):
        channel(house, security="starttls").check()


def test_a_wrong_password_is_said_and_never_shown(certificate: Certificate) -> None:
    with post_office(PostOffice(), certificate) as house:
        wrong = secured(house, certificate, password="hunter-2-secret")
        with pytest.raises(Unreachable, match="refused the login") as caught:
            wrong.__enter__()
    told = "".join(traceback.format_exception(caught.value))
    assert "hunter-2-secret" not in told + repr(wrong._settings)


def test_an_authority_that_is_no_file_is_a_matter_of_settings(certificate: Certificate, tmp_path: Path) -> None:
    with post_office(PostOffice(), certificate) as house, pytest.raises(SettingsRefused, match=r"smtp\.ca_file"):
        secured(house, certificate, ca_file=tmp_path / "missing.pem").check()


def test_nobody_at_that_address_is_said_with_the_cure() -> None:
    with post_office(PostOffice()) as house:
        closed = channel(house)
    with pytest.raises(Unreachable, match=r"does not answer.*smtp\.host"):
        closed.check()


# Refused before the final dot.


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("answer", "permanent"), [("550 5.1.1 no such user", True), ("451 4.7.1 greylisted", False)])
def test_a_recipient_who_is_refused_spoils_nobody_elses_mail(pipelining: bool, answer: str, permanent: bool) -> None:
    with post_office(PostOffice(pipelining=pipelining)) as house, channel(house) as smtp:
        house.rcpt = lambda *_: f"{answer} <dana@acme.example>"
        with pytest.raises(NotSent, match=answer.partition(" ")[0]) as caught:
            smtp.send(letter(1))
        house.rcpt = lambda *_: None
        smtp.send(letter(2))
        assert caught.value.permanent is permanent
        assert "d…a@acme.example" in str(caught.value)
        assert "dana@" not in str(caught.value)
        assert house.message_ids == [letter(2).message_id]
        assert house.connections == 1


@pytest.mark.parametrize(("answer", "permanent"), [("554 5.7.1 spam", True), ("452 4.3.1 full", False)])
def test_a_message_refused_at_the_final_dot_is_not_sent(house: PostOffice, answer: str, permanent: bool) -> None:
    house.data = lambda *_: answer
    with channel(house) as smtp:
        with pytest.raises(NotSent, match="refused the message") as caught:
            smtp.send(letter(1))
        house.data = lambda *_: None
        smtp.send(letter(2))
    assert caught.value.permanent is permanent
    assert not isinstance(caught.value, Unreachable)
    assert house.message_ids == [letter(2).message_id]


@pytest.mark.parametrize("address", ["dana@acme.example>\r\nRCPT TO:<eve@evil.example", "a b@x.example", "", "a\0@x"])
def test_an_address_that_could_write_commands_never_reaches_the_line(house: PostOffice, address: str) -> None:
    odd = Outgoing(letter().message_id, "bounce@mail.example", address, letter().content)
    with channel(house) as smtp, pytest.raises(NotSent, match="cannot stand in an envelope"):
        smtp.send(odd)
    assert house.letters == []


# Lines that break.


def test_a_line_lost_after_the_final_dot_leaves_the_outcome_unknown(house: PostOffice) -> None:
    house.data = lambda *_: "drop"
    with channel(house) as smtp:
        with pytest.raises(OutcomeUnknown, match="may have arrived"):
            smtp.send(letter(1))
        house.data = lambda *_: None
        smtp.send(letter(2))
    assert house.message_ids == [letter(1).message_id, letter(2).message_id], "the first one had arrived"


def test_no_answer_in_time_after_the_final_dot_leaves_the_outcome_unknown(house: PostOffice) -> None:
    async def slow(*_: object) -> str:
        await asyncio.sleep(1)
        return "250 OK"

    house.handle_DATA = slow  # type: ignore[method-assign]
    with channel(house, timeout_seconds=0.2) as smtp, pytest.raises(OutcomeUnknown, match="may have"):
        smtp.send(letter())


def test_a_kept_line_that_was_closed_meanwhile_is_replaced_without_a_word(house: PostOffice) -> None:
    with channel(house) as smtp:
        smtp.send(letter(1))
        smtp._idle[0]._client.sock.shutdown(socket.SHUT_RDWR)
        smtp.send(letter(2))
    assert house.message_ids == [letter(1).message_id, letter(2).message_id]
    assert house.connections == 2


@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_421_closes_a_line_and_a_fresh_one_gets_the_message(house: PostOffice, where: str) -> None:
    with channel(house) as smtp:
        smtp.send(letter(1))
        moods = iter(["421 4.3.2 closing"])
        setattr(house, where, lambda *_: next(moods, None))
        smtp.send(letter(2))
    assert house.message_ids == [letter(1).message_id, letter(2).message_id]
    assert house.connections == 2


def test_421_on_every_line_is_the_servers_fault_and_not_the_messages(house: PostOffice) -> None:
    """It may be about this reader alone, so the next message is begun; after five nobody believes that."""
    house.rcpt = lambda *_: "421 4.3.2 closing"
    with channel(house) as smtp:
        for number in range(MOST_MISHAPS):
            with pytest.raises(NotSent, match="sent us away: 421") as caught:
                smtp.send(letter(number))
            assert not caught.value.permanent
            assert not isinstance(caught.value, Unreachable)
        with pytest.raises(Unreachable, match="in a row failed"):
            smtp.send(letter())
    assert house.letters == []


# Speed and form.


def test_connections_are_used_again(house: PostOffice) -> None:
    with channel(house) as smtp:
        for number in range(20):
            smtp.send(letter(number))
    assert (len(house.letters), house.connections) == (20, 1)


def test_several_threads_share_a_bounded_number_of_connections(house: PostOffice) -> None:
    with channel(house, connections=2) as smtp, ThreadPoolExecutor(6) as pool:
        assert smtp.lanes == 2
        list(pool.map(lambda number: smtp.send(letter(number)), range(30)))
    assert sorted(house.message_ids) == sorted(letter(number).message_id for number in range(30))
    assert house.connections <= 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n..b\r\n", b"..\r\n...b\r\n.\r\n"),
        (b"a\n.\nQUIT\r.\r\n", b"a\r\n..\r\nQUIT\r\n..\r\n.\r\n"),
    ],
)
def test_no_content_can_end_itself_early(content: bytes, line: bytes) -> None:
    assert stuffed(with_crlf(content)) == line
