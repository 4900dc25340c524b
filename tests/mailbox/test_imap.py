"""The line to a mailbox: who is let in, what is read, what is left as it was. Dovecot, over TLS."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.errors import SettingsRefused, TandemError, Unreachable
from flows.mailbox.imap import BEGINNING, LARGE, Imap, Letter
from flows.mailbox.login import access_token
from flows.settings import Mailbox
from tests.cast import NOW
from tests.mailbox.dovecot import CLIENT, CLIENT_SECRET, PASSWORD, TOKEN, Dovecot, Postbox, needs_dovecot
from tests.mailbox.letters import letter

pytestmark = needs_dovecot


def read(settings: Mailbox, after: int = 0, folder: str = "INBOX") -> list[Letter]:
    with Imap(settings) as imap:
        imap.open(folder)
        return list(imap.fetch(imap.uids(after)))


def refusal(settings: Mailbox, folder: str = "INBOX") -> str:
    with pytest.raises(TandemError) as refused, Imap(settings) as imap:
        imap.open(folder)
    said = str(refused.value)
    assert PASSWORD not in said
    assert CLIENT_SECRET not in said
    assert TOKEN not in said
    return said


def test_mails_come_in_order_as_they_are_and_stay_unread(postbox: Postbox) -> None:
    mails = [letter(f"mail {number}") for number in range(3)]
    postbox.put(*mails)
    found = read(postbox.settings)
    assert [one.raw.replace(b"\r\n", b"\n") for one in found] == [mail.replace(b"\r\n", b"\n") for mail in mails]
    assert [(one.uid, one.received_at, one.broken) for one in found] == [(uid, NOW, None) for uid in (1, 2, 3)]
    assert postbox.flags() == [(), (), ()]


def test_only_what_came_after_the_last_reading_is_read_again(postbox: Postbox) -> None:
    postbox.put(letter("one"), letter("two"))
    assert [one.uid for one in read(postbox.settings, after=1)] == [2]
    assert read(postbox.settings, after=2) == [], "`*` alone would name the last mail once more"


def test_the_first_reading_looks_back_a_few_days_only(postbox: Postbox) -> None:
    postbox.put(letter("old"), at=NOW - timedelta(days=40))
    postbox.put(letter("new"))
    with Imap(postbox.settings) as imap:
        opened = imap.open("INBOX")
        assert imap.uids(0, (NOW - timedelta(days=14)).date()) == [2]
    assert opened.uidnext == 3


def test_of_a_large_mail_only_the_beginning_is_fetched(postbox: Postbox) -> None:
    postbox.put(letter("words " * 40_000 + "x\n" * LARGE), letter("small"))
    large, small = read(postbox.settings)
    assert (large.size > LARGE, len(large.raw)) == (True, BEGINNING)
    assert b"words" in large.raw
    assert small.size == len(small.raw)


def test_a_mail_is_marked_as_read_only_when_that_is_asked_for(postbox: Postbox) -> None:
    postbox.put(letter("one"), letter("two"))
    with Imap(postbox.settings) as imap:
        imap.open("INBOX")
        imap.mark_read([1])
        assert postbox.flags() == [(), ()], "the folder was opened to be read only"
        imap.open("INBOX", to_mark=True)
        imap.mark_read([1])
    assert postbox.flags() == [(b"\\Seen",), ()]


def test_starttls_is_as_good(mail_server: Dovecot) -> None:
    postbox = mail_server.mailbox(security="starttls", port=mail_server.plain_port)
    postbox.put(letter("hello"))
    assert len(read(postbox.settings)) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_that_nobody_vouches_for_ends_it(mail_server: Dovecot, security: str) -> None:
    port = mail_server.port if security == "tls" else mail_server.plain_port
    said = refusal(mail_server.mailbox(ca_file=None, security=security, port=port).settings)
    assert "not trusted" in said
    assert "mailbox.ca_file" in said


def test_a_certificate_for_another_host_ends_it(mail_server: Dovecot) -> None:
    assert "not trusted" in refusal(mail_server.mailbox(host="localhost").settings)


def test_a_certificate_authority_that_cannot_be_read_is_named(mail_server: Dovecot, tmp_path: Path) -> None:
    assert "mailbox.ca_file" in refusal(mail_server.mailbox(ca_file=tmp_path / "none.pem").settings)


def test_a_wrong_password_is_told_without_the_password(mail_server: Dovecot) -> None:
    assert "refused the login" in refusal(mail_server.mailbox(password="wrong-horse").settings)


def test_a_folder_that_is_not_there_is_told(postbox: Postbox) -> None:
    assert "mailbox.folders" in refusal(postbox.settings, folder="Nowhere")


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "does not answer" in refusal(Mailbox(host="127.0.0.1", port=port, username="x", timeout_seconds=2))


def test_no_login_travels_in_the_open_to_another_machine() -> None:
    with pytest.raises(SettingsRefused, match="in the open"), Imap(Mailbox(host="mail.acme.example", security="none")):
        pass


class TestTokens:
    def test_client_credentials_are_the_way_in(self, mail_server: Dovecot) -> None:
        postbox = mail_server.mailbox(
            password=None, token_url=mail_server.office.url, client_id=CLIENT, client_secret=CLIENT_SECRET, scope="imap"
        )
        mail_server.office.username = str(postbox.settings.username)
        postbox.put(letter("hello"))
        assert len(read(postbox.settings)) == 1
        assert mail_server.office.asked[-1] == {
            "grant_type": ["client_credentials"], "scope": ["imap"], "client_id": [CLIENT],
            "client_secret": [CLIENT_SECRET],
        }  # fmt: skip

    def test_a_program_that_prints_a_token_is_as_good(self, mail_server: Dovecot, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(TOKEN)
        postbox = mail_server.mailbox(password=None, token_command=f"cat {tmp_path / 'token'}")
        mail_server.office.username = str(postbox.settings.username)
        postbox.put(letter("hello"))
        assert len(read(postbox.settings)) == 1

    def test_a_token_that_is_not_good_is_refused_without_being_told(self, mail_server: Dovecot) -> None:
        settings = mail_server.mailbox(password=None, token_command="echo another-token").settings
        said = refusal(settings)
        assert "refused the login" in said
        assert "another-token" not in said

    def test_a_secret_that_is_not_good_is_told_without_it(self, mail_server: Dovecot) -> None:
        settings = mail_server.mailbox(
            token_url=mail_server.office.url, client_id=CLIENT, client_secret="guess"
        ).settings
        said = refusal(settings)
        assert "answered 401" in said
        assert "guess" not in said

    @pytest.mark.parametrize("command", ["false", "true", "echo two words", "no-such-program-anywhere", "echo 'open"])
    def test_a_program_that_prints_none_is_told(self, command: str) -> None:
        with pytest.raises(Unreachable, match="no token"):
            access_token(Mailbox(host="127.0.0.1", token_command=command))

    def test_a_secret_is_never_sent_in_the_open(self) -> None:
        with pytest.raises(SettingsRefused, match="in the open"):
            access_token(Mailbox(token_url="http://login.acme.example/token", client_secret="hush-hush"))


class TestWaiting:
    def test_a_mail_is_told_the_moment_it_comes(self, postbox: Postbox) -> None:
        postbox.put(letter("first"))
        with Imap(postbox.settings) as imap:
            imap.open("INBOX")
            later = threading.Timer(0.2, postbox.put, [letter("second")])
            later.start()
            assert imap.wait(10) is True
            later.join()
            assert len(list(imap.fetch(imap.uids(1)))) == 1, "the same line goes on"

    def test_silence_ends_by_itself(self, postbox: Postbox) -> None:
        with Imap(postbox.settings) as imap:
            imap.open("INBOX")
            assert imap.wait(0.1) is False


class _Cutter(socketserver.BaseRequestHandler):
    """Passes everything on, and hangs up at a command that it does not like."""

    def handle(self) -> None:
        server: _CutterServer = self.server  # type: ignore[assignment]
        with socket.create_connection(("127.0.0.1", server.behind)) as behind:
            back = threading.Thread(target=self._pass_back, args=(behind,))
            back.start()
            with suppress(OSError):
                while said := self.request.recv(65536):
                    if server.dislikes in said:
                        break
                    behind.sendall(said)
            with suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
                behind.shutdown(socket.SHUT_RDWR)
            back.join()

    def _pass_back(self, behind: socket.socket) -> None:
        with suppress(OSError):
            while said := behind.recv(65536):
                self.request.sendall(said)


class _CutterServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    behind = 0
    dislikes = b""


@contextmanager
def cutter(behind: int, dislikes: bytes) -> Iterator[int]:
    with _CutterServer(("127.0.0.1", 0), _Cutter) as server:
        server.behind, server.dislikes = behind, dislikes
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_hangs_up_while_it_is_waited_at_is_told_as_that_and_not_as_a_wrong_setting(
    mail_server: Dovecot,
) -> None:
    """As they do when a token has run out."""
    postbox = mail_server.mailbox()
    with cutter(mail_server.plain_port, b"IDLE") as port:
        through = postbox.settings.model_copy(update={"port": port, "security": "none"})
        with Imap(through) as imap:
            imap.open("INBOX")
            with pytest.raises(Unreachable, match=r"hung up.*it is tried again"):
                imap.wait(5)


def test_a_mail_that_breaks_the_line_stops_no_other(mail_server: Dovecot) -> None:
    """Fetching the second one alone, or with others, ends the connection: as servers do that stumble over a mail."""
    postbox = mail_server.mailbox()
    postbox.put(*(letter(f"mail {number}") for number in range(4)))
    with cutter(mail_server.plain_port, b"FETCH 2 (BODY") as port:
        through = postbox.settings.model_copy(update={"port": port, "security": "none"})
        with Imap(through) as imap:
            imap.open("INBOX")
            first = list(imap.fetch([2]))
            alone = list(imap.fetch([1, 2, 3, 4])) if first else []
    assert [(one.uid, bool(one.raw), one.broken is None) for one in first] == [(2, False, False)]
    assert [one.uid for one in alone if one.broken is None] == [1, 2, 3, 4], "together it could be fetched"
    with cutter(mail_server.plain_port, b"FETCH 1:4 (BODY") as port:
        through = postbox.settings.model_copy(update={"port": port, "security": "none"})
        found = read(through)
    assert [(one.uid, one.broken) for one in found] == [(uid, None) for uid in (1, 2, 3, 4)], "one by one they come"
