"""Events as the providers' documentation describes them, about one mail to Alice. Invented people, every kind once."""

from typing import Any

from accounts.vocabulary import SignalKind as K
from tests.cast import NOW

ALICE = "alice@acme.example"
SECONDS = int(NOW.timestamp())
INSTANT = "2026-11-24T10:00:00Z"
OURS = "<tandem.1.abc@mail.lumenflow.example>"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
URL = "https://www.lumenflow.example/pilot"
NO_MAILBOX = "550 5.1.1 The email account that you tried to reach does not exist"

#: (event, kind, hard or soft)
Sample = tuple[dict[str, Any], K | None, str | None]


def sendgrid(event: str, **more: Any) -> dict[str, Any]:
    return {
        "email": ALICE, "timestamp": SECONDS, "smtp-id": OURS, "event": event, "category": ["nurture"],
        "sg_event_id": f"id-of-{event}", "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
        "tandem": "touch-1", **more,
    }  # fmt: skip


SENDGRID: list[Sample] = [
    (sendgrid("processed"), K.ACCEPTED, None),
    (sendgrid("deferred", response="400 try again later", attempt="5"), K.DEFERRED, None),
    (sendgrid("delivered", response="250 OK"), K.DELIVERED, None),
    (sendgrid("dropped", reason="Bounced Address", status="5.0.0"), K.DROPPED, None),
    (sendgrid("bounce", reason=NO_MAILBOX, status="5.1.1", type="bounce"), K.BOUNCED, "hard"),
    (sendgrid("bounce", reason="421 try again", status="4.0.0", type="blocked", sg_event_id="b2"), K.BOUNCED, "soft"),
    (sendgrid("open", useragent=USER_AGENT, ip="203.0.113.7", sg_machine_open=False), K.OPENED, None),
    (sendgrid("click", useragent=USER_AGENT, ip="203.0.113.7", url=URL), K.CLICKED, None),
    (sendgrid("spamreport"), K.COMPLAINED, None),
    (sendgrid("unsubscribe"), K.UNSUBSCRIBED, None),
    (sendgrid("group_unsubscribe", asm_group_id=10), K.UNSUBSCRIBED, None),
    (sendgrid("group_resubscribe", asm_group_id=10), None, None),
    (sendgrid("an event of next year"), None, None),
]


def mailgun(event: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "G9Bn5sl1TC6nu79C8C0bwg", "timestamp": SECONDS + 0.25, "event": event, "recipient": ALICE, "tags": [],
        "message": {"headers": {"to": ALICE, "message-id": OURS.strip("<>"), "subject": "The pilot"}},
        "user-variables": {"tandem": "touch-1"}, **more,
    }  # fmt: skip


_CLIENT = {"client-type": "browser", "user-agent": USER_AGENT, "client-name": "Firefox"}
_STATUS = {"code": 550, "message": NO_MAILBOX, "attempt-no": 1}

MAILGUN: list[Sample] = [
    (mailgun("accepted"), K.ACCEPTED, None),
    (mailgun("delivered", **{"delivery-status": {"code": 250, "message": "OK"}}), K.DELIVERED, None),
    (
        mailgun("failed", severity="permanent", reason="bounce", **{"delivery-status": _STATUS}),
        K.BOUNCED,
        "hard",
    ),
    (mailgun("failed", severity="temporary", reason="generic", **{"delivery-status": _STATUS}), K.DEFERRED, None),
    (mailgun("failed", severity="permanent", reason="suppress-bounce", **{"delivery-status": {}}), K.DROPPED, None),
    (mailgun("rejected", reject={"reason": "sandbox subdomains are for test purposes only"}), K.DROPPED, None),
    (mailgun("opened", **{"client-info": _CLIENT}), K.OPENED, None),
    (mailgun("clicked", url=URL, **{"client-info": _CLIENT}), K.CLICKED, None),
    (mailgun("unsubscribed", **{"client-info": _CLIENT}), K.UNSUBSCRIBED, None),
    (mailgun("complained"), K.COMPLAINED, None),
    (mailgun("stored"), None, None),
]


