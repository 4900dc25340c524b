"""What the providers over HTTP share: the line to them, and what it means when it breaks or says no.

    no connection, no TLS, nothing of the message left yet   Unreachable       nobody is to blame but the line
    broken before the whole message had left                 NotSent, later    the provider cannot have taken it
    broken or silent after that                              OutcomeUnknown    the provider may have taken it
    3xx, 401, 402, 403, 404, 405                             Unreachable       our settings are wrong, not the message
    408, 429, 500, 503                                       NotSent, later    after as long as Retry-After asks for
    other 4xx                                                NotSent           permanent: about this message
    502, 504, other 5xx                                      OutcomeUnknown    a gateway lost the real answer
    2xx                                                      the provider's own file reads it

Providers name more errors in their bodies; each file has a table for those, and falls back on this one.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from queue import Empty, LifoQueue
from time import sleep
from typing import Any

import orjson
import requests
from requests.utils import get_environ_proxies

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from accounts.touch_states import Refusal
from flows.masking import mask_within
from flows.operating.prefect_api import is_loopback
from flows.providers import Answering

#: How long a connection may take to come about, and a block of a message to leave, in seconds.
CONNECT = 10.0
#: Whoever asks us to stay away for longer is asked again tomorrow.
LONGEST_PATIENCE = timedelta(days=1)
#: What is waited for at once; longer, and a brake that is pulled meanwhile would be heard too late.
SHORT_WAIT = timedelta(seconds=2)
#: Octets of a message handed to the line at a time.
BLOCK = 65_536

SETTINGS_ARE_WRONG = (401, 402, 403, 404, 405)
LATER = {408: Refusal.SERVER_BUSY, 429: Refusal.TOO_MANY, 500: Refusal.SERVER_BUSY, 503: Refusal.SERVER_BUSY}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answered."""

    status: int
    #: Whatever their case.
    headers: Mapping[str, str]
    #: The body as JSON; None where there is none, where it broke off, and where it is something else.
    said: Any
    #: The body as text.
    text: str


