"""Written briefs on their way to reps: kept as a page, claimed, sent and settled, one by one, road by road.

A brief is claimed in the ledger before anything leaves, so no kill and no second run delivers it again; what nobody can
know is `unknown`, and the rep's next brief says so. Which road comes next is decided in accounts/briefs/roads.py. Then
messages that can be changed show what was answered since.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from accounts.briefs import Brief
from accounts.briefs.roads import Next, Tried, after_a_no, next_road
from accounts.briefs.stored import from_payload
from accounts.errors import NotSent, OutcomeUnknown, Refused, Unreachable
from accounts.ledger.briefs import delivery as ledger
from accounts.ledger.briefs.delivery import Shown, Waiting
from accounts.ledger.briefs.written import Written, refuse_brief
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.profiles import Reader, read_readers
from accounts.playbook import Play
from accounts.vocabulary import BriefState
from flows.briefs.answered import answered_since, gone_from
from flows.briefs.links import links_of
from flows.briefs.mailing import Page, message_id_of
from flows.briefs.pages import brief_pages
from flows.channels.email import EmailChannel
from flows.channels.reps import Delivered, Message, Send
from flows.channels.reps.registry import Roads, open_roads, order_for
from flows.masking import mask
from flows.settings import Settings

#: What was answered while a brief waited is shown by the next pass.
NOTHING: Mapping[int, tuple[str, ...]] = MappingProxyType({})


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


def deliver_briefs(
    engine: Engine, settings: Settings, play: Play, now: datetime, rep_id: int | None = None,
    channel: EmailChannel | None = None,
) -> list[Told]:  # fmt: skip
    """Delivers what waits at `now`, and shows answers where they were asked for. A `channel` must be open.

    Raises SettingsRefused for a key that cannot sign.
    """
    with writing(engine) as connection:
        ledger.doubt_stuck(connection, now)
        waiting = ledger.waiting(connection, now, rep_id)
        outdated = ledger.outdated(connection, now)
        readers = read_readers(connection) if waiting or outdated else {}
    if not readers:
        return []
    with open_roads(settings, play.vendor, channel) as roads:
        desk = _Desk(engine, settings, now, roads, readers)
        told = [one for brief in waiting if (one := desk.deliver(brief))]
        desk.show(outdated)
    return told


@dataclass(frozen=True, slots=True)
class _Desk:
    """Of one pass."""

    engine: Engine
    settings: Settings
    now: datetime
    roads: Roads
    readers: Mapping[int, Reader]
    #: Roads that are closed for the rest of this pass, and why.
    closed: dict[str, str] = field(default_factory=dict)

    def deliver(self, waiting: Waiting) -> Told | None:
        """By one road after the other, until one has it or has to be waited for; None when another run has it."""
        written = waiting.written
        message = self._message(written.id, written.rep_id, from_payload(written.payload))
        save_page(self.settings.briefs, message.brief, message.page.html)
        state, error = BriefState.PLANNED, None
        for step in self._steps(message.reader, tried := dict(waiting.tried)):
            tries = self._try(written, message, step)
            if tries is None:
                return None
            tried[step.road], error = tries
            state = tried[step.road].state
        return _told(message.brief, state, error)

    def show(self, outdated: Iterable[Shown]) -> None:
        """Changes messages to say what was answered; what does not work now is tried by the next pass."""
        for one in outdated:
            road = self.roads.get(one.channel)
            if road is None or not road.changes or one.channel in self.closed:
                continue
            brief = from_payload(one.payload)
            with reading(self.engine) as connection:
                gone = gone_from(connection, brief, one.rep_id, self.now)
                answered = answered_since(connection, brief, gone, self.now)
            message = self._message(one.brief_id, one.rep_id, brief, answered)
            try:
                road.update(message, one.ref)
            except NotSent as error:
                if isinstance(error, Unreachable):
                    self.closed[one.channel] = str(error)
                if not error.permanent:
                    continue
            except OutcomeUnknown:
                continue
            with writing(self.engine) as connection:
                ledger.mark_shown(connection, one.delivery_id, one.latest)

    def _steps(self, reader: Reader, tried: Mapping[str, Tried]) -> Iterator[Next]:
        """The next road, as long as one said no for good; `tried` grows meanwhile."""
        order = order_for(reader, self.settings, self.roads)
        step = next_road(order, tried, self.now)
        while step is not None:
            yield step
            if tried[step.road].state is not BriefState.FAILED:
                return
            step = next_road(order, tried, self.now)

    def _message(
        self, brief_id: int, rep_id: int, brief: Brief, answered: Mapping[int, tuple[str, ...]] = NOTHING
    ) -> Message:  # fmt: skip
        links = links_of(self.settings, rep_id, brief_id, self.now)
        pages = brief_pages(self.settings.templates)
        page = Page(f"Brief: {brief.subject}", pages.html(brief, links), pages.text(brief, links))
        return Message(brief_id, brief, self.readers[rep_id], links, page, self.now, answered)

    def _try(self, written: Written, message: Message, step: Next) -> tuple[Tried, str | None] | None:
        """Writes, claims, sends and settles; None when another run has it."""
        try:
            send = self.roads[step.road].write(message)
        except Refused as error:
            return self._pass_by(written, step, BriefState.FAILED, str(error))
        if step.road in self.closed:
            later = after_a_no(step, permanent=False, wait=None)
            return self._pass_by(written, step, later, self.closed[step.road])
        with writing(self.engine) as connection:
            message_id = message_id_of(self.settings, "brief", written.id)
            if not ledger.claim(connection, written, step, self.now, message_id):
                return None
        return self._send(written, step, send)

    def _send(self, written: Written, step: Next, send: Send) -> tuple[Tried, str | None]:
        """Hands it over and writes down how that ended."""
        state, delivered, said, retry_at = BriefState.DELIVERED, Delivered(step.road), None, None
        try:
            delivered = send()
        except NotSent as refusal:
            said = str(refusal)
            state = after_a_no(step, permanent=refusal.permanent, wait=refusal.retry_after)
            retry_at = self.now + refusal.retry_after if refusal.retry_after else None
            if isinstance(refusal, Unreachable):
                self.closed[step.road] = said
        except OutcomeUnknown as doubt:
            said, state = str(doubt), BriefState.UNKNOWN
        with writing(self.engine) as connection:
            ledger.settle(
                connection, written, step, state, self.now, by=delivered.by, ref=delivered.ref, error=said,
                retry_at=retry_at,
            )  # fmt: skip
        return Tried(state, step.attempt, retry_at), said

    def _pass_by(self, written: Written, step: Next, state: BriefState, said: str) -> tuple[Tried, str]:
        with writing(self.engine) as connection:
            ledger.pass_by(connection, written, step, state, error=said)
            if state is BriefState.FAILED and step.is_last:
                refuse_brief(connection, written.id, said)
        return Tried(state, step.attempt), said


def save_page(folder: Path, brief: Brief, html: str) -> Path:
    """Keeps the HTML of a brief as ``<rep>-<date>-<time>.html``; whole or not at all."""
    there = brief.as_of.astimezone(ZoneInfo(brief.zone))
    rep = re.sub(r"[^a-z0-9]+", "-", brief.rep_email.lower()).strip("-")
    path = folder / f"{rep}-{there:%Y-%m-%d-%H%M}.html"
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
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
