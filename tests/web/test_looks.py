"""How the pages look and read: judged by axe-core in a real browser, by day and by night, on a phone and at a desk."""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import insert, select, update

from accounts.ledger.engine import writing
from accounts.models import Brief, Hold, Proposal, Stakeholder
from flows import tokens
from flows.briefs.briefing import write_briefs
from flows.settings import Settings, Web
from tests.cast import NOW, World
from tests.signals.post import person, play, signal, tell
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
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"],
    "preload": False,
}  # fmt: skip
SCHEMES, WIDTHS = ("light", "dark"), (360, 768, 1280)
#: Colours depend on the scheme and the layout on the width; where pictures are wanted, all six are judged.
VIEWS = (("light", 360), ("light", 768), ("dark", 1280))
JUDGED = {("light", 360), ("dark", 1280)}
PICTURES = os.environ.get("TANDEM_PICTURES")
CHOICES = ("pause", "fewer", "topic:cost", "all", "none")
#: Whatever the keyboard reaches and shows no outline when it does.
UNSEEN = """
    [...document.querySelectorAll("a[href], button, summary, select, textarea, input")].filter(one => {
        if (one.type === "hidden") return false;
        one.focus();
        const {outlineStyle, outlineWidth} = getComputedStyle(one);
        return outlineStyle === "none" || parseFloat(outlineWidth) < 2;
    }).map(one => one.outerHTML)"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def faults(page: Page, name: str) -> list[str]:
    """What is wrong with the page that is open, in each scheme and width; its picture if TANDEM_PICTURES says where."""
    found = []
    page.evaluate(Axe().axe_script)
    for scheme, width in product(SCHEMES, WIDTHS) if PICTURES else VIEWS:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        where = f"{name}, {scheme}, {width}"
        if PICTURES or (scheme, width) in JUDGED:
            violations = page.evaluate("rules => axe.run(document, rules).then(found => found.violations)", RULES)
            found += [f"{where}: {one['id']} {one['nodes'][0]['html']}" for one in violations]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{where}: wider than the screen")
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/{name}-{scheme}-{width}.png", full_page=True)
    page.keyboard.press("Tab")
    found += [f"{name}: no outline where the keyboard is: {html}" for html in page.evaluate(UNSEEN)]
    return found


def is_told_beside_its_field(page: Page, field: str) -> bool:
    """Whether the field that was refused says so, and by what words, to who cannot see them."""
    where = page.locator(f"[name={field}], fieldset:has([name={field}])").first
    said = where.get_attribute("aria-describedby") or ""
    return "refusal" in said.split() and page.locator("#refusal[role=alert]").is_visible()


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
    for choice in CHOICES if PICTURES else CHOICES[-2:]:  # one of each template; the others differ in words
        page.goto(web.root + preferences_path(touch))
        page.check(f"input[value='{choice}']")
        page.click("button")
        found += faults(page, f"chose-{choice.replace(':', '-')}")
    assert messages == [], "nothing that our own policy forbids"
    page.goto(f"{web.root}/c/unknown")
    found += faults(page, "unknown")
    page.goto(web.root + preferences_path(touch))
    page.click("button")
    assert is_told_beside_its_field(page, "choice")
    found += faults(page, "chose-nothing")
    serve(world.engine, clock, None, Settings(secret_key=SECRET, web=Web(requests_per_second=0.001, burst=1)))
    web.get("/robots.txt")
    page.goto(web.root + opt_out_path(touch))
    assert "Too many at once" in page.inner_text("h1")
    found += faults(page, "busy")
    serve(world.engine, broken)
    for name, path in (("sorry", preferences_path(touch)), ("rep-sorry", reps.path(world, "page"))):
        page.goto(web.root + path)
        found += faults(page, name)
    context.close()
    assert found == []


def test_every_page_for_reps_can_be_read_and_used_by_everybody(
    chromium: Chromium, web: Browser, world: World, touch: int
) -> None:
    """A full account, the list, a brief, the forms with every kind of field, what they answer, links that are over."""
    opened = everything_at_acme(web, world, touch)
    context = chromium.new_context()
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    found = []
    for name, address in opened.items():
        page.goto(web.root + address)
        found += faults(page, f"rep-{name}")
    for name, said in (
        ("hold", "No mail and no ads to Acme Works"), ("rhythm", "Your brief comes"), ("away", "You are away from"),
        ("claim", "stands in no other account"),
    ):  # fmt: skip
        page.goto(web.root + opened[name])
        page.click("button")
        assert said in page.inner_text("main")
        found += faults(page, f"rep-{name}-done")
    page.goto(web.root + reps.path(world, "hold"))
    page.click("button")
    found += faults(page, "rep-nothing-new")
    assert messages == []

    for name, field, typed in (("hold", "until", "2026-11-01"), ("away", "since", "2027-12-01")):
        page.goto(web.root + opened[name])
        page.evaluate("document.forms[0].noValidate = true")
        page.fill(f"[name={field}]", typed)
        page.click("button")
        found += faults(page, f"rep-{name}-refused")
        where = field if name == "hold" else "until"
        assert is_told_beside_its_field(page, where)
    messages.clear()
    reps.hand_over(world, "acme", "sofia")
    for name, address in (("over", "/r/unknown"), ("nowhere", "/r/"), ("moved", reps.path(world, "page"))):
        page.goto(web.root + address)
        found += faults(page, f"rep-{name}")
    context.close()
    assert found == []


def everything_at_acme(web: Browser, world: World, touch: int) -> dict[str, str]:
    """What there can be on pages, and where each begins."""
    tell(world.engine, signal("clicked", "alice@acme.example", touch_id=touch))
    tell(world.engine, signal("replied", "bob@acme.example", NOW - timedelta(hours=1)))
    write_briefs(world.engine, play(), NOW, world.reps["ravi"])
    for kind, name in (("ripe", "alice"), ("wrong_person", "charlie"), ("objection", "bob")):
        link, said = reps.path(world, kind, about=world.people[name]), {"words": "" if name != "bob" else "Too dear"}
        assert web.post(link, data=said).status_code == 200
    planned(world, "bob", "evaluation/three-numbers")
    seen = {"person_key": "f" * 64, "first_name": "Zoe", "source": "fair", "why": "seen", "proposed_at": NOW}
    with writing(world.engine) as connection:
        connection.execute(insert(Proposal).values(account_id=world.accounts["acme"], **seen))
        written = connection.scalars(select(Brief.id)).one()
    bob = world.people["bob"]
    return {
        "account": reps.path(world, "page"), "accounts": reps.path(world, "page", None),
        "brief": reps.path(world, "brief", None, brief=written), "limits": reps.path(world, "limits"),
        "correct": reps.path(world, "correct_person", about=bob), "hold": reps.path(world, "hold"),
        "wrong-line": reps.path(world, "wrong_line", brief=written), "claim": reps.path(world, "claim", about=bob),
        "veto": reps.path(world, "veto", about=bob), "rhythm": reps.path(world, "off", None),
        "away": reps.path(world, "away", None), "other": reps.path(world, "other", brief=written),
    }  # fmt: skip


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
