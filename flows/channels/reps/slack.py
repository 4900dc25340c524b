"""Briefs in Slack: one direct message of the app, changed once it was answered.

Methods and errors: the pages "chat.postMessage" and "chat.update". Slack says 200 for most refusals, with `ok` false
and one word. A word that is in no table here is a no for good: Slack has said that it did not post.

    STOP      our token or our app: every other message would fare the same
    LATER     not now
    UNKNOWN   by Slack's own page, part of it may have been done
"""

from typing import Any

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.ledger.reps.profiles import Reader
from accounts.touch_states import Refusal
from flows.channels.email.http import as_json, secret
from flows.channels.email.http_line import Line, Reply, patience_of
from flows.channels.reps import Delivered, Message, Note, Send
from flows.channels.reps.blocks import blocks_of, note_blocks, text_of
from flows.providers import Slack as SlackSettings

STOP = {
    "access_denied": "see the app's page at Slack",
    "account_inactive": "install the app again and set reps.slack.token",
    "ekm_access_denied": "ask the workspace's owner",
    "invalid_auth": "check reps.slack.token",
    "missing_scope": "give the app the right chat:write",
    "no_permission": "give the app the right chat:write",
    "not_allowed_token_type": "set reps.slack.token to the bot's token, xoxb-…",
    "not_authed": "set reps.slack.token",
    "org_login_required": "ask the workspace's owner",
    "team_access_not_granted": "install the app in this workspace",
    "token_expired": "set reps.slack.token anew",
    "token_revoked": "install the app again and set reps.slack.token",
}
LATER = {
    "message_limit_exceeded": Refusal.TOO_MANY,
    "rate_limited": Refusal.TOO_MANY,
    "ratelimited": Refusal.TOO_MANY,
    "request_timeout": Refusal.SERVER_BUSY,
    "service_unavailable": Refusal.SERVER_BUSY,
    "team_added_to_org": Refusal.SERVER_BUSY,
}
#: Slack does not look behind our links.
QUIET = {"unfurl_links": False, "unfurl_media": False}
UNKNOWN = ("fatal_error", "internal_error")


class Slack:
    """Needs `reps.slack.token`. Raises SettingsRefused without it."""

    name = "slack"
    changes = True

    def __init__(self, settings: SlackSettings) -> None:
        headers = {
            "Authorization": f"Bearer {secret(settings.token, 'reps.slack.token')}",
            "Content-Type": "application/json; charset=utf-8",
        }
        self._line = Line(self.name, settings.base_url, settings, headers=headers, cure="check reps.slack.token")
        self._can_click = settings.signing_secret is not None

    def reaches(self, reader: Reader) -> bool:
        return bool(reader.slack_id)

    def write(self, message: Message) -> Send:
        content = as_json({"channel": message.reader.slack_id, **self._body(message)})
        return lambda: self._post(content)

    def write_note(self, note: Note) -> Send:
        content = as_json(
            {"channel": note.reader.slack_id, "text": note.headline, "blocks": note_blocks(note), **QUIET}
        )  # fmt: skip
        return lambda: self._post(content)

    def update(self, message: Message, ref: str) -> None:
        channel, _, ts = ref.partition(" ")
        self._call("chat.update", as_json({"channel": channel, "ts": ts, **self._body(message)}))

    def check(self) -> str:
        """Asks Slack whose token it is. Raises Unreachable, NotSent."""
        said = self._call("auth.test", b"{}")
        return f"slack: {said.get('user', 'the app')} of {said.get('team', 'a workspace')} answers"

    def close(self) -> None:
        self._line.close()

    def _body(self, message: Message) -> dict[str, Any]:
        blocks = blocks_of(message, can_click=self._can_click)
        return {"text": text_of(message), "blocks": blocks, **QUIET}

    def _post(self, content: bytes) -> Delivered:
        said = self._call("chat.postMessage", content)
        return Delivered(self.name, f"{said['channel']} {said['ts']}")

    def _call(self, method: str, content: bytes) -> dict[str, Any]:
        reply = self._line.post(f"/{method}", content, {})
        if reply.status != 200:
            raise self._line.refusal(reply)
        said = reply.said
        if not isinstance(said, dict) or said.get("ok") not in (True, False):
            raise OutcomeUnknown("slack answered in words it does not use; it may have taken the message")
        if said["ok"] is False:
            raise self._no(str(said.get("error", "")), reply)
        return said

    def _no(self, word: str, reply: Reply) -> NotSent | OutcomeUnknown:
        said = self._line.say(word[:80], None)
        if word in UNKNOWN:
            return OutcomeUnknown(f"{said}; it may have taken the message")
        if word in STOP:
            return Unreachable(said, cure=STOP[word], reason=Refusal.LOGIN_REFUSED)
        if word in LATER:
            patience = patience_of(reply.headers)
            return NotSent(f"{said}, for now", permanent=False, reason=LATER[word], retry_after=patience)
        return NotSent(said, permanent=True, reason=Refusal.REFUSED_BY_SERVER)
