"""A report that a machine can read: what happened to each recipient, field by field (RFC 3464; RFC 5965 as well)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flows.mailbox.reading import Mail, addresses

Fields = Mapping[str, str]

_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:[ \t]*(.*)")
_BLANK = re.compile(r"\n[ \t]*\n")
#: Fields that begin what is said of one recipient.
_OF_RECIPIENT = frozenset({"final-recipient", "original-recipient", "action"})
_TYPED = re.compile(r"^[ \t]*[\w.-]{1,30}[ \t]*;[ \t]*")
MOST_BLOCKS = 50


@dataclass(frozen=True, slots=True)
class Fate:
    """What a report says of one recipient; a field it leaves out is empty."""

    #: ``failed``, ``delayed``, ``delivered``, ``relayed``, ``expanded``
    action: str
    #: ``5.1.1``
    status: str
    #: The server's words, without the name of the protocol.
    diagnostic: str
    #: As we wrote it, and as the last server spelled it.
    original: str
    final: str


def fates(mail: Mail) -> list[Fate]:
    """What became of each recipient; empty when the mail has no report."""
    parts = [part.text for part in mail.parts if part.kind in _KINDS]
    if not parts:  # servers have been seen to send the fields as plain text
        parts = [part.text for part in mail.parts if "\nFinal-Recipient:" in part.text and "\nAction:" in part.text]
    return [_fate(block) for text in parts for block in blocks(text) if block.keys() & _OF_RECIPIENT]


def blocks(text: str) -> Iterator[Fields]:
    """Fields in their blocks, names in lower case, folded lines joined; the first of a name in a block counts."""
    for block in _BLANK.split(text.strip("\n"), MOST_BLOCKS)[:MOST_BLOCKS]:
        fields: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            if line[:1] in (" ", "\t") and name:
                fields[name] += " " + line.strip()
            elif found := _FIELD.match(line):
                name = found[1].lower()
                name = name if name not in fields else f"{name} again"
                fields[name] = found[2].strip()
        if fields:
            yield fields


def untyped(value: str) -> str:
    """``rfc822; dana@acme.example`` without its type."""
    return _TYPED.sub("", value, count=1).strip()


def _fate(block: Fields) -> Fate:
    status, _, comment = block.get("status", "").partition(" ")
    return Fate(
        block.get("action", "").partition(" ")[0].strip("()").lower(),
        status,
        untyped(block.get("diagnostic-code", "")) or comment.strip("()"),
        address_in(block.get("original-recipient", "")),
        address_in(block.get("final-recipient", "")),
    )


def address_in(value: str) -> str:
    """The address in a typed field, or what stands there instead of one."""
    bare = untyped(value)
    return next(iter(addresses(bare)), bare.strip("<>\"' ")[:254])
