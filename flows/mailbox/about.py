"""Which mail of ours is this about? Every Message-ID and return path it carries, the surest first."""

import re

from flows.mailbox.reading import Mail, addresses
from flows.mailbox.reports import blocks

_MESSAGE_ID = re.compile(r"<[^<>\s@]{1,200}@[^<>\s@]{1,200}>")
_NAMED = re.compile(r"^[>\s]*(?:X-)?(?:Original-)?Message-ID:\s*(<[^<>\s]{3,400}>)", re.IGNORECASE | re.MULTILINE)
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to")
MOST = 20


def message_ids(mail: Mail) -> tuple[str, ...]:
    """Message-IDs with angle brackets: of an attached mail, of a copy in the text, then what this mail answers."""
    found = [id for copy in mail.copies for id in _ids(copy.header("message-id"))]
    for part in mail.parts:
        if "message-id" in part.text.lower():
            found += _NAMED.findall(part.text)
    found += [id for value in mail.headers("in-reply-to") for id in _ids(value)]
    found += [id for value in mail.headers("references") for id in reversed(_ids(value))]
    return tuple(dict.fromkeys(found))[:MOST]


def _ids(value: str) -> list[str]:
    return _MESSAGE_ID.findall(value)


def delivered_to(mail: Mail) -> tuple[str, ...]:
    """Addresses this mail was delivered to, lower case."""
    return tuple(dict.fromkeys(to for name in _DELIVERED for value in mail.headers(name) for to in addresses(value)))


def written_by(mail: Mail) -> tuple[str, ...]:
    """Who wrote the mails that are attached, lower case."""
    return tuple(dict.fromkeys(who for copy in mail.copies for who in addresses(copy.header("from"))))


def returned_to(mail: Mail) -> tuple[str, ...]:
    """Addresses that may name our mail: where this one was delivered, and what reports and copies say it came from."""
    told = [
        path
        for part in mail.parts
        if part.kind == "message/feedback-report"
        for block in blocks(part.text)
        for path in addresses(block.get("original-mail-from", ""))
    ]
    kept = [
        path
        for copy in mail.copies
        for name in ("return-path", "x-return-path", "from")
        for value in copy.headers(name)
        for path in addresses(value)
    ]
    return tuple(dict.fromkeys((*delivered_to(mail), *told, *kept)))[:MOST]
