"""Postmark: one event a post, and no signature. What proves it is what its address or a header of ours holds.

Record types and fields: the developer pages, "Webhooks"; bounce types: "Bounce API".
"""

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime

from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind as K
from flows.webhooks import Call, Event, Forged, Plain, Reader, Unreadable
from flows.webhooks.elements import KEY, at_instant, bounced, chosen, read_json, signal

SOURCE = "postmark"
TOKEN = "x-tandem-token"  # noqa: S105  the name of a header

EVENTS: Mapping[str, K] = {
    "Delivery": K.DELIVERED,
    "Bounce": K.BOUNCED,
    "SpamComplaint": K.COMPLAINED,
    "Open": K.OPENED,
    "Click": K.CLICKED,
    "SubscriptionChange": K.UNSUBSCRIBED,
}
"""`Bounce` and `SubscriptionChange` say more by their type and reason."""

#: Types of bounces: what each is, and whether for good.
BOUNCES: Mapping[str, tuple[K, str | None]] = {
    "HardBounce": (K.BOUNCED, "hard"),
    "BadEmailAddress": (K.BOUNCED, "hard"),
    "AddressChange": (K.BOUNCED, "hard"),
    "SoftBounce": (K.BOUNCED, "soft"),
    "Blocked": (K.BOUNCED, "soft"),
    "DMARCPolicy": (K.BOUNCED, "soft"),
    "VirusNotification": (K.BOUNCED, "soft"),
    "Unknown": (K.BOUNCED, "soft"),
    "Transient": (K.DEFERRED, None),
    "DnsError": (K.DEFERRED, None),
    "OpenRelayTest": (K.DEFERRED, None),
    "AutoResponder": (K.OUT_OF_OFFICE, None),
    "SpamNotification": (K.COMPLAINED, None),
    "SpamComplaint": (K.COMPLAINED, None),
    "Unsubscribe": (K.UNSUBSCRIBED, None),
    "ManuallyDeactivated": (K.DROPPED, None),
    "Unconfirmed": (K.DROPPED, None),
    "SMTPApiError": (K.DROPPED, None),
    "TemplateRenderingFailed": (K.DROPPED, None),
}

#: Why Postmark will not write to somebody any more.
SUPPRESSIONS: Mapping[str, tuple[K, str | None]] = {
    "ManualSuppression": (K.UNSUBSCRIBED, None),
    "SpamComplaint": (K.COMPLAINED, None),
    "HardBounce": (K.BOUNCED, "hard"),
}

WHEN = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
KEPT = (
    ("OriginalLink", "url"), ("UserAgent", "user_agent"), ("Type", "type"), ("Description", "description"),
    ("Details", "reason"), ("Origin", "origin"), ("SuppressionReason", "cause"),
)  # fmt: skip


class Door(Plain):
    def __init__(self, login: str | None, token: str | None) -> None:
        self._proofs = [(TOKEN, token.encode())] if token else []
        if login:
            self._proofs.append(("authorization", b"Basic " + b64encode(login.encode())))

    def prove(self, call: Call, now: datetime) -> str | None:
        said = [(call.headers.get(header, "").encode("utf-8", "replace"), right) for header, right in self._proofs]
        matches = [hmac.compare_digest(one, right) for one, right in said]
        if not any(matches):
            raise Forged
        return None


def split(post: Post) -> list[Event]:
    said = read_json(post.body)
    if not isinstance(said, dict):
        raise Unreadable("the post has no event")
    return [said]


def name(event: Event) -> object:
    return event.get("RecordType") or ("Inbound" if "FromFull" in event else None)


def translate(event: Event, post: Post) -> Iterator[Incoming]:
    said = name(event)
    kind, bounce = kind_of(event)
    data = chosen(event, KEPT)
    if bounce:
        data |= bounced(bounce == "hard", data.pop("reason", ""))
    when = next((event[field] for field in WHEN if event.get(field)), None)
    at = at_instant(when) if when else post.received_at
    email = event.get("Email") or event.get("Recipient")
    key = (event.get("Metadata") or {}).get(KEY)
    yield signal(
        SOURCE, post.digest, kind, at, said=said, event=event, key=key, email=email,
        provider_id=event.get("MessageID"), is_dated=bool(when), data=data,
    )  # fmt: skip


def kind_of(event: Event) -> tuple[K | None, str | None]:
    """The kind, and hard or soft where it is a bounce."""
    said = name(event)
    kind = EVENTS.get(said) if isinstance(said, str) else None
    if kind is K.BOUNCED:
        return BOUNCES.get(str(event.get("Type")), (None, None))
    if kind is K.UNSUBSCRIBED:
        if event.get("SuppressSending") is False:
            return None, None  # wants mail again: that is for our own preference page
        return SUPPRESSIONS.get(str(event.get("SuppressionReason")), (K.UNSUBSCRIBED, None))
    return kind, None


READER = Reader(split, name, translate, frozenset({"Bounce", "SpamComplaint", "SubscriptionChange"}))
