"""From stored posts to signals: everything once, in batches, and what makes no sense beside it."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text

from accounts.ledger.engine import reading, writing
from accounts.ledger.importing import quarantine
from accounts.ledger.signals.webhooks import Kept, Post, keep
from accounts.models import Signal, Touch, Webhook
from accounts.vocabulary import SignalKind as K
from accounts.vocabulary import TouchState
from flows.settings import Settings
from flows.signals.intake import Collected, collect
from flows.webhooks import reading as reader
from flows.webhooks.reading import read_posts, understand
from tests.cast import NOW, World, on_postgresql
from tests.signals.post import play, send
from tests.webhooks import samples, senders
from tests.webhooks.samples import ALICE, SAMPLES, sendgrid


def post(body: bytes | Sequence[Any], name: str | None = None, provider: str = "sendgrid") -> Post:
    body = body if isinstance(body, bytes) else json.dumps(list(body)).encode()
    digest = senders.sha256(body).hexdigest()
    return Post(provider, name or digest, digest, NOW, "application/json", body)


def put(engine: Engine, *posts: Post) -> list[Kept]:
    with writing(engine) as connection:
        return keep(connection, posts)


def signals(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(Signal.__table__).order_by(Signal.id)))


def states(engine: Engine) -> list[tuple[str, bytes | None]]:
    with reading(engine) as connection:
        return [(row.state, row.body) for row in connection.execute(select(Webhook.__table__).order_by(Webhook.id))]


def waiting_in_quarantine(engine: Engine) -> list[quarantine.Entry]:
    with reading(engine) as connection:
        return quarantine.read_open(connection, dataset="webhooks")


def collected(engine: Engine, tmp_path: Any) -> Collected:
    return collect(engine, Settings(home=tmp_path), play(), NOW)


def test_a_batch_becomes_signals_and_its_body_goes(world: World) -> None:
    put(world.engine, post([sendgrid("delivered"), sendgrid("open"), sendgrid("click", url=samples.URL)]))
    understood = read_posts(world.engine, NOW)
    assert (understood.posts, understood.recorded[0].new, understood.quarantined) == (1, 3, 0)
    found = signals(world.engine)
    assert {row.kind for row in found} == {K.DELIVERED, K.OPENED, K.CLICKED}
    assert {row.stakeholder_id for row in found} == {world.people["alice"]}
    assert states(world.engine) == [("read", None)], "addresses stay no longer than it takes"


def test_reading_again_records_nothing(world: World) -> None:
    put(world.engine, post([sendgrid("delivered")]))
    read_posts(world.engine, NOW)
    assert read_posts(world.engine, NOW).posts == 0
    assert put(world.engine, post([sendgrid("delivered")])) == [Kept.AGAIN], "though the body is gone by now"
    # the same event in another batch: providers do that
    put(world.engine, post([sendgrid("delivered"), sendgrid("open")]))
    (recorded,) = read_posts(world.engine, NOW).recorded
    assert (recorded.new, recorded.duplicates) == (1, 1)


def test_one_name_in_one_lot_is_kept_once(world: World) -> None:
    one, other = post(b"[1]", "token"), post(b"[2]", "token")
    assert put(world.engine, one, one, other) == [Kept.NEW, Kept.AGAIN, Kept.FORGED]
    assert put(world.engine, other) == [Kept.FORGED]


#: Elements that are none: of another type, without a time, with clues that nobody can look up.
BAD: list[Any] = [
    7, None, "text", [], {"event": "open"}, sendgrid("open", timestamp="soon"), sendgrid("open", timestamp=1e30),
    sendgrid("open", email={"a": 1}), sendgrid("open", email="al\0ice@acme.example"), sendgrid("open", timestamp=[1]),
]  # fmt: skip


@on_postgresql
@pytest.mark.parametrize(("second", "kept"), [(b"{}", Kept.NEW), (b"[]", Kept.FORGED)], ids=["same", "another body"])
def test_of_two_processes_that_take_one_token_at_a_time_the_second_keeps_nothing_else(
    world: World, second: bytes, kept: Kept
) -> None:
    """Neither sees the other's before it has written its own; what is forged is heard by nobody."""
    told: list[Kept] = []
    later = threading.Thread(target=lambda: told.extend(put(world.engine, post(second, "a token", "mailgun"))))
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with writing(world.engine) as first:
        assert keep(first, [post(b"{}", "a token", "mailgun")]) == [Kept.NEW]
        later.start()
        while not first.scalar(waits):
            assert later.is_alive()
            time.sleep(0.002)
    later.join()
    assert (told, states(world.engine)) == ([kept], [("waiting", b"{}")])


