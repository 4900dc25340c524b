"""Resend's API, as resend/resend-openapi and its reference document it: emails, batch, idempotency keys, errors."""

import json
from typing import Any, ClassVar

from tests.channels.servers import Api, Arrived, Asked, Said, faults, read_box, strict

KEY = "re_resend-key-of-the-tests"
TEXT = {"type": "string"}
WORD = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,256}$"}
ONE_OR_MORE = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 50}]}
EMAIL = strict(
    {
        "from": TEXT, "to": ONE_OR_MORE, "subject": TEXT, "bcc": ONE_OR_MORE, "cc": ONE_OR_MORE,
        "reply_to": ONE_OR_MORE, "html": TEXT, "text": TEXT, "scheduled_at": TEXT, "attachments": {"type": "array"},
        "headers": {"type": "object", "additionalProperties": TEXT}, "topic_id": TEXT,
        "tags": {"type": "array", "items": strict({"name": WORD, "value": WORD}, "name", "value")},
    },
    "from", "to", "subject",
)  # fmt: skip
MOST = 100


def error(status: int, name: str, message: str) -> Said:
    return Said(status, {"statusCode": status, "name": name, "message": message})


class Resend(Api):
    errors: ClassVar = {
        "validation": error(422, "validation_error", "Invalid `to` field: nobody@acme.example"),
        "missing field": error(422, "missing_required_field", "Missing `subject` field."),
        "missing key": error(401, "missing_api_key", "Missing API key in the authorization header."),
        "invalid key": error(403, "invalid_api_key", "API key is invalid."),
        "testing": error(403, "validation_error", "You can only send testing emails to your own email address."),
        "sender": error(422, "invalid_from_address", "Invalid `from` field."),
        "not found": error(404, "not_found", "The requested endpoint does not exist."),
        "other words": error(409, "invalid_idempotent_request", "Same idempotency key, another payload."),
        "at the same time": error(409, "concurrent_idempotent_requests", "Same idempotency key, still in progress."),
        "too many": Said(
            429, error(429, "rate_limit_exceeded", "Too many requests.").body, {"retry-after": "40"}
        ),
        "day's quota": error(429, "daily_quota_exceeded", "You have reached your daily email sending quota."),
        "month's quota": error(429, "monthly_quota_exceeded", "You have reached your monthly quota."),
        "internal": error(500, "application_error", "An unexpected error occurred."),
        "unavailable": Said(503, b""),
        "gateway": Said(502, b"<html>"),
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.remembered: dict[str, tuple[bytes, Said]] = {}
        self.unwanted: set[str] = set()

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return self.say_no("key", self.errors["invalid key"])
        if (asked.method, asked.path) == ("GET", "/domains"):
            return Said(200, {"object": "list", "data": []})
        if asked.method != "POST" or asked.path not in ("/emails", "/emails/batch"):
            return self.say_no(asked.path, self.errors["not found"])
        if asked.headers.get("content-type") != "application/json":
            return self.say_no("content type", error(400, "validation_error", "JSON is wanted"))
        key = asked.headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 256:
            return self.say_no("key", error(400, "invalid_idempotency_key", "The key must be between 1-256 chars."))
        if key in self.remembered:
            body, said = self.remembered[key]
            return said if body == asked.body else self.errors["other words"]
        said = self._take(asked)
        if said.status == 200:
            self.remembered[key] = (asked.body, said)
        return said

    def _take(self, asked: Asked) -> Said:
        mail = json.loads(asked.body)
        if asked.path == "/emails":
            wrong = self._faults(mail)
            return error(422, "validation_error", wrong) if wrong else Said(200, {"id": self._keep(mail)})
        if not 1 <= len(mail) <= MOST:
            return self.say_no("too many", error(422, "validation_error", "A batch has 1 to 100 emails."))
        wrongs = {place: wrong for place, one in enumerate(mail) if (wrong := self._faults(one))}
        if wrongs and asked.headers.get("x-batch-validation") != "permissive":
            return error(422, "validation_error", next(iter(wrongs.values())))
        data = [{"id": self._keep(one)} for place, one in enumerate(mail) if place not in wrongs]
        errors = [{"index": place, "message": wrong} for place, wrong in wrongs.items()]
        return Said(200, {"data": data, "errors": errors} if errors else {"data": data})

    def _faults(self, mail: dict[str, Any]) -> str | None:
        wrong = faults(EMAIL, mail)
        if wrong:
            self.refused.append(wrong)
        elif not (mail.get("html") or mail.get("text")):
            wrong = "Missing `html` or `text` field."
        elif read_box(mail["to"][0]).address in self.unwanted:
            wrong = f"Invalid `to` field: {mail['to'][0]}"
        return wrong

    def _keep(self, mail: dict[str, Any]) -> str:
        boxes = [read_box(written) for written in (mail["from"], mail["to"][0], mail["reply_to"])]
        key = {tag["name"]: tag["value"] for tag in mail["tags"]}.get("tandem")
        headers = mail["headers"]
        self.arrived.append(
            Arrived(boxes[0], boxes[1], boxes[2], mail["subject"], mail["text"], mail["html"], headers, key)
        )
        return f"re-{len(self.arrived)}"

    def refuse_address(self, asked: Asked, address: str) -> Said | None:
        self.unwanted.add(address)
        return None
