"""Mail from Tandem itself, to people of our own: briefs, notices, letters. One envelope for all of them."""

from dataclasses import dataclass
from datetime import datetime

from accounts.playbook import Vendor
from flows import tokens
from flows.channels.email import Outgoing
from flows.channels.email.compose import Envelope, Mailbox
from flows.channels.email.letters import write_letter
from flows.content.mailing import composer_of
from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Page:
    """A message as the composer reads it."""

    subject: str
    html: str
    text: str


def mail_of(
    settings: Settings, vendor: Vendor, page: Page, reader: Mailbox, about: str, id: int, now: datetime, *,
    as_letter: bool, return_path: str | None = None,
) -> Outgoing:  # fmt: skip
    """From the vendor's Tandem address, never in a buyer's or rep's name. about, id: ``notice`` 17; its Message-ID is
    the same for ever.

    Raises InputRefused for a reader nobody can write to, SettingsRefused for a key that cannot sign.
    """
    tandem = Mailbox(f"Tandem at {vendor.name}", f"tandem@{settings.sending_domain}")
    envelope = Envelope(
        sender=tandem,
        recipient=reader,
        reply_to=tandem,
        return_path=return_path or f"tandem@{settings.return_domain}",
        message_id=message_id_of(settings, about, id),
        date=now,
        headers=(("Auto-Submitted", "auto-generated"),),
    )
    letter = write_letter(envelope, page) if as_letter else None
    content = b"" if as_letter else composer_of(settings).fill(envelope, page)
    return Outgoing(
        envelope.message_id, envelope.return_path, reader.address, content, letter, f"{about}-{id}"
    )  # fmt: skip


def message_id_of(settings: Settings, about: str, id: int) -> str:
    """``<tandem-brief.…@mail.lumenflow.example>``, the same for ever."""
    token = tokens.sign(about, id, settings.secret_key.get_secret_value())
    return f"<tandem-{about}.{token}@{settings.sending_domain}>"
