"""A written brief on its way to the rep: kept as a page, claimed, sent and settled, one by one.

A brief is claimed in the ledger before its bytes leave, so no kill and no second run delivers it again; what nobody can
know is `unknown`, and the rep's next brief says so.
"""

import os
import re
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from accounts.briefs import Brief
from accounts.briefs.stored import from_payload
from accounts.errors import ChannelError, NotSent, OutcomeUnknown, Refused, Unreachable
from accounts.ledger import briefs as ledger
from accounts.ledger.engine import reading, writing
from accounts.playbook import Play, Vendor
from accounts.vocabulary import BriefState
from flows import tokens
from flows.briefs.pages import brief_pages
from flows.channels.email import EmailChannel, Outgoing
from flows.channels.email.compose import Envelope, Mailbox
from flows.channels.email.letters import write_letter
from flows.channels.email.registry import open_channel
from flows.content.mailing import composer_of
from flows.masking import mask
from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one rep's brief. `rep` is masked."""

    rep: str
    state: BriefState
    accounts: tuple[str, ...]
    #: Why the first account comes first.
    why: str
    words: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    """A brief as a message: what a channel needs, what the composer reads."""

    subject: str
    html: str
    text: str


def deliver_briefs(
    engine: Engine, settings: Settings, play: Play, now: datetime, rep_id: int | None = None,
    channel: EmailChannel | None = None,
) -> list[Told]:  # fmt: skip
    """Delivers what is written for `now`, one by one; stops when the channel does not answer at all.

    Raises SettingsRefused for a key that cannot sign.
    """
    with reading(engine) as connection:
        waiting = ledger.waiting_briefs(connection, now, rep_id)
    if not waiting:
        return []
    told: list[Told] = []
    with nullcontext(channel) if channel else open_channel(settings) as way:
        for number, written in enumerate(waiting):
            try:
                if one := _deliver(engine, settings, play.vendor, now, way, written):
                    told.append(one)
            except Unreachable as error:
                left = (from_payload(one.payload) for one in waiting[number:])
                return told + [_told(brief, BriefState.PLANNED, str(error)) for brief in left]
    return told


def _deliver(
    engine: Engine, settings: Settings, vendor: Vendor, now: datetime, channel: EmailChannel, written: ledger.Written
) -> Told | None:  # fmt: skip
    """Saves, claims, sends and settles one brief; None when another run has it."""
    brief = from_payload(written.payload)
    try:
        page, outgoing = _compose(brief, settings, vendor, written.id, now, as_letter=channel.letters)
    except Refused as error:
        with writing(engine) as connection:
            ledger.refuse_brief(connection, written.id, str(error))
        return _told(brief, BriefState.FAILED, str(error))
    save_page(settings.briefs, brief, page.html)
    with writing(engine) as connection:
        if not ledger.claim_brief(connection, written, now, outgoing.message_id):
            return None
    return _send(engine, channel, written.id, brief, outgoing, now)


def _send(
    engine: Engine, channel: EmailChannel, brief_id: int, brief: Brief, outgoing: Outgoing, now: datetime
) -> Told:  # fmt: skip
    """Hands the bytes over and writes down how that ended. Raises Unreachable when the channel is down."""
    error: ChannelError | None = None
    state = BriefState.DELIVERED
    try:
        channel.send(outgoing)
    except NotSent as refusal:
        state, error = (BriefState.FAILED if refusal.permanent else BriefState.PLANNED), refusal
    except OutcomeUnknown as doubt:
        state, error = BriefState.UNKNOWN, doubt
    said = str(error) if error else None
    with writing(engine) as connection:
        ledger.settle_brief(connection, brief_id, state, at=now, channel=channel.name, error=said)
    if isinstance(error, Unreachable):
        raise error
    return _told(brief, state, said)


def _compose(
    brief: Brief, settings: Settings, vendor: Vendor, brief_id: int, now: datetime, *, as_letter: bool
) -> tuple[_Page, Outgoing]:  # fmt: skip
    """The message, from the vendor's Tandem address. Raises InputRefused for a rep nobody can write to."""
    pages = brief_pages(settings.templates)
    page = _Page(f"Brief: {brief.subject}", pages.html(brief), pages.text(brief))
    tandem = Mailbox(f"Tandem at {vendor.name}", f"tandem@{settings.sending_domain}")
    secret = settings.secret_key.get_secret_value()
    token = tokens.sign("brief", brief_id, secret)
    envelope = Envelope(
        sender=tandem,
        recipient=Mailbox(brief.rep_name, brief.rep_email),
        reply_to=tandem,
        return_path=tokens.return_path("brief", brief_id, secret, settings.return_domain),
        message_id=f"<tandem-brief.{token}@{settings.sending_domain}>",
        date=now,
        headers=(("Auto-Submitted", "auto-generated"),),
    )
    letter = write_letter(envelope, page) if as_letter else None
    content = b"" if as_letter else composer_of(settings).fill(envelope, page)
    key = f"brief-{brief_id}"
    return page, Outgoing(envelope.message_id, envelope.return_path, brief.rep_email, content, letter, key)


def save_page(folder: Path, brief: Brief, html: str) -> Path:
    """Keeps the HTML of a brief as ``<rep>-<date>-<time>.html``; whole or not at all."""
    there = brief.as_of.astimezone(ZoneInfo(brief.zone))
    rep = re.sub(r"[^a-z0-9]+", "-", brief.rep_email.lower()).strip("-")
    path = folder / f"{rep}-{there:%Y-%m-%d-%H%M}.html"
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(html, encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise Refused(
            f"the brief cannot be saved: {error.strerror}", where=str(folder), cure="check space and rights"
        ) from None
    return path


def _told(brief: Brief, state: BriefState, error: str | None) -> Told:
    return Told(
        rep=mask(brief.rep_email),
        state=state,
        accounts=tuple(account.key for account in brief.accounts),
        why=brief.accounts[0].why,
        words=sum(account.words for account in brief.accounts),
        error=error,
    )
