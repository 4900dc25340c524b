"""Side by side with django-anymail, which has translated these providers for ten years.

Where the two differ on purpose, the difference stands here with its reason.
"""

from typing import Any

import pytest

from accounts.outcomes import read_kind
from accounts.vocabulary import SignalKind as K
from tests.cast import NOW
from tests.webhooks import senders
from tests.webhooks.samples import ALICE, SAMPLES, Sample
from tests.webhooks.test_events import signals_of

#: Their word for each of our kinds.
THEIRS: dict[K, set[str]] = {
    K.ACCEPTED: {"sent", "queued"},
    K.DELIVERED: {"delivered"},
    K.DEFERRED: {"deferred"},
    K.DROPPED: {"rejected", "failed"},
    K.BOUNCED: {"bounced"},
    K.COMPLAINED: {"complained"},
    K.OPENED: {"opened"},
    K.CLICKED: {"clicked"},
    K.UNSUBSCRIBED: {"unsubscribed"},
    K.OUT_OF_OFFICE: {"autoresponded"},
    K.UNKNOWN: {"unknown", "subscribed"},
}

#: (provider, their word, our kind) that differ, and why ours is meant.
ON_PURPOSE = {
    ("mailgun", "bounced", K.DROPPED): "what Mailgun's own list holds back never reached the address's server",
    ("postmark", "rejected", K.BOUNCED): "a bad address, a block: the mail came back, and the cause says whose fault",
    ("postmark", "bounced", K.UNKNOWN): "a bounce of a type nobody knows is no reason to give a person up",
    ("ses", "unknown", K.DEFERRED): "newer than their table",
    ("ses", "unknown", K.UNSUBSCRIBED): "newer than their table",
    ("resend", "unknown", K.ACCEPTED): "newer than their table",
    ("resend", "unknown", K.DROPPED): "newer than their table",
    ("resend", "unknown", K.UNSUBSCRIBED): "a contact that is set to unsubscribed has said no",
}


@pytest.fixture(scope="module", autouse=True)
def _django() -> None:
    from django.conf import settings

    if not settings.configured:
        settings.configure(ANYMAIL={"MAILGUN_WEBHOOK_SIGNING_KEY": senders.MAILGUN_KEY}, USE_TZ=True)


def their_events(provider: str, event: dict[str, Any]) -> list[Any]:
    from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
    from anymail.webhooks.mailgun import MailgunTrackingWebhookView
    from anymail.webhooks.postmark import PostmarkTrackingWebhookView
    from anymail.webhooks.resend import ResendTrackingWebhookView
    from anymail.webhooks.sendgrid import SendGridTrackingWebhookView

    # their views, without the request they would check first
    made: Any = {
        "sendgrid": SendGridTrackingWebhookView, "mailgun": MailgunTrackingWebhookView,
        "postmark": PostmarkTrackingWebhookView, "ses": AmazonSESTrackingWebhookView,
        "resend": ResendTrackingWebhookView,
    }[provider]  # fmt: skip
    view = made.__new__(made)
    if provider == "ses":
        return list(view.esp_to_anymail_events(event, senders.envelope(event)))
    if provider == "mailgun":
        return [view.esp_to_anymail_event({"signature": senders.mailgun_proof(), "event-data": event})]
    if provider == "resend":
        request = type("Request", (), {"headers": {"svix-id": "msg_1"}})()
        return [view.esp_to_anymail_event(event, request)]
    return [view.esp_to_anymail_event(event)]


@pytest.mark.parametrize("provider", list(SAMPLES))
def test_both_say_the_same_of_every_sample(provider: str, subtests: pytest.Subtests) -> None:
    for number, (event, _, _) in enumerate(_samples_of(provider)):
        with subtests.test(f"{number}: {event.get('event') or event.get('RecordType') or event.get('type')}"):
            (ours,), (theirs,) = signals_of(provider, event), their_events(provider, event)
            kind = read_kind(ours.kind)
            if (provider, theirs.event_type, kind) not in ON_PURPOSE:
                assert theirs.event_type in THEIRS[kind]
            assert theirs.recipient == ours.email == ALICE
            assert theirs.timestamp.replace(microsecond=0) == NOW == ours.occurred_at.replace(microsecond=0)
            assert theirs.click_url == (ours.data.get("url") if kind is K.CLICKED else theirs.click_url)
            if theirs.user_agent and kind in (K.OPENED, K.CLICKED):
                assert theirs.user_agent == ours.data["user_agent"] or provider == "resend"


def test_every_difference_that_is_explained_exists() -> None:
    met = {
        (provider, theirs.event_type, read_kind(ours.kind))
        for provider in SAMPLES
        for event, _, _ in _samples_of(provider)
        for ours, theirs in zip(signals_of(provider, event), their_events(provider, event), strict=True)
    }
    assert set(ON_PURPOSE) <= met


def _samples_of(provider: str) -> list[Sample]:
    """Theirs reads mail events only."""
    return [sample for sample in SAMPLES[provider] if sample[0].get("RecordType") != "Something new"]
