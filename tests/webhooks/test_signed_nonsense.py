"""Bodies that schemathesis makes up out of what providers document, signed as the provider signs: whatever passes the
proof is kept, and every element of it becomes a signal or waits in quarantine."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from accounts.ledger.engine import reading
from accounts.ledger.signals.webhooks import Post
from accounts.models import Signal, Webhook
from flows.webhooks.reading import NO_SENSE, read_posts
from flows.webhooks.registry import READERS
from tests.cast import NOW, World
from tests.web.visitor import Browser, on_sqlite
from tests.webhooks import samples, senders
from tests.webhooks.samples import SAMPLES
from tests.webhooks.senders import Request
from tests.webhooks.test_doors import amazon, deliver  # noqa: F401  a fixture

EVENTS = {
    **{provider: [event for event, *_ in theirs] for provider, theirs in SAMPLES.items()},
    "hubspot": [
        samples.hubspot("contact.creation"), samples.hubspot("contact.privacyDeletion"),
        samples.hubspot("contact.propertyChange", propertyName="hs_email_optout", propertyValue="true"),
    ],
}  # fmt: skip
IN_LISTS = ("sendgrid", "hubspot")
NAMED = {"mailgun": "token", "ses": "MessageId", "resend": "id"}


def schema_of(examples: list[Any]) -> dict[str, Any]:
    """Objects with the fields of the examples, each with one of the values that it has there."""
    if not all(isinstance(one, dict) for one in examples):
        return {"enum": [one for n, one in enumerate(examples) if one not in examples[:n]]}
    names = {name: [one[name] for one in examples if name in one] for one in examples for name in one}
    return {
        "type": "object",
        "properties": {name: schema_of(values) for name, values in names.items()},
        "required": [name for name, values in names.items() if len(values) == len(examples)],
    }


def operation(provider: str, event: dict[str, Any]) -> dict[str, Any]:
    body = {"type": "array", "items": event, "minItems": 1, "maxItems": 3} if provider in IN_LISTS else event
    content = {senders.JSON: {"schema": body}}
    return {"post": {"requestBody": {"required": True, "content": content}, "responses": {"200": {"description": ""}}}}


OPENAPI = {
    "openapi": "3.0.3", "info": {"title": "What providers post", "version": "1"},
    "paths": {f"/hooks/{provider}": operation(provider, schema_of(events)) for provider, events in EVENTS.items()},
}  # fmt: skip
#: Of each; they are not made smaller, since to shrink is to post thousands of them.
SOME = settings(
    max_examples=5, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def made_up() -> list[st.SearchStrategy[Any]]:
    """Bodies that a provider may post, and bodies that it must not, for each of them."""
    import schemathesis
    from schemathesis.generation import GenerationMode

    return [
        operation.ok().as_strategy(generation_mode=mode)
        for operation in schemathesis.openapi.from_dict(OPENAPI).get_all_operations()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]


def signed(case: Any) -> Request:
    """As the provider would have posted it; where a post has a name, one name is good for one body."""
    from schemathesis.core import NOT_SET

    provider, said = case.operation.path.rpartition("/")[2], None if case.body is NOT_SET else case.body
    if isinstance(said, bytes) and provider in NAMED:
        said = said.decode("latin-1")
    sign: Callable[..., Request] = getattr(senders, provider)
    name = sha256(senders.as_body(said)).hexdigest()
    return sign(said, **{NAMED[provider]: name} if provider in NAMED else {})


def elements_in(row: Any) -> int:
    """How many signals or rows of quarantine there must be at least; a post that is none is one row."""
    post = Post(row.provider, row.name, row.digest, row.received_at, row.content_type, row.body)
    try:
        return len(READERS[row.provider].split(post))
    except NO_SENSE:
        return 1


@on_sqlite
def test_what_passes_the_proof_is_kept_whatever_it_says_and_none_of_it_is_lost(web: Browser, world: World) -> None:
    def post(case: Any) -> None:
        assert deliver(web, signed(case)) == 200, case.body

    for cases in made_up():
        SOME(given(cases)(post))()
    with reading(world.engine) as connection:
        kept = list(connection.execute(select(Webhook.__table__)))
    assert {row.provider for row in kept} == EVENTS.keys()
    understood = read_posts(world.engine, NOW)
    accounted = understood.quarantined + sum(one.new + one.duplicates for one in understood.recorded)
    assert accounted >= sum(elements_in(row) for row in kept)
    with reading(world.engine) as connection:
        states = set(connection.scalars(select(Webhook.state)))
        known = connection.scalar(select(func.count()).where(Signal.stakeholder_id == world.people["alice"]))
    assert states == {"read", "unreadable"}
    assert known, "some of it was about Alice"