def test_bad_elements_lose_nothing_around_them(world: World) -> None:
    good = [sendgrid("open", sg_event_id=f"good-{number}") for number in range(len(BAD))]
    put(world.engine, post([element for pair in zip(good, BAD, strict=True) for element in pair]))
    assert read_posts(world.engine, NOW).quarantined == len(BAD)
    assert [row.source_id for row in signals(world.engine)] == [event["sg_event_id"] for event in good]
    entries = waiting_in_quarantine(world.engine)
    assert [json.loads(entry.row[""]) for entry in entries] == BAD
    assert all(entry.source == "sendgrid" and entry.reasons[0].sentence for entry in entries)
    assert states(world.engine) == [("read", None)]


def test_half_a_character_spoils_its_own_element_at_most(world: World) -> None:
    """The fast reader refuses the whole post for it; the events around it are taken all the same."""
    half = "half\ud800"
    clue, words = (
        sendgrid("open", email=f"{half}@acme.example"),
        sendgrid("click", useragent=half, url=f"https://{half}"),
    )
    name, kind = sendgrid("open", sg_event_id=half), sendgrid(half, sg_event_id="whole")
    put(world.engine, post([sendgrid("delivered"), clue, words, name, kind]))
    assert read_posts(world.engine, NOW).quarantined == 2
    assert {row.kind for row in signals(world.engine)} == {K.DELIVERED, K.CLICKED, K.UNKNOWN}
    assert [json.loads(entry.row[""]) for entry in waiting_in_quarantine(world.engine)] == [clue, name]


#: How a ledger is made that takes no clicks, and how it takes them again.
NO_CLICKS = {
    "sqlite": (
        """CREATE TRIGGER no_clicks BEFORE INSERT ON signal WHEN NEW.kind = 'clicked'
           BEGIN SELECT RAISE(ABORT, 'no clicks'); END""",
        "DROP TRIGGER no_clicks",
    ),
    "postgresql": (
        "ALTER TABLE signal ADD CONSTRAINT no_clicks CHECK (kind <> 'clicked')",
        "ALTER TABLE signal DROP CONSTRAINT no_clicks",
    ),
}


@pytest.fixture
def picky(world: World) -> Iterator[World]:
    refuse, allow = NO_CLICKS[world.engine.dialect.name]
    with writing(world.engine) as connection:
        connection.execute(text(refuse))
    yield world
    with writing(world.engine) as connection:
        connection.execute(text(allow))


def test_a_signal_that_the_ledger_will_not_have_holds_up_nothing(picky: World) -> None:
    """No such signal is known; the day one comes, the others must not wait behind it for ever."""
    put(
        picky.engine, post([sendgrid("delivered"), sendgrid("click"), sendgrid("open")]), post([sendgrid("spamreport")])
    )
    assert read_posts(picky.engine, NOW).quarantined == 1
    assert {row.kind for row in signals(picky.engine)} == {K.DELIVERED, K.OPENED, K.COMPLAINED}
    assert len(waiting_in_quarantine(picky.engine)) == 1
    assert states(picky.engine) == [("read", None)] * 2


