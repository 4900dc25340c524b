"""SendGrid's Web API v3, as twilio/sendgrid-oai documents it (tsg_mail_v3.json), and its page on rate limits."""

import json
import time
from typing import ClassVar

from flows.channels.email.compose import Mailbox
from tests.channels.servers import Api, Arrived, Asked, Said, faults, strict

KEY = "SG.sendgrid-key-of-the-tests"
EMAIL = strict({"email": {"type": "string", "format": "email"}, "name": {"type": "string"}}, "email")
MANY = {"type": "array", "maxItems": 1000, "items": EMAIL}
SWITCH = {"enable": {"type": "boolean"}}
#: "You may not override the following headers".
FORBIDDEN = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
    "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
HEADERS = {"type": "object", "additionalProperties": {"type": "string"}}
SEND = strict(
    {
        "personalizations": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": strict(
                {
                    "from": EMAIL, "to": {**MANY, "minItems": 1}, "cc": MANY, "bcc": MANY, "headers": HEADERS,
                    "subject": {"type": "string", "minLength": 1}, "send_at": {"type": "integer"},
                    "custom_args": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "to",
            ),
        },
        "from": EMAIL,
        "reply_to": EMAIL,
        "reply_to_list": {**MANY, "uniqueItems": True},
        "subject": {"type": "string", "minLength": 1},
        "content": {
            "type": "array",
            "minItems": 1,
            "items": strict(
                {"type": {"type": "string", "minLength": 1}, "value": {"type": "string", "minLength": 1}},
                "type", "value",
            ),
        },
        "headers": HEADERS,
        "categories": {"type": "array", "uniqueItems": True, "maxItems": 10, "items": {"maxLength": 255}},
        "tracking_settings": strict(
            {
                "click_tracking": strict({**SWITCH, "enable_text": {"type": "boolean"}}),
                "open_tracking": strict({**SWITCH, "substitution_tag": {"type": "string"}}),
                "subscription_tracking": strict({**SWITCH, "text": {}, "html": {}, "substitution_tag": {}}),
            }
        ),
    },
    "personalizations", "from", "subject", "content",
)  # fmt: skip


def error(message: str, field: str | None = None) -> dict[str, object]:
    return {"errors": [{"message": message, "field": field, "help": None}]}


class SendGrid(Api):
    errors: ClassVar = {
        "bad request": Said(400, error("Does not contain a valid address.", "personalizations.0.to.0.email")),
        "unauthorized": Said(401, error("authorization required")),
        "sender": Said(403, error("The from address does not match a verified Sender Identity.", "from")),
        "forbidden": Said(403, error("access forbidden")),
        "not found": Said(404, error("not found")),
        "too large": Said(413, error("content too large")),
        "too many": Said(429, error("too many requests"), {"X-RateLimit-Reset": "{in 40 s}"}),
        "internal": Said(500, error("internal server error")),
        "unavailable": Said(503, error("service unavailable")),
        "gateway": Said(502, b"<html>Bad Gateway</html>"),
    }

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return self.say_no("key", self.errors["unauthorized"])
        if (asked.method, asked.path) == ("GET", "/v3/scopes"):
            return Said(200, {"scopes": ["mail.send", "sender_verification_eligible"]})
        if (asked.method, asked.path) != ("POST", "/v3/mail/send"):
            return self.say_no(asked.path, self.errors["not found"])
        if asked.headers.get("content-type") != "application/json":
            return self.say_no("content type", Said(415, error("content type must be application/json")))
        mail = json.loads(asked.body)
        wrong = faults(SEND, mail)
        (envelope,) = mail["personalizations"] if not wrong else [{}]
        if not wrong and any(name.lower() in FORBIDDEN for name in mail.get("headers", {})):
            wrong = "a header that may not be set"
        if not wrong and len(json.dumps(envelope.get("custom_args", {}))) > 10_000:
            wrong = "custom_args over 10,000 bytes"
        if wrong:
            return self.say_no(wrong, Said(400, error(wrong)))
        parts = {part["type"]: part["value"] for part in mail["content"]}
        self.arrived.append(
            Arrived(
                _box(mail["from"]), _box(envelope["to"][0]), _box(mail["reply_to"]), mail["subject"],
                parts["text/plain"], parts["text/html"], mail["headers"], envelope.get("custom_args", {}).get("tandem"),
            )
        )  # fmt: skip
        return Said(202, b"", {"X-Message-Id": f"sg-{len(self.arrived)}"})

    def refuse_address(self, asked: Asked, address: str) -> Said | None:
        return self.errors["bad request"] if address.encode() in asked.body else None


def in_40_seconds(said: Said) -> Said:
    """The documentation's X-RateLimit-Reset is a second of the clock."""
    return Said(said.status, said.body, {"X-RateLimit-Reset": str(int(time.time()) + 40)})


def _box(email: dict[str, str]) -> Mailbox:
    return Mailbox(email.get("name", ""), email["email"])
