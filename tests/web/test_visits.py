"""Visits to our own sites: of people who consented and came from a mail of ours, and of nobody else."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from accounts.ledger.engine import writing
from accounts.ledger.sending.links import Link, remember_links
from accounts.models import Stakeholder
from flows import tokens
from flows.settings import Settings, Web
from flows.web.routes.visits import MOST_BYTES
from tests.cast import NOW, World
from tests.signals.post import send
from tests.web.visitor import ASSET, SECRET, Browser, Clock, Serve, click_path, on_sqlite, opt_out_path, signals

SITE = "https://www.lumenflow.example"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"web": Web(sites=["www.lumenflow.example"])})


@pytest.fixture
def consented(world: World) -> None:
    """Alice said yes, and not only nothing."""
    with writing(world.engine) as connection:
        connection.execute(
            update(Stakeholder).where(Stakeholder.id == world.people["alice"]).values(consent_basis="consent")
        )


def visit_token(touch: int) -> str:
    return tokens.sign_until(tokens.VISIT, (NOW + timedelta(days=1)).date(), SECRET, touch)


def report(web: Browser, token: object, url: object = f"{SITE}/prices", origin: str | None = SITE, **more: str) -> Any:
    headers = {"content-type": "text/plain;charset=UTF-8", **({"origin": origin} if origin else {}), **more}
    return web.post("/collect", data=json.dumps({"t": token, "u": url}), headers=headers)


def kept(world: World) -> list[tuple[str, str]]:
    return [(signal.kind, signal.data["url"]) for signal in signals(world)]


@pytest.mark.usefixtures("consented")
def test_a_click_hands_a_token_to_our_own_site_and_a_visit_with_it_counts(
    web: Browser, world: World, touch: int
) -> None:
    location = web.get(click_path(touch)).headers["location"]
    assert location == f"{ASSET}#tandem={visit_token(touch)}"
    answer = report(web, location.partition("=")[2], f"{SITE}/prices?name=dana#x")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, SITE)
    assert kept(world) == [("clicked", ASSET), ("visited", f"{SITE}/prices")]
    assert signals(world)[1].stakeholder_id == world.people["alice"]


def test_without_consent_no_token_is_handed_over_and_none_is_taken(web: Browser, world: World, touch: int) -> None:
    assert web.get(click_path(touch)).headers["location"] == ASSET
    assert report(web, visit_token(touch)).status_code == 204
    assert kept(world) == [("clicked", ASSET)]


@pytest.mark.usefixtures("consented")
def test_consent_ends_with_an_opt_out(web: Browser, world: World, touch: int) -> None:
    web.post(opt_out_path(touch))
    report(web, visit_token(touch))
    assert web.get(click_path(touch)).headers["location"] == ASSET
    assert [signal.kind for signal in signals(world)] == ["unsubscribed", "clicked"]


@pytest.mark.usefixtures("consented")
@pytest.mark.parametrize("wish", ["dnt", "sec-gpc"])
def test_a_browser_that_minds_is_left_alone(web: Browser, world: World, touch: int, wish: str) -> None:
    assert web.get(click_path(touch), headers={wish: "1"}).headers["location"] == ASSET
    assert report(web, visit_token(touch), **{wish: "1"}).status_code == 204
    assert kept(world) == [("clicked", ASSET)]


@pytest.mark.usefixtures("consented")
def test_other_sites_are_handed_no_token(web: Browser, world: World) -> None:
    elsewhere = ["https://partner.example/x", "https://www.lumenflow.example.evil.example/", f"{SITE}/x#part"]
    with writing(world.engine) as connection:
        remember_links(connection, {"5" * 64: [Link(url) for url in elsewhere]})
        touch = send(connection, world, "alice", "new-business/evaluation/other", content_digest="5" * 64)
    assert [web.get(click_path(touch, n)).headers["location"] for n in range(3)] == elsewhere


@pytest.mark.usefixtures("consented")
def test_visits_of_nobody_attach_to_nobody(web: Browser, world: World, touch: int) -> None:
    expired = tokens.sign_until(tokens.VISIT, (NOW - timedelta(days=1)).date(), SECRET, touch)
    foreign = tokens.sign_until(tokens.VISIT, NOW.date(), "another secret", touch)
    for token in (None, "", 7, ["x"], expired, foreign, visit_token(999_999), click_path(touch)[3:]):
        assert report(web, token).status_code == 204
    assert kept(world) == []


@pytest.mark.usefixtures("consented")
def test_a_page_loaded_twice_within_a_minute_is_one_visit(web: Browser, world: World, clock: Clock, touch: int) -> None:
    for path, minutes in (("/a", 0), ("/a?again", 0), ("/b", 0), ("/a", 1)):
        clock.now = NOW + timedelta(minutes=minutes)
        report(web, visit_token(touch), f"{SITE}{path}")
    assert [url[-2:] for _, url in kept(world)] == ["/a", "/b", "/a"]


@on_sqlite
@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "https://www.lumenflow.example.evil.example", "//["]
)
def test_pages_of_others_are_refused_and_get_no_leave(web: Browser, touch: int, origin: str | None) -> None:
    for answer in (
        report(web, visit_token(touch), origin=origin),
        web.ask("OPTIONS", "/collect", headers={"origin": origin or ""}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@on_sqlite
@pytest.mark.usefixtures("consented")
@pytest.mark.parametrize("url", [None, "", "https://evil.example/", "javascript:alert(1)", "https://[", "x" * 900])
def test_an_address_that_is_not_of_our_site_is_not_kept(web: Browser, world: World, touch: int, url: object) -> None:
    assert report(web, visit_token(touch), url).status_code == 204
    assert kept(world) == []


@on_sqlite
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\x00", b"[" * 2000, b'"t"'])
def test_a_note_that_is_none_is_refused(web: Browser, body: bytes) -> None:
    assert web.post("/collect", data=body, headers={"origin": SITE}).status_code == 400


@pytest.mark.usefixtures("consented")
def test_a_note_with_half_a_character_is_refused_wherever_it_stands(web: Browser, world: World, touch: int) -> None:
    genuine = visit_token(touch)
    for note in ({"t": genuine, "u": f"{SITE}/\ud800"}, {"t": "\udfff", "u": SITE}, {"t": genuine, "\ud800": [SITE]}):
        assert web.post("/collect", data=json.dumps(note), headers={"origin": SITE}).status_code == 400
    assert kept(world) == []


@pytest.mark.usefixtures("consented")
def test_odd_characters_of_an_address_are_kept_as_they_are(web: Browser, world: World, touch: int) -> None:
    pages = [f"{SITE}/a\x00b", f"{SITE}/\U0001f4a5", f"{SITE}/\u202e<script>"]
    assert {report(web, visit_token(touch), page).status_code for page in pages} == {204}
    assert sorted(url for _, url in kept(world)) == sorted(pages)


def test_a_note_that_is_too_long_is_refused(web: Browser) -> None:
    for body in (b"x" * (MOST_BYTES + 1), (b"x" * 1000 for _ in range(5))):
        assert web.post("/collect", data=body, headers={"origin": SITE}).status_code == 413


def test_the_snippet_is_small_ours_alone_and_sets_no_cookie(web: Browser) -> None:
    answer = web.get("/t.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert len(answer.content) < 1500
    for word in ("http", "cookie =", "localStorage", "eval(", "innerHTML"):
        assert word not in answer.text
    assert "set-cookie" not in answer.headers


def test_without_a_site_of_ours_there_is_no_snippet(
    serve: Serve, world: World, clock: Clock, settings: Settings
) -> None:
    web = serve(world.engine, clock, None, settings.model_copy(update={"web": Web()}))
    assert web.get("/t.js").status_code == 404
    assert report(web, "x").status_code == 403
