"""Amazon SES, API v2: requests are held against the service's own model (which botocore carries), letters are handed on
to moto's server, and errors are those of the documentation.
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, ClassVar

import requests
from botocore.loaders import Loader

from tests.channels.servers import Api, Asked, Said, faults, read_message

KEY_ID, KEY, REGION = "AKIAOFTHETESTS", "ses-secret-of-the-tests", "eu-west-1"
ACCOUNT = {"SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "HEALTHY"}


def error(status: int, code: str, message: str, **headers: str) -> Said:
    return Said(status, {"message": message}, {"x-amzn-ErrorType": code, **headers})


class Ses(Api):
    """moto: address of its server."""

    errors: ClassVar = {
        "bad request": error(400, "BadRequestException", "Illegal address nobody@acme.example"),
        "rejected": error(400, "MessageRejected", "Email contains invalid content."),
        "not verified": error(400, "MessageRejected", "Email address is not verified: ravi@mail.example"),
        "sender": error(400, "MailFromDomainNotVerifiedException", "The sending domain isn't verified."),
        "suspended": error(400, "AccountSuspendedException", "Sending is permanently restricted."),
        "paused": error(400, "SendingPausedException", "Sending is paused."),
        "limit": error(400, "LimitExceededException", "There are too many instances."),
        "not found": error(404, "NotFoundException", "Configuration set <x> does not exist."),
        "unauthorized": error(403, "UnrecognizedClientException", "The security token is invalid."),
        "signature": error(403, "InvalidSignatureException", "The request signature does not match."),
        "denied": error(403, "AccessDeniedException", "User is not authorized to perform ses:SendEmail"),
        "too many": error(
            429, "TooManyRequestsException", "Maximum sending rate exceeded.", **{"Retry-After": "40"}
        ),
        "day's quota": error(429, "TooManyRequestsException", "Daily message quota exceeded."),
        "throttled": error(400, "ThrottlingException", "Maximum sending rate exceeded."),
        "internal": error(500, "InternalServiceErrorException", "An internal error occurred."),
        "unavailable": error(503, "ServiceUnavailable", "Try again."),
        "gateway": Said(502, b"<html>"),
    }  # fmt: skip

    def __init__(self, moto: str) -> None:
        super().__init__()
        self._moto = moto

    def answer(self, asked: Asked) -> Said:
        scope = f"/{REGION}/ses/aws4_request"
        signed = asked.headers.get("authorization", "")
        if not (signed.startswith(f"AWS4-HMAC-SHA256 Credential={KEY_ID}/") and scope in signed):
            return self.say_no("key", self.errors["unauthorized"])
        if (asked.method, asked.path) == ("GET", "/v2/email/account"):
            return Said(200, ACCOUNT)
        if (asked.method, asked.path) != ("POST", "/v2/email/outbound-emails"):
            return self.say_no(asked.path, self.errors["not found"])
        mail = json.loads(asked.body)
        wrong = faults(_schema("SendEmailRequest"), mail)
        if wrong:
            return self.say_no(wrong, error(400, "BadRequestException", wrong))
        handed_on = requests.post(self._moto + asked.path, asked.body, headers=dict(asked.headers), timeout=10)
        if handed_on.status_code == 200:
            (to,) = mail["Destination"]["ToAddresses"]
            tags = {tag["Name"]: tag["Value"] for tag in mail.get("EmailTags", [])}
            arrived = read_message(b64decode(mail["Content"]["Raw"]["Data"]), tags.get("tandem"))
            assert arrived.recipient.address == to
            self.arrived.append(arrived)
        return Said(handed_on.status_code, handed_on.json())

    def refuse_address(self, asked: Asked, address: str) -> Said | None:
        about = asked.body and json.loads(asked.body).get("Destination", {}).get("ToAddresses") == [address]
        return self.errors["bad request"] if about else None


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a fresh one, with mail.example as a verified sender."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    signed = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20261124/{REGION}/ses/aws4_request, SignedHeaders=host, Signature=0"
    identity = {"EmailIdentity": "mail.example"}
    requests.post(
        f"{address}/v2/email/identities", json=identity, headers={"Authorization": signed}, timeout=10
    ).raise_for_status()
    try:
        yield address
    finally:
        server.stop()


@cache
def _schema(name: str) -> dict[str, Any]:
    """A shape of the service's model as a JSON schema; what the model does not know is refused."""
    return _converted(Loader().load_service_model("sesv2", "service-2")["shapes"], name)


def _converted(shapes: Mapping[str, Any], name: str) -> dict[str, Any]:
    shape = shapes[name]
    if shape["type"] == "structure":
        members = {key: _converted(shapes, member["shape"]) for key, member in shape["members"].items()}
        required = shape.get("required", [])
        return {"type": "object", "properties": members, "required": required, "additionalProperties": False}
    if shape["type"] == "list":
        return {"type": "array", "items": _converted(shapes, shape["member"]["shape"])}
    if shape["type"] == "map":
        return {"type": "object"}
    kinds = {"string": "string", "blob": "string", "timestamp": "number", "boolean": "boolean", "integer": "integer"}
    limits = {"min": "minLength", "max": "maxLength", "pattern": "pattern", "enum": "enum"}
    return {"type": kinds[shape["type"]], **{limits[key]: shape[key] for key in limits if key in shape}}
