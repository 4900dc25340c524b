"""The e-mail itself: what survives a mail program, what is hidden in it, what fits a phone."""

import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from jinja2.exceptions import SecurityError

from accounts.briefs import AccountMaterial, Brief, SeatState, write_brief
from accounts.errors import ContentRefused
from flows.briefs.links import Links
from flows.briefs.pages import BriefPages
from flows.settings import TEMPLATES
from tests.briefs.sample import YESTERDAY, acme, globex, ravi, tuesday
from tests.cast import NOW
from tests.plays import small_play

PAGES = BriefPages(TEMPLATES)
LINKS = Links("http://127.0.0.1:8088", "a secret of the house", rep_id=1, brief_id=9, issued_day=NOW.date())
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
    "--hide-scrollbars", "--virtual-time-budget=2000",
)  # fmt: skip


def write(*accounts: AccountMaterial) -> Brief:
    written = write_brief(replace(ravi(*accounts), doubtful=((9, YESTERDAY),)), small_play(), NOW)
    assert written is not None
    return written


BRIEF = write(*tuesday().accounts)
HTML = PAGES.html(BRIEF, LINKS)


class TestHtml:
    def test_every_statement_carries_its_ids_and_none_is_shown(self) -> None:
        hidden = {unescape(ids) for ids in re.findall(r'data-evidence="([^"]*)"', HTML)}
        for account in BRIEF.accounts:
            for statement in account.statements():
                assert " ".join(statement.evidence) in hidden, statement.text
        assert "signal:" not in re.sub(r"<[^>]*>", "", HTML)

    def test_it_needs_no_script_no_drawing_no_remote_file_and_no_style_sheet(self) -> None:
        for tag in ("<script", "<svg", "<img", "<link", "@import", "url(", "position:", "display:flex", "<form"):
            assert tag not in HTML

    def test_styles_stand_on_the_elements_and_the_dark_ones_in_the_head(self) -> None:
        body = HTML.partition("<body")[2]
        assert "<style" not in body
        assert body.count("style=") > 100
        assert HTML.partition("<body")[0].count("prefers-color-scheme: dark") == 1

    def test_the_character_set_stands_where_every_program_looks(self) -> None:
        assert HTML.encode().index(b"charset=") < 1024

    def test_the_picture_of_the_group_is_made_of_table_cells_with_marks_and_words(self) -> None:
        html = PAGES.html(write(acme()), LINKS)
        for state, name, note in (
            (SeatState.WARM, "Alice Winter", "replied Mon"),
            (SeatState.SILENT, "Charlie Brandt", "silent, 1 mail"),
            (SeatState.NEW, "Frank Huber", "no consent"),
            (SeatState.OUT, "Dana Fields", "opted out"),
        ):
            tile = re.search(rf'<table class="seat {state}seat"(?:(?!</table>).)*{name}.*?</table>', html, re.DOTALL)
            assert tile is not None
            assert re.sub(r"<[^>]*>", " ", tile[0]).split()[0] == state.mark
            assert note in tile[0]
        assert "missingseat" in PAGES.html(write(globex()), LINKS)

    def test_every_colour_of_text_can_be_read_on_its_ground(self) -> None:
        """WCAG AA, 4.5 to 1, for the pairs of the picture and the bars, light and dark."""
        source = (TEMPLATES / "briefs" / "brief.html").read_text(encoding="utf-8")
        pairs = re.findall(r"background: (#[0-9a-f]{6})(?: !important)?; color: (#[0-9a-f]{6})", source)
        assert len(pairs) >= 10
        grounds = {"light": ("#ffffff", "#eef1f4", "#e6f0f8", "#fdeee3", "#e3e7ea"),
                   "dark": ("#12181e", "#1b242c", "#1c3245", "#43260f", "#28323b", "#0c1014")}  # fmt: skip
        pairs += [(ground, ink) for ground in grounds["light"] for ink in ("#1c2733", "#24527a", "#55636f")]
        pairs += [(ground, ink) for ground in grounds["dark"] for ink in ("#e8edf1", "#a9b6c1")]
        for ground, ink in pairs:
            assert contrast(ground, ink) >= 4.5, (ground, ink)


class TestText:
    def test_lines_are_short_enough_for_mail_and_links_are_whole(self) -> None:
        text = PAGES.text(BRIEF, LINKS)
        for line in text.splitlines():
            assert len(line) <= 78 or re.search(r"(^|: )http\S+$|tandem brief \S+", line.strip()), line
        for account in BRIEF.accounts:
            for answer in account.answers:
                assert f"{answer.label}\n{' ' * 18}{LINKS(answer.kind, account.id, answer.subject)}\n" in text

    def test_ids_are_shown_only_when_asked_for(self) -> None:
        assert "[signal:" not in PAGES.text(BRIEF, LINKS)
        assert "[signal:" in PAGES.text(BRIEF, LINKS, with_evidence=True)

    @pytest.mark.parametrize("reach", ["brief.__class__.__mro__", "brief.accounts[0].__init__.__globals__"])
    def test_a_template_cannot_reach_behind_the_words(self, reach: str, tmp_path: Path) -> None:
        (tmp_path / "briefs").mkdir()
        (tmp_path / "briefs" / "brief.html").write_text("")
        (tmp_path / "briefs" / "brief.txt").write_text("{{ " + reach + " }}")
        with pytest.raises(SecurityError):
            BriefPages(tmp_path).text(BRIEF, LINKS)

    def test_a_missing_template_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ContentRefused, match=r"brief\.html"):
            BriefPages(tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_the_window(width: int, tmp_path: Path) -> None:
    """Nothing sticks out to the right, on a phone and on a desk, with the longest names and addresses."""
    people = [replace(one, name="Wolfeschlegelsteinhausenbergerdorff", email="x" * 60 + "@acme.example") for one in
              acme().people]  # fmt: skip
    (tmp_path / "brief.html").write_text(
        PAGES.html(write(replace(acme(), people=tuple(people))), LINKS), encoding="utf-8"
    )
    (tmp_path / "frame.html").write_text(
        f'<iframe id=f src=brief.html style="width:{width}px;height:900px;border:0"></iframe><script>onload=()=>'
        "{let d=f.contentDocument.documentElement;document.title=d.scrollWidth+' of '+d.clientWidth}</script>"
    )
    command = [str(CHROMIUM), *SWITCHES, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    page = subprocess.run([*command, (tmp_path / "frame.html").as_uri()], capture_output=True, text=True, timeout=60)
    content, window = re.findall(r"<title>(\d+) of (\d+)</title>", page.stdout)[0]
    assert content == window == str(width)


def contrast(one: str, other: str) -> float:
    """Of two colours, from 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
