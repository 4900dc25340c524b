"""Side by side with the providers' own verifiers, or what they publish where there is none: what we take they take, and
what they take we take.

Requests are valid ones, and such with anything changed. Ours is stricter in one way only: a signature has one spelling
and a time is a number.
"""

import base64
import binascii
import hashlib
import hmac
import json
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.webhooks import Forged, resend
from flows.webhooks.mailgun import PROOF, SKEW, WINDOW
from flows.webhooks.registry import doors_of
from flows.webhooks.sns import Door as Topic
from tests.webhooks import senders
from tests.webhooks.samples import SAMPLES
from tests.webhooks.samples import hubspot as crm_event
from tests.webhooks.senders import Request

NOW = datetime.now(UTC)
ONE_DOOR_EACH = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

bodies = st.sampled_from([b"", b"[]", b"{}", '[{"email": "jürgen@acme.example"}]'.encode()]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=40
).map(str.encode)


@st.composite
def changed(draw: st.DrawFn, request: Request, headers: tuple[str, ...]) -> Request:
    """The request as it was, or with one thing changed."""
    what = draw(st.sampled_from(["nothing", "body", *headers]))
    if what == "nothing":
        return request
    if what == "body":
        return replace(request, body=_altered(draw, request.body.decode("latin-1")).encode("latin-1"))
    return replace(request, headers={**request.headers, what: _altered(draw, request.headers[what])})


#: What may stand in JSON in place of a text.
NO_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def _altered(draw: st.DrawFn, text: str) -> str:
    """Something taken out, put in, doubled or put in another place; or nothing left."""
    at, letter = draw(st.integers(0, max(len(text) - 1, 0))), draw(st.sampled_from("aA1+/=. ,v-\t"))
    changes = [
        "", text[:at] + text[at + 1 :], text[:at] + letter + text[at:], text[:at] + letter + text[at + 1 :],
        text + text, text[:at], _swapped(text), text[::-1],
    ]  # fmt: skip
    return draw(st.sampled_from(changes))


def _swapped(text: str) -> str:
    """Capitals for small letters, of the alphabet only: those of other letters may not fit into a byte."""
    return "".join(letter.swapcase() if letter.isascii() else letter for letter in text)


def takes(door: Any, request: Request, now: datetime = NOW) -> bool:
    try:
        door.prove(request.call(), now)
    except Forged:
        return False
    return True


