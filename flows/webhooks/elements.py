"""From bytes to elements, and from an element's fields to the clues of a signal. What is odd here is odd everywhere."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from accounts.ledger.signals.whose import Incoming
from accounts.outcomes import read_instant
from accounts.vocabulary import SignalKind
from flows.mailbox.causes import cause_of, digits_in, enhanced_in
from flows.mailbox.understood import Cause
from flows.webhooks import Event, Unreadable

#: What our name for a message is called in a provider's metadata; the channels write it, see channels/email/http.py.
KEY = "tandem"
#: What we call our mails to people of our own.
TO_OUR_OWN = ("brief-", "notice-", "letter-")
#: What says that a mail did not arrive.
LOST = frozenset({SignalKind.BOUNCED, SignalKind.DROPPED})
#: Longer numbers are no ids of ours.
_LONGEST_ID = 18
#: What JSON and forms write a time as; not truths, which are numbers to Python.
_NUMBERS = frozenset({int, float, str})


def read_json(body: bytes) -> Any:
    """Raises Unreadable. The strict reader first, since it is fast; then one that lets half characters pass."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise Unreadable("the post is no JSON") from None


def as_list(said: Any) -> list[Event]:
    """The elements of a post that is a list, or a single element."""
    return said if isinstance(said, list) else [said]


def signal(
    source: str,
    name: str,
    kind: SignalKind | None,
    at: datetime,
    *,
    said: object,
    event: Event,
    key: object = None,
    message_id: object = None,
    email: object = None,
    provider_id: object = None,
    crm_id: str | None = None,
    is_dated: bool = True,
    data: Mapping[str, Any] | None = None,
) -> Incoming:
    """One signal. `kind` None: nobody knows the name `said`, so the whole event is kept.
    provider_id: the provider's own name for the mail; crm_id: the CRM's for the person; is_dated: `at` is in what the
    provider wrote.

    Raises Unreadable for clues that are no text.
    """
    name, touch_id = text_of(name) or "", touch_of(key)
    if touch_id is None and isinstance(key, str) and key.startswith(TO_OUR_OWN):  # no buyer did this
        return _of_our_own(
            source, name, kind, at, key, f"{key.partition('-')[0]} {_plain(said)}", event, data or {}, is_dated
        )
    message_id, email = text_of(message_id), text_of(email)
    if kind is None:
        kept = {"event": dict(event)}
        return Incoming(source, name, _plain(said), at, touch_id, message_id, email, is_dated=is_dated, data=kept)
    no_account = no_domain = no_content = None  # by place, since names cost as much as the signal
    return Incoming(
        source, name, kind, at, touch_id, message_id, email, no_account, no_domain, text_of(provider_id), crm_id,
        is_dated, no_content, data or {},
    )  # fmt: skip


def _of_our_own(
    source: str, name: str, kind: SignalKind | None, at: datetime, key: str, said: str, event: Event,
    data: Mapping[str, Any], is_dated: bool,
) -> Incoming:  # fmt: skip
    """About a brief, a notice or a letter. Of a brief it matters whether it came back."""
    brief = number_of(key, "brief-")
    if brief is not None and kind in LOST:
        return Incoming(source, name, SignalKind.BRIEF_BOUNCED, at, is_dated=is_dated, data={**data, "brief": brief})
    return Incoming(source, name, said, at, is_dated=is_dated, data={"event": dict(event)})


def touch_of(key: object) -> int | None:
    """``touch-17`` -> 17; None for what is no name of ours."""
    return number_of(key, "touch-")


def number_of(key: object, about: str) -> int | None:
    """The number after `about`; None for what is no name of ours."""
    if not isinstance(key, str) or not key.startswith(about):
        return None
    number = key[len(about) :]
    return int(number) if number.isdecimal() and number.isascii() and len(number) <= _LONGEST_ID else None


def text_of(value: object) -> str | None:
    """A clue. None and "" are none. Raises Unreadable for one that no database can hold or that is no text."""
    if not value:
        return None
    if not isinstance(value, str) or "\0" in value or not (value.isascii() or _is_whole(value)):
        raise Unreadable("names somebody in a way that is no text")
    return value


def _is_whole(value: str) -> bool:
    """Without half characters, which JSON can hold and nothing else."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _plain(said: object) -> str:
    """A name that nobody knows, in letters that can be shown."""
    return str(said)[:120].encode("ascii", "backslashreplace").decode()


def at_second(value: object) -> datetime:
    """Seconds since 1970. Raises Unreadable."""
    if type(value) not in _NUMBERS:
        raise Unreadable("does not say when")
    try:
        return datetime.fromtimestamp(float(value), UTC)  # type: ignore[arg-type]
    except (ValueError, OverflowError, OSError):
        raise Unreadable("does not say when in seconds") from None


def at_instant(value: object) -> datetime:
    """ISO 8601. Raises Unreadable."""
    at = read_instant(value)
    if at is None:
        raise Unreadable("does not say when")
    return at


def bounced(hard: bool, words: object, status: object = None) -> dict[str, Any]:
    """What a bounce says of itself. The server's own words outrank the provider's hard or soft, where they are clear:
    a filter that refuses us says nothing about the person."""
    words = str(words or "")
    cause = cause_of(enhanced_in(f"{status} {words}"), digits_in(words), words)
    said = {"bounce": "hard" if hard else "soft", "diagnostic": words, "reason": cause.value}
    return said if cause is Cause.UNKNOWN else {**said, "action": cause.action.value}


def chosen(event: Mapping[str, Any], names: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Fields of an event that are kept where they say something: theirs -> ours."""
    return {ours: value for theirs, ours in names if (value := event.get(theirs))}