def postmark(record: str, **more: Any) -> dict[str, Any]:
    return {
        "RecordType": record, "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "MessageStream": "broadcast",
        "ServerID": 23, "Metadata": {"tandem": "touch-1"}, "Tag": "", **more,
    }  # fmt: skip


def _bounce(type_: str, code: int, words: str = "") -> dict[str, Any]:
    return postmark(
        "Bounce", ID=4323372036854775807, Type=type_, TypeCode=code, Name=type_, Email=ALICE, BouncedAt=INSTANT,
        Details=words, Description="", Inactive=True, CanActivate=True, From="ravi@lumenflow.example",
    )  # fmt: skip


def _change(reason: str | None, suppresses: bool = True) -> dict[str, Any]:
    return postmark(
        "SubscriptionChange", Recipient=ALICE, ChangedAt=INSTANT, Origin="Recipient", SuppressSending=suppresses,
        SuppressionReason=reason,
    )  # fmt: skip


POSTMARK: list[Sample] = [
    (postmark("Delivery", Recipient=ALICE, DeliveredAt=INSTANT, Details="250 OK"), K.DELIVERED, None),
    (_bounce("HardBounce", 1, NO_MAILBOX), K.BOUNCED, "hard"),
    (_bounce("SoftBounce", 4096), K.BOUNCED, "soft"),
    (_bounce("BadEmailAddress", 100000), K.BOUNCED, "hard"),
    (_bounce("Blocked", 100006), K.BOUNCED, "soft"),
    (_bounce("DnsError", 256), K.DEFERRED, None),
    (_bounce("Transient", 2), K.DEFERRED, None),
    (_bounce("SpamNotification", 512), K.COMPLAINED, None),
    (_bounce("AutoResponder", 32), K.OUT_OF_OFFICE, None),
    (_bounce("ManuallyDeactivated", 100002), K.DROPPED, None),
    (_bounce("A type of next year", 7), None, None),
    (
        postmark("SpamComplaint", ID=42, Type="SpamComplaint", TypeCode=100001, Email=ALICE, BouncedAt=INSTANT),
        K.COMPLAINED,
        None,
    ),
    (postmark("Open", Recipient=ALICE, ReceivedAt=INSTANT, FirstOpen=True, UserAgent=USER_AGENT), K.OPENED, None),
    (postmark("Click", Recipient=ALICE, ReceivedAt=INSTANT, OriginalLink=URL, UserAgent=USER_AGENT), K.CLICKED, None),
    (_change("ManualSuppression"), K.UNSUBSCRIBED, None),
    (_change("SpamComplaint"), K.COMPLAINED, None),
    (_change("HardBounce"), K.BOUNCED, "hard"),
    (_change(None, suppresses=False), None, None),
    (postmark("Something new", Recipient=ALICE, ReceivedAt=INSTANT), None, None),
]


def ses(event: str, part: str, **fields: Any) -> dict[str, Any]:
    mail = {
        "timestamp": INSTANT, "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
        "source": "ravi@mail.lumenflow.example", "destination": [ALICE], "headersTruncated": False,
        "headers": [{"name": "From", "value": "Ravi"}, {"name": "Message-ID", "value": OURS}],
        "tags": {"ses:configuration-set": ["nurture"], "tandem": ["touch-1"]},
    }  # fmt: skip
    return {"eventType": event, "mail": mail, part: {"timestamp": INSTANT, **fields}}


_TO_ALICE = [{"emailAddress": ALICE}]
_DEAD = [{"emailAddress": ALICE, "action": "failed", "status": "5.1.1", "diagnosticCode": f"smtp; {NO_MAILBOX}"}]
_TOPICS = {"unsubscribeAll": True, "topicSubscriptionStatus": [{"topicName": "News", "subscriptionStatus": "OptOut"}]}
_STAYS = {"unsubscribeAll": False, "topicSubscriptionStatus": [{"topicName": "News", "subscriptionStatus": "OptIn"}]}

