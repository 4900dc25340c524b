"""How the pages look and read: judged by axe-core in a real browser, by day and by night, on a phone and at a desk."""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import insert, select, update

from accounts.ledger.engine import writing
from accounts.models import Hold, Proposal, Stakeholder
from flows import tokens
from flows.settings import Settings, Web
from tests.cast import NOW, World
from tests.signals.post import person, signal, tell
from tests.web import reps
from tests.web.reps import planned
from tests.web.visitor import (
    SECRET,
    Browser,
    Clock,
    Serve,
    asset_path,
    opt_out_path,
    preferences_path,
    signals,
    trap_path,
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: looks are not checked"),
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]
#: WCAG 2.2, levels A and AA.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
SCHEMES, WIDTHS = ("light", "dark"), (360, 1200)
#: Colours depend on the scheme and the layout on the width; where pictures are wanted, all four are judged.
JUDGED = {("light", 360), ("dark", 1200)} if "TANDEM_PICTURES" not in os.environ else {*product(SCHEMES, WIDTHS)}
CHOICES = ("pause", "fewer", "topic:cost", "all", "none")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def faults(page: Page, name: str) -> list[str]:
    """What is wrong with the page that is open, in each scheme and width; its picture if TANDEM_PICTURES says where."""
    found = []
    for scheme in SCHEMES:
        for width in WIDTHS:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 800})
            where = f"{name}, {scheme}, {width}"
            if (scheme, width) in JUDGED:
                results = Axe().run(page, options=RULES).response["violations"]
                found += [f"{where}: {one['id']} {one['nodes'][0]['html']}" for one in results]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{where}: wider than the screen")
            if folder := os.environ.get("TANDEM_PICTURES"):
                page.screenshot(path=f"{folder}/{name}-{scheme}-{width}.png")
    return found


def test_every_page_can_be_read_and_used_by_everybody(
    chromium: Chromium, web: Browser, serve: Serve, world: World, clock: Clock, touch: int
) -> None:
    context = chromium.new_context(bypass_csp=False)
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    found = []
    for name, path in (
        ("opt-out", opt_out_path(touch)), ("preferences", preferences_path(touch)), ("document", asset_path(touch, 2)),
        ("hidden", trap_path(touch)),
    ):  # fmt: skip
        page.goto(web.root + path)
        found += faults(page, name)
    for choice in CHOICES:
        page.goto(web.root + preferences_path(touch))
        page.check(f"input[value='{choice}']")
        page.click("button")
        found += faults(page, f"chose-{choice.replace(':', '-')}")
    assert messages == [], "nothing that our own policy forbids"
    page.goto(f"{web.root}/c/unknown")
    found += faults(page, "unknown")
    page.goto(web.root + preferences_path(touch))
    page.click("button")
    found += faults(page, "chose-nothing")
    serve(world.engine, clock, None, Settings(secret_key=SECRET, web=Web(requests_per_second=0.001, burst=1)))
    web.get("/robots.txt")
    page.goto(web.root + opt_out_path(touch))
    assert "Too many at once" in page.inner_text("h1")
    found += faults(page, "busy")
    serve(world.engine, broken)
    page.goto(web.root + preferences_path(touch))
    found += faults(page, "sorry")
    context.close()
    assert found == []


def test_every_page_for_reps_can_be_read_and_used_by_everybody(
    chromium: Chromium, web: Browser, world: World, touch: int
) -> None:
    """A full account, the list, the forms with every kind of field, an answer, a link that is over."""
    tell(world.engine, signal("clicked", "alice@acme.example", touch_id=touch))
    for kind, name in (("ripe", "alice"), ("wrong_person", "charlie")):
        assert web.post(reps.path(world, kind, about=world.people[name]), data={"words": ""}).status_code == 200
    planned(world, "bob", "evaluation/three-numbers")
    seen = {"person_key": "f" * 64, "first_name": "Zoe", "source": "fair", "why": "seen", "proposed_at": NOW}
    with writing(world.engine) as connection:
        connection.execute(insert(Proposal).values(account_id=world.accounts["acme"], **seen))
    context = chromium.new_context()
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    found = []
    for name, address in (
        ("account", reps.path(world, "page")), ("accounts", reps.path(world, "page", None)),
        ("limits", reps.path(world, "limits")),
        ("correct", reps.path(world, "correct_person", about=world.people["bob"])), ("hold", reps.path(world, "hold")),
        ("away", reps.path(world, "away", None)),
    ):  # fmt: skip
        page.goto(web.root + address)
        found += faults(page, f"rep-{name}")
    page.goto(web.root + reps.path(world, "hold"))
    page.click("button")
    assert "No mail and no ads to Acme Works" in page.inner_text("main")
    found += faults(page, "rep-held")
    assert messages == []
    for name, address in (("over", "/r/unknown"), ("nowhere", "/r/")):
        page.goto(web.root + address)
        found += faults(page, f"rep-{name}")
    context.close()
    assert found == []


def test_a_rep_answers_without_javascript_and_by_keyboard(chromium: Chromium, web: Browser, world: World) -> None:
    """From the account to the hold: one link, one button."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(web.root + reps.path(world, "page"))
    page.focus("text=Hold")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Hold marketing to Acme Works?')")
    page.focus("button")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Done')")
    context.close()
    with writing(world.engine) as connection:
        assert connection.scalars(select(Hold.by)).all() == ["ravi@lumenflow.example"]


def broken() -> datetime:
    raise RuntimeError("the clock stands still")


def test_everything_works_without_javascript_and_by_keyboard(
    chromium: Chromium, web: Browser, world: World, touch: int
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(web.root + preferences_path(touch))
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the first choice
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Done. At most one')")
    page.goto(web.root + opt_out_path(touch))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Done. You get no more')")
    context.close()
    alice = person(world.engine, world, "alice")
    assert (alice.mail_every_days, alice.opted_out_at is not None) == (14, True)


def test_the_snippet_reports_a_visit_of_who_consented_and_of_nobody_else(
    chromium: Chromium, serve: Serve, world: World, clock: Clock, tmp_path: Path, touch: int
) -> None:
    """On a page of ours, in a real browser: with a token, without one, and where the visitor minds."""
    site = Web(sites=["127.0.0.1"])
    web = serve(world.engine, clock, None, Settings(home=tmp_path, secret_key=SECRET, web=site))
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).values(consent_basis="consent"))
    page_of_ours = f'<!doctype html><title>x</title><script async src="{web.root}/t.js"></script>'
    sent: list[str] = []
    for token, minds in ((True, False), (False, False), (True, True)):
        context = chromium.new_context()
        if minds:
            context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
        context.route(re.compile("/prices"), lambda route: route.fulfill(body=page_of_ours, content_type="text/html"))
        page = context.new_page()
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        fragment = f"#tandem={tokens.sign_until(tokens.VISIT, NOW.date(), SECRET, touch)}" if token else ""
        page.goto(f"{web.root}/prices?q=1{fragment}")
        page.wait_for_load_state("networkidle")
        assert page.url == f"{web.root}/prices?q=1", "the token does not stay in the address"
        assert context.cookies() == []
        context.close()
    assert sent == [f"{web.root}/collect"]
    assert [(row.kind, row.data["url"]) for row in signals(world)] == [("visited", "http://127.0.0.1/prices")]
