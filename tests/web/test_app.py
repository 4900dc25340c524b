"""Where links in our mails lead: clicks, opt-outs, and what people with other people's tokens see."""

import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import select, text

from accounts.identity import email_hash
from accounts.ledger.engagement import scores
from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.sending.links import Link, remember_links
from accounts.models import Account, Suppression
from flows import tokens
from flows.forgetting import forget_person
from flows.settings import Settings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.signals.post import RULES, person, play, send
from tests.web.visitor import (
    ASSET,
    FIREFOX,
    SECRET,
    Browser,
    Clock,
    Serve,
    click_path,
    everything_that_counts,
    opt_out_path,
    signals,
)

# Clicks


def test_a_click_is_written_down_and_goes_where_that_link_leads(web: Browser, world: World, touch: int) -> None:
    answer = web.get(click_path(touch))
    assert (answer.status_code, answer.headers["location"]) == (302, ASSET)
    assert web.get(click_path(touch, 1)).headers["location"] == "https://www.lumenflow.example/privacy"
    first = signals(world)[0]
    assert (first.kind, first.stakeholder_id, first.touch_id) == ("clicked", world.people["alice"], touch)
    assert first.occurred_at == NOW
    assert first.data["url"] == ASSET
    assert not first.is_machine


def test_what_is_written_down_names_no_whole_ip_address(web: Browser, world: World, touch: int) -> None:
    web.get(click_path(touch))
    assert signals(world)[0].data == {
        "method": "GET", "network": "127.0.0.0/24", "url": ASSET, "user_agent": FIREFOX["user-agent"],
    }  # fmt: skip


def test_a_scanner_that_asks_for_headers_only_is_redirected_and_called_a_machine(
    web: Browser, world: World, touch: int
) -> None:
    assert web.ask("HEAD", click_path(touch)).status_code == 302
    assert web.get(click_path(touch), headers={"user-agent": "Mimecast/1.0"}).status_code == 302
    assert [row.is_machine for row in signals(world)] == [True, True]


def test_a_click_counts_in_the_score_after_the_next_collection(
    web: Browser, world: World, settings: Settings, touch: int
) -> None:
    web.get(click_path(touch))
    collect(world.engine, settings, play(), NOW)
    with reading(world.engine) as connection:
        assert scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value > 3


def test_a_link_that_was_never_sent_leads_nowhere_and_counts_for_nothing(
    web: Browser, world: World, touch: int
) -> None:
    for path in (click_path(touch, 7), click_path(touch + 1)):
        assert web.get(path).status_code == 404
    assert signals(world) == []


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "file:///etc/passwd", "/local"])
def test_only_web_addresses_are_followed(web: Browser, world: World, url: str) -> None:
    with writing(world.engine) as connection:
        remember_links(connection, {"3" * 64: [Link(url)]})
        touch = send(connection, world, "bob", content_digest="3" * 64)
    assert web.get(click_path(touch)).status_code == 404


def test_nothing_a_visitor_adds_changes_where_a_link_leads(web: Browser, touch: int) -> None:
    answer = web.get(
        f"{click_path(touch)}?url=https://evil.example&next=//evil.example", headers={"host": "evil.example"}
    )
    assert answer.headers["location"] == ASSET


def test_an_erased_persons_link_still_leads_and_nothing_is_kept(
    web: Browser, world: World, settings: Settings, touch: int
) -> None:
    forget_person(world.engine, settings, "alice@acme.example", by="ravi", now=NOW)
    assert web.get(click_path(touch)).headers["location"] == ASSET
    assert web.post(opt_out_path(touch)).status_code == 200
    assert signals(world) == []


# Opt-outs


def test_looking_at_the_opt_out_page_changes_nothing_however_often(web: Browser, world: World, touch: int) -> None:
    before = everything_that_counts(world)
    for _ in range(3):
        answer = web.get(opt_out_path(touch))
        assert (answer.status_code, "Stop these e-mails?" in answer.text) == (200, True)
    web.ask("HEAD", opt_out_path(touch))
    assert everything_that_counts(world) == before


def test_one_post_opts_out_at_once_without_waiting_for_any_flow(web: Browser, world: World, touch: int) -> None:
    answer = web.post(opt_out_path(touch), data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, "You get no more e-mails" in answer.text) == (200, True)
    assert person(world.engine, world, "alice").opted_out_at == NOW
    with reading(world.engine) as connection:
        assert connection.scalars(select(Suppression.email_hash)).all() == [email_hash("alice@acme.example")]
        assert connection.scalar(select(Account.replan_at).where(Account.key == "acme")) == NOW
    assert person(world.engine, world, "bob").opted_out_at is None


@pytest.mark.parametrize("body", [b"", b"\xff\x00garbage", b"x" * 200_000])
def test_any_post_means_it_whatever_its_body(web: Browser, world: World, touch: int, body: bytes) -> None:
    assert web.post(opt_out_path(touch), data=body, headers={"content-type": "text/nonsense"}).status_code == 200
    assert person(world.engine, world, "alice").opted_out_at == NOW