SES: list[Sample] = [
    (ses("Send", "send"), K.ACCEPTED, None),
    (ses("Delivery", "delivery", recipients=[ALICE], smtpResponse="250 OK"), K.DELIVERED, None),
    (
        ses("DeliveryDelay", "deliveryDelay", delayType="TransientCommunicationFailure", delayedRecipients=_TO_ALICE),
        K.DEFERRED,
        None,
    ),
    (
        ses("Bounce", "bounce", bounceType="Permanent", bounceSubType="General", bouncedRecipients=_DEAD),
        K.BOUNCED,
        "hard",
    ),
    (
        ses("Bounce", "bounce", bounceType="Transient", bounceSubType="MailboxFull", bouncedRecipients=_TO_ALICE),
        K.BOUNCED,
        "soft",
    ),
    (ses("Complaint", "complaint", complainedRecipients=_TO_ALICE, complaintFeedbackType="abuse"), K.COMPLAINED, None),
    (ses("Reject", "reject", reason="Bad content"), K.DROPPED, None),
    (ses("Rendering Failure", "failure", errorMessage="no variable", templateName="x"), K.DROPPED, None),
    (ses("Open", "open", userAgent=USER_AGENT, ipAddress="203.0.113.7"), K.OPENED, None),
    (ses("Click", "click", userAgent=USER_AGENT, link=URL, ipAddress="203.0.113.7"), K.CLICKED, None),
    (ses("Subscription", "subscription", contactList="buyers", newTopicPreferences=_TOPICS), K.UNSUBSCRIBED, None),
    (ses("Subscription", "subscription", contactList="buyers", newTopicPreferences=_STAYS), None, None),
    (ses("An event of next year", "x"), None, None),
]


def resend(event: str, **more: Any) -> dict[str, Any]:
    data = {
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "created_at": "2026-11-24T09:00:00.000Z", "to": [ALICE],
        "from": "Ravi <ravi@mail.lumenflow.example>", "subject": "The pilot", "tags": {"tandem": "touch-1"},
        "headers": [{"name": "Message-ID", "value": OURS}], **more,
    }  # fmt: skip
    return {"type": event, "created_at": "2026-11-24T10:00:00.000Z", "data": data}


_FOR_GOOD = {"message": NO_MAILBOX, "type": "Permanent", "subType": "General"}
_FOR_NOW = {"message": "452 4.2.2 over quota", "type": "Transient", "subType": "MailboxFull"}
_CLICK = {"ipAddress": "203.0.113.7", "link": URL, "timestamp": INSTANT, "userAgent": USER_AGENT}

RESEND: list[Sample] = [
    (resend("email.sent"), K.ACCEPTED, None),
    (resend("email.scheduled"), K.ACCEPTED, None),
    (resend("email.delivered"), K.DELIVERED, None),
    (resend("email.delivery_delayed"), K.DEFERRED, None),
    (resend("email.bounced", bounce=_FOR_GOOD), K.BOUNCED, "hard"),
    (resend("email.bounced", bounce=_FOR_NOW), K.BOUNCED, "soft"),
    (resend("email.complained"), K.COMPLAINED, None),
    (resend("email.opened"), K.OPENED, None),
    (resend("email.clicked", click=_CLICK), K.CLICKED, None),
    (resend("email.failed", failed={"reason": "reached_daily_quota"}), K.DROPPED, None),
    (resend("email.suppressed"), K.DROPPED, None),
    (resend("contact.updated", email=ALICE, unsubscribed=True), K.UNSUBSCRIBED, None),
    (resend("contact.updated", email=ALICE, unsubscribed=False), None, None),
    (resend("domain.updated"), None, None),
]

SAMPLES: dict[str, list[Sample]] = {
    "sendgrid": SENDGRID, "mailgun": MAILGUN, "postmark": POSTMARK, "ses": SES, "resend": RESEND,
}  # fmt: skip


def hubspot(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "eventId": 100, "subscriptionId": 138, "portalId": 62515, "appId": 54321, "occurredAt": SECONDS * 1_000,
        "subscriptionType": kind, "attemptNumber": 0, "objectId": 123, "changeSource": "CRM", **more,
    }  # fmt: skip
