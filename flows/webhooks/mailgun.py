"""Mailgun: one event a post, with a signature over a time and a token. The body is not signed, so a token is good once.

Event names: the user manual, "Events" and "Webhooks"; forms: the older webhooks, and events with attachments.
"""

import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from multipart import MultipartSegment, PushMultipartParser, parse_options_header

from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind as K
from flows.webhooks import JSON, Call, Event, Forged, Plain, Reader, Unreadable, names_of_noes
from flows.webhooks.elements import KEY, at_second, bounced, chosen, read_json, signal

SOURCE = "mailgun"
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
PROOF = ("timestamp", "token", "signature")
#: Mailgun tries again for eight hours; a token is remembered for longer than that.
WINDOW = timedelta(hours=9)
#: Fields that a form may have; Mailgun's have some thirty, and those of the sender.
MOST_FIELDS = 1_000
#: Clocks differ by minutes.
SKEW = timedelta(minutes=5)

EVENTS: Mapping[str, K] = {
    "accepted": K.ACCEPTED,
    "delivered": K.DELIVERED,
    "failed": K.BOUNCED,
    "bounced": K.BOUNCED,
    "rejected": K.DROPPED,
    "dropped": K.DROPPED,
    "opened": K.OPENED,
    "clicked": K.CLICKED,
    "complained": K.COMPLAINED,
    "unsubscribed": K.UNSUBSCRIBED,
}
"""`failed` is `deferred` where its severity is temporary; `bounced` and `dropped` are in forms only."""

#: Reasons of a failure that is Mailgun's own decision: what the person said before, or nothing.
SUPPRESSED: Mapping[str, K | None] = {
    "suppress-bounce": None,
    "suppress-unsubscribe": K.UNSUBSCRIBED,
    "suppress-complaint": K.COMPLAINED,
    "old": None,
}


class Door(Plain):
    content_types: tuple[str, ...] = (JSON, FORM, PARTS)
    most = 30_000_000  # events may carry the message
    may_wait = True  # where the proof stands is found out by reading all of it

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def prove(self, call: Call, now: datetime) -> str | None:
        try:
            proof = _proof(call.headers.get("content-type", ""), call.body)
        except Unreadable:
            raise Forged from None
        timestamp, token, signature = (str(proof.get(name, "")) for name in PROOF)
        right = hmac.digest(self._key, f"{timestamp}{token}".encode("utf-8", "replace"), "sha256").hex()
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")) or not token:
            raise Forged
        try:
            age = now - at_second(timestamp)
        except Unreadable:
            raise Forged from None
        if not -SKEW <= age <= WINDOW:
            raise Forged
        return token


def _proof(content_type: str, body: bytes) -> Mapping[str, Any]:
    """Where timestamp, token and signature stand: in a part of the JSON, or among the fields. Raises Unreadable."""
    if media_type(content_type) != JSON:
        return fields_of(content_type, body)
    said = read_json(body)
    proof = said.get("signature") if isinstance(said, dict) else None
    if not isinstance(proof, dict):
        raise Unreadable("has no signature")
    return proof


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def fields_of(content_type: str, body: bytes) -> dict[str, str]:
    """A form's texts. Variables of the sender stand among Mailgun's own fields, and may have their names: those of the
    proof it adds last, all others first. Raises Unreadable."""
    fields: dict[str, str] = {}
    for name, value in _pairs(content_type, body):
        if name in PROOF:
            fields[name] = value
        else:
            fields.setdefault(name, value)
    return fields


def _pairs(content_type: str, body: bytes) -> list[tuple[str, str]]:
    try:
        if media_type(content_type) == FORM:
            return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        return list(_texts(content_type, body))
    except ValueError:
        raise Unreadable("the post is no form") from None


def _texts(content_type: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Of the parts that are no file. A part within a part is text like any other. Raises ValueError."""
    _, options = parse_options_header(content_type)
    boundary = options.get("boundary", "").encode("latin-1", "replace")
    with PushMultipartParser(boundary, max_segment_count=MOST_FIELDS) as parser:
        name, content = None, bytearray()
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                name, content = event.name if event.filename is None else None, bytearray()
            elif event is not None:
                content += event if name is not None else b""
            elif name is not None:
                yield name, content.decode("utf-8", "replace")


def split(post: Post) -> list[Event]:
    if media_type(post.content_type) != JSON:
        return [fields_of(post.content_type, post.body)]
    said = read_json(post.body)
    if not isinstance(said, dict) or "event-data" not in said:
        raise Unreadable("the post has no event")
    return [said["event-data"]]


def translate(event: Event, post: Post) -> Iterator[Incoming]:
    return _translate_json(event, post) if media_type(post.content_type) == JSON else _translate_form(event, post)


def _translate_json(event: Event, post: Post) -> Iterator[Incoming]:
    said, at = event.get("event"), at_second(event["timestamp"])
    reason = event.get("reason")
    kind = _kind(said, event.get("severity"), reason)
    client, status = event.get("client-info") or {}, event.get("delivery-status") or {}
    data = {
        **chosen(event, (("url", "url"), ("reason", "cause"))),
        **chosen(client, (("user-agent", "user_agent"), ("bot", "bot"))),
        **chosen(status, (("code", "status"), ("message", "reason"))),
    }
    if data.get("bot"):
        data["machine"] = True
    if kind is K.BOUNCED:
        data |= bounced(True, data.pop("reason", ""), status.get("enhanced-code"))
    message = (event.get("message") or {}).get("headers") or {}
    about: dict[str, Any] = {"said": said, "event": event, "data": data}
    email, key = event.get("recipient"), (event.get("user-variables") or {}).get(KEY)
    yield signal(SOURCE, post.name, kind, at, key=key, message_id=message.get("message-id"), email=email, **about)
    if kind is K.DROPPED and (earlier := SUPPRESSED.get(str(reason))):
        yield signal(SOURCE, f"{post.name}/no", earlier, at, email=email, **about)


def _translate_form(event: Event, post: Post) -> Iterator[Incoming]:
    said, at = event.get("event"), at_second(event["timestamp"])
    kind = _kind(said, None, event.get("reason"))
    data = chosen(event, (("url", "url"), ("user-agent", "user_agent"), ("code", "status"), ("error", "reason")))
    if kind is K.BOUNCED:
        code = str(data.pop("status", ""))
        data |= bounced(not code.startswith("4"), data.pop("reason", ""), code)
    message_id = event.get("Message-Id") or event.get("message-id")
    yield signal(
        SOURCE, post.name, kind, at, said=said, event=event, key=event.get(KEY), message_id=message_id,
        email=event.get("recipient"), data=data,
    )  # fmt: skip


def _kind(said: object, severity: object, reason: object) -> K | None:
    kind = EVENTS.get(said) if isinstance(said, str) else None
    if said == "failed" and severity == "temporary":
        return K.DEFERRED
    return K.DROPPED if kind is K.BOUNCED and reason in SUPPRESSED else kind


READER = Reader(split, lambda event: event.get("event"), translate, names_of_noes(EVENTS))
