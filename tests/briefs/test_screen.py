"""A brief on a terminal of any width."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from accounts.briefs import RepMaterial, write_brief
from accounts.briefs.account import STOP
from flows.briefs.screen import show_brief
from tests.briefs.sample import acme, globex, ravi, tuesday
from tests.cast import NOW
from tests.plays import small_play


def screen(width: int, material: RepMaterial | None = None) -> str:
    out = io.StringIO()
    written = write_brief(material or tuesday(), small_play(), NOW)
    assert written is not None
    show_brief(Console(file=out, width=width, highlight=False), written)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_screen_keeps_within_the_width(width: int) -> None:
    panels = [line for line in screen(width).splitlines() if line.startswith(("╭", "│", "╰"))]
    assert panels
    assert {len(line) for line in panels} == {width}


def test_a_name_is_never_read_as_markup() -> None:
    account = acme()
    people = (replace(account.people[0], name="[red]Alice[/red]"), *account.people[1:])
    assert "[red]Alice[/red]" in screen(100, ravi(replace(account, people=people)))


def test_the_screen_shows_every_word_of_the_brief_but_those_of_links() -> None:
    written = write_brief(ravi(globex()), small_play(), NOW)
    assert written is not None
    shown = screen(2000, ravi(globex()))
    account = replace(written.accounts[0], answers=())
    for text in account.spoken():
        assert text in shown or text == STOP
    assert all(mail.veto in shown for mail in account.planned), "a terminal has commands where the e-mail has links"
