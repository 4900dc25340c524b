"""Tokens in links and Message-IDs: opaque, signed, bound to one purpose, free of personal data.

A token made for one purpose is worth nothing for another. It holds row ids and nothing else; who holds a token learns
nothing from it, and who guesses one is right once in 2^96. Tokens that open a page have a last day; clicks and opt-outs
have none, since a link in a mail of last year must still lead somewhere and a "no" must always be heard.
"""

import hmac
import re
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import date
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Literal, NamedTuple

_MAC_BYTES = 12
UNSUBSCRIBE = "unsubscribe"
CLICK = "click"
#: The pixel and the link that no person sees.
OPEN = "open"
TRAP = "trap"
#: Tokens with a last day: the preference page, the page of a document, a visit to our own site after a click.
PREFERENCES = "preferences"
ASSET = "asset"
VISIT = "visit"
MESSAGE_ID = "message-id"
#: What a bounce can be about; each has return paths of its own.
Bounceable = Literal["touch", "brief"]
_BOUNCEABLE: tuple[Bounceable, ...] = ("touch", "brief")
_BOUNCES_TO = "bounce"
_RETURN_PATH = re.compile(rf"{_BOUNCES_TO}\+[a-z2-7]{{16,64}}@", re.IGNORECASE)


class Clicked(NamedTuple):
    """Which link of which touch: links of a content are numbered from 0 in the order they stand in its text."""

    touch_id: int
    link: int


class Dated(NamedTuple):
    """Ids, and the last day (UTC) on which their token is good."""

    last_day: date
    ids: tuple[int, ...]


class Returned(NamedTuple):
    """Which mail a bounce is about."""

    about: Bounceable
    id: int


def sign(purpose: str, id: int, secret: str) -> str:
    """A token of 20 to 40 characters for the row `id`, good in URLs."""
    return _seal(purpose, str(id), secret)


def verify(purpose: str, token: str, secret: str) -> int | None:
    """The id that was signed for this purpose, or None for anything else, however broken."""
    payload = _open(purpose, token, secret)
    return int(payload) if payload is not None and payload.lstrip("-").isdecimal() else None


def sign_click(touch_id: int, link: int, secret: str) -> str:
    """A token for one link of one touch."""
    return _seal(CLICK, f"{touch_id}.{link}", secret)


def verify_click(token: str, secret: str) -> Clicked | None:
    """Which link was clicked, or None for a token that is not one of ours."""
    payload = _open(CLICK, token, secret)
    return Clicked(*map(int, payload.split("."))) if payload is not None else None


def sign_until(purpose: str, last_day: date, secret: str, *ids: int) -> str:
    """A token for these ids, good until the end of `last_day` (UTC)."""
    return _seal(purpose, ".".join(map(str, (last_day.toordinal(), *ids))), secret)


def verify_until(purpose: str, token: str, today: date, secret: str) -> tuple[int, ...] | None:
    """The ids that were signed for this purpose; None for anything else, and after the last day."""
    dated = verify_dated(purpose, token, secret)
    return dated.ids if dated and today <= dated.last_day else None


def verify_dated(purpose: str, token: str, secret: str) -> Dated | None:
    """What was signed for this purpose, over or not; None for anything else."""
    payload = _open(purpose, token, secret)
    if payload is None:
        return None
    last_day, *ids = map(int, payload.split("."))
    return Dated(date.fromordinal(last_day), tuple(ids))


@lru_cache(maxsize=4096)
def message_id(touch_id: int, secret: str, domain: str) -> str:
    """``<tandem.{touch_id}.{16 hex}@domain>``: the same for ever, so that a second copy would be recognised.

    Kept for a while: the claim asks for it first, and the mail again a moment later.
    """
    mark = _mac(MESSAGE_ID, str(touch_id).encode(), secret).hex()[:16]
    return f"<tandem.{touch_id}.{mark}@{domain}>"


def touch_of(message_id: str, secret: str) -> int | None:
    """The touch whose Message-ID this is, wherever it was quoted, or None for somebody else's."""
    name, _, number = message_id.strip(" \t<>").partition("@")[0].partition(".")
    number, _, mark = number.partition(".")
    if name != "tandem" or not (number.isascii() and number.isdecimal()):
        return None
    right = _mac(MESSAGE_ID, str(int(number)).encode(), secret).hex()[:16]
    return int(number) if hmac.compare_digest(mark.encode(), right.encode()) else None


def return_path(about: Bounceable, id: int, secret: str, domain: str) -> str:
    """``bounce+{token}@domain``, an envelope sender of its own for each mail (VERP): whatever a bounce looks like, the
    address it comes back to says which mail it is about.

    The local part has 28 to 39 octets (64 are allowed) and means the same in capitals, which some servers make of it.
    """
    raw = id.to_bytes(max(1, (id.bit_length() + 7) // 8), "big")
    token = b32encode(_mac(f"return-{about}", raw, secret)[:_MAC_BYTES] + raw).rstrip(b"=").decode().lower()
    return f"{_BOUNCES_TO}+{token}@{domain}"


def looks_like_return_path(address: str) -> bool:
    """Whether an address has the form of `return_path`, whoever made it."""
    return _RETURN_PATH.match(address) is not None


def returned(address: str, secret: str) -> Returned | None:
    """Which mail came back, by the address it came back to (with or without angle brackets); None for any other."""
    mailbox, _, token = address.strip(" \t\r\n<>").rpartition("@")[0].lower().partition("+")
    if mailbox != _BOUNCES_TO:
        return None
    try:
        raw = b32decode(token.upper().encode() + b"=" * (-len(token) % 8))
    except ValueError:
        return None
    id = int.from_bytes(raw[_MAC_BYTES:], "big")
    for about in _BOUNCEABLE:
        genuine = return_path(about, id, secret, "")
        if hmac.compare_digest(genuine.encode(), f"{mailbox}+{token}@".encode()):
            return Returned(about, id)
    return None


def _mac(purpose: str, payload: bytes, secret: str) -> bytes:
    """Keyed BLAKE2b (RFC 7693): each mail has half a dozen of them, and HMAC takes twice as long."""
    return blake2b(purpose.encode() + b"\0" + payload, key=_key(secret), digest_size=32).digest()


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    """A key of 32 bytes, however long the secret is."""
    return sha256(secret.encode()).digest()


def _seal(purpose: str, payload: str, secret: str) -> str:
    raw = payload.encode()
    return urlsafe_b64encode(_mac(purpose, raw, secret)[:_MAC_BYTES] + raw).rstrip(b"=").decode()


def _open(purpose: str, token: str, secret: str) -> str | None:
    """The payload of a genuine token. Only the one spelling that `_seal` writes is genuine."""
    try:
        raw = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        payload = raw[_MAC_BYTES:].decode("ascii")
    except ValueError:
        return None
    genuine = _seal(purpose, payload, secret)
    return payload if hmac.compare_digest(genuine.encode(), token.encode()) else None
