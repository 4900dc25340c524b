"""What a delivered message offers its reader to press, read from the message alone: mail, Slack's blocks, a Teams card.

`Offer("Acme Works", "Stop before then", …)`: under this account, with these words on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Any


@dataclass(frozen=True)
class Offer:
    #: The account's name; empty above and below all accounts.
    account: str
    label: str
    #: The line it stands beside.
    about: str
    url: str = ""
    #: Of a button that asks in Slack itself: what it sends once it was confirmed.
    value: str = ""


def in_mail(content: bytes) -> list[Offer]:
    """The links of the HTML part; whoever reads the text has the same addresses."""
    mail = message_from_bytes(content, policy=policy.default)
    page, text = (mail.get_body((kind,)).get_content() for kind in ("html", "plain"))  # type: ignore[attr-defined]
    offers = _Mail(page).offers
    words = text.split()
    assert all(one.url in words for one in offers), "the text has every link"
    return offers


class _Mail(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.offers: list[Offer] = []
        self._account = self._line = self._label = self._url = ""
        self._is_title = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = {name: value or "" for name, value in attrs}
        if tag in ("p", "tr"):
            self._line = ""
        elif tag == "h2":
            self._is_title, self._account = True, ""
        elif tag == "td" and "foot" in (had.get("class") or ""):
            self._account = ""
        elif tag == "a":
            self._url, self._label = had["href"], ""

    def handle_data(self, data: str) -> None:
        self._label += data
        if not self._url:
            self._line += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            if self._is_title:
                self._account, self._is_title = self._label, False
            self.offers.append(Offer(self._account, self._label, " ".join(self._line.split()), self._url))
            self._url = ""


def in_slack(message: dict[str, Any]) -> list[Offer]:
    return list(_in_blocks(message["blocks"]))


def _in_blocks(blocks: list[dict[str, Any]]) -> Iterator[Offer]:
    account, begins = "", False
    for block in blocks:
        if block["type"] == "divider":
            begins = True
        elif block["type"] == "section":
            text = block["text"]["text"]
            if begins:
                account, begins = text.split("*")[1], False
            if "accessory" in block:
                yield _pressed(account, block["accessory"], text)
        elif block["type"] == "actions":
            above = "" if block["block_id"].startswith("foot") else account
            yield from (_pressed(above, one, "") for one in block["elements"])


def _pressed(account: str, button: dict[str, Any], about: str) -> Offer:
    return Offer(account, button["text"]["text"], about, button.get("url", ""), button.get("value", ""))


def in_teams(card: dict[str, Any]) -> list[Offer]:
    return list(_in_elements(card["body"], ""))


def _in_elements(elements: list[dict[str, Any]], account: str) -> Iterator[Offer]:
    line = ""
    for element in elements:
        if element["type"] == "Container":
            title = element["items"][0]["inlines"][0]["text"]
            yield from _in_elements(element["items"], title)
        elif element["type"] == "RichTextBlock":
            line = "".join(run["text"] for run in element["inlines"])
            for run in element["inlines"]:
                if opens := run.get("selectAction"):
                    yield Offer(account, run["text"], "", opens["url"])
        else:
            yield from (Offer(account, one["title"], line, one["url"]) for one in element["actions"])
