"""E-mail through Postmark: one message a call, or up to 500 as a list that is answered one by one inside a 200.

Fields, limits and error codes: the developer pages, "Email API" and "API error codes".
"""

from collections.abc import Sequence
from typing import Any

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import Answer, Letter, Outgoing, Sent
from flows.channels.email.http import KEY, Bundles, as_json, in_one_line, letter_of, rep_in_one_line, secret
from flows.channels.email.http_line import Line, Reply
from flows.providers import Postmark as PostmarkSettings

#: Postmark gives each message an identifier of its own unless it is told to keep ours.
KEEP_OUR_MESSAGE_ID = {"Name": "X-PM-KeepID", "Value": "true"}

#: Codes that speak of our account, and how to mend it: every other message would fare the same.
STOP = {
    10: "check postmark.token",
    400: "confirm the sending domain at Postmark",
    401: "confirm the sending domain at Postmark",
    405: "Postmark sends no more for this account: see its billing page",
    412: "Postmark has not approved the account yet",
    413: "Postmark lets this account send nothing",
    1235: "check postmark.stream",
}
LATER = {100: Refusal.SERVER_BUSY, 429: Refusal.TOO_MANY}
#: Other codes are about the message; this one has a word of its own: bounced, complained or unsubscribed there before.
INACTIVE_RECIPIENT = 406


class Postmark(Bundles):
    """Needs `postmark.token`, of a server. Raises SettingsRefused without it."""

    name = "postmark"
    octets = 50_000_000

    def __init__(self, settings: PostmarkSettings) -> None:
        headers = {
            "X-Postmark-Server-Token": secret(settings.token, "postmark.token"),
            "Content-Type": "application/json",
        }
        line = Line(self.name, settings.base_url, settings, headers=headers, cure="check postmark.token")
        super().__init__(line, settings, settings.batch)
        self._stream = settings.stream

    def check(self) -> str:
        """Asks which server the token belongs to. Raises Unreachable."""
        reply = self._line.get("/server")
        if reply.status != 200 or not isinstance(reply.said, dict) or "Name" not in reply.said:
            raise self._refusal(reply)
        return f"postmark: server {reply.said['Name']} answers, stream {self._stream}"

    def _write(self, message: Outgoing) -> bytes:
        return as_json(_request(letter_of(message), message.key, self._stream))

    def _send_one(self, message: Outgoing, written: bytes) -> Sent:
        reply = self._line.post("/email", written, {})
        if reply.status != 200 or not _is_result(reply.said):
            raise self._refusal(reply)
        answer = self._judge(reply.said)
        if isinstance(answer, NotSent):
            raise answer
        return answer

    def _send_bundle(self, messages: Sequence[Outgoing], written: bytes) -> list[Answer]:
        reply = self._line.post("/email/batch", written, {})
        results = reply.said if reply.status == 200 and isinstance(reply.said, list) else []
        if len(results) != len(messages) or not all(map(_is_result, results)):
            raise self._refusal(reply)
        return [self._judge(result) for result in results]

    def _judge(self, result: dict[str, Any]) -> Sent | NotSent:
        code = result["ErrorCode"]
        return self._accepted(result.get("MessageID")) if code == 0 else self._no(code, result.get("Message"))

    def _no(self, code: int, words: object) -> NotSent:
        said = self._line.say(code, str(words or ""))
        if code in STOP:
            return Unreachable(said, cure=STOP[code], reason=Refusal.SENDER_REFUSED)
        if code in LATER:
            return NotSent(f"{said}, for now", permanent=False, reason=LATER[code])
        reason = Refusal.DROPPED_BY_PROVIDER if code == INACTIVE_RECIPIENT else Refusal.REFUSED_BY_SERVER
        return NotSent(said, permanent=True, reason=reason)

    def _refusal(self, reply: Reply) -> NotSent | OutcomeUnknown:
        """422 means "see the code"; every other status outranks it."""
        if 200 <= reply.status < 300:
            return self._garbled(reply)
        if not _is_result(reply.said):
            return self._line.refusal(reply)
        if reply.status == 422:
            return self._no(reply.said["ErrorCode"], reply.said.get("Message"))
        return self._line.refusal(reply, str(reply.said.get("Message") or ""))


def _is_result(said: object) -> bool:
    return isinstance(said, dict) and isinstance(said.get("ErrorCode"), int)


def _request(letter: Letter, key: str, stream: str) -> dict[str, Any]:
    """Metadata comes back with every event about the message; it holds our name for it and no personal data."""
    headers = [{"Name": name, "Value": value} for name, value in letter.headers.items()]
    return {
        "From": rep_in_one_line(letter.sender),
        "To": in_one_line(letter.recipient),
        "ReplyTo": rep_in_one_line(letter.reply_to),
        "Subject": letter.subject,
        "TextBody": letter.text,
        "HtmlBody": letter.html,
        "Headers": [*headers, KEEP_OUR_MESSAGE_ID],
        "Metadata": {KEY: key} if key else {},
        "MessageStream": stream,
        "TrackOpens": False,
        "TrackLinks": "None",
    }
