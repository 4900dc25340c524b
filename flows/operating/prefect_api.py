"""Asking a Prefect API short questions without importing Prefect, which alone takes more than a second.

The doctor asks whether all is well, `tandem up` whether what it started is ready.
"""

import json
import os
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class PrefectApi:
    """`url` ends in ``/api``. `seconds`: how long one question may take."""

    url: str
    seconds: float = 5.0
    #: Whether it gives the password that it knows, if it knows one.
    logs_in: bool = True

    def get(self, path: str) -> Any:
        """What it says at `path`. Raises OSError when nobody answers, or with an error."""
        return self._ask(Request(self.url + path))  # noqa: S310  an address of our own settings

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Filters and counts are asked by POST, states are set by it. Raises OSError as `get` does."""
        content = json.dumps(body).encode()
        return self._ask(Request(self.url + path, content, {"Content-Type": "application/json"}))  # noqa: S310

    def ui_settings(self) -> Any:
        """What the server tells its own pages, first of all the address at which they look for it."""
        return self._ask(Request(self.url.removesuffix("/api") + "/ui-settings"))  # noqa: S310

    def is_healthy(self) -> bool:
        try:
            return self.get("/health") is True
        except OSError:
            return False

    def _ask(self, request: Request) -> Any:
        if self.logs_in and (login := credentials()):
            request.add_header("Authorization", "Basic " + b64encode(login.encode()).decode())
        try:
            with _opener(self.url).open(request, timeout=self.seconds) as response:
                return json.load(response)
        except (HTTPException, ValueError) as error:
            raise OSError(f"it does not speak as Prefect does ({type(error).__name__})") from error


def credentials() -> str | None:
    """``user:password`` that the server asks for and everybody else gives, whichever variable names it."""
    return os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or os.environ.get("PREFECT_API_AUTH_STRING")


def answers(url: str, seconds: float = 2.0) -> bool:
    """Whether somebody answers there with 200."""
    try:
        with _opener(url).open(url, timeout=seconds) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):
        return False


def is_loopback(url: str) -> bool:
    """Whether an address is one of this machine's own."""
    return urlsplit(url).hostname in LOOPBACK


def _opener(url: str) -> OpenerDirector:
    """Proxies lead outside; an address of this machine is asked directly."""
    return build_opener(ProxyHandler({})) if is_loopback(url) else build_opener()
