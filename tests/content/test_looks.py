"""How every e-mail looks in a browser: at 360 and 1200 px, by day and by night, with names as long as they get."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from tests.content.test_render import KEYS, compiled, context

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: looks are not checked")

#: A company's name that no line break helps with, and one of many words.
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
WIDTHS = (360, 1200)
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing is fetched, and nothing waits for a name nobody answers
)  # fmt: skip

#: Runs in the page: what a reader would notice about each framed e-mail.
MEASURE = """
const channel = value => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4 };
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const colour = text => text.match(/[0-9.]+/g).map(Number);
const ground = (element, view) => {
  for (let at = element; at; at = at.parentElement) {
    const found = colour(view.getComputedStyle(at).backgroundColor);
    if (found.length === 3 || found[3] > 0) return found;
  }
  return [255, 255, 255];
};
const contrast = (ink, paper) => {
  const [dark, light] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
addEventListener("load", () => {
  const seen = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, view = frame.contentWindow;
    const walker = page.createTreeWalker(page.body, 4), sizes = [], contrasts = [];
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (!walker.currentNode.textContent.trim() || !element.getClientRects().length) continue;
      const style = view.getComputedStyle(element);
      sizes.push(parseFloat(style.fontSize));
      contrasts.push(contrast(colour(style.color), ground(element, view)));
    }
    const letter = page.querySelector(".letter").getBoundingClientRect();
    return {
      key: frame.title, width: frame.width, scroll: page.documentElement.scrollWidth,
      smallest: Math.min(...sizes), faintest: Math.min(...contrasts), texts: sizes.length,
      letter: letter.width, left: letter.left,
      preheader: page.querySelector(".preheader").getClientRects().length,
      dark: luminance(ground(page.querySelector(".letter"), view)) < 0.1,
    };
  });
  document.querySelector("pre").textContent = JSON.stringify(seen);
});
"""


def gallery(folder: Path) -> Path:
    """One page with every e-mail of the play in a frame of each width."""
    frames = []
    for key in KEYS:
        page = escape(compiled().render(key, context(account_name=f"{LONG} & Co.")).html)
        frames += [f'<iframe title="{key}" width="{width}" height="900" srcdoc="{page}"></iframe>' for width in WIDTHS]
    path = folder / "gallery.html"
    path.write_text(f"<!doctype html><pre></pre>{''.join(frames)}<script>{MEASURE}</script>", "utf-8")
    return path


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def looks(scheme: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the browser measured, one entry per e-mail and width."""
    folder = tmp_path_factory.mktemp(scheme)
    assert CHROMIUM is not None
    command = [
        CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000", "--dump-dom",
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", gallery(folder).as_uri(),
    ]  # fmt: skip
    page = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
    found = re.search(r"<pre>(\[.*?\])</pre>", page)
    assert found, "the page was measured"
    return list(json.loads(unescape(found[1])))


def test_every_mail_is_measured_at_both_widths(looks: list[dict[str, Any]]) -> None:
    assert len(looks) == len(KEYS) * len(WIDTHS)
    assert all(look["texts"] >= 8 for look in looks)


def test_nothing_is_wider_than_the_screen(looks: list[dict[str, Any]]) -> None:
    assert [look for look in looks if look["scroll"] > int(look["width"])] == []


def test_the_letter_fills_a_telephone_and_stands_in_the_middle_of_a_desk(looks: list[dict[str, Any]]) -> None:
    for look in looks:
        if look["width"] == "360":
            assert look["letter"] >= 340
        else:
            assert look["letter"] == 600
            assert 280 <= look["left"] <= 310


def test_letters_are_large_enough_and_stand_out(looks: list[dict[str, Any]]) -> None:
    assert [look for look in looks if look["smallest"] < 14 or look["faintest"] < 4.5] == []


def test_the_preheader_is_for_the_list_of_mails_only(looks: list[dict[str, Any]]) -> None:
    assert {look["preheader"] for look in looks} == {0}


def test_the_night_is_dark(looks: list[dict[str, Any]], scheme: str) -> None:
    assert {look["dark"] for look in looks} == {scheme == "dark"}