def test_twice_is_once_and_the_first_time_stays(
    web: Browser, world: World, settings: Settings, clock: Clock, touch: int
) -> None:
    web.post(opt_out_path(touch))
    clock.now = NOW + timedelta(days=1)
    assert web.post(opt_out_path(touch)).status_code == 200
    collected = collect(world.engine, settings, play(), clock.now)
    assert collected.opt_outs == 2
    assert person(world.engine, world, "alice").opted_out_at == NOW


def test_an_opt_out_after_a_new_consent_counts_again(web: Browser, world: World, clock: Clock, touch: int) -> None:
    web.post(opt_out_path(touch))
    with writing(world.engine) as connection:
        connection.execute(text("UPDATE stakeholder SET opted_out_at = NULL"))
    clock.now = NOW + timedelta(days=1)
    web.post(opt_out_path(touch))
    assert person(world.engine, world, "alice").opted_out_at == clock.now


# Strangers


def forged(touch: int) -> dict[str, str]:
    good = tokens.sign(tokens.UNSUBSCRIBE, touch, SECRET)
    return {
        "tampered": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "foreign": tokens.sign(tokens.UNSUBSCRIBE, touch, "another secret"),
        "for another purpose": tokens.sign_click(touch, 0, SECRET),
        "about nobody": tokens.sign(tokens.UNSUBSCRIBE, 999_999, SECRET),
        "no token": "hello",
        "long": "A" * 5_000,
        "not ascii": "%C3%A9%F0%9F%92%A5%FF",
        "sql": "1'%20OR%201=1--",
    }


def test_every_token_that_is_not_ours_gets_the_same_page_and_changes_nothing(
    web: Browser, world: World, touch: int
) -> None:
    before = everything_that_counts(world)
    answers = {
        (answer.status_code, answer.text)
        for name, token in forged(touch).items()
        for answer in (
            web.post(f"/u/{token}"),
            *([] if name == "about nobody" else [web.get(f"/u/{token}")]),
            *([] if name == "for another purpose" else [web.get(f"/c/{token}")]),
        )
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert everything_that_counts(world) == before


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/u/", "/c/", "/u/a/b", "/../etc/passwd"])
def test_other_addresses_get_the_friendly_page(web: Browser, path: str) -> None:
    answer = web.get(path)
    assert (answer.status_code, "leads nowhere" in answer.text) == (404, True)


def test_other_methods_are_refused(web: Browser, touch: int) -> None:
    assert web.ask("PUT", opt_out_path(touch)).status_code == 405
    assert web.post(click_path(touch)).status_code == 405


def test_every_answer_forbids_scripts_frames_referrers_and_caches_and_sets_no_cookie(web: Browser, touch: int) -> None:
    for answer in (
        web.get(opt_out_path(touch)), web.post(opt_out_path(touch)), web.get(click_path(touch)), web.get("/c/x"),
        web.get("/healthz"), web.ask("PUT", "/u/x"),
    ):  # fmt: skip
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def test_pages_say_their_language_fit_a_phone_and_name_nobody(web: Browser, touch: int) -> None:
    for answer in (web.get(opt_out_path(touch)), web.post(opt_out_path(touch))):
        assert '<html lang="en">' in answer.text
        assert 'name="viewport" content="width=device-width, initial-scale=1"' in answer.text
        assert "Beispielstraße 12" in answer.text
        assert "alice" not in answer.text.lower()
    assert web.get("/pages.css").headers["content-type"].startswith("text/css")


def test_a_ledger_that_is_away_is_said_so_and_nothing_is_pretended(serve: Serve, tmp_path: Path) -> None:
    empty = open_ledger(f"sqlite:///{tmp_path / 'empty.db'}")
    web = serve(empty, Clock())
    assert web.get("/healthz").status_code == 503
    answer = web.post(opt_out_path(1))
    assert (answer.status_code, "has not happened" in answer.text) == (503, True)
    assert "no such table" not in answer.text
    empty.dispose()


def test_health_is_ok_while_the_ledger_answers(web: Browser) -> None:
    assert web.get("/healthz").json() == {"status": "ok"}
    assert "Disallow: /" in web.get("/robots.txt").text


def test_twenty_readers_at_once_are_all_written_down(web: Browser, world: World, touch: int) -> None:
    def read() -> None:
        requests.get(web.root + click_path(touch), allow_redirects=False, timeout=10, headers=FIREFOX)

    readers = [threading.Thread(target=read) for _ in range(20)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(signals(world)) == 20


def test_any_mistake_of_ours_is_a_friendly_page_without_its_cause(serve: Serve, world: World, touch: int) -> None:
    def broken() -> datetime:
        raise RuntimeError("the clock stands still")

    answer = serve(world.engine, broken).post(opt_out_path(touch))
    assert (answer.status_code, "has not happened" in answer.text, "clock" in answer.text) == (500, True, False)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
