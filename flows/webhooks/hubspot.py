"""HubSpot: lists of what changed in the CRM, signed over method, address, body and time (version 3).

"Validating requests from HubSpot" and "Webhooks API". Its events name people by HubSpot's numbers only, and the import
brings what changed; what must not wait for it is an opt-out or an erasure. The number is what the import calls
`crm_id`; what becomes of one that nobody has is in contacts.py.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.vocabulary import SignalKind as K
from flows.webhooks import Call, Event, Forged, Plain, Reader, Unreadable
from flows.webhooks.elements import as_list, at_second, read_json, signal

SOURCE = "hubspot"
SIGNATURE, TIMESTAMP = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
#: Older ones are refused, and so are those that lie as far ahead.
TOLERANCE = timedelta(minutes=5)

EVENTS: Mapping[str, K] = {}
"""None of HubSpot's events is a buyer's doing: contact.creation, company.propertyChange … They are kept as they are."""

#: Of : / ? @ ! $ ' ( ) * , ; in an address.
_ESCAPED = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)

#: A contact is to be forgotten, or does not want mail.
FORGET = "contact.privacyDeletion"
OPT_OUT = "hs_email_optout"


class Door(Plain):
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def prove(self, call: Call, now: datetime) -> str | None:
        timestamp = call.headers.get(TIMESTAMP, "")
        if not timestamp.isdecimal() or not timestamp.isascii() or len(timestamp) > 14:
            raise Forged
        if abs(now - datetime.fromtimestamp(int(timestamp) / 1_000, UTC)) > TOLERANCE:
            raise Forged
        said = f"{call.method}{_as_signed(call.uri)}".encode() + call.body + timestamp.encode()
        right = b64encode(hmac.digest(self._secret, said, "sha256"))
        if not hmac.compare_digest(right, call.headers.get(SIGNATURE, "").encode("utf-8", "replace")):
            raise Forged
        return None


def _as_signed(uri: str) -> str:
    """The address without the escapes that HubSpot leaves out before it signs; all others stay."""
    return _ESCAPED.sub(lambda found: unquote(found[0]), uri)


def split(post: Post) -> list[Event]:
    return as_list(read_json(post.body))


def name(event: Event) -> object:
    """A change of the one property that matters is called after it."""
    return OPT_OUT if event.get("propertyName") == OPT_OUT else event.get("subscriptionType")


def translate(event: Event, post: Post) -> Iterator[Incoming]:
    said = name(event)
    at = at_second(event["occurredAt"] / 1_000)
    # the event's own id is used again now and then
    parts = ("eventId", "subscriptionId", "objectId", "occurredAt")
    id = "/".join(str(event.get(part)) for part in parts)
    if said == FORGET or (said == OPT_OUT and str(event.get("propertyValue")).lower() == "true"):
        about = {"crm_event": dict(event), **({"erase": True} if said == FORGET else {})}
        yield signal(SOURCE, id, K.UNSUBSCRIBED, at, said=said, event=event, crm_id=_number(event), data=about)
    else:
        yield signal(SOURCE, id, None, at, said=event.get("subscriptionType"), event=event)


def _number(event: Event) -> str:
    number = event.get("objectId")
    if isinstance(number, bool) or not isinstance(number, int):
        raise Unreadable("says no to mail and names no contact")
    return str(number)


READER = Reader(split, name, translate, frozenset({FORGET, OPT_OUT}))
