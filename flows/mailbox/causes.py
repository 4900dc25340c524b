"""Why did a mail come back? From the server's codes and words to one cause.

Some words outrank every code: servers give "mailbox full" and "has left" under any number. Then an enhanced code that
says one thing only; then the words, the server's own first; then what the code means at least, or the three digits.
"""

import re
from collections.abc import Iterable

from flows.channels.email.replies import BY_ENHANCED, VAGUE, Moment, Reply, meaning_of
from flows.mailbox.saying import Phrases, phrases, plain, table
from flows.mailbox.understood import Action, Cause

_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_DIGITS = re.compile(r"(?<![\w.@:-])([45][0-7]\d)(?=[ -](?:[245]\.\d|[^\d\s,]))")

#: Words that outrank codes.
_OUTRANKING = (Cause.PERSON_LEFT, Cause.ADDRESS_MOVED, Cause.MAILBOX_FULL)
#: Codes that say more once a mail has come back than while it is being sent: "has moved, and where to is not said".
_AFTERWARDS = {"1.6": Cause.ADDRESS_MOVED}
_IN_ORDER = tuple(Cause(name) for name in table("bounces"))
_NAMES = frozenset(cause.value for cause in Cause)


def enhanced_in(text: str) -> str | None:
    """The first enhanced code that says something: ``5.1.1`` before ``5.0.0``."""
    found = _ENHANCED.findall(text)
    return next((code for code in found if not code.endswith(".0.0")), found[0] if found else None)


def digits_in(text: str) -> int | None:
    """The first SMTP reply code in a server's words."""
    found = _DIGITS.search(text)
    return int(found[1]) if found else None


def said_in(text: str, causes: tuple[Cause, ...] = _IN_ORDER) -> Cause | None:
    """What the words say; `text` as `plain` leaves it."""
    return next((cause for cause in causes if phrases_of(cause).find(text) >= 0), None)


def phrases_of(cause: Cause) -> Phrases:
    return phrases("bounces", f"{cause}.phrases")


def cause_of(enhanced: str | None, digits: int | None, diagnostic: str, around: Iterable[str] = ()) -> Cause:
    """The cause, from the codes, the server's own words, and the words around them, nearest first."""
    own = _spelled_out(diagnostic)
    detail = enhanced.partition(".")[2] if enhanced else ""
    certain = None if detail in VAGUE or _is_for_now(enhanced) else _by_code(detail)
    return (
        said_in(own, _OUTRANKING)
        or certain
        or said_in(own)
        or next(filter(None, (said_in(_spelled_out(text)) for text in around)), None)
        or _by_code(detail)
        or _by_digits(digits, diagnostic, enhanced)
        or Cause.UNKNOWN
    )


def _is_for_now(enhanced: str | None) -> bool:
    """A temporary code about an address may only say that it could not be asked: "unverified: connection refused"."""
    return bool(enhanced and enhanced.startswith("4.1."))


def _spelled_out(words: str) -> str:
    """``BAD_RECIPIENT`` as words."""
    return plain(words.replace("_", " "))


def _by_code(detail: str) -> Cause | None:
    if detail in _AFTERWARDS:
        return _AFTERWARDS[detail]
    refusal = BY_ENHANCED.get(detail)
    return Cause(refusal.value) if refusal else None


def _by_digits(digits: int | None, words: str, enhanced: str | None) -> Cause | None:
    if digits is None:
        return None
    reason = meaning_of(Moment.RCPT, Reply(digits, words[:500], enhanced)).reason.value
    return Cause(reason) if reason in _NAMES else None


def is_hard(cause: Cause, enhanced: str | None, digits: int | None) -> bool:
    """Whether the address will never work. An unknown cause is hard unless the server calls it temporary: writing on
    harms the sender more than a wrong suppression that a rep can lift."""
    if cause.action is Action.UNKNOWN:
        return not (enhanced.startswith("4") if enhanced else str(digits or "").startswith("4"))
    return cause.action in (Action.NEVER_AGAIN, Action.ASK_REPLACEMENT)
