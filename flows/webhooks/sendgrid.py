"""Twilio SendGrid: lists of events, each post signed with ECDSA P-256 over the time and the raw body.

Event names and fields: docs.sendgrid.com, "Event webhook reference"; "Getting started with the event webhook security
features" for the signature. Our key is in `custom_args`, which SendGrid mixes into the event's own fields.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.errors import SettingsRefused
from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind as K
from flows.webhooks import Call, Event, Forged, Plain, Reader, names_of_noes
from flows.webhooks.elements import KEY, as_list, at_second, bounced, chosen, read_json, signal

SOURCE = "sendgrid"

EVENTS: Mapping[str, K] = {
    "processed": K.ACCEPTED,
    "deferred": K.DEFERRED,
    "delivered": K.DELIVERED,
    "dropped": K.DROPPED,
    "bounce": K.BOUNCED,
    "open": K.OPENED,
    "click": K.CLICKED,
    "spamreport": K.COMPLAINED,
    "unsubscribe": K.UNSUBSCRIBED,
    "group_unsubscribe": K.UNSUBSCRIBED,
}
"""`group_resubscribe` is not in it: who wants mail again tells us, on the preference page."""

#: A bounce of this type is a server's no to us, or for now; the address may be good.
BLOCKED = "blocked"
#: Why something was dropped, where that is what the person said before.
SAID_BEFORE: Mapping[str, K] = {"Unsubscribed Address": K.UNSUBSCRIBED, "Spam Reporting Address": K.COMPLAINED}
#: Fields that are kept, by their name there and here.
KEPT = (("url", "url"), ("useragent", "user_agent"), ("reason", "reason"), ("status", "status"))

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


class Door(Plain):
    """No window of time: SendGrid tries for a day, and a post that comes again is known by its digest."""

    def __init__(self, key: str) -> None:
        self._key = _public_key(key)

    def prove(self, call: Call, now: datetime) -> str | None:
        said = call.headers.get(TIMESTAMP, "").encode() + call.body
        try:
            signature = b64decode(call.headers.get(SIGNATURE, ""), validate=True)
            self._key.verify(signature, said, ec.ECDSA(hashes.SHA256()))
        except (ValueError, InvalidSignature):
            raise Forged from None
        return None


def _public_key(written: str) -> ec.EllipticCurvePublicKey:
    """Base64 as SendGrid's page shows it, with or without PEM lines. Raises SettingsRefused."""
    lines = [line.strip() for line in written.strip().splitlines() if not line.startswith("-----")]
    try:
        key = serialization.load_der_public_key(b64decode("".join(lines), validate=True))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        cure = "copy the verification key from SendGrid's page Mail settings, Event webhook"
        raise SettingsRefused("is no public key of SendGrid's kind", where="webhooks.sendgrid_key", cure=cure)
    return key


def split(post: Post) -> list[Event]:
    return as_list(read_json(post.body))


def translate(event: Event, post: Post) -> Sequence[Incoming]:
    said, at, email = event.get("event"), at_second(event["timestamp"]), event.get("email")
    kind = EVENTS.get(said) if isinstance(said, str) else None
    name = event.get("sg_event_id")
    name = name if isinstance(name, str) and name else sha256(orjson.dumps(event)).hexdigest()
    data = chosen(event, KEPT)
    if event.get("sg_machine_open") is True:
        data["machine"] = True
    if kind is K.BOUNCED:
        data |= bounced(event.get("type") != BLOCKED, data.pop("reason", ""), data.pop("status", ""))
    sent_as = str(event.get("sg_message_id") or "").partition(".")[0]  # what follows names the machine and the reader
    told = signal(
        SOURCE, name, kind, at, said=said, event=event, key=event.get(KEY), message_id=event.get("smtp-id"),
        email=email, provider_id=sent_as, data=data,
    )  # fmt: skip
    earlier = SAID_BEFORE.get(event.get("reason") or "") if kind is K.DROPPED else None
    if earlier is None:
        return (told,)
    # without the key: that this mail was dropped says that it did not leave, and a no says that it did
    return told, signal(SOURCE, f"{name}/no", earlier, at, said=said, event=event, email=email, data=data)


READER = Reader(split, lambda event: event.get("event"), translate, names_of_noes(EVENTS, "dropped"))
