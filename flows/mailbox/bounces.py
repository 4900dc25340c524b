"""What does a server give back? Bounces, from its report (RFC 3464) or from its words."""

from dataclasses import dataclass

from flows.mailbox.causes import cause_of, digits_in, enhanced_in, is_hard
from flows.mailbox.notices import Marks, failed_in, goes_on_trying, marks, near, own_words
from flows.mailbox.reading import Mail
from flows.mailbox.reports import Fate, fates
from flows.mailbox.saying import Phrases, line_with, phrases
from flows.mailbox.understood import Bounce, Cause, Kind

_FAILED = frozenset({"failed", "failure", "error"})
_DIAGNOSTIC = 500
#: Words of a notice that are searched for the cause.
_WORDS = 6_000


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A server's word about a mail of ours."""

    kind: Kind
    bounces: tuple[Bounce, ...]
    evidence: str
    confidence: float


def read_bounces(mail: Mail) -> GivenBack | None:
    """What a server says of our mail; None when no server speaks."""
    told = fates(mail)
    return _by_report(mail, told) if told else _by_words(mail)


def _by_report(mail: Mail, told: list[Fate]) -> GivenBack | None:
    words = own_words(mail)[:_WORDS]
    failed = [fate for fate in told if _has_failed(fate)]
    if failed:
        bounces = tuple(_of_fate(fate, words) for fate in failed)
        return GivenBack(Kind.BOUNCE, bounces, bounces[0].diagnostic or line_with(words, _openings()), 0.98)
    kind = Kind.DELIVERY_DELAY if any(fate.action == "delayed" for fate in told) else Kind.AUTO_REPLY
    return GivenBack(kind, (), told[0].diagnostic or f"Action: {told[0].action}", 0.95)


def _has_failed(fate: Fate) -> bool:
    return fate.action in _FAILED or (not fate.action and not fate.status.startswith("2"))


def _of_fate(fate: Fate, words: str) -> Bounce:
    recipient = fate.original if "@" in fate.original else fate.final or fate.original
    about = near(words, recipient) or near(words, fate.final)
    own = fate.diagnostic
    return _bounce(recipient, fate.final, enhanced_in(f"{own} {fate.status}"), own, about, words)


def _by_words(mail: Mail) -> GivenBack | None:
    found = marks(mail)
    if not found.are_enough:
        return None
    words = own_words(mail)[:_WORDS]
    evidence = line_with(words, _openings())
    if goes_on_trying(mail, words):
        return GivenBack(Kind.DELIVERY_DELAY, (), evidence, 0.8)
    failed = failed_in(mail, words) or [""]
    bounces = tuple(
        _bounce(address, "", enhanced_in(about) or enhanced_in(words), about, about, words)
        for address, about in ((address, near(words, address)) for address in failed)
    )
    if not _convinces(found, bounces):
        return None
    return GivenBack(Kind.BOUNCE, bounces, bounces[0].diagnostic or evidence, 0.9 if found.sender else 0.75)


def given_back_unsaid(mail: Mail, evidence: str) -> GivenBack:
    """A server's own mail that says nothing we understand: it came back, and the address may be good."""
    words = own_words(mail)[:_WORDS]
    recipient = next(iter(failed_in(mail, words)), "")
    said = " ".join(words.split())[:_DIAGNOSTIC]
    return GivenBack(Kind.BOUNCE, (Bounce(Cause.UNKNOWN, False, recipient, diagnostic=said),), evidence, 0.6)


def _convinces(found: Marks, bounces: tuple[Bounce, ...]) -> bool:
    """A cause or a code must be found; a recipient will do where a server has signed, or all else looks like one."""
    signed = found.sender or found.report or found.names_failed or (found.subject and found.opening)
    return found.report or any(
        bounce.cause is not Cause.UNKNOWN or bounce.enhanced or bounce.smtp_reply or (signed and bounce.recipient)
        for bounce in bounces
    )


def _bounce(recipient: str, final: str, enhanced: str | None, own: str, about: str, words: str) -> Bounce:
    digits = digits_in(own) or digits_in(about) or digits_in(words)
    cause = cause_of(enhanced, digits, own, (about, words))
    said = " ".join((own or about).split())[:_DIAGNOSTIC]
    other = final if final != recipient else ""
    return Bounce(cause, is_hard(cause, enhanced, digits), recipient, other, enhanced, digits, said)


def _openings() -> Phrases:
    return phrases("notices", "openings")
