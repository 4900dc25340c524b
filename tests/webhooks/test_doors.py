"""`POST /hooks/…` on a real server: what is kept, what is refused, and what the answer gives away (nothing)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select

from accounts.ledger.engine import reading
from accounts.models import Webhook
from flows.settings import Settings
from flows.webhooks import Later, sns
from flows.webhooks.mailgun import fields_of
from flows.webhooks.secrets import Webhooks
from tests.cast import World
from tests.web.visitor import Browser, Clock, Serve
from tests.webhooks import senders
from tests.webhooks.samples import SAMPLES
from tests.webhooks.samples import hubspot as crm_event
from tests.webhooks.senders import Request


def deliver(web: Browser, request: Request) -> int:
    answer = web.post(request.path or f"/hooks/{request.provider}", data=request.body, headers=dict(request.headers))
    assert answer.content == b"", "an answer says nothing but its status"
    return answer.status_code


def stored(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(Webhook.__table__).order_by(Webhook.id)))


def signed(provider: str) -> Request:
    if provider == "hubspot":
        return senders.hubspot([crm_event("contact.creation")])
    event = SAMPLES[provider][0][0]
    make: Callable[[Any], Request] = getattr(senders, provider)
    return make([event] if provider == "sendgrid" else event)


#: What the door itself decides, whatever is behind it.
once = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PROVIDERS = [*SAMPLES, "hubspot"]
#: The header that proves it.
PROOF = {
    "sendgrid": "x-twilio-email-event-webhook-signature", "postmark": "authorization", "resend": "svix-signature",
    "hubspot": "x-hubspot-signature-v3",
}  # fmt: skip


@pytest.fixture(autouse=True)
def amazon(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Amazon's host does not answer here; what is asked of it is written down."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return senders.amazon()[1]

    monkeypatch.setattr(sns.Door.__init__, "__defaults__", (fetch,))
    return asked


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_signed_is_kept_as_it_came_and_once(provider: str, web: Browser, world: World) -> None:
    request = signed(provider)
    assert [deliver(web, request) for _ in range(3)] == [200, 200, 200]
    (row,) = stored(world.engine)
    assert (row.provider, row.body, row.state) == (provider, request.body, "waiting")


def forged(provider: str) -> list[Request]:
    """Nothing, something that is none, and another body under a signature that was good for this one."""
    request = signed(provider)
    if provider == "mailgun":
        wrong = senders.as_body({"signature": {**senders.mailgun_proof(), "signature": "0" * 64}, "event-data": {}})
        return [Request(provider, request.headers, body) for body in (wrong, b"{}", b"", b'{"signature": 1}', b"\xff")]
    if provider == "ses":
        return [Request(provider, request.headers, body) for body in (request.body[:-3] + b'"}', b"{}", b"", b"[1]")]
    proof = PROOF[provider]
    requests = [request.but(**{proof: value}) for value in ("", "no", request.headers[proof][:-6] + "AAAA==")]
    return requests if provider == "postmark" else [*requests, Request(provider, request.headers, b"[]")]


@once
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_not_signed_is_refused_counted_and_not_kept(provider: str, web: Browser, world: World) -> None:
    requests = forged(provider)
    assert {deliver(web, request) for request in requests} == {403}
    assert stored(world.engine) == []
    assert re.search(rf'outcome="forged",provider="{provider}"\}} {len(requests)}\.0', web.get("/metrics").text)


def test_a_token_of_mailgun_is_good_for_one_body(web: Browser, world: World) -> None:
    """The body is not signed: whoever has seen one request could post anything under its signature."""
    first = senders.mailgun(SAMPLES["mailgun"][1][0])
    other = senders.mailgun(SAMPLES["mailgun"][8][0])
    assert [deliver(web, one) for one in (first, other, first)] == [200, 403, 200]
    (row,) = stored(world.engine)
    assert row.body == first.body


def part(header: bytes, content: bytes = b"") -> bytes:
    return b"--x\r\nContent-Disposition: form-data" + header + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A form in parts, with a proof that is good."""
    proof = [part(f"; name={name}".encode(), said.encode()) for name, said in senders.mailgun_proof().items()]
    return b"".join((*parts, *proof, b"--x--\r\n"))


NESTED = b"".join(b"--y%d\r\nContent-Type: multipart/mixed; boundary=y%d\r\n\r\n" % (n, n + 1) for n in range(3000))
HOSTILE = {
    "parts in parts": NESTED.replace(b"--y0\r\n", b"--x\r\n"),
    "more parts than a form has": form(part(b"; name=a") * 20_000),
    "more headers than a part has": form(part(b"; name=a" + b"\r\na: b" * 1_000)),
    "a header without an end": form(part(b'; name="' + b"a" * 1_000_000)),
    "parts without a name for what they are": form(b"--x\r\n\r\n\r\n"),
    "no end": form()[:-9],
    "no part": b"--x--\r\n",
    "a name that is none, and no proof": part(b"; name=timestamp; )filename;form-data*") + b"--x--\r\n",
}


@once
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_form_that_is_made_to_hurt_is_refused(web: Browser, world: World, body: bytes) -> None:
    """Before anything is proved, strangers decide what is read."""
    assert deliver(web, Request("mailgun", {"content-type": "multipart/form-data; boundary=x"}, body)) == 403
    assert stored(world.engine) == []


