"""`tandem preview` and `tandem content`, as a marketer types them."""

import email
import email.policy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from accounts.errors import ContentRefused, NotFound, Refused
from flows.cli import tandem
from tests.cast import NOW, PLAY, World
from tests.content.desk import WHY_NOW, lay_out, spoil

CLOCK = ["--as-of", NOW.isoformat()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, without a ledger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_BASE_URL", "https://t.example")
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def ledger(desk: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The cast's ledger, as settings name it."""
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    return world.engine


def run(*words: str) -> Result:
    """Raises what the command raises; `main` turns it into a line and an exit code."""
    return CliRunner().invoke(tandem, list(words), catch_exceptions=False, standalone_mode=False)


def printed(*words: str) -> str:
    return run(*words).stdout


def answered(*words: str) -> Any:
    return json.loads(printed(*words, "--json"))


def test_preview_prints_what_the_reader_sees(desk: Path) -> None:
    shown = printed("preview", "why-now", *CLOCK)
    head, _, body = shown.partition("\n\n")
    assert head.splitlines() == [
        "From: Ravi Menon <ravi@mail.example>",
        "To: Maximiliane Featherstonehaugh <maximiliane@acme.example>",
        "Reply-To: Ravi Menon <ravi@lumenflow.example>",
        "Subject: Acme Works International: what waiting until Q1 2027 costs",
        "Preheader: One page, four inputs, all of them yours.",
    ]
    assert body.startswith("Hi Maximiliane,\n\nWaiting until Q1 2027")


@pytest.mark.parametrize("name", [f"{PLAY}/discovery/why-now", "discovery/why-now", "why-now", "why-now.md"])
def test_a_content_is_found_by_its_key_or_the_end_of_it(desk: Path, name: str) -> None:
    assert answered("preview", name)["content"] == f"{PLAY}/discovery/why-now"


def test_preview_shows_a_real_person(ledger: Engine) -> None:
    shown = answered("preview", "security-pack", "--for", "charlie@acme.example", *CLOCK)
    assert shown["to"] == "Charlie Example <charlie@acme.example>"
    assert shown["account"] == "acme"
    assert shown["planned"] is False
    assert shown["links"] == ["https://www.lumenflow.example/security/pack"]
    assert shown["date"] == NOW.isoformat()


def test_preview_prints_one_part_alone(desk: Path) -> None:
    assert printed("preview", "why-now", "--text").startswith("Hi Maximiliane,")
    assert printed("preview", "why-now", "--html").lower().startswith("<!doctype html>")


def test_preview_writes_what_would_be_sent(desk: Path) -> None:
    assert run("preview", "why-now", "--out", "mail.eml", *CLOCK).stdout == ""
    run("preview", "why-now", "--out", "mail.html", *CLOCK)
    run("preview", "why-now", "--out", "mail.txt", *CLOCK)
    message = email.message_from_bytes((desk / "mail.eml").read_bytes(), policy=email.policy.default)
    for kind, name in (("html", "mail.html"), ("plain", "mail.txt")):
        body = message.get_body((kind,))  # type: ignore[attr-defined]
        assert body.get_content().replace("\r\n", "\n") == (desk / name).read_text("utf-8")


def test_preview_writes_no_other_kind_of_file(desk: Path) -> None:
    result = CliRunner().invoke(tandem, ["preview", "why-now", "--out", "mail.pdf"])
    assert result.exit_code == 2
    assert "ends neither in .eml" in result.stderr
    assert not (desk / "mail.pdf").exists()


def test_preview_opens_in_the_browser(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = desk / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{desk}/opened"\n', "utf-8")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{desk}{os.pathsep}{os.environ['PATH']}")
    (desk / "xdg-open").symlink_to(browser)
    assert run("preview", "why-now", "--open").stdout == ""
    opened = Path((desk / "opened").read_text("utf-8").strip())
    assert opened == desk / "home" / "previews" / "new-business-discovery-why-now.html"
    assert opened.read_text("utf-8").lower().startswith("<!doctype html>")


def test_what_is_not_there_is_refused_with_what_is_near(desk: Path, ledger: Engine) -> None:
    with pytest.raises(NotFound, match="did you mean 'why-now'"):
        run("preview", "why-nwo")
    with pytest.raises(NotFound, match=r"nobody has the address 'nobody@acme\.example'"):
        run("preview", "why-now", "--for", "nobody@acme.example")
    with pytest.raises(NotFound, match="in the account 'globex'"):
        run("preview", "why-now", "--for", "alice@acme.example", "--account", "globex")


def test_the_end_of_several_keys_is_refused_with_all_of_them(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plays = desk / "templates" / "plays"
    lay_out(plays)
    lay_out(plays).rename(plays / "other")
    lay_out(plays)
    monkeypatch.setenv("TANDEM_TEMPLATES", str(desk / "templates"))
    with pytest.raises(Refused, match="write one of other/discovery/why-now, small/discovery/why-now"):
        run("preview", "why-now")


def test_content_prints_the_matrix_with_gaps_and_who_waits(ledger: Engine) -> None:
    lines = printed("content", *CLOCK).splitlines()
    assert lines[0] == "New business (new-business): 40 e-mails, 10 ads"
    assert lines[2].split() == ["contacted", "discovery", "evaluation", "proposal", "negotiation"]
    rows = {line[:20].strip(): line[20:].split() for line in lines[3 : lines.index("", 3)]}
    assert all(number.isdigit() and int(number) >= 2 for number in rows["champion"])
    assert rows["ads"] == ["2"] * 5


def test_content_tells_how_many_wait_on_a_gap(ledger: Engine, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the small play only champions and economic buyers in discovery have something to read."""
    _only_small(desk, monkeypatch, rename=PLAY)
    shown = printed("content", *CLOCK)
    assert "Everybody there has something to read." in shown, "nobody of the cast sits elsewhere in discovery"
    spoil(desk / "templates" / "plays" / PLAY, "discovery/why-now.md", "[champion, economic_buyer]", "[legal]")
    shown = printed("content", *CLOCK)
    assert "Gaps:\n  discovery, champion: 2 people wait\n\n" in shown
    assert "economic buyer" not in shown.partition("Gaps")[2], "Hank's address bounces, so nobody waits there"
    facts = answered("content", *CLOCK)
    assert facts["gaps"][0] == {
        "stage": "discovery", "role": "champion", "expired": [], "people": 2, "reachable": 2, "waiting": 0,
        "finished": 0,
    }  # fmt: skip


def test_content_lists_what_falls_due(ledger: Engine, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_small(desk, monkeypatch, rename=PLAY)
    line = "review due: new-business/discovery/why-now (content@lumenflow.example)"
    assert f"Dates:\n  2027-03-31  {line}" in printed("content", "--as-of", "2027-03-15")
    facts = answered("content", "--as-of", "2027-07-15")
    assert facts["due"] == [
        {
            "content": f"{PLAY}/discovery/why-now", "owner": "content@lumenflow.example", "what": "expired",
            "day": "2027-06-30",
        }
    ]  # fmt: skip
    assert facts["gaps"][0]["expired"] == [f"{PLAY}/discovery/why-now"]


def test_content_finds_a_mistake_in_any_file(ledger: Engine, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_small(desk, monkeypatch)
    lay_out(desk / "templates" / "plays", **{"discovery__second.md": WHY_NOW.replace("price", "{{ prise }}")})
    with pytest.raises(ContentRefused, match=r"second\.md:15: unknown variable \{\{ prise \}\}"):
        run("content")


def test_the_play_must_be_chosen_when_there_are_several(
    ledger: Engine, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_small(desk, monkeypatch, rename="other")
    lay_out(desk / "templates" / "plays")
    with pytest.raises(Refused, match="--play: other, small"):
        run("content")
    assert answered("content", "--play", "small")["play"] == "small"
    with pytest.raises(NotFound, match="there is no play 'smal'"):
        run("content", "--play", "smal")


def _only_small(desk: Path, monkeypatch: pytest.MonkeyPatch, *, rename: str = "small") -> None:
    """Templates of their own: the small play under any name, in the shipped layout."""
    from flows.settings import TEMPLATES

    folder = desk / "templates"
    play = lay_out(folder / "plays")
    play.rename(play.parent / rename)
    (folder / "layout").symlink_to(TEMPLATES / "layout")
    monkeypatch.setenv("TANDEM_TEMPLATES", str(folder))
