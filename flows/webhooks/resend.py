"""Resend: one event a post, signed as Svix does (standardwebhooks.com): several signatures may stand side by side.

Event names and fields: resend.com/docs, "Webhooks". Our key is a tag.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from accounts.errors import SettingsRefused
from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind as K
from flows.webhooks import Call, Event, Forged, Plain, Reader, Unreadable, names_of_noes
from flows.webhooks.elements import KEY, at_instant, bounced, chosen, read_json, signal

SOURCE = "resend"
PREFIX = "whsec_"
#: Every attempt is signed anew, so its time may not be far from ours.
TOLERANCE = timedelta(minutes=5)

EVENTS: Mapping[str, K] = {
    "email.sent": K.ACCEPTED,
    "email.scheduled": K.ACCEPTED,
    "email.delivered": K.DELIVERED,
    "email.delivery_delayed": K.DEFERRED,
    "email.bounced": K.BOUNCED,
    "email.complained": K.COMPLAINED,
    "email.opened": K.OPENED,
    "email.clicked": K.CLICKED,
    "email.failed": K.DROPPED,
    "email.suppressed": K.DROPPED,
}
"""`contact.updated` with `unsubscribed` is an opt-out as well."""

PERMANENT = "Permanent"
CONTACT = "contact.updated"


class Door(Plain):
    def __init__(self, secret: str) -> None:
        try:
            self._key = b64decode(secret.strip().removeprefix(PREFIX), validate=True)
        except binascii.Error:
            self._key = b""
        if not self._key:
            cure = "copy the signing secret from Resend's page Webhooks; it begins with whsec_"
            raise SettingsRefused("is no signing secret", where="webhooks.resend_secret", cure=cure)

    def prove(self, call: Call, now: datetime) -> str | None:
        id, timestamp = (call.headers.get(f"svix-{name}", "") for name in ("id", "timestamp"))
        if not id or not timestamp.isdecimal() or not timestamp.isascii() or len(timestamp) > 11:
            raise Forged
        if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
            raise Forged
        said = f"{id}.{timestamp}.".encode() + call.body
        right = b64encode(hmac.digest(self._key, said, "sha256"))
        given = [one.partition(",") for one in call.headers.get("svix-signature", "").split(" ")]
        matches = [hmac.compare_digest(value.encode(), right) for version, _, value in given if version == "v1"]
        if not any(matches):
            raise Forged
        return id


def split(post: Post) -> list[Event]:
    said = read_json(post.body)
    if not isinstance(said, dict) or not isinstance(said.get("data"), dict):
        raise Unreadable("the post has no event")
    return [said]


def translate(event: Event, post: Post) -> Iterator[Incoming]:
    said, about = event.get("type"), event["data"]
    kind = EVENTS.get(said) if isinstance(said, str) else None
    if said == CONTACT and about.get("unsubscribed") is True:
        kind = K.UNSUBSCRIBED
    click, bounce = about.get("click") or {}, about.get("bounce") or {}
    data = {
        **chosen(click, (("link", "url"), ("userAgent", "user_agent"))),
        **chosen(bounce, (("message", "reason"), ("type", "type"), ("subType", "cause"))),
    }
    if kind is K.BOUNCED:
        data |= bounced(bounce.get("type", PERMANENT) == PERMANENT, data.pop("reason", ""))
    to = about.get("to")
    email = about.get("email") or (to[0] if isinstance(to, list) and to else to)
    yield signal(
        SOURCE, post.name, kind, at_instant(event.get("created_at")), said=said, event=event,
        key=_tag(about.get("tags")), message_id=_message_id(about), email=email,
        provider_id=about.get("email_id"), data=data,
    )  # fmt: skip


def _tag(tags: object) -> object:
    """As they come back: an object. As they are sent: a list of names and values."""
    if isinstance(tags, list):
        return next((one.get("value") for one in tags if isinstance(one, dict) and one.get("name") == KEY), None)
    return tags.get(KEY) if isinstance(tags, dict) else None


def _message_id(about: Event) -> object:
    headers = about.get("headers") or ()
    named = (one for one in headers if isinstance(one, dict) and str(one.get("name")).lower() == "message-id")
    return next((one.get("value") for one in named), None) or about.get("message_id")


READER = Reader(split, lambda event: event.get("type"), translate, names_of_noes(EVENTS, CONTACT))
