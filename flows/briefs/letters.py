"""Letters are delivered: warnings, escalations, handovers, leases that end, plans that wait. Each once, by the road
that the rep has chosen (notes.py).

Claimed before it leaves (accounts/ledger/briefs/letters.py); what cannot be sent now is tried again by the next run of
any flow, for three days. A rep's letters go to their backup while they are away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import SandboxedEnvironment
from sqlalchemy import Connection, Engine

from accounts.errors import Unreachable
from accounts.ledger.briefs import letters as ledger
from accounts.ledger.briefs.letters import Waiting
from accounts.ledger.engine import writing
from accounts.ledger.planning import plans
from accounts.ledger.reps.profiles import Reader, read_readers
from accounts.ledger.sla.facts import read_desks
from accounts.letters import LetterKind, Words
from accounts.playbook import Play
from accounts.sla.hours import Desk, on_duty
from accounts.vocabulary import BriefState, PlanState
from expectations import gate
from flows.briefs.links import Links
from flows.briefs.mailing import Page
from flows.briefs.notes import tell
from flows.channels.email import EmailChannel
from flows.channels.reps import Note
from flows.channels.reps.registry import LAST, Roads, open_roads
from flows.masking import mask
from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Lettered:
    """What became of one letter. `reader` is masked."""

    subject: str
    reader: str
    state: BriefState
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Addressee:
    """Who reads it. rep_id: if they are a rep; instead_of: the rep they stand in for."""

    reader: Reader
    rep_id: int | None = None
    instead_of: str | None = None


def deliver_letters(
    engine: Engine, settings: Settings, play: Play, now: datetime, *, channel: EmailChannel | None = None
) -> list[Lettered]:
    """Everything that waits at `now`. A `channel` that is handed in must be open.

    Stops when the channel does not answer at all. Raises SettingsRefused for a key that cannot sign.
    """
    with writing(engine) as connection:
        _write_held_plans(connection, play, now)
        waiting = ledger.waiting_letters(connection, now)
        desks, reps = (read_desks(connection), read_readers(connection)) if waiting else ({}, {})
    done: list[Lettered] = []
    if not waiting:
        return done
    with open_roads(settings, play.vendor, channel) as roads:
        for letter in waiting:
            to = _addressee(letter, desks, reps, now)
            try:
                if one := _deliver(engine, settings, now, roads, letter, to):
                    done.append(one)
            except Unreachable as error:
                return [*done, Lettered(letter.subject, mask(to.reader.email), BriefState.PLANNED, str(error))]
    return done


def _write_held_plans(connection: Connection, play: Play, now: datetime) -> None:
    """A plan that the gate holds waits for a person: marketing's owner hears of it once."""
    owner = play.sla.marketing_owner
    for plan in plans.plans_in(connection, PlanState.HELD, play=play.key) if owner else ():
        words = Words(
            f"{play.title}: {plan.size} mails wait for you",
            (gate.sentence(plan.checks), "Nothing of it leaves before a person says so."),
            command=f"tandem approve {plan.id}",
        )
        subject = f"plan:{plan.id}:held"
        ledger.write_letter_row(connection, subject, LetterKind.PLAN_HELD, None, str(owner), words.payload(), now)


def _addressee(
    letter: Waiting, desks: Mapping[int, Desk], reps: Mapping[int, Reader], now: datetime
) -> _Addressee:  # fmt: skip
    if letter.rep_id is None or letter.rep_id not in desks:
        return _Addressee(Reader(0, "", letter.address, channel=LAST))
    rep = reps[on_duty(letter.rep_id, desks, now).id]
    away = reps[letter.rep_id].name if rep.id != letter.rep_id else None
    return _Addressee(rep, rep.id, away)


def _deliver(
    engine: Engine, settings: Settings, now: datetime, roads: Roads, letter: Waiting, to: _Addressee
) -> Lettered | None:  # fmt: skip
    """Writes, claims, sends and settles one; None when another run has it."""
    note = _note(settings, letter, to, now)
    with writing(engine) as connection:
        if not ledger.claim_letter(connection, letter.id, now):
            return None
    state, error = tell(note, roads, settings)
    said = str(error)[:300] if error else None
    with writing(engine) as connection:
        ledger.settle_letter(connection, letter.id, state, now, said)
    if isinstance(error, Unreachable):
        raise error
    return Lettered(letter.subject, mask(to.reader.email), state, said)


def _note(settings: Settings, letter: Waiting, to: _Addressee, now: datetime) -> Note:
    words, link = letter.words, _link(settings, letter, to, now)
    page = write_page(words, to.instead_of, link, settings.templates)
    away = (f"For {to.instead_of}, who is away; you stand in.",) if to.instead_of else ()
    more = (f"More of it: {words.command}",) if words.command and not link else ()
    links = (("See it, and answer", link),) if link else ()
    lines = (*away, *words.lines, *more)
    return Note("letter", letter.id, to.reader, words.headline, lines, links, page, now)


def _link(settings: Settings, letter: Waiting, to: _Addressee, now: datetime) -> str | None:
    if to.rep_id is None or letter.words.account is None:
        return None
    links = Links(settings.base_url, settings.secret_key.get_secret_value(), to.rep_id, 0, now.date())
    return links(letter.words.opens, letter.words.account)


def write_page(words: Words, instead_of: str | None, link: str | None, templates: Path) -> Page:
    """A letter laid out: its sentences, and the one link or command that goes with them."""
    facts = {
        "headline": words.headline, "lines": words.lines, "instead_of": instead_of, "link": link,
        "command": None if link else words.command,
    }  # fmt: skip
    html, text = (pages(templates).get_template(f"letter.{kind}").render(facts) for kind in ("html", "txt"))
    return Page(words.headline, html, text)


@cache
def pages(templates: Path) -> SandboxedEnvironment:
    """The short messages of `templates/briefs`, compiled once per process."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(templates / "briefs"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=select_autoescape(("html",)),
    )  # fmt: skip
