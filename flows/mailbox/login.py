"""Access tokens for a mailbox (OAuth 2): printed by a program, or asked for with client credentials (RFC 6749, 4.4).

Nothing is kept: a token is asked for at each connection, and a connection reads a whole run.
"""

import shlex
import subprocess

from accounts.errors import SettingsRefused, Unreachable
from flows.operating.prefect_api import is_loopback
from flows.settings import Mailbox as Settings


def takes_tokens(settings: Settings) -> bool:
    """Whether a token is the way in."""
    return bool(settings.token_command or settings.token_url)


def access_token(settings: Settings) -> str:
    """A token that is good now. Raises Unreachable or SettingsRefused, with not a word of any secret."""
    return _printed(settings) if settings.token_command else _asked_for(settings)


def _printed(settings: Settings) -> str:
    """By a program that is started without a shell."""
    where, cure = "mailbox.token_command", "it has to print an access token and nothing else"
    try:
        words = shlex.split(settings.token_command or "")
        done = subprocess.run(  # noqa: S603  the operator's own program, from the settings
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=settings.timeout_seconds,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"no token: {type(error).__name__}", where=where, cure=cure) from None
    token = done.stdout.strip()
    if done.returncode or not token or len(token.split()) != 1:
        raise Unreachable(f"no token: it ended with {done.returncode}", where=where, cure=cure)
    return token


def _asked_for(settings: Settings) -> str:
    import requests

    where = "mailbox.token_url"
    url = settings.token_url or ""
    if not url.startswith("https://") and not is_loopback(url):
        raise SettingsRefused("the secret would travel in the open", where=where, cure="use https")
    form = {"grant_type": "client_credentials", "scope": settings.scope}
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    form |= {"client_id": settings.client_id, "client_secret": secret}
    try:
        with requests.Session() as session:
            session.trust_env = not is_loopback(url)  # proxies lead outside
            answer = session.post(url, data=form, timeout=settings.timeout_seconds, allow_redirects=False)
        said = answer.json() if answer.ok else {}
    except (requests.RequestException, ValueError) as error:
        raise Unreachable(f"no token: {type(error).__name__}", where=where, cure="check the address") from None
    token = said.get("access_token") if isinstance(said, dict) else None
    if not isinstance(token, str) or not token:
        cure = "check mailbox.client_id, client_secret and scope"
        raise Unreachable(f"no token: the server answered {answer.status_code}", where=where, cure=cure)
    return token
