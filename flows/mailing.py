"""From a recipient to the bytes that leave. Preview, rehearsal and sending all come through `compose_touch`.

room = open_mailroom(settings, play)                       # once per process
mail = compose_touch(room, recipient, now)                 # ~0.1 ms; mail.raw is what a channel delivers
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from accounts.errors import ContentRefused, InputRefused
from accounts.ledger.recipients import Recipient
from accounts.playbook import Play
from flows import tokens
from flows.channels.email.compose import Composer, Envelope, Mailbox
from flows.render import (
    AccountWords,
    Compiled,
    Message,
    RenderContext,
    RepWords,
    StakeholderWords,
    VendorWords,
    compile_play,
    known_or_missing,
)
from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Mailroom:
    """What every mail of a play has in common, prepared."""

    compiled: Compiled
    composer: Composer
    #: Public address of the web app, without a slash at its end.
    base_url: str
    sending_domain: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, ready to leave."""

    touch_id: int
    envelope: Envelope
    message: Message
    #: RFC 5322, CRLF line ends, ASCII.
    raw: bytes


def open_mailroom(settings: Settings, play: Play, *, only: str | None = None) -> Mailroom:
    """Compiles the play (or one content of it). Raises ContentRefused with file, line and cure."""
    return Mailroom(
        compile_play(play, settings.templates, only=only),
        Composer(),
        settings.base_url.rstrip("/"),
        settings.sending_domain,
        settings.secret_key.get_secret_value(),
    )


def compose_touch(room: Mailroom, recipient: Recipient, now: datetime) -> Mail:
    """The mail of one touch, the same for the same facts and time.

    Raises a Refused for this mail only: NotFound (content gone), ContentRefused (changed since it was certified, or a
    fact is missing), InputRefused (no rep to write as, an address or name that no header can hold).
    """
    content = room.compiled.content(recipient.content)
    if recipient.content_digest not in (None, content.step.digest):
        cure = "plan again: what leaves must be what was certified"
        raise ContentRefused("the text has changed since it was certified", where=recipient.content, cure=cure)
    envelope = _envelope(room, recipient, now)
    message = room.compiled.render(recipient.content, _context(room, recipient, now, len(content.links), envelope))
    return Mail(recipient.touch_id, envelope, message, room.composer.fill(envelope, message))


def next_quarter(now: datetime) -> str:
    """The quarter after the one of `now` (UTC): ``Q1 2027``."""
    years, quarter = divmod((now.astimezone(UTC).month - 1) // 3 + 1, 4)
    return f"Q{quarter + 1} {now.astimezone(UTC).year + years}"


def _envelope(room: Mailroom, recipient: Recipient, now: datetime) -> Envelope:
    """From the owning rep through the sending domain; answers go to the rep's own mailbox."""
    if not recipient.rep_name or not recipient.rep_email:
        cure = "give the account an owner"
        raise InputRefused("nobody to write as: the account has no rep", where=recipient.account_key, cure=cure)
    name = f"{recipient.first_name or ''} {recipient.last_name or ''}".strip()
    return Envelope(
        sender=_sender(recipient.rep_name, recipient.rep_email, room.sending_domain),
        recipient=Mailbox(name, recipient.address),
        reply_to=_reader(recipient.rep_name, recipient.rep_email),
        message_id=tokens.message_id(recipient.touch_id, room.secret, room.sending_domain),
        date=now,
        unsubscribe_url=f"{room.base_url}/u/{tokens.sign(tokens.UNSUBSCRIBE, recipient.touch_id, room.secret)}",
    )


def _context(room: Mailroom, recipient: Recipient, now: datetime, links: int, envelope: Envelope) -> RenderContext:
    return RenderContext(
        StakeholderWords(
            known_or_missing("stakeholder.first_name", recipient.first_name),
            known_or_missing("stakeholder.last_name", recipient.last_name),
            known_or_missing("stakeholder.title", recipient.title),
            recipient.role.replace("_", " "),
        ),
        AccountWords(
            recipient.account_name,
            known_or_missing("account.industry", recipient.industry),
            known_or_missing("account.territory", recipient.territory),
        ),
        _rep(envelope.sender.name),
        _vendor(room),
        next_quarter(now),
        envelope.unsubscribe_url or "",
        tuple(
            f"{room.base_url}/c/{tokens.sign_click(recipient.touch_id, number, room.secret)}" for number in range(links)
        ),
    )


def _vendor(room: Mailroom) -> VendorWords:
    vendor = room.compiled.play.vendor
    return VendorWords(vendor.name, vendor.postal_address, vendor.privacy_url)


@lru_cache(maxsize=4096)
def _rep(name: str) -> RepWords:
    return RepWords(name, name.split()[0])


@lru_cache(maxsize=4096)
def _sender(name: str, email: str, domain: str) -> Mailbox:
    return Mailbox(name, f"{email.rpartition('@')[0]}@{domain}")


@lru_cache(maxsize=4096)
def _reader(name: str, email: str) -> Mailbox:
    return Mailbox(name, email)
