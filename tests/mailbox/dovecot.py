"""Dovecot, where it is installed: a real mailbox for every test, over TLS, with a password or with tokens."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from imapclient import IMAPClient

from flows.settings import Mailbox
from tests.cast import NOW
from tests.sending.post_office import Certificate, make_certificate

#: Debian keeps what only administrators need where only they look.
DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
needs_dovecot = pytest.mark.skipif(
    DOVECOT is None or os.geteuid() != 0,
    reason="Dovecot is not installed (Debian: apt-get install dovecot-imapd), or we are not root, as it has to be",
)

PASSWORD = "correct-horse-battery-staple"
CLIENT, CLIENT_SECRET, TOKEN = "tandem", "hush-hush", "a-token-that-is-good"

#: Everybody has a mailbox and the same password; who got it wrong before is not kept waiting. Tokens are shown to the
#: office below.
_CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
auth_mechanisms = plain login xoauth2
auth_cache_size = 0
auth_failure_delay = 0
mailbox_idle_check_interval = 1 secs
login_greeting = ready
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""
_OAUTH2 = """
introspection_mode = get
introspection_url = http://127.0.0.1:{office}/who?token=
active_attribute = active
active_value = yes
username_attribute = username
"""


@dataclass
class TokenOffice:
    """Gives tokens to programs that know the secret, and tells Dovecot whose a token is."""

    port: int = 0
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    #: Whose token it is.
    username: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    def answer(self, path: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if path.startswith("/who"):
            good = parse_qs(urlsplit(path).query).get("token") == [TOKEN]
            return 200, {"active": "yes" if good else "no", "username": self.username}
        self.asked.append(form)
        if form.get("client_secret") != [CLIENT_SECRET]:
            return 401, {"error": "invalid_client"}
        return 200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}


@contextmanager
def token_office() -> Iterator[TokenOffice]:
    office = TokenOffice()

    class Desk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.say(*office.answer(self.path, {}))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.say(*office.answer(self.path, form))

        def say(self, status: int, said: dict[str, Any]) -> None:
            body = orjson.dumps(said)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    office.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield office
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass(frozen=True)
class Dovecot:
    folder: Path
    port: int
    plain_port: int
    certificate: Certificate
    office: TokenOffice
    _numbers: Any = field(default_factory=lambda: count(1))

    def mailbox(self, **changes: Any) -> "Postbox":
        """An empty mailbox of its own, and the settings that lead to it."""
        values: dict[str, Any] = {
            "host": "127.0.0.1", "port": self.port, "username": f"replies{next(self._numbers)}", "password": PASSWORD,
            "ca_file": self.certificate.authority, "timeout_seconds": 5,
        }  # fmt: skip
        return Postbox(self, Mailbox(**{**values, **changes}))


_deliveries = count(1)


@dataclass(frozen=True)
class Postbox:
    """One mailbox, from the side of those who write to it."""

    dovecot: Dovecot
    settings: Mailbox

    def put(self, *mails: bytes, at: datetime = NOW, folder: str = "INBOX") -> None:
        """These mails come in, one after the other, at that time: as a delivery agent would, since the server takes no
        mail of tomorrow."""
        with self.opened() as client:  # the server makes the folders
            if not client.folder_exists(folder):
                client.create_folder(folder)
            client.select_folder(folder)
        for mail in mails:
            new = self.maildir / ("" if folder == "INBOX" else f".{folder}") / "new"
            file = new / f"{next(_deliveries):010}.M1.tests"
            unfinished = new.parent / "tmp" / file.name
            unfinished.write_bytes(mail)
            shutil.chown(unfinished, "nobody", "nogroup")
            os.utime(unfinished, (at.timestamp(), at.timestamp()))
            unfinished.rename(file)

    @property
    def maildir(self) -> Path:
        return self.dovecot.folder / "mail" / str(self.settings.username)

    def flags(self, folder: str = "INBOX") -> list[tuple[bytes, ...]]:
        """Of each mail in order, what is marked; recent ones are always marked so."""
        with self.opened() as client:
            client.select_folder(folder, readonly=True)
            told = client.get_flags(client.search())
        return [tuple(flag for flag in told[uid] if flag != b"\\Recent") for uid in sorted(told)]

    def drop(self, folder: str) -> None:
        """The folder is gone; made again, its mails have other numbers and its UIDVALIDITY is another one."""
        with self.opened() as client:
            client.delete_folder(folder)

    @contextmanager
    def opened(self) -> Iterator[IMAPClient]:
        trust = ssl.create_default_context(cafile=str(self.dovecot.certificate.authority))
        client = IMAPClient("127.0.0.1", self.dovecot.port, ssl_context=trust, timeout=5)
        try:
            client.login(self.settings.username, PASSWORD)
            yield client
        finally:
            client.logout()


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """A whole one, in a folder of its own, ended with its children when the block ends."""
    with tempfile.TemporaryDirectory(prefix="tandem-dovecot-") as name, token_office() as office:
        folder = Path(name)  # of a short name: sockets allow no long one
        folder.chmod(0o755)
        certificate = make_certificate(folder)
        house = Dovecot(folder, _free_port(), _free_port(), certificate, office)
        _furnish(house)
        with (folder / "out.log").open("w") as log:
            master = subprocess.Popen(
                [str(DOVECOT), "-F", "-c", str(folder / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                _wait_for(house.port, folder)
                yield house
            finally:
                master.terminate()
                master.wait(10)


def _furnish(house: Dovecot) -> None:
    for part in ("run", "state", "mail"):
        (house.folder / part).mkdir()
    (house.folder / "mail").chmod(0o777)
    key = house.certificate.authority.with_name("key.pem")
    config = _CONFIG.format(
        folder=house.folder, certificate=house.certificate.authority, key=key, password=PASSWORD, port=house.port,
        plain_port=house.plain_port,
    )  # fmt: skip
    (house.folder / "dovecot.conf").write_text(config)
    (house.folder / "oauth2.conf").write_text(_OAUTH2.format(office=house.office.port))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait_for(port: int, folder: Path) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    logs = [file.read_text() for file in folder.glob("*.log")]
    raise AssertionError(f"Dovecot does not answer: {logs}")