def one_spelling(text: str) -> bool:
    """Whether it is base64 as an encoder writes it."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except (binascii.Error, ValueError):
        return False


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


DOORS = doors_of(senders.secrets())


@ONE_DOOR_EACH
@given(st.data(), bodies)
def test_sendgrid(data: st.DataObject, body: bytes) -> None:
    from sendgrid.helpers.eventwebhook import EventWebhook

    signature, timestamp = (f"x-twilio-email-event-webhook-{name}" for name in ("signature", "timestamp"))
    now = datetime.now(UTC)  # which theirs asks for itself
    request = data.draw(changed(senders.sendgrid(body, now), (signature, timestamp)))
    ours = takes(DOORS["sendgrid"], request, now)
    try:
        text = request.body.decode()
        official = EventWebhook(senders.sendgrid_public())
        theirs = official.verify_signature(text, request.headers[signature], request.headers[timestamp])
    except ValueError:
        theirs = False
    assert ours == theirs or (theirs and not one_spelling(request.headers[signature]))


@ONE_DOOR_EACH
@given(st.data(), bodies)
def test_resend(data: st.DataObject, body: bytes) -> None:
    from svix.webhooks import Webhook

    names = ("svix-id", "svix-timestamp", "svix-signature")
    now = datetime.now(UTC)  # which theirs asks for itself
    request = data.draw(changed(senders.resend(body, now), names))
    ours = takes(DOORS["resend"], request, now)
    try:
        Webhook(senders.RESEND_SECRET).verify(request.body, dict(request.headers))
        theirs = True
    except Exception:  # theirs raises what base64, text and numbers raise
        theirs = False
    given_ = request.headers["svix-signature"].split(",")[-1]
    assert ours == theirs or (theirs and not (one_spelling(given_) and is_number(request.headers["svix-timestamp"])))


@ONE_DOOR_EACH
@given(st.data(), bodies)
def test_hubspot(data: st.DataObject, body: bytes) -> None:
    from hubspot.utils.signature import Signature

    signature, timestamp = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
    now = datetime.now(UTC)  # which theirs asks for itself
    request = data.draw(changed(senders.hubspot(body, now), (signature, timestamp)))
    ours = takes(DOORS["hubspot"], request, now)
    try:
        theirs = Signature.is_valid(
            request.headers[signature], senders.HUBSPOT_SECRET, request.body.decode(), request.call().uri, "POST", "v3",
            request.headers[timestamp],
        )  # fmt: skip
    except Exception:  # theirs raises its own error for times, and others for what is no text
        theirs = False
    assert ours == theirs or (theirs and not is_number(request.headers[timestamp]))


def as_mailgun_documents(key: str, token: str, timestamp: str, signature: str) -> bool:
    """ "Securing webhooks": HMAC-SHA256 of timestamp and token under the signing key, in hexadecimal."""
    encoded = hmac.new(key=key.encode(), msg=f"{timestamp}{token}".encode(), digestmod=hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature.encode(), encoded.encode())


@ONE_DOOR_EACH
@given(st.data(), st.sampled_from(["nothing", *PROOF]), st.sampled_from(["as JSON", "as a form"]), bodies)
def test_mailgun(data: st.DataObject, what: str, how: str, body: bytes) -> None:
    proof: dict[str, str] = senders.mailgun_proof(NOW)
    if what != "nothing":
        proof[what] = _altered(data.draw, proof[what])
    if how == "as JSON":
        request = Request("mailgun", {"content-type": senders.JSON}, senders.as_body({"signature": proof}))
    else:
        written = urlencode({"said": body.decode(), **proof}).encode()
        request = Request("mailgun", {"content-type": "application/x-www-form-urlencoded"}, written)
    theirs = as_mailgun_documents(senders.MAILGUN_KEY, proof["token"], proof["timestamp"], proof["signature"])
    assert takes(DOORS["mailgun"], request) == theirs


@ONE_DOOR_EACH
@given(st.integers(0, 9_999_999_999), st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.booleans())
def test_mailguns_own_signature_over_any_time_and_token(timestamp: int, token: str, is_now: bool) -> None:
    """Ours is stricter by the window, and by wanting a token, since that is what makes a post good for once."""
    said = str(int(NOW.timestamp()) if is_now else timestamp)
    right = hmac.new(senders.MAILGUN_KEY.encode(), f"{said}{token}".encode(), hashlib.sha256).hexdigest()
    proof = {"timestamp": said, "token": token, "signature": right}
    request = Request("mailgun", {"content-type": senders.JSON}, senders.as_body({"signature": proof}))
    assert as_mailgun_documents(senders.MAILGUN_KEY, token, said, right)
    age = NOW - datetime.fromtimestamp(int(said), UTC)
    assert takes(DOORS["mailgun"], request) == (bool(token) and -SKEW <= age <= WINDOW)


def as_rfc_7617(header: str, login: str) -> bool:
    """Postmark signs nothing: it shows the login of its address, as every client does."""
    scheme, _, said = header.partition(" ")
    try:
        return scheme.lower() == "basic" and base64.b64decode(said.strip(" "), validate=True).decode() == login
    except ValueError:
        return False


@ONE_DOOR_EACH
@given(st.data(), bodies)
def test_postmark(data: st.DataObject, body: bytes) -> None:
    request = data.draw(changed(senders.postmark(body), ("authorization",)))
    ours, header = takes(DOORS["postmark"], request), request.headers["authorization"]
    usual = header.startswith("Basic ") and one_spelling(header.removeprefix("Basic "))
    assert ours == (as_rfc_7617(header, senders.POSTMARK_LOGIN) and usual)


#: What may be changed in an envelope: fields that are signed, fields that are not, and one that nobody reads.
FIELDS = st.sampled_from(["Message", "MessageId", "Timestamp", "Signature", "SignatureVersion", "Subject", "Unheard"])


@ONE_DOOR_EACH
@given(st.data(), st.sampled_from(["1", "2"]), st.booleans())
def test_amazon(data: st.DataObject, version: str, with_subject: bool) -> None:
    from aws_sns_verifier import validate_sns_signature

    event = SAMPLES["ses"][3][0]
    envelope = senders.envelope(event, version, **({"Subject": "Bounce"} if with_subject else {}))
    name = data.draw(FIELDS)
    if data.draw(st.booleans()):
        envelope[name] = _altered(data.draw, str(envelope.get(name, "")))
    request = Request("ses", {}, json.dumps(envelope).encode())
    ours = takes(Topic([senders.TOPIC], lambda url: senders.amazon()[1]), request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", lambda *_, **__: BytesIO(senders.amazon()[1]))
        try:
            # theirs wants these two in every envelope
            validate_sns_signature({"Subject": "", "UnsubscribeURL": senders.HOST, **envelope}, senders.TOPIC)
            theirs = True
        except Exception:  # theirs raises nothing narrower
            theirs = False
    assert ours == theirs or (theirs and not one_spelling(envelope["Signature"]))


def test_untouched_requests_are_taken_by_all() -> None:
    """The tests above would also pass if both sides refused everything."""
    for request in (senders.sendgrid([], NOW), senders.resend({}, NOW), senders.hubspot([crm_event("x")], NOW),
                    senders.mailgun({}, NOW), senders.postmark({})):  # fmt: skip
        assert takes(DOORS[request.provider], request), request.provider


def test_of_several_signatures_one_that_fits_is_enough() -> None:
    """While a secret is replaced, Svix signs with the old and the new one."""
    request = senders.resend({"type": "email.opened", "data": {}}, NOW)
    right = request.headers["svix-signature"]
    assert takes(DOORS["resend"], request.but(svix_signature=f"v1,b2xkZXIgb25l {right} v1a,zzz"))
    assert not takes(DOORS["resend"], request.but(svix_signature=right.replace("v1,", "v2,")))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_what_was_signed_at_another_time_is_refused(minutes: int) -> None:
    """HubSpot's own client lets the future pass."""
    at = NOW + timedelta(minutes=minutes)
    assert not takes(DOORS["resend"], senders.resend({}, at))
    assert not takes(DOORS["hubspot"], senders.hubspot([], at))


