"""Signing a finished message, so that its reader's server knows whose it is (DKIM: RFC 6376, Ed25519: RFC 8463).

raw = load_signer(settings).sign(raw, now)      # one DKIM-Signature per key on top

Made for messages of `flows.channels.email.compose`: CRLF line ends and nothing but ASCII, and a body that is canonical
as it leaves (`Signer.seals`). Canonicalisation is relaxed/relaxed. What is signed does not depend on chance, so the
same mail has the same signature.
"""

import re
from base64 import b64encode
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from flows.channels.email.dkim_keys import Signature, read_signatures, signing_domain
from flows.settings import Settings

#: Each is named in h= once more than it stands in the head: a second one, added on the way, breaks the signature.
SEALED = (
    "from", "to", "reply-to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post",
    "mime-version", "content-type",
)  # fmt: skip
#: Named as often as it stands there: relays add their own.
SIGNED = ("feedback-id",)
_COVERED = tuple(name.encode() for name in SEALED + SIGNED)
#: Name of a header, as it is written here and in small letters -> its place in `_COVERED`.
_PLACES = {
    spelt: place
    for place, name in enumerate(_COVERED)
    for spelt in (name, name.title().replace(b"Id", b"ID").replace(b"Mime", b"MIME"))
}

_LINE = 76
#: A blank before another one, or before a line end.
_NEEDLESS = re.compile(rb" (?=[ \r])")


def load_signer(settings: Settings) -> "Signer | None":
    """What the settings sign with; None where no key is set. Raises SettingsRefused as `read_signatures` does."""
    signatures = read_signatures(settings)
    return Signer(signing_domain(settings), signatures) if signatures else None


class Signer:
    """Signs for `domain` (d=), once with each of its keys."""

    def __init__(self, domain: str, signatures: tuple[Signature, ...]) -> None:
        self.domain, self.signatures = domain, signatures
        #: What a mail shows of the keys: changes when a key, a selector or the domain does.
        self.mark = " ".join([domain, *(f"{one.selector} {one.key.record}" for one in signatures)])
        self._openings = [
            f"v=1; a={one.key.kind}-sha256; c=relaxed/relaxed; d={domain}; s={one.selector};" for one in signatures
        ]

    def sign(self, raw: bytes, at: datetime) -> bytes:
        """The message with its signatures on top."""
        head, _, body = raw.partition(b"\r\n\r\n")
        return self.seals(head, canonical_body(body), at) + raw

    def seals(self, head: bytes, body: bytes, at: datetime) -> bytes:
        """The signatures of a message, to be put on top of it. body: canonical as it stands (see `canonical_body`)."""
        names, canonical = canonical_head(head)
        time, digest = f" t={int(at.timestamp())};", b64encode(sha256(body).digest()).decode()
        middle = f"\r\n{time}{names}\r\n bh={digest};\r\n b="
        flat = f"{time}{_unbroken(names)} bh={digest}; b=".encode()
        signed = []
        for opening, one in zip(self._openings, self.signatures, strict=True):
            seal = one.key.sign(canonical + b"dkim-signature:" + opening.encode() + flat)
            signed.append(f"DKIM-Signature: {_folded(opening)}{middle}{_in_lines(b64encode(seal).decode())}\r\n")
        return "".join(signed).encode()


def canonical_head(head: bytes) -> tuple[str, bytes]:
    """The h= tag, folded, and what it covers: relaxed, each header with its line end (RFC 6376, 3.4.2 and 5.4.2)."""
    head = _unfolded(head)
    if b"\t" in head or b"  " in head:
        head = _NEEDLESS.sub(b"", head.replace(b"\t", b" "))
    found: list[list[bytes]] = [[] for _ in _COVERED]
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        place = _PLACES.get(name)
        if place is None:
            place = _PLACES.get(name.rstrip(b" ").lower())
        if place is not None:
            found[place].append(value.strip(b" "))
    # Of several equal names the lowest is signed first.
    covered = [
        name + b":" + value + b"\r\n"
        for name, values in zip(_COVERED, found, strict=True)
        for value in reversed(values)
    ]
    return _names(tuple(map(len, found))), b"".join(covered)


def canonical_body(body: bytes) -> bytes:
    """Runs of blanks as one, none at line ends, one line end at the end (RFC 6376, 3.4.4)."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    body = _NEEDLESS.sub(b"", body).rstrip(b" \r\n")
    return body + b"\r\n" if body else b""


def _unfolded(head: bytes) -> bytes:
    return head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")


@lru_cache(maxsize=64)
def _names(counts: tuple[int, ...]) -> str:
    """`` h=…`` for heads in which each header stands that many times."""
    names: list[str] = []
    for name, count in zip(SEALED + SIGNED, counts, strict=True):
        names += [name] * (count + (name in SEALED))
    lines = ["\r\n h="]
    for number, name in enumerate(names):
        word = name + (";" if number == len(names) - 1 else ":")
        if len(lines[-1]) + len(word) > _LINE:
            lines.append("\r\n ")
        lines[-1] += word
    return "".join(lines)


@lru_cache(maxsize=64)
def _unbroken(names: str) -> str:
    return names.replace("\r\n", "")


@lru_cache(maxsize=64)
def _folded(opening: str) -> str:
    """With the domain on a line of its own; unfolding takes nothing but the line ends away."""
    return opening.replace(" d=", "\r\n d=")


def _in_lines(seal: str) -> str:
    """Blanks inside a signature mean nothing."""
    return "\r\n ".join(seal[at : at + _LINE - 4] for at in range(0, len(seal), _LINE - 4))
