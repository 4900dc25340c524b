"""Make the pictures of README and docs from the running program: `make docs`.

Builds the demo, starts the Prefect server on what it left behind and photographs a brief, an e-mail, the gate's verdict
and the run list with Chromium. Needs Debian's `chromium` (or any Chromium; set CHROMIUM=/path/to/it).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from flows.operating.prefect_server import running_server

DEMO = Path(".tandem/demo")
PICTURES = Path(__file__).parent / "pictures"


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("docs: no Chromium found (apt-get install chromium, or set CHROMIUM)")
    if not (DEMO / "index.html").exists():
        subprocess.run([Path(sys.executable).parent / "tandem", "demo"], check=True)  # noqa: S603
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        photograph_files(browser.new_page(viewport={"width": 720, "height": 900}))
        with running_server(DEMO / "prefect") as server:
            photograph_prefect(browser.new_page(viewport={"width": 1280, "height": 800}), server.ui_url)
        browser.close()


def photograph_files(page: Page) -> None:
    """The newest brief and the page that links everything, as an e-mail client shows them."""
    brief = max((DEMO / "briefs").glob("*.html"), key=lambda path: path.stat().st_size)
    for name, path in {"brief": brief, "demo": DEMO / "index.html"}.items():
        page.goto(path.resolve().as_uri())
        page.screenshot(path=PICTURES / f"{name}.png")


def photograph_prefect(page: Page, ui: str) -> None:
    """What an operator sees first, and what a marketer reads there."""
    page.goto(f"{ui}/runs")
    page.get_by_text("nurture-accounts").first.wait_for()
    page.wait_for_timeout(2000)
    page.screenshot(path=PICTURES / "prefect-runs.png")
    for key in ("nurture-new-business", "track-new-business"):
        page.goto(f"{ui}/artifacts/key/{key}")
        page.locator("a[href*='/artifacts/artifact/']").first.click()
        page.get_by_text("As of").first.wait_for()
        page.wait_for_timeout(1000)
        page.screenshot(path=PICTURES / f"prefect-{key.partition('-')[0]}.png")


if __name__ == "__main__":
    main()
