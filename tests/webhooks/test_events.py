"""What an event of a provider is to us: by its name, and where names are not enough by its fields."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from accounts.ledger.signals.recorded import fingerprint_of
from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from accounts.outcomes import read_kind
from accounts.vocabulary import SignalKind as K
from flows.webhooks.reading import noes_in, understand
from flows.webhooks.registry import READERS
from tests.cast import NOW
from tests.webhooks import samples, senders
from tests.webhooks.samples import ALICE, OURS, SAMPLES, SECONDS, URL, USER_AGENT


def post(provider: str, *events: Any) -> Post:
    """As it is stored: SendGrid posts lists, the others one event."""
    event = list(events) if provider == "sendgrid" else events[0]
    made = getattr(senders, provider)(event)
    return Post(provider, "the-name", "d" * 64, NOW, made.headers["content-type"], made.body)


def signals_of(provider: str, *events: Any) -> list[Incoming]:
    found: list[Incoming] = []
    assert understand(post(provider, *events), found) == []
    return found


def every_sample() -> Iterator[Any]:
    for provider, theirs in SAMPLES.items():
        for number, sample in enumerate(theirs):
            yield pytest.param(provider, *sample, id=f"{provider}-{number}-{sample[1] or 'unknown'}")


@pytest.mark.parametrize(("provider", "event", "kind", "bounce"), list(every_sample()))
def test_every_event_of_every_provider_has_its_kind(
    provider: str, event: dict[str, Any], kind: K | None, bounce: str | None
) -> None:
    (signal,) = signals_of(provider, event)
    assert read_kind(signal.kind) is (kind or K.UNKNOWN)
    assert signal.data.get("bounce") == bounce
    assert (signal.source, signal.occurred_at.replace(microsecond=0)) == (provider, NOW)
    assert signal.touch_id == 1, "our own key came back with it"
    assert signal.email == ALICE
    if kind is None:
        assert signal.data["event"], "what nobody knows is kept as it came"
    if kind is K.CLICKED:
        assert (signal.data["url"], signal.data["user_agent"]) == (URL, USER_AGENT)


@pytest.mark.parametrize("provider", ["sendgrid", "mailgun", "ses", "resend"])
def test_our_message_id_comes_back_where_the_provider_keeps_it(provider: str) -> None:
    (signal,) = signals_of(provider, SAMPLES[provider][1][0])
    assert (signal.message_id or "").strip("<>") == OURS.strip("<>")


@pytest.mark.parametrize(("provider", "event", "kind", "bounce"), list(every_sample()))
def test_the_door_hears_exactly_the_noes(
    provider: str, event: dict[str, Any], kind: K | None, bounce: str | None
) -> None:
    heard = [signal.kind for signal in noes_in(post(provider, event))]
    assert heard == ([kind] if kind in (K.UNSUBSCRIBED, K.COMPLAINED, K.BOUNCED) else [])


def test_a_mail_that_is_dropped_for_an_earlier_no_tells_of_that_no() -> None:
    """The person said it at another door of the same provider; nobody else would tell us."""
    event = samples.sendgrid("dropped", reason="Unsubscribed Address")
    dropped, no = signals_of("sendgrid", event)
    assert (dropped.kind, no.kind, no.touch_id) == (K.DROPPED, K.UNSUBSCRIBED, None)
    event = samples.mailgun("failed", severity="permanent", reason="suppress-complaint")
    assert [one.kind for one in signals_of("mailgun", event)] == [K.DROPPED, K.COMPLAINED]


def test_a_filter_that_refuses_us_says_nothing_about_the_person() -> None:
    words = "550 5.7.1 Message rejected due to spam content"
    (signal,) = signals_of("sendgrid", samples.sendgrid("bounce", reason=words, status="5.7.1", type="bounce"))
    assert signal.data["action"] == "our_fault"


def test_what_becomes_of_a_brief_is_no_buyers_doing() -> None:
    """A rep's bounce must not close a rep's address; the briefs' own states know about it."""
    to_ravi = {"email": "ravi@lumenflow.example"}
    (signal,) = signals_of(
        "sendgrid", samples.sendgrid("bounce", tandem="brief-3", reason="550 no such user", **to_ravi)
    )
    assert (signal.kind, signal.data["brief"], signal.data["diagnostic"]) == (K.BRIEF_BOUNCED, 3, "550 no such user")
    assert (signal.email, signal.touch_id) == (None, None)
    for key in ("brief-3", "notice-3", "letter-3"):
        (signal,) = signals_of("sendgrid", samples.sendgrid("open", tandem=key, **to_ravi))
        assert (read_kind(signal.kind), signal.email, signal.touch_id) == (K.UNKNOWN, None, None)


@pytest.mark.parametrize("provider", ["sendgrid", "postmark", "ses", "resend"])
def test_the_providers_own_name_for_the_mail_is_kept_as_a_clue(provider: str) -> None:
    """As its answer to the sending had it: see the samples and channels/email."""
    (signal,) = signals_of(provider, SAMPLES[provider][1][0])
    assert signal.provider_id
    assert "filter" not in signal.provider_id


def test_a_provider_says_itself_that_a_machine_opened_it() -> None:
    (opened,) = signals_of("sendgrid", samples.sendgrid("open", sg_machine_open=True))
    (clicked,) = signals_of("mailgun", samples.mailgun("clicked", **{"client-info": {"bot": "apple"}}))
    assert opened.data["machine"] is clicked.data["machine"] is True


