"""E-mail through Twilio SendGrid, Web API v3: one message a call, 202 when it is taken.

Its `personalizations` batch shares one text among its recipients, so it is no batch for letters that differ.
Fields and limits: the OpenAPI file of twilio/sendgrid-oai, tsg_mail_v3.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import Letter, Outgoing, Sent
from flows.channels.email.compose import Mailbox
from flows.channels.email.http import KEY, OneLetter, as_json, letter_of, mailbox_of, secret
from flows.channels.email.http_line import LONGEST_PATIENCE, Line, Reply
from flows.providers import SendGrid as SendGridSettings

#: We track by ourselves, and our letters carry their own unsubscribe links.
UNTRACKED = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
}


class SendGrid(OneLetter):
    """Needs `sendgrid.key`, with the right "Mail Send". Raises SettingsRefused without it."""

    name = "sendgrid"

    def __init__(self, settings: SendGridSettings) -> None:
        headers = {"Authorization": f"Bearer {secret(settings.key, 'sendgrid.key')}"}
        super().__init__(
            Line(self.name, settings.base_url, settings, headers=headers, cure="check sendgrid.key"), settings
        )

    def send(self, message: Outgoing) -> Sent:
        content = as_json(_request(letter_of(message), message.key))
        reply = self._line.post("/v3/mail/send", content, {"Content-Type": "application/json"})
        if reply.status == 202:  # the body is empty, the status says it all
            return self._accepted(reply.headers.get("X-Message-Id"))
        raise self._refusal(reply)

    def check(self) -> str:
        """Asks what the key may do. Raises Unreachable."""
        reply = self._line.get("/v3/scopes")
        scopes = reply.said.get("scopes") if isinstance(reply.said, dict) else None
        if reply.status != 200 or not isinstance(scopes, list):
            raise self._refusal(reply)
        if "mail.send" not in scopes:
            raise self._line.locked_out("sendgrid: the key may not send mail")
        return "sendgrid: answers, the key may send mail"

    def _refusal(self, reply: Reply) -> NotSent | OutcomeUnknown:
        if 200 <= reply.status < 300:
            return self._garbled(reply)
        words = _words(reply)
        if reply.status == 403 and "sender identity" in words.lower():
            said, cure = self._line.say(403, words), "verify the sending domain at SendGrid"
            return Unreachable(said, cure=cure, reason=Refusal.SENDER_REFUSED)
        refusal = self._line.refusal(reply, words)
        if isinstance(refusal, NotSent) and not refusal.permanent and refusal.retry_after is None:
            refusal.retry_after = _reset_of(reply)
        return refusal


def _request(letter: Letter, key: str) -> dict[str, Any]:
    """Custom arguments come back with every event about the message; they hold our name for it and no personal data."""
    to: dict[str, Any] = {"to": [_box(letter.recipient)]}
    if key:
        to["custom_args"] = {KEY: key}
    parts = (("text/plain", letter.text), ("text/html", letter.html))
    return {
        "personalizations": [to],
        "from": _box(letter.sender),
        "reply_to": _box(letter.reply_to),
        "subject": letter.subject,
        "content": [{"type": kind, "value": value} for kind, value in parts if value],
        "headers": dict(letter.headers),
        "tracking_settings": UNTRACKED,
    }


def _box(box: Mailbox) -> dict[str, str]:
    box = mailbox_of(box)
    return {"email": box.address, "name": box.name} if box.name else {"email": box.address}


def _words(reply: Reply) -> str:
    errors = reply.said.get("errors") if isinstance(reply.said, dict) else None
    if not isinstance(errors, list):
        return ""
    said = [error for error in errors if isinstance(error, dict)]
    return "; ".join(f"{error.get('message', '')} ({error.get('field') or 'request'})" for error in said)


def _reset_of(reply: Reply) -> timedelta | None:
    """Rate limits name the second at which they end (X-RateLimit-Reset); the answer's own date says how far that is."""
    try:
        ends = datetime.fromtimestamp(int(reply.headers["X-RateLimit-Reset"]), UTC)
        wait = ends - parsedate_to_datetime(reply.headers["Date"])
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_PATIENCE)
