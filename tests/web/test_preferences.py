"""The preference page: what can be chosen, and that it holds from that moment on."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from accounts.identity import email_hash
from accounts.ledger import audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.pages.why import find, read_background
from accounts.models import Decision, Stakeholder, Suppression, Touch
from accounts.tick import decide, look
from accounts.why import Case, explain
from flows import tokens
from flows.settings import Settings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.plays import STEPS, small_play, step
from tests.sending.desk import certified, rows
from tests.signals.post import RULES, person, play, send
from tests.web.visitor import SECRET, Browser, Clock, Serve, on_sqlite, opt_out_path, preferences_path, signals

DAY = timedelta(days=1)
TWO_TOPICS = small_play(
    engagement=RULES, steps=(*STEPS, step("evaluation/risks", "champion", 3, topics=("risk", "proof")))
)


def choose(web: Browser, touch: int, choice: str) -> Any:
    answer = web.post(preferences_path(touch), data={"choice": choice})
    assert answer.status_code == 200
    return answer


def why(world: World, name: str, clock: Clock, days: int = 0) -> str:
    """What `tandem why` says of this person so many days from now."""
    now = NOW + days * DAY
    with reading(world.engine) as connection:
        who = find(connection, f"{name}@acme.example")[0]
        background = read_background(connection, who, now)
    (one,) = look(world.engine, play(), now, [who.account_id])
    place = [somebody.id for somebody in one.read.account.people].index(who.id)
    account = one.read.account
    return explain(Case(who, account, account.people[place], one.answers[place], play(), now, None, background))


def test_the_page_offers_what_the_mail_was_about_and_changes_nothing(web: Browser, world: World, touch: int) -> None:
    answer = web.get(preferences_path(touch))
    assert answer.status_code == 200
    assert "Nothing has changed yet" in answer.text
    for words in ("Fewer: at most one", "A pause: nothing for 30 days", "Only what is about cost", "Nothing at all"):
        assert words in answer.text
    assert web.ask("HEAD", preferences_path(touch)).status_code == 200
    assert signals(world) == []


def test_a_pause_stops_mail_for_a_month_and_colleagues_go_on(
    web: Browser, world: World, clock: Clock, touch: int
) -> None:
    assert "quiet for a month" in choose(web, touch, "pause").text
    assert person(world.engine, world, "alice").paused_until == NOW + 30 * DAY
    assert person(world.engine, world, "bob").paused_until is None
    assert "asked for a pause until Thu 24 Dec 2026" in why(world, "alice", clock)


def test_fewer_mails_is_one_in_fourteen_days(web: Browser, world: World, clock: Clock, touch: int) -> None:
    assert "At most one" in choose(web, touch, "fewer").text
    assert person(world.engine, world, "alice").mail_every_days == 14
    assert "asked for fewer mails, at most one in 14 days" in why(world, "alice", clock, days=6)


def test_one_topic_passes_over_everything_else(serve: Serve, world: World, clock: Clock) -> None:
    web = serve(world.engine, clock, TWO_TOPICS)
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", "new-business/evaluation/risks")
    assert "Only what is about risk" in web.get(preferences_path(touch)).text
    assert "Only what is about proof" in choose(web, touch, "topic:proof").text.replace("Done. ", "")
    assert person(world.engine, world, "alice").only_topic == "proof"
    assert "asked for mail about proof only" in why(world, "alice", clock)


def test_a_topic_that_the_mail_was_not_about_is_no_choice(web: Browser, world: World, touch: int) -> None:
    answer = web.post(preferences_path(touch), data={"choice": "topic:weather"})
    assert (answer.status_code, "choose one of these" in answer.text) == (400, True)
    assert signals(world) == []


def test_none_is_the_opt_out(web: Browser, world: World, touch: int) -> None:
    assert "You get no more e-mails" in choose(web, touch, "none").text
    assert person(world.engine, world, "alice").opted_out_at == NOW
    with reading(world.engine) as connection:
        assert connection.scalars(select(Suppression.reason)).all() == ["opted_out"]


def test_as_before_takes_wishes_back_and_no_opt_out(web: Browser, world: World, clock: Clock, touch: int) -> None:
    choose(web, touch, "fewer")
    web.post(opt_out_path(touch))
    clock.now = NOW + DAY
    assert "that still holds" in choose(web, touch, "all").text
    alice = person(world.engine, world, "alice")
    assert (alice.mail_every_days, alice.only_topic, alice.opted_out_at) == (None, None, NOW)


def test_the_latest_wish_counts_whenever_it_is_applied(
    web: Browser, world: World, clock: Clock, settings: Settings, touch: int
) -> None:
    choose(web, touch, "topic:cost")
    clock.now = NOW + DAY
    choose(web, touch, "fewer")
    before = person(world.engine, world, "alice")
    assert (before.mail_every_days, before.only_topic, before.preferred_at) == (14, None, clock.now)
    collect(world.engine, settings, play(), clock.now + DAY)
    assert person(world.engine, world, "alice") == before


@pytest.mark.parametrize(
    ("choice", "reason"), [("pause", "away"), ("fewer", "person_cap"), ("topic:cost", "other_topic")]
)
def test_what_was_certified_before_the_choice_does_not_leave(
    web: Browser, world: World, choice: str, reason: str
) -> None:
    certified(world)
    with reading(world.engine) as connection:
        touch = connection.scalar(select(Touch.id).where(Touch.stakeholder_id == world.people["alice"]))
    assert touch is not None
    choose(web, touch, choice)
    assert rows(world)["alice"] == ("cancelled", reason)
    assert rows(world)["bob"] == ("certified", None)
    with reading(world.engine) as connection:
        mine = Decision.stakeholder_id == world.people["alice"]
        assert connection.execute(select(Decision.answer, Decision.reason).where(mine)).one() == ("wait", reason)
    decide(world.engine, play(), NOW)  # and planning finds its own words for it


def test_every_choice_is_in_the_audit_without_an_address(web: Browser, world: World, touch: int) -> None:
    for choice in ("fewer", "pause", "topic:cost", "all", "none"):
        choose(web, touch, choice)
    with reading(world.engine) as connection:
        entries = audit.read_audit(connection, subject=f"stakeholder:{world.people['alice']}")
        assert audit.verify(connection).is_whole
    assert [entry.after["choice"] for entry in reversed(entries)] == ["fewer", "pause", "topic", "all", "none"]
    assert {entry.actor for entry in entries} == {"recipient"}
    assert "alice" not in str([tuple(entry) for entry in entries])


def test_a_choice_holds_in_every_account_the_person_stands_in(web: Browser, world: World, touch: int) -> None:
    alice = {"email": "alice@acme.example", "email_hash": email_hash("alice@acme.example")}
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).where(Stakeholder.id == world.people["judy"]).values(**alice))
    choose(web, touch, "fewer")
    assert person(world.engine, world, "judy").mail_every_days == 14


@on_sqlite
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"), (b"choice=", "application/x-www-form-urlencoded"),
        (b"choice=everything", "application/x-www-form-urlencoded"), (b"\xff\xfe\x00", "text/nonsense"),
        (b"&" * 3000, "application/x-www-form-urlencoded"), (b'{"choice": "none"}', "application/json"),
        (b"choice=topic:&choice=none", "application/x-www-form-urlencoded"),
    ],
)  # fmt: skip
def test_what_is_no_choice_is_asked_for_again(web: Browser, world: World, touch: int, body: bytes, kind: str) -> None:
    answer = web.post(preferences_path(touch), data=body, headers={"content-type": kind})
    assert (answer.status_code, "choose one of these" in answer.text) == (400, True)
    assert signals(world) == []


def test_a_form_longer_than_any_of_ours_is_refused(web: Browser, touch: int) -> None:
    assert web.post(preferences_path(touch), data=b"choice=none&x=" + b"x" * 5000).status_code == 413


def test_the_page_opens_until_its_last_day_and_no_longer(web: Browser, clock: Clock, touch: int) -> None:
    path = preferences_path(touch, (NOW + 3 * DAY).date())
    clock.now = NOW + 3 * DAY
    assert web.get(path).status_code == 200
    clock.now = NOW + 4 * DAY
    unknown = web.get("/p/unknown")
    assert (web.get(path).text, web.post(path, data={"choice": "none"}).text) == (unknown.text, unknown.text)


def test_a_token_for_anything_else_opens_no_preferences(web: Browser, world: World, touch: int) -> None:
    unknown = web.get("/p/unknown").text
    for token in (
        tokens.sign(tokens.UNSUBSCRIBE, touch, SECRET), tokens.sign(tokens.PREFERENCES, touch, SECRET),
        tokens.sign_until(tokens.ASSET, NOW.date(), SECRET, touch), preferences_path(touch)[3:-1] + "_",
        preferences_path(999_999)[3:],
    ):  # fmt: skip
        for answer in (web.get(f"/p/{token}"), web.post(f"/p/{token}", data={"choice": "none"})):
            assert (answer.status_code, answer.text) == (404, unknown)
    assert person(world.engine, world, "alice").opted_out_at is None