def test_one_notification_of_amazon_speaks_of_each_recipient() -> None:
    dead = [{"emailAddress": "bob@acme.example"}, {"emailAddress": ALICE}]
    event = samples.ses("Bounce", "bounce", bounceType="Permanent", bouncedRecipients=dead)
    found = signals_of("ses", event)
    assert [one.email for one in found] == ["bob@acme.example", ALICE]
    assert len({one.source_id for one in found}) == 2


def test_the_older_notifications_of_amazon_are_understood_as_well() -> None:
    event = samples.ses("Complaint", "complaint", complainedRecipients=[{"emailAddress": ALICE}])
    event["notificationType"] = event.pop("eventType")
    (signal,) = signals_of("ses", event)
    assert (signal.kind, signal.email) == (K.COMPLAINED, ALICE)


def test_amazons_trial_of_a_new_topic_is_no_event() -> None:
    assert signals_of("ses", "Successfully validated SNS topic for Amazon SES event publishing.") == []


@pytest.mark.parametrize("parts", [False, True], ids=["form", "multipart"])
def test_mailguns_older_forms_are_understood(parts: bool) -> None:
    fields = {
        "event": "bounced", "recipient": ALICE, "code": "550", "error": samples.NO_MAILBOX, "Message-Id": OURS,
        "tandem": "touch-1", **senders.mailgun_proof(),
    }  # fmt: skip
    content_type, body = form(fields, parts)
    found: list[Incoming] = []
    assert understand(Post("mailgun", "t", "d" * 64, NOW, content_type, body), found) == []
    (signal,) = found
    assert (signal.kind, signal.data["bounce"], signal.touch_id, signal.message_id) == (K.BOUNCED, "hard", 1, OURS)


def form(fields: dict[str, str], parts: bool) -> tuple[str, bytes]:
    from urllib3.filepost import encode_multipart_formdata

    if parts:
        body, content_type = encode_multipart_formdata(
            {**fields, "attachment-1": ("a.txt", b"not a field", "text/plain")}
        )
        return content_type, body
    from urllib.parse import urlencode

    return "application/x-www-form-urlencoded", urlencode(fields).encode()


def test_hubspot_events_are_kept_and_told_apart_though_their_ids_are_not_unique() -> None:
    events = [samples.hubspot("contact.creation", objectId=n) for n in (1, 2)]
    made = senders.hubspot(events)
    found: list[Incoming] = []
    assert understand(Post("hubspot", "n", "d" * 64, NOW, "application/json", made.body), found) == []
    assert [(one.kind, one.occurred_at) for one in found] == [("contact.creation", NOW)] * 2
    assert len({one.source_id for one in found}) == 2


@pytest.mark.parametrize(
    "event",
    [
        samples.hubspot("contact.privacyDeletion"),
        samples.hubspot("contact.propertyChange", propertyName="hs_email_optout", propertyValue="true"),
    ],
)
def test_a_no_of_the_crm_names_the_contact_by_its_number(event: dict[str, Any]) -> None:
    found: list[Incoming] = []
    made = senders.hubspot([event])
    assert understand(Post("hubspot", "n", "d" * 64, NOW, "application/json", made.body), found) == []
    (signal,) = found
    assert (signal.kind, signal.crm_id, signal.email) == (K.UNSUBSCRIBED, "123", None)


def test_a_no_that_names_nobody_at_all_is_put_before_a_person() -> None:
    event = {**samples.hubspot("contact.privacyDeletion"), "objectId": None}
    made = senders.hubspot([event])
    (refused,) = understand(Post("hubspot", "n", "d" * 64, NOW, "application/json", made.body), [])
    assert refused.reason.sentence == "says no to mail and names no contact"
    assert json.loads(refused.written) == event


def test_every_provider_that_may_post_can_be_understood() -> None:
    from flows.webhooks.registry import doors_of

    assert set(doors_of(senders.secrets())) == set(READERS)


def test_times_are_the_events_own() -> None:
    (signal,) = signals_of("resend", SAMPLES["resend"][2][0])
    assert signal.occurred_at == NOW, "and not that of the mail, an hour before"
    assert signals_of("sendgrid", samples.sendgrid("open", timestamp=str(SECONDS)))[0].occurred_at == NOW


@pytest.mark.parametrize(("provider", "event", "kind", "bounce"), list(every_sample()))
def test_an_event_that_is_told_again_later_is_known_by_the_same_fingerprint(
    provider: str, event: dict[str, Any], kind: K | None, bounce: str | None
) -> None:
    """What it is known by begins with its time, so that time must come from what the provider wrote."""
    first = post(provider, event)
    told: list[Incoming] = []
    assert understand(first, told) == understand(replace(first, received_at=NOW + timedelta(hours=30)), told) == []
    once, twice = map(fingerprint_of, told)
    assert once == twice
    assert once.startswith(f"{int(told[0].occurred_at.timestamp() * 1_000):012x}")


def test_what_postmark_does_not_date_is_known_by_its_name_alone() -> None:
    undated = {"RecordType": "an event of next year", "MessageID": "883953f4", "Metadata": {"tandem": "touch-1"}}
    first = post("postmark", undated)
    told: list[Incoming] = []
    assert understand(first, told) == understand(replace(first, received_at=NOW + timedelta(hours=30)), told) == []
    assert fingerprint_of(told[0]) == fingerprint_of(told[1])
    assert told[0].occurred_at != told[1].occurred_at
