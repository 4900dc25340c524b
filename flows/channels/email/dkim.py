"""Signing a finished message, so that its reader's server knows whose it is (DKIM: RFC 6376, Ed25519: RFC 8463).

raw = load_signer(settings).sign(raw, now)      # one DKIM-Signature per key on top

Made for messages of `flows.channels.email.compose`: CRLF line ends and nothing but ASCII. Canonicalisation is
relaxed/relaxed. What is signed does not depend on chance, so the same mail has the same signature.
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
        names, canonical = canonical_head(head)
        closing = f"{names}\r\n bh={b64encode(sha256(canonical_body(body)).digest()).decode()};\r\n b="
        middle = f"\r\n t={int(at.timestamp())};{closing}"
        flat = middle.replace("\r\n", "").encode()
        signed = []
        for opening, one in zip(self._openings, self.signatures, strict=True):
            seal = one.key.sign(canonical + b"dkim-signature:" + opening.encode() + flat)
            signed.append(f"DKIM-Signature: {_folded(opening)}{middle}{_in_lines(b64encode(seal).decode())}\r\n")
        return "".join(signed).encode() + raw


def canonical_head(head: bytes) -> tuple[str, bytes]:
    """The h= tag, folded, and what it covers: relaxed, each header with its line end (RFC 6376, 3.4.2 and 5.4.2)."""
    found: dict[bytes, list[bytes]] = {name: [] for name in _COVERED}
    for line in _unfolded(head).split(b"\r\n"):
        name, _, value = line.partition(b":")
        if (values := found.get(name.rstrip(b" \t").lower())) is not None:
            values.append(value)
    # Of several equal names the lowest is signed first.
    covered = [b"%b:%b\r\n" % (name, _relaxed(value)) for name, values in found.items() for value in reversed(values)]
    return _names(tuple(map(len, found.values()))), b"".join(covered)


def canonical_body(body: bytes) -> bytes:
    """Runs of blanks as one, none at line ends, one line end at the end (RFC 6376, 3.4.4)."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    body = _NEEDLESS.sub(b"", body).rstrip(b" \r\n")
    return body + b"\r\n" if body else b""


def _unfolded(head: bytes) -> bytes:
    return head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")


def _relaxed(value: bytes) -> bytes:
    if b"\t" in value:
        value = value.replace(b"\t", b" ")
    return (_NEEDLESS.sub(b"", value) if b"  " in value else value).strip(b" ")


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


def _folded(opening: str) -> str:
    """With the domain on a line of its own; unfolding takes nothing but the line ends away."""
    return opening.replace(" d=", "\r\n d=")


def _in_lines(seal: str) -> str:
    """Blanks inside a signature mean nothing."""
    return "\r\n ".join(seal[at : at + _LINE - 4] for at in range(0, len(seal), _LINE - 4))
