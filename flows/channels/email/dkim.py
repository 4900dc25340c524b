"""Signing a finished message, so that its reader's server knows whose it is (DKIM: RFC 6376, Ed25519: RFC 8463).

raw = load_signer(settings).sign(raw, now)      # one DKIM-Signature per key on top

Made for messages of `flows.channels.email.compose`: CRLF line ends and nothing but ASCII, and a body that is canonical
as it leaves (`Signer.seals`). Canonicalisation is relaxed/relaxed. What is signed does not depend on chance, so the
same mail has the same signature.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
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
            _Opening(f"v=1; a={one.key.kind}-sha256; c=relaxed/relaxed; d={domain}; s={one.selector};")
            for one in signatures
        ]

    def sign(self, raw: bytes, at: datetime) -> bytes:
        """The message with its signatures on top."""
        head, _, body = raw.partition(b"\r\n\r\n")
        return self.seals(head, canonical_body(body), at) + raw

    def seals(self, head: bytes, body: bytes, at: datetime) -> bytes:
        """The signatures of a message, to be put on top of it. body: canonical as it stands (see `canonical_body`)."""
        names, canonical = canonical_head(head)
        time, digest = _time(at), b64encode(sha256(body).digest())
        middle = b"\r\n%b%b\r\n bh=%b;\r\n b=" % (time, names.folded, digest)
        flat = b"%b%b bh=%b; b=" % (time, names.flat, digest)
        signed = []
        for opening, one in zip(self._openings, self.signatures, strict=True):
            seal = one.key.sign(b"%b%b%b" % (canonical, opening.signed, flat))
            signed += [opening.written, middle, _in_lines(b64encode(seal)), b"\r\n"]
        return b"".join(signed)


class _Opening:
    """The tags of a signature that stay the same, as they are written and as they are signed: unfolding takes nothing
    but line ends away."""

    def __init__(self, tags: str) -> None:
        self.signed = b"dkim-signature:" + tags.encode()
        self.written = b"DKIM-Signature: " + tags.replace(" d=", "\r\n d=").encode()


@dataclass(frozen=True, slots=True)
class Names:
    """The h= tag, folded and on one line."""

    folded: bytes
    flat: bytes


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is signed of heads in which these names stand in this order."""

    names: Names
    #: Places in the head of those that are covered, in the order in which they are signed, and their names with room
    #: for the values.
    order: tuple[int, ...]
    form: bytes


def canonical_head(head: bytes) -> tuple[Names, bytes]:
    """What h= says, and what it covers: relaxed, each header with its line end (RFC 6376, 3.4.2 and 5.4.2)."""
    head = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    if b"\t" in head or b"  " in head:
        head = _NEEDLESS.sub(b"", head.replace(b"\t", b" "))
    headers = [line.partition(b":") for line in head.split(b"\r\n")]
    layout = _layout(tuple([name for name, _, _ in headers]))
    return layout.names, layout.form % tuple([headers[place][2].strip(b" ") for place in layout.order])


@lru_cache(maxsize=64)
def _layout(names: tuple[bytes, ...]) -> _Layout:
    """Of several equal names the lowest is signed first."""
    places: dict[str, list[int]] = {name: [] for name in SEALED + SIGNED}
    for place, name in enumerate(names):
        places.get(name.rstrip(b" ").lower().decode("latin-1"), []).insert(0, place)
    form = "".join(f"{name}:%b\r\n" * len(found) for name, found in places.items())
    order = tuple(place for found in places.values() for place in found)
    return _Layout(_names({name: len(found) for name, found in places.items()}), order, form.encode())


def canonical_body(body: bytes) -> bytes:
    """Runs of blanks as one, none at line ends, one line end at the end (RFC 6376, 3.4.4)."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    body = _NEEDLESS.sub(b"", body).rstrip(b" \r\n")
    return body + b"\r\n" if body else b""


def _names(counts: Mapping[str, int]) -> Names:
    """`` h=…`` for heads in which each header stands so many times."""
    names: list[str] = []
    for name, count in counts.items():
        names += [name] * (count + (name in SEALED))
    lines = ["\r\n h="]
    for number, name in enumerate(names):
        word = name + (";" if number == len(names) - 1 else ":")
        if len(lines[-1]) + len(word) > _LINE:
            lines.append("\r\n ")
        lines[-1] += word
    folded = "".join(lines)
    return Names(folded.encode(), folded.replace("\r\n", "").encode())


@lru_cache(maxsize=64)
def _time(at: datetime) -> bytes:
    """`` t=…;``: a batch has one time."""
    return b" t=%d;" % int(at.timestamp())


def _in_lines(seal: bytes) -> bytes:
    """Blanks inside a signature mean nothing."""
    return b"\r\n ".join([seal[at : at + _LINE - 4] for at in range(0, len(seal), _LINE - 4)])
