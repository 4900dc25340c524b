"""From a recipient to the bytes that leave. Preview, rehearsal and sending all come through `compose_touch`.

room = open_mailroom(settings, play)                       # once per process
mail = compose_touch(room, recipient, now)                 # ~0.1 ms; mail.raw is what a channel delivers
mail = letter_touch(room, recipient, now)                  # mail.letter, for a provider that writes it down itself
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from accounts.errors import ContentRefused, InputRefused
from accounts.ledger.sending.recipients import Recipient
from accounts.playbook import Play
from flows import tokens
from flows.channels.email import Letter
from flows.channels.email.compose import Composer, Envelope, Mailbox
from flows.channels.email.letters import write_letter
from flows.content.render import Compiled, Content, Facts, Message, compile_play
from flows.content.variables import MISSING
from flows.settings import Settings

if TYPE_CHECKING:
    from flows.channels.email.dkim import Signer

#: How long after a mail its pages open: its document, its preferences. Opt-outs and plain links have no end.
PAGES_LAST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Mailroom:
    """What every mail of a play has in common, prepared."""

    compiled: Compiled
    composer: Composer
    #: Public address of the web app, without a slash at its end.
    base_url: str
    sending_domain: str
    #: Where bounces come back to.
    return_domain: str
    secret: str = field(repr=False)
    #: Where answers go to; None: to the rep's own mailbox.
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, ready to leave."""

    touch_id: int
    envelope: Envelope
    #: RFC 5322, CRLF line ends, ASCII; empty where `letter` speaks.
    raw: bytes
    letter: Letter | None = None


def open_mailroom(settings: Settings, play: Play, *, only: str | None = None) -> Mailroom:
    """Compiles the play (or one content of it).

    Raises ContentRefused with file, line and cure; SettingsRefused for a key that cannot sign.
    """
    return Mailroom(
        compile_play(play, settings.templates, only=only),
        composer_of(settings),
        settings.base_url.rstrip("/"),
        settings.sending_domain,
        settings.return_domain,
        settings.secret_key.get_secret_value(),
        settings.mailbox.reply_to,
    )


def marks(settings: Settings) -> tuple[str, ...]:
    """What of the settings shows in a mail: while this stays the same, so does a mailroom."""
    signer = _signer(settings)
    return (
        settings.base_url, settings.sending_domain, settings.return_domain, settings.secret_key.get_secret_value(),
        str(settings.templates), signer.mark if signer else "", settings.mailbox.reply_to or "",
    )  # fmt: skip


def composer_of(settings: Settings) -> Composer:
    """What writes mail as the settings want it: signed where there is a key. Raises SettingsRefused for a bad one."""
    signer = _signer(settings)
    return Composer(signer.seals if signer else None)


def _signer(settings: Settings) -> "Signer | None":
    """The library for keys takes a moment to load; most houses begin without a key."""
    if not settings.dkim.is_set:
        return None
    from flows.channels.email.dkim import load_signer

    return load_signer(settings)


def compose_touch(room: Mailroom, recipient: Recipient, now: datetime) -> Mail:
    """The mail of one touch, the same for the same facts and time.

    Raises a Refused for this mail only: NotFound (content gone), ContentRefused (changed since it was certified, or a
    fact is missing), InputRefused (no rep to write as, an address or name that no header can hold).
    """
    content = _certified(room, recipient)
    envelope = _envelope(room, recipient, now)
    quoted = room.compiled.quote(recipient.content, _facts(room, recipient, envelope, content))
    return Mail(recipient.touch_id, envelope, room.composer.write(envelope, *quoted))


def letter_touch(room: Mailroom, recipient: Recipient, now: datetime) -> Mail:
    """The same mail for a provider that writes the message down itself. Raises as `compose_touch` does."""
    content = _certified(room, recipient)
    envelope = _envelope(room, recipient, now)
    message = room.compiled.render(recipient.content, _facts(room, recipient, envelope, content))
    return Mail(recipient.touch_id, envelope, b"", write_letter(envelope, message))


def read_touch(room: Mailroom, recipient: Recipient, now: datetime) -> Message:
    """What the reader of `compose_touch` reads, before it is wrapped up for the journey. Raises as that does."""
    envelope = _envelope(room, recipient, now)
    content = room.compiled.content(recipient.content)
    return room.compiled.render(recipient.content, _facts(room, recipient, envelope, content))


