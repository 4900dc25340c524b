"""Amazon SNS, which carries the events of SES: envelopes, signed with a certificate that Amazon itself shows.

"Verifying the signatures of Amazon SNS messages": version 1 is SHA1, version 2 SHA256, both RSA. Everybody with an
account at Amazon can have a topic, so only those named in the settings are heard; the host that certificate and
confirmation come from follows from the topic's region, and from nothing that the envelope says.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from accounts.errors import SettingsRefused
from flows.webhooks import Call, Forged, Plain, Unreadable
from flows.webhooks.certificates import Certificates, Fetch, fetch
from flows.webhooks.elements import read_json

#: What is signed, by type.
SIGNED: Mapping[str, tuple[str, ...]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
#: What stands in every envelope.
ALWAYS = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303  Amazon's choice
#: SNS says text/plain of its JSON.
CONTENT_TYPES = ("text/plain", "application/json")

_TOPIC = re.compile(r"arn:(?P<part>aws|aws-cn|aws-us-gov):sns:(?P<region>[a-z0-9-]+):\d{12}:[\w.-]{1,256}")
_CERTIFICATE = re.compile(r"SimpleNotificationService-[0-9a-f]{8,64}\.pem")
_PLAIN = re.compile(r"[\w.~:/?&=%+,@!$'()*;-]+", re.ASCII)


class Door(Plain):
    """`topics`: their ARNs. Raises SettingsRefused for one that is none."""

    content_types: tuple[str, ...] = CONTENT_TYPES
    may_wait = True

    def __init__(self, topics: list[str], fetch: Fetch = fetch) -> None:
        self._hosts = {topic: host_of(topic) for topic in topics}
        self._fetch = fetch
        self._certificates = Certificates(fetch)

    def prove(self, call: Call, now: datetime) -> str | None:
        envelope = read_envelope(call.body)
        host = self._hosts.get(str(envelope.get("TopicArn")))
        if host is None:
            raise Forged
        key = self._certificates.key(_on_host(envelope.get("SigningCertURL"), host, _CERTIFICATE), now)
        algorithm = HASHES.get(str(envelope.get("SignatureVersion")))
        if algorithm is None:
            raise Forged
        try:
            signature = b64decode(str(envelope.get("Signature")), validate=True)
            key.verify(signature, signed_text(envelope), padding.PKCS1v15(), algorithm)
        except (ValueError, InvalidSignature):
            raise Forged from None
        return str(envelope["MessageId"])

    def confirm(self, call: Call) -> bool:
        envelope = read_envelope(call.body)
        if envelope["Type"] != "SubscriptionConfirmation":
            return False
        self._fetch(_on_host(envelope.get("SubscribeURL"), self._hosts[envelope["TopicArn"]]))
        return True


def host_of(topic: str) -> str:
    """``arn:aws:sns:eu-west-1:…`` -> ``sns.eu-west-1.amazonaws.com``. Raises SettingsRefused."""
    found = _TOPIC.fullmatch(topic)
    if not found:
        cure = "write it as arn:aws:sns:REGION:ACCOUNT:NAME"
        raise SettingsRefused(f"{topic!r} is no topic", where="webhooks.ses_topics", cure=cure)
    return f"sns.{found['region']}.amazonaws.com" + (".cn" if found["part"] == "aws-cn" else "")


def read_envelope(body: bytes) -> dict[str, Any]:
    """Raises Forged for what is no envelope: nothing of it is signed."""
    try:
        envelope = read_json(body)
    except Unreadable:
        raise Forged from None
    if not isinstance(envelope, dict) or not all(isinstance(envelope.get(name), str) for name in ALWAYS):
        raise Forged
    if envelope["Type"] not in SIGNED:
        raise Forged
    return envelope


def signed_text(envelope: Mapping[str, Any]) -> bytes:
    """Each field as name, line feed, value, line feed; a subject only where there is one.

    Raises ValueError where a field is missing or is no text.
    """
    names = [name for name in SIGNED[envelope["Type"]] if name != "Subject" or envelope.get(name)]
    if not all(isinstance(envelope.get(name), str) for name in names):
        raise ValueError("a signed field is missing")
    return "".join(f"{name}\n{envelope[name]}\n" for name in names).encode()


def _on_host(url: object, host: str, path: re.Pattern[str] | None = None) -> str:
    """The address as it is, if it is one of that host, in plain letters, with nothing that programs read differently.

    Raises Forged for any other.
    """
    begin = f"https://{host}/"
    if not isinstance(url, str) or not url.startswith(begin) or not _PLAIN.fullmatch(url):
        raise Forged
    if path and not path.fullmatch(url.removeprefix(begin)):
        raise Forged
    return url
