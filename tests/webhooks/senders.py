"""The providers' own side: keys, and requests signed as their documentation says. Written apart from what verifies."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from flows.webhooks import Call, sns
from flows.webhooks.secrets import Webhooks
from tests.cast import NOW

BASE_URL = "https://t.lumenflow.example"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:what-became-of-mails"
HOST = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE_URL = f"{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
MAILGUN_KEY, HUBSPOT_SECRET = "a signing key of the tests", "a client secret of the tests"
POSTMARK_LOGIN = "postmark:a password of the tests"
RESEND_SECRET = "whsec_" + base64.b64encode(b"twenty-four octets here!").decode()
JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """What a provider posts."""

    provider: str
    headers: Mapping[str, str]
    body: bytes
    path: str = field(default="")

    def call(self) -> Call:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Call(f"{BASE_URL}{self.path or '/hooks/' + self.provider}", headers, self.body)

    def but(self, **headers: str) -> "Request":
        """With other headers; `_` stands for `-`."""
        return replace(self, headers={**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


@cache
def sendgrid_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sendgrid_public() -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(sendgrid_key().public_key().public_bytes(serialization.Encoding.DER, form)).decode()


def sendgrid(said: Any, at: datetime = NOW) -> Request:
    body, timestamp = as_body(said), str(int(at.timestamp()))
    signature = sendgrid_key().sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "content-type": JSON,
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": timestamp,
    }
    return Request("sendgrid", headers, body)


def mailgun_proof(at: datetime = NOW, token: str = "4711" * 12) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    right = hmac.new(MAILGUN_KEY.encode(), (timestamp + token).encode(), sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": right}


def mailgun(event: Any, at: datetime = NOW, token: str = "4711" * 12) -> Request:
    return Request(
        "mailgun", {"content-type": JSON}, as_body({"signature": mailgun_proof(at, token), "event-data": event})
    )


def postmark(said: Any) -> Request:
    login = base64.b64encode(POSTMARK_LOGIN.encode()).decode()
    return Request("postmark", {"content-type": JSON, "authorization": f"Basic {login}"}, as_body(said))


@cache
def amazon() -> tuple[rsa.RSAPrivateKey, bytes]:
    """Key, and certificate as PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1_000))
        .not_valid_after(NOW + timedelta(days=1_000))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(serialization.Encoding.PEM)


def show(certificate: bytes) -> None:
    """In place of Amazon's host, which does not answer here: for all doors of this process from now on."""
    sns.Door.__init__.__defaults__ = (lambda url: certificate,)  # type: ignore[misc]


def envelope(said: Any, version: str = "2", **fields: Any) -> dict[str, Any]:
    """A signed envelope of SNS; `fields` stand in it and, where they belong to it, under the signature."""
    made: dict[str, Any] = {
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC,
        "Message": said if isinstance(said, str) else json.dumps(said), "Timestamp": "2026-11-24T10:00:00.000Z",
        "SignatureVersion": version, "SigningCertURL": CERTIFICATE_URL, **fields,
    }  # fmt: skip
    asked = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
    if made["Type"] == "Notification":
        asked = tuple(name for name in asked if name not in ("SubscribeURL", "Token"))
    text = "".join(f"{name}\n{made[name]}\n" for name in asked if name in made)
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303  Amazon signs so
    made["Signature"] = base64.b64encode(amazon()[0].sign(text.encode(), padding.PKCS1v15(), digest)).decode()
    return made


def ses(said: Any, version: str = "2", **fields: Any) -> Request:
    made = envelope(said, version, **fields)
    headers = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": made["Type"]}
    return Request("ses", headers, as_body(made))


def subscription(**fields: Any) -> Request:
    url = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
    asked = {"Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": url, **fields}
    return ses("You have chosen to subscribe to the topic.", **asked)


def resend(said: Any, at: datetime = NOW, id: str = "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj") -> Request:
    body, timestamp = as_body(said), str(int(at.timestamp()))
    key = base64.b64decode(RESEND_SECRET.removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, f"{id}.{timestamp}.".encode() + body, sha256).digest()).decode()
    headers = {
        "content-type": JSON, "svix-id": id, "svix-timestamp": timestamp, "svix-signature": f"v1,{right}",
    }  # fmt: skip
    return Request("resend", headers, body)


def hubspot(said: Any, at: datetime = NOW, path: str = "/hooks/hubspot") -> Request:
    body, timestamp = as_body(said), str(int(at.timestamp() * 1_000))
    signed = f"POST{BASE_URL}{path}".encode() + body + timestamp.encode()
    right = base64.b64encode(hmac.new(HUBSPOT_SECRET.encode(), signed, sha256).digest()).decode()
    headers = {"content-type": JSON, "x-hubspot-signature-v3": right, "x-hubspot-request-timestamp": timestamp}
    return Request("hubspot", headers, body, path)


def as_body(said: Any) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said).encode()


def secrets() -> Webhooks:
    return Webhooks.model_validate(
        {
            "sendgrid_key": sendgrid_public(), "mailgun_key": MAILGUN_KEY, "postmark_login": POSTMARK_LOGIN,
            "ses_topics": [TOPIC], "resend_secret": RESEND_SECRET, "hubspot_secret": HUBSPOT_SECRET,
        }
    )  # fmt: skip