def next_quarter(now: datetime) -> str:
    """The quarter after the one of `now` (UTC): ``Q1 2027``."""
    today = now.astimezone(UTC)
    years, quarter = divmod((today.month - 1) // 3 + 1, 4)
    return f"Q{quarter + 1} {today.year + years}"


def _certified(room: Mailroom, recipient: Recipient) -> Content:
    """The content of a touch, as it was when the touch was certified."""
    content = room.compiled.content(recipient.content)
    if recipient.content_digest not in (None, content.step.digest):
        cure = "plan again: what leaves must be what was certified"
        raise ContentRefused("the text has changed since it was certified", where=recipient.content, cure=cure)
    return content


def _envelope(room: Mailroom, recipient: Recipient, now: datetime) -> Envelope:
    """From the owning rep through the sending domain; answers go to the rep, or to the mailbox that is read."""
    if not recipient.rep_name or not recipient.rep_email:
        cure = "give the account an owner"
        raise InputRefused("nobody to write as: the account has no rep", where=recipient.account_key, cure=cure)
    name = f"{recipient.first_name or ''} {recipient.last_name or ''}".strip()
    return Envelope(
        sender=_sender(recipient.rep_name, recipient.rep_email, room.sending_domain),
        recipient=Mailbox(name, recipient.address),
        reply_to=_reader(recipient.rep_name, room.reply_to or recipient.rep_email),
        return_path=tokens.return_path("touch", recipient.touch_id, room.secret, room.return_domain),
        message_id=tokens.message_id(recipient.touch_id, room.secret, room.sending_domain),
        date=now,
        unsubscribe_url=f"{room.base_url}/u/{tokens.sign(tokens.UNSUBSCRIBE, recipient.touch_id, room.secret)}",
        headers=(("Feedback-ID", feedback_id(recipient.content)),),
    )


def _facts(room: Mailroom, recipient: Recipient, envelope: Envelope, content: Content) -> Facts:
    """The documented variables for one person, by their flat names."""
    vendor = room.compiled.play.vendor
    facts = {
        "stakeholder_first_name": recipient.first_name or MISSING["stakeholder.first_name"],
        "stakeholder_last_name": recipient.last_name or MISSING["stakeholder.last_name"],
        "stakeholder_title": recipient.title or MISSING["stakeholder.title"],
        "stakeholder_role_label": recipient.role.replace("_", " "),
        "account_name": recipient.account_name,
        "account_industry": recipient.industry or MISSING["account.industry"],
        "account_territory": recipient.territory or MISSING["account.territory"],
        "rep_name": envelope.sender.name,
        "rep_first_name": envelope.sender.name.partition(" ")[0],
        "vendor_name": vendor.name,
        "vendor_postal_address": vendor.postal_address,
        "vendor_privacy_url": vendor.privacy_url,
        "next_quarter": next_quarter(envelope.date),
        "unsubscribe_url": envelope.unsubscribe_url,
    }
    return facts | _addresses(room, recipient.touch_id, envelope.date, content)


def _addresses(room: Mailroom, touch_id: int, now: datetime, content: Content) -> dict[str, Any]:
    """The addresses of the web app in one mail: its links, and what the layout asks for."""
    base, secret, tracking = room.base_url, room.secret, room.compiled.play.tracking
    choose = tokens.sign_until(tokens.PREFERENCES, (now + PAGES_LAST).date(), secret, touch_id)
    opened = f"{base}/o/{tokens.sign(tokens.OPEN, touch_id, secret)}.gif" if tracking.opens else MISSING["pixel_url"]
    trap = f"{base}/n/{tokens.sign(tokens.TRAP, touch_id, secret)}" if tracking.honeypot else MISSING["trap_url"]
    addresses = {"preferences_url": f"{base}/p/{choose}", "pixel_url": opened, "trap_url": trap}
    for number in range(len(content.links)):
        if number in content.documents:
            page = tokens.sign_until(tokens.ASSET, (now + PAGES_LAST).date(), secret, touch_id, number)
            addresses[f"link{number}"] = f"{base}/a/{page}"
        else:
            addresses[f"link{number}"] = f"{base}/c/{tokens.sign_click(touch_id, number, secret)}"
    return addresses


@lru_cache(maxsize=4096)
def feedback_id(content: str) -> str:
    """By what Gmail adds up complaints: e-mail, play, kind of mail, sender. The same for all readers of a content.

    ``discovery.why-now:new-business:nurture_mail:tandem_abm``. Google asks that no part means two things: the e-mail
    has a dot, kind and sender an underscore, a play neither. https://support.google.com/mail/answer/6254652
    """
    play, _, rest = content.partition("/")
    return f"{rest.replace('/', '.') or play}:{play}:nurture_mail:tandem_abm"


@lru_cache(maxsize=4096)
def _sender(name: str, email: str, domain: str) -> Mailbox:
    return Mailbox(name, f"{email.rpartition('@')[0]}@{domain}")


@lru_cache(maxsize=4096)
def _reader(name: str, email: str) -> Mailbox:
    return Mailbox(name, email)
