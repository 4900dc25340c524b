"""A brief as Slack and Teams show it: everything is there, inside their limits, and words stay words."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from accounts.briefs import Brief, Statement, write_brief
from accounts.ledger.reps.profiles import Reader
from flows.briefs.links import Links, read
from flows.briefs.mailing import Page
from flows.channels.reps import Message
from flows.channels.reps.adaptive import message_of
from flows.channels.reps.blocks import MOST_IN_ALL, blocks_of
from flows.webhooks.slack import AT_ONCE
from tests.briefs.sample import tuesday
from tests.cast import NOW
from tests.channels.servers import faults
from tests.delivery.servers import BLOCK, MOST_OCTETS, WEBHOOK, buttons_of
from tests.plays import small_play

SECRET = "s" * 32
EVIL = "<!channel> *Bob* [click](https://evil.example) <https://evil.example|here> & co"
BLOCKS = {"type": "array", "items": BLOCK, "maxItems": 50}


@pytest.fixture(scope="module")
def brief() -> Brief:
    written = write_brief(tuesday(), small_play(), NOW)
    assert written is not None
    return written


def message(brief: Brief, **more: Any) -> Message:
    reader = Reader(1, "Ravi Menon", "ravi@lumenflow.example", "U0RAVI")
    links = Links("https://tandem.lumenflow.example", SECRET, 1, 7, NOW.date())
    return Message(7, brief, reader, links, Page("subject", "html", "text"), NOW, **more)


def large(brief: Brief) -> Brief:
    """Five accounts with words as long as they get."""
    line = Statement("a long line about what somebody did and why it may matter to you " * 12, ("signal:1",))
    accounts = (replace(account, news=(line,) * 6, is_late=True) for account in brief.accounts * 5)
    return replace(brief, accounts=tuple(accounts)[:5])


def strings(value: Any, *keys: str) -> Iterator[str]:
    """Every text under these keys."""
    if isinstance(value, list):
        for one in value:
            yield from strings(one, *keys)
    elif isinstance(value, dict):
        yield from (text for key, text in value.items() if key in keys and isinstance(text, str))
        for one in value.values():
            yield from strings(one, *keys)


def test_slack_gets_every_part_of_every_account(brief: Brief) -> None:
    blocks = blocks_of(message(brief), can_click=True)
    assert faults(BLOCKS, blocks) is None
    said = "\n".join(strings(blocks, "text"))
    for account in brief.accounts:
        assert account.title in said
        assert account.step.text in said
    assert "all of this brief" not in said


def test_teams_gets_every_part_of_every_account(brief: Brief) -> None:
    card = json.loads(message_of(message(brief)))
    assert faults(WEBHOOK, card) is None
    said = "\n".join(strings(card, "text"))
    for account in brief.accounts:
        assert account.title in said
        assert account.step.text in said


def test_what_does_not_fit_is_left_out_from_the_end_with_a_link_to_the_rest(brief: Brief) -> None:
    much = message(large(brief))
    blocks, card = blocks_of(much, can_click=True), message_of(much)
    assert (faults(BLOCKS, blocks), len(blocks) <= 50) == (None, True)
    assert sum(map(len, strings(blocks, "text"))) < MOST_IN_ALL
    assert len(card) <= MOST_OCTETS
    first = much.brief.accounts[0].title
    for said in ("\n".join(strings(blocks, "text")), "\n".join(strings(json.loads(card), "text", "title"))):
        assert first in said
        assert "more account" in said
        assert "ll of this brief" in said


@pytest.mark.parametrize("can_click", [True, False])
def test_buttons_are_the_links_of_the_mail(brief: Brief, can_click: bool) -> None:
    """Those that need only a yes act where they stand, after a question; the others lead to the rep's pages."""
    told = message(brief)
    found = buttons_of(blocks_of(told, can_click=can_click))
    assert any("value" in button for button in found) is can_click
    for button in found:
        token = button.get("value") or button["url"].rpartition("/r/")[2]
        genuine = read(token, SECRET)
        if genuine is None:
            assert button["text"]["text"] == "Open it"
            continue
        to = genuine.to
        assert (to.rep_id, to.brief_id) == (1, 7)
        about_none = to.kind in ("brief", "off", "away")
        assert to.account_id in ({0} if about_none else {account.id for account in brief.accounts})
        assert ("confirm" in button) is ("value" in button) is (can_click and to.kind in AT_ONCE)


def test_words_of_buyers_stay_words(brief: Brief) -> None:
    first = replace(brief.accounts[0], title=EVIL, news=(Statement(EVIL, ("signal:1",)),))
    evil = message(replace(brief, accounts=(first, *brief.accounts[1:])))
    blocks = blocks_of(evil, can_click=True)
    marked = [
        text["text"]
        for block in blocks
        for text in (block.get("text"), *block.get("elements", ()))
        if text and text.get("type") == "mrkdwn"
    ]
    assert not any("<!channel>" in text or "<https://evil" in text for text in marked)
    assert all(block["text"].get("verbatim") for block in blocks if block["type"] == "section")
    card = json.loads(message_of(evil))
    assert "TextBlock" not in set(strings(card, "type")), "a TextBlock reads Markdown"
    assert EVIL in set(strings(card, "text"))


def test_an_answered_account_says_so_instead_of_asking_again(brief: Brief) -> None:
    said = "No mail to Acme Works until 3 December."
    account = brief.accounts[0]
    blocks = blocks_of(message(brief, answered={account.id: (said,)}), can_click=True)
    assert f"✓ {said}" in "\n".join(strings(blocks, "text"))
    tokens = (button.get("value") or button["url"].rpartition("/r/")[2] for button in buttons_of(blocks))
    opened = [genuine.to for token in tokens if (genuine := read(token, SECRET))]
    kinds = [to.kind for to in opened if to.account_id == account.id]
    assert "other" in kinds, "to say something else after all"
    assert not {"hold", "ripe", "not_yet"} & set(kinds)
