"""Documents, pixels and hidden links: what counts, and what does not."""

from datetime import timedelta

import pytest

from accounts.ledger.engine import writing
from accounts.ledger.sending.links import Link, remember_links
from accounts.playbook import Tracking
from tests.cast import NOW, World
from tests.plays import small_play
from tests.signals.post import send
from tests.web.visitor import (
    FIREFOX,
    NEXT_YEAR,
    Browser,
    Clock,
    Serve,
    asset_path,
    click_path,
    pixel_path,
    signals,
    trap_path,
)

DOCUMENT = "https://www.lumenflow.example/pilot.pdf"
COUNTS_OPENS = small_play(tracking=Tracking(opens=True))


def kinds(world: World) -> list[tuple[str, bool]]:
    return [(signal.kind, signal.is_machine) for signal in signals(world)]


def test_opening_the_page_is_a_click_and_fetching_the_document_a_download(
    web: Browser, world: World, touch: int
) -> None:
    page = web.get(asset_path(touch, 2))
    assert (page.status_code, "The pilot, step by step" in page.text) == (200, True)
    assert kinds(world) == [("clicked", False)]
    answer = web.get(f"{asset_path(touch, 2)}/document")
    assert (answer.status_code, answer.headers["location"]) == (302, DOCUMENT)
    assert kinds(world) == [("clicked", False), ("downloaded", False)]
    assert signals(world)[1].data["url"] == DOCUMENT


def test_a_scanner_that_asks_for_headers_downloads_nothing(web: Browser, world: World, touch: int) -> None:
    assert web.ask("HEAD", f"{asset_path(touch, 2)}/document").headers["location"] == DOCUMENT
    assert kinds(world) == []
    assert web.ask("HEAD", asset_path(touch, 2)).status_code == 200
    assert kinds(world) == [("clicked", True)]


@pytest.mark.parametrize(
    "head",
    [{"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x-moz": "prefetch"}, {"x-purpose": "preview"}],
)  # fmt: skip
def test_a_browser_that_fetches_ahead_gets_nothing_so_that_it_asks_again_when_a_person_clicks(
    web: Browser, world: World, touch: int, head: dict[str, str]
) -> None:
    for path in (click_path(touch, 1), asset_path(touch, 2), f"{asset_path(touch, 2)}/document"):
        assert web.get(path, headers=head).status_code == 503
    assert kinds(world) == []
    assert web.get(click_path(touch, 1)).status_code == 302
    assert kinds(world) == [("clicked", False)]


def test_a_page_of_a_document_ends_with_its_last_day(web: Browser, clock: Clock, world: World, touch: int) -> None:
    clock.now = NOW + timedelta(days=401)
    unknown = web.get("/c/unknown").text
    assert web.get(asset_path(touch, 2)).text == web.get(f"{asset_path(touch, 2)}/document").text == unknown
    assert kinds(world) == []


def test_a_link_that_is_no_document_has_no_page(web: Browser, world: World, touch: int) -> None:
    assert web.get(asset_path(touch, 0)).status_code == 404
    assert web.get(asset_path(touch, 9)).status_code == 404
    assert web.get(click_path(touch, 2)[:-1]).status_code == 404
    assert kinds(world) == []


def test_html_in_a_title_is_text(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        link = Link(DOCUMENT, '<script>alert("x")</script>')
        remember_links(connection, {"4" * 64: [link]})
        touch = send(connection, world, "bob", content_digest="4" * 64)
    page = web.get(asset_path(touch, 0, NEXT_YEAR)).text
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page


def test_a_pixel_counts_only_where_the_play_counts_opens(serve: Serve, world: World, clock: Clock, touch: int) -> None:
    for play, counted in ((small_play(), []), (COUNTS_OPENS, [("opened", False)])):
        answer = serve(world.engine, clock, play).get(pixel_path(touch))
        assert (answer.status_code, answer.headers["content-type"], answer.content[:6]) == (200, "image/gif", b"GIF89a")
        assert answer.headers["cache-control"] == "no-store"
        assert kinds(world) == counted


def test_a_pixel_looks_the_same_whoever_asks_for_whatever(serve: Serve, world: World, clock: Clock, touch: int) -> None:
    web = serve(world.engine, clock, COUNTS_OPENS)
    answers = {web.get(path).content for path in (pixel_path(touch), "/o/x.gif", f"/o/{trap_path(touch)[3:]}.gif")}
    assert len(answers) == 1
    assert kinds(world) == [("opened", False)]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_follows_the_hidden_link_is_a_machine(web: Browser, world: World, touch: int, method: str) -> None:
    assert web.ask(method, trap_path(touch), headers=FIREFOX).status_code == 200
    (signal,) = signals(world)
    assert (signal.kind, signal.is_machine, signal.data["honeypot"]) == ("clicked", True, True)
    assert web.get("/n/unknown").status_code == 404
