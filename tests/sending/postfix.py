"""Postfix, where it is installed: the server of many of our readers' companies, and its sink for senders on trial."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sending.post_office import Certificate

_EVERYWHERE = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
#: Debian keeps what only administrators need where only they look.
SINK = shutil.which("smtp-sink", path=_EVERYWHERE)
MASTER = next((path for path in (Path("/usr/lib/postfix/sbin/master"), Path("/usr/libexec/postfix/master"))
               if path.exists()), None)  # fmt: skip

needs_sink = pytest.mark.skipif(SINK is None, reason="smtp-sink is not installed (Debian: apt-get install postfix)")
needs_postfix = pytest.mark.skipif(
    MASTER is None or os.geteuid() != 0, reason="Postfix is not installed, or we are not root: it starts as root only"
)

_QUEUE = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "private",
          "public", "saved", "trace")  # fmt: skip

#: Dana reads mail, two others do not, and nobody else has a mailbox. What is taken is thrown away.
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.acme.example
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
relay_domains = acme.example
relay_recipient_maps = inline:{{ dana@acme.example=ok, full@acme.example=ok, new@acme.example=ok }}
relay_transport = discard
default_transport = discard
message_size_limit = 20000
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{
  {{ full@acme.example = 552 5.2.2 mailbox full }}, {{ new@acme.example = 450 4.2.0 Greylisted, come back later }} }},
  permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
discard unix - - n - - discard
tlsmgr unix - - n - 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    port: int
    log: Path

    def taken(self) -> str:
        """What it wrote down; it says ``message-id=<…>`` of every message it took."""
        return self.log.read_text() if self.log.exists() else ""


@contextmanager
def postfix(folder: Path, certificate: Certificate) -> Iterator[Postfix]:
    """A whole one, with configuration and queue in `folder`, ended with its children when the block ends."""
    port, conf = _free_port(), folder / "conf"
    _furnish(folder, conf, port, certificate)
    with (folder / "master.log").open("w") as log:
        # A session of its own: at its end it ends its whole process group.
        master = subprocess.Popen(
            [str(MASTER), "-d", "-c", str(conf)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for(port)
            yield Postfix(port, folder / "mail.log")
        finally:
            master.terminate()
            master.wait(10)


def _furnish(folder: Path, conf: Path, port: int, certificate: Certificate) -> None:
    for part in (conf, folder / "data", folder / "queue", folder / "queue/pid"):
        part.mkdir(parents=True)
    for name in _QUEUE:
        (folder / "queue" / name).mkdir()
        shutil.chown(folder / "queue" / name, "postfix")
    shutil.chown(folder / "data", "postfix")
    key = certificate.authority.with_name("key.pem")
    (conf / "main.cf").write_text(_MAIN.format(folder=folder, certificate=certificate.authority, key=key))
    (conf / "master.cf").write_text(_MASTER.format(port=port))


@contextmanager
def smtp_sink(options: Sequence[str] = ()) -> Iterator[int]:
    """Its port. `options` make it refuse or hang up: ``-f RCPT``, ``-r .``, ``-q MAIL``."""
    port = _free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = subprocess.Popen([str(SINK), *user, *options, f"127.0.0.1:{port}", "10"])
    try:
        _wait_for(port)
        yield port
    finally:
        sink.terminate()
        sink.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nobody listens on {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
