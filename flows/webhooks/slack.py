"""Clicks on buttons in Slack: proved to come from Slack, read, and answered to the one who clicked.

"Verifying requests from Slack" (v0: HMAC-SHA256 over version, time and the raw body; five minutes), "Handling user
interaction in your Slack apps" (block_actions; a URL button posts as well and wants nothing but 200).
"""

import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from accounts.errors import ChannelError
from flows.channels.email.http import as_json, secret
from flows.channels.email.http_line import Line
from flows.providers import Slack as SlackSettings
from flows.webhooks import Forged

SIGNATURE, TIMESTAMP = "x-slack-signature", "x-slack-request-timestamp"
#: Older ones are refused, and so are those that lie as far ahead.
TOLERANCE = timedelta(minutes=5)
#: Octets of a post: it brings the whole message along.
MOST = 1_000_000

#: Answers that need nothing but a yes, and what each does: two clicks, a button and its confirmation.
AT_ONCE = {
    "approve": "The first mail to them may leave.",
    "ripe": "Sales takes it from here. Marketing learns from it.",
    "not_yet": "Marketing goes on. It learns from it.",
    "release": "Marketing goes on writing to them.",
    "veto": "This mail never goes to them.",
}

log = logging.getLogger("tandem.slack")


@dataclass(frozen=True, slots=True)
class Click:
    """Somebody pressed a button that answers where it stands."""

    #: Slack's id of the person.
    user: str
    #: The signed token on the button: which answer, about whom, for which rep.
    token: str
    #: Where Slack takes a word for the one who clicked; whoever knows it can write there.
    answer_to: str = field(repr=False)


class Clicks:
    """Needs `reps.slack.signing_secret`. Raises SettingsRefused without it."""

    def __init__(self, settings: SlackSettings) -> None:
        self._secret = secret(settings.signing_secret, "reps.slack.signing_secret").encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        self._hooks = settings.hooks_url.rstrip("/")
        self._line = Line("slack", self._hooks, settings, headers=headers, cure="check reps.slack.hooks_url")

    def prove(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Raises Forged for a post that is not Slack's, or not of now."""
        said = headers.get(TIMESTAMP, "")
        if not (said.isdecimal() and said.isascii() and len(said) <= 11):
            raise Forged
        if abs(now - datetime.fromtimestamp(int(said), UTC)) > TOLERANCE:
            raise Forged
        right = "v0=" + hmac.digest(self._secret, b"v0:" + said.encode() + b":" + body, "sha256").hex()
        if not hmac.compare_digest(right.encode(), headers.get(SIGNATURE, "").encode("utf-8", "replace")):
            raise Forged

    def read(self, body: bytes) -> Click | None:
        """None for what is no click on a button that answers: other interactions, and buttons that are links."""
        try:
            payload = json.loads(parse_qs(body.decode(), max_num_fields=5)["payload"][0])
            if payload["type"] != "block_actions":
                return None
            return Click(str(payload["user"]["id"]), str(payload["actions"][0]["value"]), str(payload["response_url"]))
        except (ValueError, KeyError, IndexError, TypeError):
            return None

    def whisper(self, click: Click, words: str) -> None:
        """Says something to the one who clicked, and to nobody else; what cannot be said is only noted."""
        if not click.answer_to.startswith(f"{self._hooks}/"):
            log.warning("slack named a place for answers that is not its own")
            return
        said = {"response_type": "ephemeral", "replace_original": False, "text": words}
        try:
            reply = self._line.post(click.answer_to[len(self._hooks) :], as_json(said), {})
        except ChannelError as error:
            log.warning("slack did not hear our answer to a click: %s", error.what)
            return
        if reply.status != 200:
            log.warning("slack said %s to our answer to a click", reply.status)
