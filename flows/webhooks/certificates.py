"""The certificates Amazon signs with, each asked for once at Amazon's own host and kept.

Strangers can name certificates that nobody has, as many as they like, before anything is proved. So one is asked for at
a time, and few posts wait for it: the others come again, and the pages of the web app never wait behind them.
"""

from collections.abc import Callable
from datetime import datetime
from threading import BoundedSemaphore, Lock

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from flows.webhooks import Forged, Later

#: Seconds that Amazon may take to show a certificate; SNS itself waits fifteen for our answer.
PATIENCE = 5
#: Posts that wait for a certificate at a time: the last of them gets its answer while SNS still listens.
WAITING = 3
MOST_OCTETS = 100_000
#: Certificates that are remembered. Amazon changes them every few months.
MOST_CERTIFICATES = 20

Fetch = Callable[[str], bytes]
#: A key, and the last moment of its certificate.
_Known = tuple[rsa.RSAPublicKey, datetime]


def fetch(url: str) -> bytes:
    """Over HTTPS, following nothing. Raises Later."""
    import requests

    try:
        with requests.get(url, timeout=PATIENCE, allow_redirects=False, stream=True) as answer:
            if answer.status_code != 200:
                raise Later(f"Amazon answered {answer.status_code}")
            return answer.raw.read(MOST_OCTETS, decode_content=True) or b""
    except (requests.RequestException, OSError) as error:
        raise Later(type(error).__name__) from None


class Certificates:
    """Of one app, whose posts come in many threads."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._known: dict[str, _Known] = {}
        self._places, self._turn = BoundedSemaphore(WAITING), Lock()

    def key(self, url: str, now: datetime) -> rsa.RSAPublicKey:
        """The key of the certificate at an address of Amazon's. Raises Later, and Forged where it is over."""
        key, last = self._fresh(url, now) or self._ask(url, now)
        if now > last:
            raise Forged
        return key

    def _fresh(self, url: str, now: datetime) -> _Known | None:
        known = self._known.get(url)
        return known if known and now <= known[1] else None

    def _ask(self, url: str, now: datetime) -> _Known:
        if not self._places.acquire(blocking=False):
            raise Later("enough posts wait for a certificate")
        try:
            with self._turn:
                return self._fresh(url, now) or self._remember(url, _read(self._fetch(url)))
        finally:
            self._places.release()

    def _remember(self, url: str, known: _Known) -> _Known:
        if len(self._known) >= MOST_CERTIFICATES:
            self._known.clear()
        self._known[url] = known
        return known


def _read(pem: bytes) -> _Known:
    """Raises Later for what is none: it came from Amazon, so it will mend."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise Later("what Amazon showed is no certificate") from None
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Later("Amazon's certificate has no RSA key")
    return key, certificate.not_valid_after_utc
