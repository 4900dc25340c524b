"""Reps hear at once: who replied, booked a meeting or complained, in the buyer's own words, and what is held.

Once each, by the road the rep has chosen (notes.py), claimed before it leaves (accounts/ledger/briefs/notices.py).
What cannot be sent now is tried again by the next run, for three days; after that it is in the rep's brief in any case.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Engine

from accounts.errors import Unreachable
from accounts.ledger.briefs import notices
from accounts.ledger.briefs.notices import News
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.profiles import Reader, read_readers
from accounts.playbook import Play
from accounts.vocabulary import BriefState, HoldCause
from flows.briefs.letters import pages
from flows.briefs.links import Links
from flows.briefs.mailing import Page
from flows.briefs.notes import tell
from flows.channels.email import EmailChannel
from flows.channels.reps import Note
from flows.channels.reps.registry import Roads, open_roads
from flows.masking import mask
from flows.settings import Settings

DID = {
    HoldCause.REPLY: "replied",
    HoldCause.MEETING: "booked a meeting",
    HoldCause.COMPLAINT: "called our mail spam",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one notice. `rep` is masked."""

    rep: str
    account: str
    cause: HoldCause
    state: BriefState
    error: str | None = None


def tell_reps(
    engine: Engine, settings: Settings, play: Play, now: datetime, *, channel: EmailChannel | None = None
) -> list[Told]:
    """Everything that no rep was told yet. A `channel` that is handed in must be open.

    Stops when the channel does not answer at all. Raises SettingsRefused for a key that cannot sign.
    """
    with reading(engine) as connection:
        waiting = notices.untold(connection, now)
        readers = read_readers(connection) if waiting else {}
    told: list[Told] = []
    if not waiting:
        return told
    try:
        with open_roads(settings, play.vendor, channel) as roads:
            for news in waiting:
                if one := _tell(engine, settings, now, roads, readers[news.rep_id], news):
                    told.append(one)
    except Unreachable as error:
        left = waiting[len(told) :]
        told += [Told(mask(one.rep_email), one.account_key, one.cause, BriefState.PLANNED, str(error)) for one in left]
    return told


def _tell(
    engine: Engine, settings: Settings, now: datetime, roads: Roads, reader: Reader, news: News
) -> Told | None:  # fmt: skip
    """Claims, sends and settles one; None when another run has it."""
    with writing(engine) as connection:
        if not notices.claim(connection, news, now):
            return None
    state, error = tell(_note(settings, news, reader, now), roads, settings)
    said = str(error)[:300] if error else None
    with writing(engine) as connection:
        notices.settle(connection, news.hold_id, state, now, said)
    if isinstance(error, Unreachable):
        raise error
    return Told(mask(news.rep_email), news.account_key, news.cause, state, said)


def _note(settings: Settings, news: News, reader: Reader, now: datetime) -> Note:
    links = Links(settings.base_url, settings.secret_key.get_secret_value(), news.rep_id, 0, now.date())
    page, zone, said = write_notice(news, links, settings.templates), _zone(news.rep_timezone), _said(news)
    lines = (
        *((f"“{said}”",) if said else ()),
        _hold(news, zone),
        *((f"Write to: {news.email}",) if news.email else ()),
    )
    answers = (
        ("End that earlier", links("release", news.account_id)),
        ("Another answer", links("other", news.account_id)),
        (f"Everything about {news.account_name}", links("page", news.account_id)),
    )
    return Note("notice", news.hold_id, reader, page.subject, lines, answers, page, now)


def write_notice(news: News, links: Links, templates: Path) -> Page:
    """Subject, HTML and text, in the rep's own time."""
    zone = _zone(news.rep_timezone)
    who = news.person or f"Somebody at {news.account_name}"
    facts: dict[str, Any] = {
        "headline": f"{who} {DID[news.cause]}", "title": news.title, "account": news.account_name,
        "at": f"{news.at.astimezone(zone):%a %d %b %Y, %H:%M} ({zone.key})",
        "words": _said(news), "hold": _hold(news, zone), "email": news.email,
        "release": links("release", news.account_id), "other": links("other", news.account_id),
        "page": links("page", news.account_id),
    }  # fmt: skip
    html, text = (pages(templates).get_template(f"notice.{kind}").render(facts) for kind in ("html", "txt"))
    return Page(f"{facts['headline']} ({news.account_name})", html, text)


def _said(news: News) -> str:
    words = news.data.get("words") or news.data.get("note")
    return words if isinstance(words, str) else ""


def _hold(news: News, zone: ZoneInfo) -> str:
    until = f"{news.held_until.astimezone(zone):%a %d %b %Y}" if news.held_until else "you say so"
    return f"Nothing is sent to anybody at {news.account_name} until {until}."


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
