"""Amazon SES: events inside SNS envelopes (sns.py); one event may speak of several recipients.

"Contents of event data that Amazon SES publishes to Amazon SNS", and the older "notification contents", nearly the
same. Our key is a message tag.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind as K
from flows.webhooks import Event, Forged, Reader, Unreadable
from flows.webhooks.elements import KEY, at_instant, bounced, chosen, read_json, signal
from flows.webhooks.sns import read_envelope

SOURCE = "ses"

EVENTS: Mapping[str, K] = {
    "Send": K.ACCEPTED,
    "Delivery": K.DELIVERED,
    "DeliveryDelay": K.DEFERRED,
    "Bounce": K.BOUNCED,
    "Complaint": K.COMPLAINED,
    "Reject": K.DROPPED,
    "Rendering Failure": K.DROPPED,
    "Open": K.OPENED,
    "Click": K.CLICKED,
    "Subscription": K.UNSUBSCRIBED,
}

#: Where the parts of an event are called otherwise than the event.
PARTS: Mapping[str, str] = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}
#: Where an event names whom it speaks of; without it, it is everybody the mail went to.
WHOM: Mapping[str, str] = {
    "Bounce": "bouncedRecipients", "Complaint": "complainedRecipients", "DeliveryDelay": "delayedRecipients",
    "Delivery": "recipients",
}  # fmt: skip
PERMANENT = "Permanent"
#: Amazon tries its events on a new topic with this.
TRIAL = "Successfully validated SNS topic for Amazon SES event publishing."


def split(post: Post) -> list[Event]:
    """One event for each recipient it speaks of."""
    try:
        envelope = read_envelope(post.body)
    except Forged:
        raise Unreadable("the post is no envelope") from None
    if envelope["Type"] == "UnsubscribeConfirmation":
        raise Unreadable("Amazon has ended the subscription of the topic: no more events come; subscribe it again")
    message = envelope["Message"].strip()
    if envelope["Type"] != "Notification" or message == TRIAL:
        return []
    said = read_json(message.encode("utf-8", "surrogatepass"))
    if not isinstance(said, dict):
        raise Unreadable("the post has no event")
    about = {"event": said, "sent_at": envelope["Timestamp"]}
    return [{**about, "recipient": one} for one in _recipients(said)] or [about]


def name(element: Event) -> object:
    event = element["event"]
    return event.get("eventType") or event.get("notificationType")


def translate(element: Event, post: Post) -> Iterator[Incoming]:
    event, said = element["event"], name(element)
    kind = EVENTS.get(said) if isinstance(said, str) else None
    part, mail = _part(event), event.get("mail") or {}
    recipient = element.get("recipient") or {}
    data = {
        **chosen(part, (("link", "url"), ("userAgent", "user_agent"), ("bounceType", "type"), ("reason", "reason"),
                        ("bounceSubType", "cause"), ("complaintFeedbackType", "cause"))),
        **chosen(recipient, (("status", "status"), ("diagnosticCode", "reason"))),
    }  # fmt: skip
    if kind is K.BOUNCED:
        hard = part.get("bounceType") == PERMANENT
        data |= bounced(hard, data.pop("reason", ""), data.pop("status", ""))
    if kind is K.UNSUBSCRIBED and not _wants_less(part):
        kind = None
    email = recipient.get("emailAddress")
    at = at_instant(part.get("timestamp") or element["sent_at"])
    yield signal(
        SOURCE, f"{post.name}/{email}" if email else post.name, kind, at, said=said, event=event,
        key=_first(mail.get("tags"), KEY), message_id=_message_id(mail), email=email,
        provider_id=mail.get("messageId"), data=data,
    )  # fmt: skip


def _part(event: Event) -> Mapping[str, Any]:
    said = str(event.get("eventType") or event.get("notificationType"))
    part = event.get(PARTS.get(said, said.lower()))
    return part if isinstance(part, dict) else {}


def _recipients(event: Event) -> list[Mapping[str, Any]]:
    said = str(event.get("eventType") or event.get("notificationType"))
    named = _part(event).get(WHOM.get(said, ""))
    if not named:
        mail = event.get("mail")
        named = mail.get("destination") if isinstance(mail, dict) else None
    return [one if isinstance(one, dict) else {"emailAddress": one} for one in named or ()]


def _wants_less(part: Mapping[str, Any]) -> bool:
    """The page of Amazon's own list management was used to leave, all lists or some."""
    new = part.get("newTopicPreferences") or {}
    topics = new.get("topicSubscriptionStatus") or ()
    left = [one for one in topics if isinstance(one, dict) and str(one.get("subscriptionStatus")).lower() == "optout"]
    return new.get("unsubscribeAll") is True or bool(left)


def _message_id(mail: Mapping[str, Any]) -> object:
    """Ours, where the headers came along: SES gives messages a name of its own."""
    headers = mail.get("headers") or ()
    named = (one for one in headers if isinstance(one, dict) and str(one.get("name")).lower() == "message-id")
    return next((one.get("value") for one in named), None)


def _first(tags: object, tag: str) -> object:
    values = tags.get(tag) if isinstance(tags, dict) else None
    return values[0] if isinstance(values, list) and values else values


READER = Reader(split, name, translate, frozenset({"Bounce", "Complaint", "Subscription"}))
