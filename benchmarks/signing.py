"""Signing finished messages of about 6 KB: what DKIM costs a mail, beside writing it and beside dkimpy.

All ways take turns on one core over the same mails; medians of `--rounds`, each over `--messages` mails to different
people (dkimpy: every 20th). The send stage is writing a mail and handing it to Postfix's smtp-sink on loopback over one
connection; it is wall-clock time, since part of it is waiting. Where there is no smtp-sink, it is left out.

    python benchmarks/signing.py [--rounds 9] [--messages 1000] [--json]
"""

import argparse
import getpass
import json
import os
import shutil
import socket
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median
from time import perf_counter, process_time, sleep
from typing import Any

import dkim as dkimpy
from compose import CONTENT, NOW, people
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from accounts.ledger.sending.recipients import Recipient
from accounts.playfiles import load_play
from flows.channels.email import Outgoing
from flows.channels.email.dkim import SEALED, SIGNED
from flows.channels.email.smtp import Smtp
from flows.content.mailing import Mailroom, compose_touch, open_mailroom
from flows.settings import TEMPLATES, Dkim, Settings
from flows.settings import Smtp as SmtpSettings

#: The send stage with a signature, as a part of its speed without.
TARGETS = {"RSA-2048": 0.45, "Ed25519": 0.8}
DOMAIN = "mail.example"


class Keys:
    """One key of each kind, as every signer wants it."""

    def __init__(self) -> None:
        self.rsa, self.ed25519 = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
        form = (PrivateFormat.TraditionalOpenSSL, NoEncryption())
        self.rsa_pem = self.rsa.private_bytes(Encoding.PEM, *form)
        self.ed25519_pem = self.ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def settings(self, *kinds: str) -> Settings:
        dkim = Dkim(**{f"{kind}_key": SecretStr(getattr(self, f"{kind}_pem").decode()) for kind in kinds})
        return Settings(templates=TEMPLATES, base_url="https://t.example", sending_domain=DOMAIN, dkim=dkim)

    def by_dkimpy(self, raw: bytes, kind: str) -> bytes:
        """A whole signature by dkimpy, with the headers we cover."""
        covered = [name.encode() for name in (*SEALED, *SEALED, *SIGNED)]
        seed = self.ed25519.private_bytes_raw()
        more = {"rsa": {"privkey": self.rsa_pem}, "ed25519": {"privkey": b64encode(seed)}}[kind]
        return bytes(
            dkimpy.sign(
                raw, b"tandem", DOMAIN.encode(), canonicalize=(b"relaxed", b"relaxed"), include_headers=covered,
                signature_algorithm=f"{kind}-sha256".encode(), **more,
            )
        )  # fmt: skip


def measure(rounds: int, count: int) -> dict[str, float]:
    """Microseconds a mail, by way; `send: …` are those of the send stage."""
    keys = Keys()
    play = load_play(TEMPLATES / "plays" / "new-business")
    kinds: dict[str, tuple[str, ...]] = {
        "unsigned": (), "RSA-2048": ("rsa",), "Ed25519": ("ed25519",), "both": ("rsa", "ed25519"),
    }  # fmt: skip
    rooms = {name: open_mailroom(keys.settings(*which), play) for name, which in kinds.items()}
    digest = rooms["unsigned"].compiled.content(CONTENT).step.digest
    by_dkimpy = {kind: partial(keys.by_dkimpy, kind=kind) for kind in ("rsa", "ed25519")}
    spent: dict[str, list[float]] = {}

    def clock(name: str, time: Callable[[], float], way: Callable[[Any], object], things: Sequence[Any]) -> None:
        started = time()
        for thing in things:
            way(thing)
        spent.setdefault(name, []).append((time() - started) / len(things) * 1e6)

    with sink() as channel:
        for number in range(rounds):
            crowd = people(count, digest, number * count)
            raws = [compose_touch(rooms["unsigned"], person, NOW).raw for person in crowd]
            for name, room in rooms.items():
                clock(f"write: {name}", process_time, lambda person, room=room: compose_touch(room, person, NOW), crowd)
            for kind, way in by_dkimpy.items():
                clock(f"dkimpy signs: {kind}", process_time, way, raws[::20])
            for name, room in rooms.items() if channel else ():
                clock(f"send: {name}", perf_counter, lambda person, room=room: send(channel, room, person), crowd)
    return {name: median(times) for name, times in spent.items()}


def send(channel: Smtp, room: Mailroom, person: Recipient) -> None:
    mail = compose_touch(room, person, NOW)
    channel.send(Outgoing(mail.envelope.message_id, mail.envelope.return_path, person.address, mail.raw))


@contextmanager
def sink() -> Iterator[Smtp | None]:
    """A channel to a mail server that takes everything and keeps nothing; None where there is no such program."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = ["-u", getpass.getuser()] if os.getuid() == 0 else []
    server = subprocess.Popen([program, *user, f"127.0.0.1:{port}", "100"])
    try:
        wait_for(port)
        with Smtp(SmtpSettings(host="127.0.0.1", port=port, security="none", connections=1), DOMAIN) as channel:
            yield channel
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            sleep(0.05)
    raise SystemExit("smtp-sink does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.rounds, asked.messages)
    ratios = {name: found["send: unsigned"] / found[f"send: {name}"] for name in TARGETS if f"send: {name}" in found}
    if asked.json:
        print(json.dumps({**found, "ratios": ratios, "targets": TARGETS}, indent=2))
        return
    for name, value in found.items():
        print(f"{value:10.1f}  {name} (us)")
    for name, ratio in ratios.items():
        verdict = "reached" if ratio >= TARGETS[name] else "MISSED"
        print(f"{ratio:10.2f}  of the unsigned send stage with {name}; target {TARGETS[name]}: {verdict}")


if __name__ == "__main__":
    main()