def test_mailgun_may_try_for_eight_hours_and_not_for_ten() -> None:
    assert takes(DOORS["mailgun"], senders.mailgun({}, NOW - timedelta(hours=8)))
    assert not takes(DOORS["mailgun"], senders.mailgun({}, NOW - timedelta(hours=10)))
    assert not takes(DOORS["mailgun"], senders.mailgun({}, NOW + timedelta(hours=1)))


def test_hubspot_signs_the_address_it_was_told() -> None:
    request = senders.hubspot([], NOW, path="/hooks/hubspot?portal=1")
    assert takes(DOORS["hubspot"], request)
    assert not takes(DOORS["hubspot"], replace(request, path="/hooks/hubspot?portal=2"))


def test_hubspot_signs_an_address_without_some_of_its_escapes() -> None:
    """ "Validating requests": a table of twelve; what is not in it is signed as it stands."""
    told = senders.hubspot([], NOW, path="/hooks/hubspot?to=a:/?@!$'()*,;b%20c%2Bd")
    sent = "/hooks/hubspot?to=a%3A%2f%3F%40%21%24%27%28%29%2A%2c%3Bb%20c%2Bd"
    assert takes(DOORS["hubspot"], replace(told, path=sent))
    assert takes(DOORS["hubspot"], told)
    assert not takes(DOORS["hubspot"], replace(told, path=sent.replace("%20", " ")))
    assert not takes(DOORS["hubspot"], replace(told, path=sent.replace("%3A", "%253A")))


@ONE_DOOR_EACH
@given(st.sampled_from(["ses", "mailgun"]), st.data())
def test_whatever_strangers_write_into_a_post_it_is_refused_and_nothing_else(
    provider: str, data: st.DataObject
) -> None:
    """Texts where lists should be, and the other way round: before anything is proved."""
    made = senders.envelope("{}") if provider == "ses" else {"signature": senders.mailgun_proof(NOW), "event-data": {}}
    part = made if provider == "ses" else data.draw(st.sampled_from([made, made["signature"]]))
    spoilt = data.draw(st.sampled_from(sorted(part, key=lambda name: name != "Type")))
    part[spoilt] = data.draw(NO_TEXT)
    door = Topic([senders.TOPIC], lambda url: senders.amazon()[1]) if provider == "ses" else DOORS[provider]
    request = Request(provider, {"content-type": senders.JSON}, json.dumps(made).encode())
    if spoilt not in ("SignatureVersion", "event-data"):  # a number will do for the one, and nothing proves the other
        assert not takes(door, request)


def test_a_key_that_is_none_is_refused_when_the_app_starts_and_not_shown() -> None:
    from accounts.errors import SettingsRefused
    from flows.webhooks.secrets import Webhooks

    wrong: list[dict[str, Any]] = [
        {"sendgrid_key": "c2VjcmV0"}, {"sendgrid_key": "no base64"}, {"resend_secret": "whsec_%%%"},
        {"ses_topics": ["arn:aws:s3:::bucket"]},
    ]  # fmt: skip
    for values in wrong:
        with pytest.raises(SettingsRefused) as refusal:
            doors_of(Webhooks.model_validate(values))
        assert next(iter(values)) in str(refusal.value)
        assert "c2VjcmV0" not in str(refusal.value)
    assert resend.PREFIX in str(refusal.value) or "topic" in str(refusal.value)