@once
@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data;;=;"])
def test_a_form_in_parts_that_names_no_boundary_is_refused(web: Browser, kind: str) -> None:
    assert deliver(web, Request("mailgun", {"content-type": kind}, form())) == 403


@once
def test_what_stands_within_a_part_is_text_like_any_other(web: Browser, world: World) -> None:
    inner = part(b"; name=message\r\nContent-Type: multipart/mixed; boundary=y0", NESTED)
    assert deliver(web, Request("mailgun", {"content-type": "multipart/form-data; boundary=x"}, form(inner))) == 200
    (row,) = stored(world.engine)
    assert fields_of(row.content_type, row.body)["message"] == NESTED.decode()


@once
def test_a_provider_without_a_secret_has_no_address(serve: Serve, world: World, clock: Clock) -> None:
    web = serve(world.engine, clock, ways=Settings(webhooks=Webhooks(sendgrid_key=senders.sendgrid_public())))
    assert deliver(web, signed("sendgrid")) == 200
    assert {deliver(web, signed(provider)) for provider in ("mailgun", "postmark", "ses", "resend")} == {404}
    assert deliver(web, Request("nobody", {"content-type": "application/json"}, b"{}")) == 404


@once
def test_too_much_is_not_read(web: Browser, world: World) -> None:
    assert deliver(web, senders.sendgrid(b"[" + b" " * 5_000_000 + b"]")) == 413
    pieces = (b" " * 100_000 for _ in range(60))
    answer = web.post("/hooks/sendgrid", data=pieces, headers=dict(signed("sendgrid").headers))
    assert answer.status_code == 413, "without saying so before"
    assert stored(world.engine) == []


@once
def test_another_content_type_is_refused(web: Browser, world: World) -> None:
    for content_type in ("text/html", "multipart/form-data; boundary=x", ""):
        assert deliver(web, signed("sendgrid").but(content_type=content_type)) == 415
    assert stored(world.engine) == []


def test_signed_nonsense_is_kept_for_a_person_to_look_at(web: Browser, world: World) -> None:
    for body in (b"[{", b"\xff\xfe", b"", b"null"):
        assert deliver(web, senders.sendgrid(body)) == 200
    assert len(stored(world.engine)) == 4


@once
def test_postmark_may_show_a_header_instead(serve: Serve, world: World, clock: Clock) -> None:
    secrets = Webhooks.model_validate({"postmark_token": "a token of the tests"})
    web = serve(world.engine, clock, ways=Settings(webhooks=secrets))
    request = signed("postmark")
    assert deliver(web, request) == 403
    assert deliver(web, request.but(x_tandem_token="a token of the tests")) == 200


@once
def test_a_subscription_to_our_topic_is_confirmed_atamazons_own_address(
    web: Browser, world: World, amazon: list[str]
) -> None:
    request = senders.subscription()
    assert deliver(web, request) == 200
    assert [url.partition("?")[0] for url in amazon] == [senders.CERTIFICATE_URL, f"{senders.HOST}/"]
    assert stored(world.engine) == [], "there is no event in it"


@once
def test_a_subscription_that_leads_elsewhere_is_not_followed(web: Browser, amazon: list[str]) -> None:
    """Even when Amazon has signed it."""
    assert deliver(web, senders.subscription(SubscribeURL="https://evil.example/?Action=ConfirmSubscription")) == 403
    assert deliver(web, senders.subscription(TopicArn="arn:aws:sns:eu-west-1:123456789012:another")) == 403
    assert amazon == [senders.CERTIFICATE_URL]


@once
def test_whenamazon_does_not_show_its_certificate_the_post_comes_again(
    serve: Serve, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(url: str) -> bytes:
        raise Later("ConnectionError")

    monkeypatch.setattr(sns.Door.__init__, "__defaults__", (fetch,))
    secrets = Webhooks(ses_topics=[senders.TOPIC])
    web = serve(world.engine, clock, ways=Settings(webhooks=secrets))
    assert deliver(web, signed("ses")) == 503
    assert stored(world.engine) == []


@pytest.mark.parametrize(
    ("away", "back"),
    [
        ("ALTER TABLE webhook RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO webhook"),
        ("ALTER TABLE webhook RENAME body TO elsewhere", "ALTER TABLE webhook RENAME elsewhere TO body"),
    ],
    ids=["nothing can be read", "nothing can be written"],
)
def test_an_answer_is_given_only_for_what_is_safe(web: Browser, world: World, away: str, back: str) -> None:
    """The ledger is away: the provider hears so, and comes again."""
    with world.engine.begin() as connection:
        connection.exec_driver_sql(away)
    try:
        request = signed("sendgrid")
        assert web.post("/hooks/sendgrid", data=request.body, headers=dict(request.headers)).status_code == 503
    finally:
        with world.engine.begin() as connection:
            connection.exec_driver_sql(back)
    assert deliver(web, request) == 200


@once
def test_other_methods_find_nothing(web: Browser) -> None:
    assert web.get("/hooks/sendgrid").status_code in (404, 405)
