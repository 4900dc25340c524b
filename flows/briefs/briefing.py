"""Briefs for reps: write what changed, keep it with its evidence, deliver it once.

Chapters: settle what a killed run left, plan anew where facts changed (so that the next seven days are true), write for
each rep with news, deliver what is written. A brief is claimed in
the ledger before its bytes leave, so no kill and no second run delivers it again; what nobody can know is `unknown`,
and the rep's next brief says so.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from accounts.briefs import Brief
from accounts.briefs.stored import from_payload, to_payload
from accounts.errors import ChannelError, NotSent, OutcomeUnknown, Refused, Unreachable
from accounts.garbage import uncollected
from accounts.ledger import briefs as ledger
from accounts.ledger.brief_material import briefs_of, known_signals
from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from accounts.playbook import Play, Vendor
from accounts.tick import decide
from accounts.vocabulary import BriefState
from flows import tokens
from flows.briefs.pages import brief_pages
from flows.channels.email import EmailChannel, Outgoing
from flows.channels.email.compose import Envelope, Mailbox
from flows.channels.email.letters import write_letter
from flows.channels.email.registry import open_channel
from flows.content.mailing import composer_of
from flows.masking import mask
from flows.sales.sla import keep_clocks
from flows.settings import Settings

#: Briefs written to the ledger in one transaction.
BRIEFS_AT_ONCE = 100


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
class Briefed:
    """What a run did."""

    #: Reps looked at, and those among them for whom nothing changed.
    reps: int
    quiet: int
    delivered: int
    failed: int
    unknown: int
    #: Written, not delivered: the next run tries again.
    waiting: int
    #: Briefs of earlier runs that died while sending; their reps are told with the next brief.
    doubted: int
    briefs: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    """A brief as a message: what a channel needs, what the composer reads."""

    subject: str
    html: str
    text: str


def brief_reps(
    engine: Engine, settings: Settings, play: Play, now: datetime, *, channel: EmailChannel | None = None,
    rep: str | None = None,
) -> Briefed:  # fmt: skip
    """Writes and delivers the brief of each rep with news as of `now`; `rep`: only of this one (address or name).

    Running it again for the same facts and the same clock changes nothing. A `channel` that is handed in must be open.
    Raises NotFound for an unknown rep, Refused when the folder for briefs cannot be written.
    """
    rep_id = _rep_id(engine, rep)
    doubted = _settle(engine, now)
    decide(engine, play, now)
    keep_clocks(engine, play, now)
    looked_at, quiet = write_briefs(engine, play, now, rep_id)
    told = deliver_briefs(engine, settings, play, now, rep_id, channel)
    states = [one.state for one in told]
    return Briefed(
        reps=looked_at,
        quiet=quiet,
        delivered=states.count(BriefState.DELIVERED),
        failed=states.count(BriefState.FAILED),
        unknown=states.count(BriefState.UNKNOWN),
        waiting=states.count(BriefState.PLANNED),
        doubted=doubted,
        briefs=tuple(told),
    )


def current_brief(connection: Connection, play: Play, now: datetime, rep_id: int) -> Brief | None:
    """The brief a rep would get now; of a time at which one was written, that one. Stores and sends nothing."""
    stored = ledger.stored_payload(connection, rep_id, now)
    if stored is not None:
        return from_payload(stored)
    looks = ledger.read_looks(connection, now, rep_id)
    return next((brief for _, brief in briefs_of(connection, looks, play, now)), None)


def write_briefs(engine: Engine, play: Play, now: datetime, rep_id: int | None = None) -> tuple[int, int]:
    """Stores a brief for each rep with news; returns how many reps were looked at, and how many have no brief."""
    with reading(engine) as connection, uncollected():
        written_before = ledger.briefed_at(connection, now)
        looks = ledger.read_looks(connection, now, rep_id)
        open_looks = [look for look in looks if look.rep_id not in written_before]
        rows = list(_rows(connection, open_looks, play, now))
    for some in chunks(rows, BRIEFS_AT_ONCE):
        with writing(engine) as connection:
            ledger.supersede_older(connection, now, [rep for rep, *_ in some])
            ledger.store_briefs(connection, some)
    return len(looks), len(open_looks) - len(rows)


def _rows(
    connection: Connection, looks: Sequence[ledger.Look], play: Play, now: datetime
) -> Iterator[tuple[int, datetime, int, dict[str, Any]]]:  # fmt: skip
    """(rep, as of, words, payload) of each brief there is to write."""
    known = known_signals(connection, [look.rep_id for look in looks], now)
    for rep, brief in briefs_of(connection, looks, play, now):
        words = sum(account.words for account in brief.accounts)
        yield rep, now, words, {**to_payload(brief), "known": known.get(rep, [])}


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


def _settle(engine: Engine, now: datetime) -> int:
    with writing(engine) as connection:
        return ledger.doubt_stuck(connection, now)


def _rep_id(engine: Engine, rep: str | None) -> int | None:
    if rep is None:
        return None
    with reading(engine) as connection:
        return ledger.find_rep(connection, rep)


def _told(brief: Brief, state: BriefState, error: str | None) -> Told:
    return Told(
        rep=mask(brief.rep_email),
        state=state,
        accounts=tuple(account.key for account in brief.accounts),
        why=brief.accounts[0].why,
        words=sum(account.words for account in brief.accounts),
        error=error,
    )
