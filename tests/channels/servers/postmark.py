"""Postmark's API, as its developer pages document it: "Email API", "Server API", "API error codes"."""

import json
from typing import Any, ClassVar

from tests.channels.servers import Api, Arrived, Asked, Said, faults, read_box, strict

TOKEN = "postmark-token-of-the-tests"
STREAM = "broadcast"
TEXT = {"type": "string"}
NAMED = {"type": "array", "items": strict({"Name": TEXT, "Value": TEXT}, "Name", "Value")}
MESSAGE = {
    **strict(
        {
            "From": {**TEXT, "maxLength": 255}, "To": TEXT, "Cc": TEXT, "Bcc": TEXT, "ReplyTo": TEXT,
            "Subject": {**TEXT, "maxLength": 2000}, "Tag": {**TEXT, "maxLength": 1000}, "HtmlBody": TEXT,
            "TextBody": TEXT, "Headers": NAMED, "TrackOpens": {"type": "boolean"}, "Attachments": {"type": "array"},
            "TrackLinks": {"enum": ["None", "HtmlAndText", "HtmlOnly", "TextOnly"]},
            "Metadata": {
                "type": "object", "propertyNames": {"maxLength": 20},
                "additionalProperties": {**TEXT, "maxLength": 80}, "maxProperties": 10,
            },
            "MessageStream": TEXT,
        },
        "From", "To",
    ),
    "anyOf": [{"required": ["HtmlBody"]}, {"required": ["TextBody"]}],
}  # fmt: skip
MOST, MOST_OCTETS = 500, 50_000_000


def error(code: int, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "Message": message}


class Postmark(Api):
    errors: ClassVar = {
        "unauthorized": Said(401, error(10, "Bad or missing Server API token.")),
        "maintenance": Said(422, error(100, "Maintenance")),
        "invalid": Said(422, error(300, "Invalid 'To' address: 'nobody@acme.example'.")),
        "sender not found": Said(422, error(400, "The 'From' address is not a Sender Signature on your account.")),
        "sender not confirmed": Said(422, error(401, "The Sender Signature is not confirmed.")),
        "not allowed": Said(422, error(405, "You ran out of credits.")),
        "inactive": Said(422, error(406, "Found inactive addresses: nobody@acme.example.")),
        "too many in a batch": Said(422, error(410, "Too many batch messages.")),
        "pending": Said(422, error(412, "Your account is pending approval.")),
        "may not send": Said(422, error(413, "Account may not send.")),
        "no stream": Said(422, error(1235, "The 'MessageStream' does not exist.")),
        "too large": Said(413, b"Payload Too Large"),
        "too many": Said(429, error(429, "Rate limit exceeded."), {"Retry-After": "40"}),
        "internal": Said(500, error(0, "Internal Server Error")),
        "unavailable": Said(503, b"Service Unavailable"),
        "gateway": Said(504, b""),
    }

    def __init__(self) -> None:
        super().__init__()
        #: Addresses it does not write to: message by message, inside a 200.
        self.inactive: set[str] = set()

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("x-postmark-server-token") != TOKEN:
            return self.say_no("token", self.errors["unauthorized"])
        if (asked.method, asked.path) == ("GET", "/server"):
            return Said(200, {"ID": 1, "Name": "Nurture", "DeliveryType": "Live"})
        if asked.headers.get("content-type") != "application/json" or "application/json" not in asked.headers["accept"]:
            return self.say_no("content type", Said(415, b""))
        mail = json.loads(asked.body)
        if (asked.method, asked.path) == ("POST", "/email"):
            result = self._take(mail)
            return Said(200 if result["ErrorCode"] == 0 else 422, result)
        if (asked.method, asked.path) != ("POST", "/email/batch"):
            return self.say_no(asked.path, Said(404, b""))
        if len(mail) > MOST:
            return self.say_no("too many", self.errors["too many in a batch"])
        if len(asked.body) > MOST_OCTETS:
            return self.say_no("too large", self.errors["too large"])
        return Said(200, [self._take(one) for one in mail])

    def _take(self, mail: dict[str, Any]) -> dict[str, Any]:
        wrong = faults(MESSAGE, mail)
        if wrong:
            self.refused.append(wrong)
            return error(300, wrong)
        if mail["MessageStream"] != STREAM:
            return error(1235, "The 'MessageStream' does not exist.")
        if read_box(mail["To"]).address in self.inactive:
            return error(406, f"Found inactive addresses: {read_box(mail['To']).address}.")
        headers = {header["Name"]: header["Value"] for header in mail["Headers"]}
        if headers.pop("X-PM-KeepID", "false") != "true":
            headers["Message-ID"] = "<one-of-its-own@mtasv.example>"
        self.arrived.append(
            Arrived(
                read_box(mail["From"]), read_box(mail["To"]), read_box(mail["ReplyTo"]), mail["Subject"],
                mail["TextBody"], mail["HtmlBody"], headers, mail["Metadata"].get("tandem"),
            )
        )  # fmt: skip
        accepted = {"To": mail["To"], "SubmittedAt": "2026-11-24T10:00:00Z", "MessageID": f"pm-{len(self.arrived)}"}
        return {**accepted, "ErrorCode": 0, "Message": "OK"}

    def refuse_address(self, asked: Asked, address: str) -> Said | None:
        self.inactive.add(address)
        return None
