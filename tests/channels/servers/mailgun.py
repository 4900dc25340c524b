"""Mailgun's API, as its reference documents it: "Send an email in MIME format", "API Response Codes"."""

from base64 import b64encode
from email import message_from_bytes, policy
from typing import ClassVar

from tests.channels.servers import Api, Asked, Said, read_message

KEY, DOMAIN = "mailgun-key-of-the-tests", "mail.example"
LOGIN = "Basic " + b64encode(f"api:{KEY}".encode()).decode()
#: Besides these, only names that begin with h: or v:.
FIELDS = {
    "to", "message", "template", "t:version", "t:text", "t:variables", "o:tag", "o:dkim", "o:deliverytime",
    "o:testmode", "o:tracking", "o:tracking-clicks", "o:tracking-opens", "o:require-tls", "o:skip-verification",
}  # fmt: skip
YES_NO = {"yes", "no", "true", "false", "True", "False", "htmlonly"}
MOST_OPTIONS, MOST_OCTETS = 16_384, 25_000_000


class Mailgun(Api):
    errors: ClassVar = {
        "bad request": Said(400, {"message": "to parameter is not a valid address. please check documentation"}),
        "sender": Said(400, {"message": "Domain mail.example is not allowed to send: the domain is unverified"}),
        "unauthorized": Said(401, b"Forbidden"),
        "payment": Said(402, {"message": "Request failed"}),
        "forbidden": Said(403, {"message": "access denied"}),
        "not found": Said(404, {"message": "Domain not found: mail.example"}),
        "too large": Said(413, {"message": "Request entity too large"}),
        "limit": Said(420, {"message": "The sending limit of the hour is reached"}),
        "too many": Said(429, {"message": "Too many requests"}, {"Retry-After": "40"}),
        "internal": Said(500, {"message": "Internal Server Error"}),
        "unavailable": Said(503, b""),
        "gateway": Said(502, b"<html>"),
    }

    def answer(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != LOGIN:
            return self.say_no("key", self.errors["unauthorized"])
        if (asked.method, asked.path) != ("POST", f"/v3/{DOMAIN}/messages.mime"):
            return self.say_no(asked.path, self.errors["not found"])
        fields = _form(asked)
        if fields is None:
            return self.say_no("content type", Said(400, {"message": "not multipart/form-data"}))
        if not {"to", "message"} <= fields.keys():
            return Said(400, {"message": "to parameter is missing"})
        wrong = _faults(fields)
        if wrong:
            return self.say_no(wrong, Said(400, {"message": wrong}))
        arrived = read_message(fields["message"], fields.get("v:tandem", b"").decode() or None)
        if fields["to"].decode() != arrived.recipient.address:
            return self.say_no("sent to another than it is written to", self.errors["bad request"])
        self.arrived.append(arrived)
        return Said(200, {"id": arrived.headers["Message-ID"], "message": "Queued. Thank you."})

    def refuse_address(self, asked: Asked, address: str) -> Said | None:
        return self.errors["bad request"] if address.encode() in asked.body else None


def _form(asked: Asked) -> dict[str, bytes] | None:
    kind = asked.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data; boundary="):
        return None
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.body, policy=policy.HTTP)
    fields: dict[str, bytes] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        # A message inside a form is read as one by the parser; what was sent are its bytes.
        fields[str(name)] = _raw(asked.body, str(name))
    return fields


def _raw(body: bytes, name: str) -> bytes:
    boundary = body[: body.index(b"\r\n")]
    head = body.index(f'name="{name}"'.encode())
    start = body.index(b"\r\n\r\n", head) + 4
    return body[start : body.index(b"\r\n" + boundary, start)]


def _faults(fields: dict[str, bytes]) -> str | None:
    for name, value in fields.items():
        if name not in FIELDS and not name.startswith(("v:", "h:")):
            return f"{name} is no field"
        if name.startswith(("o:tracking", "o:testmode")) and value.decode() not in YES_NO:
            return f"{name} must be yes or no"
    options = sum(len(name) + len(value) for name, value in fields.items() if name[:2] in ("o:", "h:", "v:", "t:"))
    if options > MOST_OPTIONS:
        return "options over 16 KB"
    return "message over 25 MB" if len(fields["message"]) > MOST_OCTETS else None