class Line:
    """The way to one provider: its address, the key to it, and connections that are kept and used again.

    headers, login: how we prove who we are. cure: the setting to check when that fails. May be used from several
    threads; each call takes a connection of its own.
    """

    def __init__(
        self, provider: str, base_url: str, settings: Answering, *, cure: str, headers: Mapping[str, str] | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        if not (base_url.startswith("https://") or is_loopback(base_url)):
            raise SettingsRefused(
                "the key would travel in the open", where=f"{provider}.base_url", cure="start it with https://"
            )
        self.provider, self._base, self.cure = provider, base_url.rstrip("/"), cure
        self._headers, self._login = {"Accept": "application/json", **(headers or {})}, login
        self._timeout = (min(CONNECT, settings.timeout_seconds), settings.timeout_seconds)
        self._idle: LifoQueue[requests.Session] = LifoQueue()
        self._kept: dict[tuple[str, str], requests.PreparedRequest] = {}
        #: Proxies and authorities of the environment, asked for once. A netrc is not: it would replace our key.
        self._way: dict[str, Any] = {
            "proxies": get_environ_proxies(self._base),
            "verify": os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
        }

    def post(self, path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Raises Unreachable, NotSent (later) or OutcomeUnknown when the line breaks; any answer is a Reply.

        Who is told "too many, in a second" waits that second: it is a matter of the pace, and nothing was taken.
        """
        reply = self._post(path, content, headers)
        wait = patience_of(reply.headers) if reply.status == 429 else None
        if wait is None or wait > SHORT_WAIT:
            return reply
        sleep(wait.total_seconds())
        return self._post(path, content, headers)

    def _post(self, path: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        body = _Body(content)
        request = self._request("POST", path)
        request.headers.update({**headers, "Content-Length": str(len(content))})
        request.body = body  # type: ignore[assignment]
        try:
            return self._ask(request)
        except requests.RequestException as error:
            raise self._broken(error, body) from None

    def get(self, path: str) -> Reply:
        """For `check`. Raises Unreachable when the line breaks."""
        try:
            return self._ask(self._request("GET", path))
        except requests.RequestException as error:
            raise self._unreachable(error) from None

    def close(self) -> None:
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def refusal(self, reply: Reply, words: str | None = None) -> NotSent | OutcomeUnknown:
        """What an answer other than success means, by its status; `words`: the provider's, if it has any."""
        return refusal_by_status(reply.status, self.say(reply.status, words), reply.headers, self.cure)

    def locked_out(self, said: str) -> Unreachable:
        return Unreachable(said, cure=self.cure, reason=Refusal.LOGIN_REFUSED)

    def say(self, code: int | str, words: str | None) -> str:
        """The provider's words on one line, without any address in full."""
        line = " ".join(mask_within(words or "").split())[:240]
        return f"{self.provider} said {code}" + (f": {line}" if line else "")

    def _request(self, method: str, path: str) -> requests.PreparedRequest:
        kept = self._kept.get((method, path))
        if kept is None:
            asked = requests.Request(method, self._base + path, headers=self._headers, auth=self._login)
            kept = self._kept[method, path] = asked.prepare()
        return kept.copy()

    def _ask(self, request: requests.PreparedRequest) -> Reply:
        """A connection on which something broke is not used again."""
        session = self._kept_or_new()
        try:
            response = session.send(request, timeout=self._timeout, allow_redirects=False, stream=True, **self._way)
            reply = _read(response)
        except BaseException:
            session.close()
            raise
        self._idle.put(session)
        return reply

    def _kept_or_new(self) -> requests.Session:
        try:
            return self._idle.get_nowait()
        except Empty:
            return requests.Session()

    def _broken(self, error: requests.RequestException, body: "_Body") -> NotSent | OutcomeUnknown:
        """By how much of the message was out when it happened; the kind of the error does not tell."""
        if not body.begun:
            return self._unreachable(error)
        if not body.complete:
            said = f"the line to {self.provider} broke before the whole message had left"
            return NotSent(said, permanent=False, reason=Refusal.SERVER_BUSY)
        what = "did not answer in time" if isinstance(error, requests.Timeout) else "hung up"
        return OutcomeUnknown(f"{self.provider} {what} after it had the message; it may have taken it")

    def _unreachable(self, error: requests.RequestException) -> Unreachable:
        cure = f"check {self.provider}.base_url, the network and its proxy"
        if isinstance(error, requests.exceptions.SSLError):
            return Unreachable(f"no trusted connection to {self.provider}", where=self._base, cure=cure)
        return Unreachable(f"{self.provider} does not answer", where=self._base, cure=cure)


def refusal_by_status(status: int, said: str, headers: Mapping[str, str], cure: str) -> NotSent | OutcomeUnknown:
    """The table above. `cure`: the settings to check when they are wrong."""
    if status in LATER:
        reason, patience = LATER[status], patience_of(headers)
        return NotSent(f"{said}, for now", permanent=False, reason=reason, retry_after=patience)
    if 300 <= status < 400 or status in SETTINGS_ARE_WRONG:
        return Unreachable(said, cure=cure, reason=Refusal.LOGIN_REFUSED)
    if 400 <= status < 500:
        reason = Refusal.TOO_LARGE if status == 413 else Refusal.REFUSED_BY_SERVER
        return NotSent(said, permanent=True, reason=reason)
    return OutcomeUnknown(f"{said}; the message may have been taken")


class _Body:
    """A message on its way, which knows how far it got: `begun`, and `complete` once the line had taken all of it."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0
        self.begun = self.complete = False

    def __len__(self) -> int:
        return len(self._content)

    def read(self, size: int = -1) -> bytes:
        """The next block; asked for once more than there are blocks, and only after the last one was taken."""
        self.begun = True
        block = self._content[self._at : self._at + max(size, BLOCK)]
        self._at += len(block)
        self.complete = not block
        return block


def patience_of(headers: Mapping[str, str]) -> timedelta | None:
    """How long we are asked to stay away: ``Retry-After`` in seconds, or as a date by the provider's own clock."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return min(timedelta(seconds=int(asked[:9])), LONGEST_PATIENCE)
    with suppress(ValueError, TypeError):  # no date, or only one of the two with a zone
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
        return min(max(wait, timedelta(0)), LONGEST_PATIENCE)
    return None


def _read(response: requests.Response) -> Reply:
    """A body that breaks off leaves the status standing: a provider that said no has said no."""
    try:
        text = response.content.decode("utf-8", "replace")
    except requests.RequestException:
        response.close()
        return Reply(response.status_code, response.headers, None, "")
    try:
        said = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        said = None
    return Reply(response.status_code, response.headers, said, text)
