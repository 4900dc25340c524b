"""E-mail through Resend: one message a call, or up to 100 as a list. The one provider here with idempotency keys.

A call whose answer is lost is made once more with the same key: Resend gives the first one's answer and sends nothing
twice (it remembers keys for 24 hours). The key comes from the Message-ID, which no two installations share.
Fields, limits and error names: the OpenAPI file of resend/resend-openapi, and the API reference, "Errors".
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import Answer, Letter, Outgoing, Sent
from flows.channels.email.http import KEY, Bundles, as_json, in_one_line, letter_of, rep_in_one_line, secret
from flows.channels.email.http_line import Line, Reply
from flows.providers import Resend as ResendSettings

#: Errors that speak of our account, and how to mend it: every other message would fare the same.
STOP = {
    "missing_api_key": "check resend.key",
    "invalid_api_key": "check resend.key",
    "restricted_api_key": "check resend.key",
    "invalid_access": "check resend.key",
    "invalid_from_address": "verify the sending domain at Resend",
    "daily_quota_exceeded": "the day's quota at Resend is used up: come back tomorrow, or see its usage page",
    "monthly_quota_exceeded": "the month's quota at Resend is used up: see its usage page",
}
#: A gateway answers in Resend's place.
LOST = (502, 504)
#: Given only to who was read: the message is taken, or refused for what it is.
READ = (200, 400, 413, 422)
#: The key is known there: the message was taken before, with these words or others, or is being taken right now.
TAKEN = ("concurrent_idempotent_requests", "invalid_idempotent_request")


class Resend(Bundles):
    """Needs `resend.key`; one that may only send is enough. Raises SettingsRefused without it."""

    name = "resend"
    #: Ours: the documentation sets no limit to a call, and 40 MB to a message.
    octets = 20_000_000

    def __init__(self, settings: ResendSettings) -> None:
        headers = {
            "Authorization": f"Bearer {secret(settings.key, 'resend.key')}",
            "Content-Type": "application/json",
        }
        line = Line(self.name, settings.base_url, settings, headers=headers, cure="check resend.key")
        super().__init__(line, settings, settings.batch)

    def check(self) -> str:
        """Asks for the domains; a key that may only send is told so. Raises Unreachable."""
        reply = self._line.get("/domains")
        if reply.status == 200 and isinstance(reply.said, dict):
            return "resend: answers"
        if reply.status == 401 and _name(reply) == "restricted_api_key":
            return "resend: answers, the key may only send"
        raise self._refusal(reply)

    def _write(self, message: Outgoing) -> bytes:
        return as_json(_request(letter_of(message), message.key))

    def _send_one(self, message: Outgoing, written: bytes) -> Sent:
        reply = self._post("/emails", written, {"Idempotency-Key": message.message_id})
        if reply.status != 200 or not isinstance(reply.said, dict) or not reply.said.get("id"):
            raise self._refusal(reply)
        return self._accepted(reply.said["id"])

    def _send_bundle(self, messages: Sequence[Outgoing], written: bytes) -> list[Answer]:
        """Permissive: a message that Resend does not like hurts none of the others."""
        key = sha256(" ".join(message.message_id for message in messages).encode()).hexdigest()
        headers = {"Idempotency-Key": f"batch/{key}", "x-batch-validation": "permissive"}
        reply = self._post("/emails/batch", written, headers)
        answers = self._judge(reply.said, len(messages)) if reply.status == 200 else None
        if answers is None:
            raise self._refusal(reply)
        return answers

    def _post(self, path: str, written: bytes, headers: dict[str, str]) -> Reply:
        """Asks a second time when the first answer is lost. Raises Unreachable, NotSent (later), OutcomeUnknown."""
        try:
            reply = self._line.post(path, written, headers)
        except OutcomeUnknown:
            return self._post_again(path, written, headers)
        return self._post_again(path, written, headers) if reply.status in LOST else reply

    def _post_again(self, path: str, written: bytes, headers: dict[str, str]) -> Reply:
        """What the second call fails by says nothing about the first, unless Resend has read the message."""
        lost = OutcomeUnknown("resend's answer was lost twice; it may have taken the message")
        try:
            reply = self._line.post(path, written, headers)
        except (NotSent, OutcomeUnknown):
            raise lost from None
        if reply.status not in READ:
            raise lost
        return reply

    def _judge(self, said: Any, count: int) -> list[Answer] | None:
        """Those with an error are named by their place; the others have their identifiers in order. None: no sense."""
        try:
            errors = {error["index"]: str(error.get("message") or "") for error in said.get("errors") or []}
            taken = [self._accepted(one["id"]) for one in said["data"]]
        except (AttributeError, KeyError, TypeError):
            return None
        if len(taken) + len(errors) != count or not errors.keys() <= set(range(count)):
            return None
        names = iter(taken)
        return [self._no(errors[place]) if place in errors else next(names) for place in range(count)]

    def _no(self, words: str) -> NotSent:
        return NotSent(self._line.say("no", words), permanent=True, reason=Refusal.REFUSED_BY_SERVER)

    def _refusal(self, reply: Reply) -> NotSent | OutcomeUnknown:
        if 200 <= reply.status < 300:
            return self._garbled(reply)
        name, words = _name(reply), str(reply.said.get("message") or "") if isinstance(reply.said, dict) else ""
        if name in STOP:
            return Unreachable(self._line.say(name, words), cure=STOP[name], reason=Refusal.SENDER_REFUSED)
        if name in TAKEN:
            return OutcomeUnknown(f"{self._line.say(name, words)}; the message was taken before")
        return self._line.refusal(reply, words)


def _name(reply: Reply) -> str:
    return str(reply.said.get("name") or "") if isinstance(reply.said, dict) else ""


def _request(letter: Letter, key: str) -> dict[str, Any]:
    """Tags come back with every event about the message; they hold our name for it and no personal data."""
    return {
        "from": rep_in_one_line(letter.sender),
        "to": [in_one_line(letter.recipient)],
        "reply_to": rep_in_one_line(letter.reply_to),
        "subject": letter.subject,
        "text": letter.text,
        "html": letter.html,
        "headers": dict(letter.headers),
        "tags": [{"name": KEY, "value": key}] if key else [],
    }
