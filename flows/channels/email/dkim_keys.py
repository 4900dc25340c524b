"""The keys that sign our mail: read from the settings, refused with a cure where they cannot sign."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import SecretStr

from accounts.errors import SettingsRefused
from flows.settings import Settings

#: What a receiver has to be able to verify (RFC 8301), in bits.
LEAST_BITS, MOST_BITS = 1024, 4096
MAKE_A_KEY = {
    "rsa": "openssl genrsa -out dkim-rsa.pem 2048",
    "ed25519": "openssl genpkey -algorithm ed25519 -out dkim-ed25519.pem",
}

_KIND = {"rsa": "RSA", "ed25519": "Ed25519"}
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Key:
    """A private key that can sign; `record` is the TXT record that lets everybody verify it."""

    #: ``rsa`` or ``ed25519``.
    kind: str
    bits: int
    #: SHA-256 of the canonical head is signed inside.
    sign: Callable[[bytes], bytes] = field(repr=False, compare=False)
    record: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A key under its name in the DNS."""

    selector: str
    key: Key


def signing_domain(settings: Settings) -> str:
    """The d= of our signatures."""
    return settings.dkim.domain or settings.sending_domain


def read_signatures(settings: Settings) -> tuple[Signature, ...]:
    """The keys that are set, each under its selector. Keys are parsed once for each text they have.

    Raises SettingsRefused with the cure for a key that cannot sign, and for names that the DNS does not take.
    """
    dkim = settings.dkim
    found = (
        _signature("rsa", dkim.rsa_selector, dkim.rsa_key, dkim.rsa_key_file),
        _signature("ed25519", dkim.ed25519_selector, dkim.ed25519_key, dkim.ed25519_key_file),
    )
    signatures = tuple(one for one in found if one)
    if len({one.selector for one in signatures}) < len(signatures):
        cure = "give each key a name of its own"
        raise SettingsRefused("both keys have one selector", where="dkim.ed25519_selector", cure=cure)
    return signatures


def _signature(kind: str, selector: str, key: SecretStr | None, file: Path | None) -> Signature | None:
    where = f"dkim.{kind}_key"
    if key is not None and file is not None:
        raise SettingsRefused("a key and a file with a key", where=where, cure=f"set {where} or {where}_file")
    if key is not None:
        found = _parsed(kind, key.get_secret_value(), where)
    elif file is not None:
        found = _parsed(kind, _read(file, f"{where}_file"), f"{where}_file")
    else:
        return None
    if not _NAME.fullmatch(selector):
        cure = "letters, digits and dashes, with dots between"
        raise SettingsRefused(f"{selector!r} is no selector", where=f"dkim.{kind}_selector", cure=cure)
    return Signature(selector.lower(), found)


def _read(file: Path, where: str) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsRefused(f"{file} cannot be read: {said}", where=where, cure="name a PEM file") from None


@lru_cache(maxsize=8)
def _parsed(kind: str, text: str, where: str) -> Key:
    """A key from its PEM text. Raises SettingsRefused; the text itself is never repeated."""
    make = f"make one: {MAKE_A_KEY[kind]}"
    try:
        # A variable often has its line ends written as two characters.
        key = load_pem_private_key(text.replace("\\n", "\n").strip().encode(), password=None)
    except TypeError:
        cure = "take its password off: openssl pkey -in key.pem -out plain.pem"
        raise SettingsRefused("the key is locked with a password", where=where, cure=cure) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsRefused("this is no private key in PEM", where=where, cure=make) from None
    if kind == "rsa" and isinstance(key, RSAPrivateKey):
        return _rsa(key, where, make)
    if kind == "ed25519" and isinstance(key, Ed25519PrivateKey):
        return _ed25519(key)
    raise SettingsRefused(f"this is no {_KIND[kind]} key", where=where, cure=make)


def _rsa(key: RSAPrivateKey, where: str, make: str) -> Key:
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        said = f"a key of {key.key_size} bits; receivers verify {LEAST_BITS} to {MOST_BITS}"
        raise SettingsRefused(said, where=where, cure=make)
    padding, digest = PKCS1v15(), SHA256()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    record = f"v=DKIM1; k=rsa; p={b64encode(public).decode()}"
    return Key("rsa", key.key_size, lambda data: key.sign(data, padding, digest), record)


def _ed25519(key: Ed25519PrivateKey) -> Key:
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    record = f"v=DKIM1; k=ed25519; p={b64encode(public).decode()}"
    return Key("ed25519", 256, lambda data: key.sign(sha256(data).digest()), record)