def test_another_reader_may_be_faster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits while posts are being understood, so somebody else may read them meanwhile: once is enough."""
    put(world.engine, post([sendgrid("delivered"), 7]))
    faster: list[reader.Understood] = []

    def slowly(one: Post, found: list[Any]) -> Any:
        monkeypatch.setattr(reader, "understand", understand)
        faster.append(read_posts(world.engine, NOW))
        return understand(one, found)

    monkeypatch.setattr(reader, "understand", slowly)
    slower = read_posts(world.engine, NOW)
    assert [(one.posts, len(one.recorded), one.quarantined) for one in (*faster, slower)] == [(1, 1, 1), (0, 0, 0)]
    assert len(signals(world.engine)) == len(waiting_in_quarantine(world.engine)) == 1


#: Bodies that hold no events at all.
NONE = [b"[{", b"", b"\xff\xfe", b"[" * 100_000, b"\0"]


def test_a_post_that_is_none_waits_for_a_person(world: World) -> None:
    put(world.engine, *map(post, NONE), post([sendgrid("open")]))
    assert read_posts(world.engine, NOW).quarantined == len(NONE)
    kept = [entry.row[""] for entry in waiting_in_quarantine(world.engine)]
    assert kept == [body.decode("utf-8", "backslashreplace") for body in NONE]
    assert [state for state, _ in states(world.engine)] == ["unreadable"] * len(NONE) + ["read"]
    assert len(signals(world.engine)) == 1


def test_an_unknown_name_is_kept_with_the_whole_event(world: World, tmp_path: Any) -> None:
    event = sendgrid("an event of next year", mood="blue")
    put(world.engine, post([event]))
    assert collected(world.engine, tmp_path).unknown_kinds == ("an event of next year",)
    (row,) = signals(world.engine)
    assert (row.kind, row.stakeholder_id) == (K.UNKNOWN, world.people["alice"])
    assert row.data == {"event": event, "kind": "an event of next year"}


def test_the_end_of_a_subscription_is_said_to_a_person(world: World) -> None:
    """Silence from Amazon would look like a quiet week."""
    fields = {"Type": "UnsubscribeConfirmation", "Token": "2336", "SubscribeURL": senders.HOST}
    made = senders.ses("You have chosen to deactivate the subscription.", **fields)
    put(world.engine, Post("ses", "m", "d" * 64, NOW, "text/plain", made.body))
    read_posts(world.engine, NOW)
    (entry,) = waiting_in_quarantine(world.engine)
    assert "subscribe it again" in entry.reasons[0].sentence


@pytest.mark.parametrize(
    ("event", "state"),
    [(sendgrid("delivered"), TouchState.SENT), (sendgrid("bounce", type="bounce"), TouchState.SENT),
     (sendgrid("processed"), TouchState.SENT), (sendgrid("dropped"), TouchState.FAILED)],
    ids=lambda value: value["event"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_an_event_with_our_key_settles_a_touch_whose_outcome_was_unknown(
    event: dict[str, Any], state: TouchState, world: World, tmp_path: Any
) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", state="unknown", sent_at=None)
    # only the key leads to it: neither address nor Message-ID are ours
    put(world.engine, post([{**event, "tandem": f"touch-{touch}", "email": None, "smtp-id": None}]))
    assert collected(world.engine, tmp_path).settled == 1
    with reading(world.engine) as connection:
        assert connection.scalar(select(Touch.state)) == state


@pytest.mark.parametrize("never", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_that_is_none_counts_as_the_receipt_and_holds_up_nobody(world: World, tmp_path: Any, never: str) -> None:
    """What programs write where they know no time is as far away as their calendar goes."""
    with writing(world.engine) as connection:
        send(connection, world, "alice")
    opened = samples.postmark("Open", Recipient=ALICE, ReceivedAt=never, UserAgent=samples.USER_AGENT)
    clicked = samples.postmark("Click", Recipient=ALICE, ReceivedAt=never, OriginalLink=samples.URL)
    put(world.engine, *(post(json.dumps(one).encode(), provider="postmark") for one in (opened, clicked)))
    assert collected(world.engine, tmp_path).applied == 2
    assert [row.occurred_at for row in signals(world.engine)] == [NOW, NOW]


def test_a_person_who_asked_to_be_forgotten_is_not_brought_back(world: World) -> None:
    from accounts.ledger.people.privacy import forget

    put(world.engine, post([sendgrid("open")]))
    with writing(world.engine) as connection:
        forget(connection, ALICE, NOW)
    read_posts(world.engine, NOW)
    assert signals(world.engine) == []
    assert states(world.engine) == [("read", None)]


def test_that_a_post_came_is_forgotten_after_a_week(world: World) -> None:
    put(world.engine, post([sendgrid("open")]))
    read_posts(world.engine, NOW)
    read_posts(world.engine, NOW + timedelta(days=8))
    assert states(world.engine) == []


def test_many_posts_are_read_in_several_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "POSTS", 4)
    put(world.engine, *(post([sendgrid("open", sg_event_id=f"e{n}")]) for n in range(10)))
    assert [one.new for one in read_posts(world.engine, NOW).recorded] == [4, 4, 2]
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(Signal)) == 10


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(sorted(SAMPLES)))
def test_no_event_whatever_is_in_it_raises_anything(data: st.DataObject, provider: str) -> None:
    """Any field of any event may hold anything."""
    event = json.loads(json.dumps(data.draw(st.sampled_from(SAMPLES[provider]))[0]))
    inner = event
    for _ in range(data.draw(st.integers(0, 2))):
        nested = [value for value in inner.values() if isinstance(value, dict) and value]
        inner = data.draw(st.sampled_from(nested)) if nested else inner
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(anything)
    made = getattr(senders, provider)([event] if provider == "sendgrid" else event)
    found: list[Any] = []
    refused = understand(Post(provider, "n", "d" * 64, NOW, made.headers["content-type"], made.body), found)
    assert found or refused or event in ({}, []) or provider == "ses"
