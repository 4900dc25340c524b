"""A stored signal as the table looks at it, read from what somebody told: nothing in here is believed unseen."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from accounts.identity import normalise_email
from accounts.vocabulary import BounceAction, SignalKind

#: What a wish can be at most: days between two mails, letters of a topic.
LONGEST_INTERVAL, LONGEST_TOPIC = 365, 40

#: Letters of a name that somebody's note gives, and of an address (RFC 5321, 4.5.3.1).
LONGEST_NAME, LONGEST_ADDRESS = 80, 254

_KINDS = {kind.value: kind for kind in SignalKind}
_ACTIONS = {action.value: action for action in BounceAction}


@dataclass(frozen=True, slots=True)
class Happening:
    """A signal, as far as the table looks at it."""

    kind: SignalKind
    occurred_at: datetime
    #: A bounce that will never be different; unclassified bounces count as such, since writing on harms the sender.
    is_hard: bool = True
    #: What follows from a bounce, where its reader found out; `unknown`: `is_hard` decides.
    action: BounceAction = BounceAction.UNKNOWN
    #: A bounce that says that the person is gone, not only the address.
    person_left: bool = False
    #: Who is named instead of somebody who left: name and address, either may be missing.
    successor: tuple[str | None, str | None] = (None, None)
    #: When an absent person is back, or when a booked meeting takes place; the end of a pause somebody asked for.
    until: datetime | None = None
    #: What somebody chose on the preference page.
    every_days: int | None = None
    topic: str | None = None
    #: The brief that came back, and the server's words.
    brief_id: int | None = None
    said: str = ""

    @classmethod
    def read(cls, kind: str, occurred_at: datetime, data: Mapping[str, Any] | None) -> "Happening":
        """From a stored signal. `data` may say ``bounce: soft``, ``action`` (a BounceAction), ``reason``, ``until: <ISO
        8601>``, ``replacement: {name, email}``, ``every_days``, ``topic``, ``brief``; anything else is ignored."""
        said = data if isinstance(data, Mapping) else {}
        topic, brief = said.get("topic"), said.get("brief")
        return cls(
            read_kind(kind),
            occurred_at,
            is_hard=str(said.get("bounce")).strip().lower() != "soft",
            action=_ACTIONS.get(str(said.get("action")), BounceAction.UNKNOWN),
            person_left=said.get("reason") == "person_left",
            successor=_read_successor(said.get("replacement")),
            until=read_instant(said.get("until")),
            every_days=_read_days(said.get("every_days")),
            brief_id=brief if type(brief) is int else None,
            said=next((str(words) for key in ("reply", "diagnostic", "reason") if (words := said.get(key))), ""),
            topic=topic if isinstance(topic, str) and 0 < len(topic) <= LONGEST_TOPIC else None,
        )


def _read_days(value: object) -> int | None:
    """A number of days, from JSON or from a cell of a file."""
    days = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5 else value
    return days if type(days) is int and 0 < days <= LONGEST_INTERVAL else None


def _read_successor(named: object) -> tuple[str | None, str | None]:
    """A name and an address as somebody's note gives them; what cannot be either is left out."""
    if not isinstance(named, Mapping):
        return None, None
    name, email = (named.get(key) for key in ("name", "email"))
    plain = " ".join(name.split())[:LONGEST_NAME] if isinstance(name, str) else ""
    return plain or None, read_address(email)


def read_address(value: object) -> str | None:
    """An e-mail address in its normal form; None for what cannot be one."""
    if not isinstance(value, str):
        return None
    address = normalise_email(value)
    local, _, domain = address.rpartition("@")
    return (
        address
        if local and "." in domain and len(address) <= LONGEST_ADDRESS and address.split() == [address]
        else None
    )


def read_kind(kind: str) -> SignalKind:
    """The kind by its name, however it is spelled (`Event attended`); any other name is `unknown`."""
    return _KINDS.get(kind) or _KINDS.get(re.sub(r"[\s_-]+", "_", kind.strip().lower()), SignalKind.UNKNOWN)


def read_instant(value: object) -> datetime | None:
    """ISO 8601 as aware UTC (a time without a zone is UTC); None for anything that is not a time."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
