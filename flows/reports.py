"""What a marketer reads in Prefect: each run as a page of Markdown, from the templates in `templates/artifacts/`.

Pure: a summary and a time go in, text comes out. Account keys and masked addresses only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from accounts.briefs import LABELS
from accounts.coverage import Coverage
from accounts.ledger.planning.touches import Listed
from accounts.ledger.sending.delivery import Delivery
from accounts.playbook import Play
from accounts.sla.saying import DUTIES
from accounts.touch_states import explain
from accounts.vocabulary import Answer, Reason
from flows.audience_sync import AudiencesSynced
from flows.briefs.briefing import Briefed
from flows.briefs.showing import Shown
from flows.masking import mask, mask_within
from flows.nurturing import Nurtured
from flows.operating.health import Looked
from flows.planning import Foreseen
from flows.sales.calibrating import Proposal
from flows.sales.sla import Kept
from flows.sending.braking import Watched
from flows.sending.questions import MOST, Question
from flows.sending.record import headline, verdict
from flows.settings import TEMPLATES
from flows.signals.intake import Collected
from flows.tracking import Tracked


def tracked_report(tracked: Tracked, now: datetime) -> str:
    """Contacts, moves, refusals, unknown CRM stages, missing seats."""
    return _write("track.md", tracked=tracked, now=now)


def collected_report(collected: Collected, now: datetime) -> str:
    """Signals by kind, replies, vacancies, and what needs a look."""
    return _write("signals.md", collected=collected, now=now)


def audiences_report(synced: AudiencesSynced, now: datetime) -> str:
    """Each audience with what is wanted, confirmed, owed and servable."""
    return _write("audiences.md", synced=synced, now=now)


def health_report(looked: Looked, now: datetime) -> str:
    """Every sign, the worst first, and what was put right."""
    return _write("health.md", looked=looked, now=now)


def briefed_report(briefed: Briefed, now: datetime) -> str:
    """Each rep's brief with its length and its first reason."""
    return _write("briefs.md", briefed=briefed, now=now)


def brief_report(shown: Shown) -> str:
    """What a rep was told, for everybody else: without links, people with their initials."""
    return _write("brief.md", brief=shown.brief, labels=LABELS, hide=shown.hide)


def nurtured_report(nurtured: Nurtured, standing: Mapping[tuple[Answer, Reason | None], int]) -> str:
    """The run at a glance; `standing`: people of the play by answer and reason."""
    return _write("nurture.md", nurtured=nurtured, standing=standing, explain=explain)


def foreseen_report(foreseen: Foreseen) -> str:
    """A dry run: how many would get a mail, how many not, and why."""
    return _write("dry-run.md", foreseen=foreseen, explain=explain)


def foreseen_rows(foreseen: Foreseen) -> list[dict[str, object]]:
    """Who would get what as rows of a table artifact, addresses masked."""
    return [
        {
            "account": line.who.account_key,
            "person": cell(mask(line.who.email)),
            "role": line.who.role.replace("_", " "),
            "content": line.said.content,
            "due (UTC)": f"{line.at:%d %b %H:%M}" if line.at else "",
        }
        for line in foreseen.lines
        if line.said.answer is Answer.TOUCH
    ]


def coverage_report(covered: Coverage, now: datetime) -> str:
    """Seats with people and nothing to read, and contents somebody must look at."""
    return _write("content.md", covered=covered, now=now)


def question_report(question: Question, *, most: int = MOST, words: bool = True) -> str:
    """A held plan as the person reads it who is asked: reasons, size, who is in it.

    most: people named. words: with what they would read.
    """
    return _write("question.md", question=question, most=most, words=words)


def brakes_report(watched: Watched, now: datetime) -> str:
    """What is stopped, since when, by whom and why; what was stopped just now; what comes close to it."""
    return _write("brakes.md", watched=watched, now=now)


def calibrated_report(made: Proposal, play: Play, now: datetime) -> str:
    """Agreement of scores with verdicts, by kind and by rep, and the proposal as a diff."""
    return _write("calibration.md", made=made, found=made.calibration, play=play, now=now)


def clocks_report(kept: Kept, now: datetime) -> str:
    """What sales and marketing owe each other, what is due first."""
    return _write("sla.md", kept=kept, says=DUTIES, now=now)


def delivered_report(delivery: Delivery) -> str:
    """Who got a plan: by outcome, with reasons, addresses masked."""
    return _write("plan.md", delivery=delivery, headline=headline(delivery), verdict=verdict(delivery))


def touch_rows(touches: Iterable[Listed]) -> list[dict[str, object]]:
    """Touches as rows of a table artifact, addresses masked."""
    return [
        {
            "account": touch.account,
            "person": cell(mask(touch.address)),
            "content": touch.content,
            "state": touch.state,
            "why": explain(touch.reason) if touch.reason else "",
            "due (UTC)": f"{touch.due_at:%d %b %H:%M}",
        }
        for touch in touches
    ]


def counts_of(summary: object) -> dict[str, int]:
    """A summary as counts: its whole numbers, and the lengths of its lists."""
    values = {field.name: getattr(summary, field.name) for field in fields(cast(Any, summary))}
    sized = {name: len(value) if isinstance(value, tuple | list) else value for name, value in values.items()}
    return {name: value for name, value in sized.items() if isinstance(value, int) and not isinstance(value, bool)}


def _write(template: str, **facts: Any) -> str:
    return _pages().get_template(template).render(facts)


@cache
def _pages() -> Environment:
    """Markdown for Prefect's pages: names are escaped by `cell`, since HTML escaping would show in Markdown."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES / "artifacts"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  Markdown, not HTML
    )
    pages.filters["cell"] = cell
    pages.filters["mask"] = mask
    pages.filters["masked"] = mask_within
    return pages


def cell(value: object) -> str:
    """A value inside a Markdown table: nothing in it may end the cell, the row or start markup."""
    text = " ".join(str("" if value is None else value).split())
    for mark in "\\|<>`*_[]@":  # @: half of a masked address must not become a link
        text = text.replace(mark, f"\\{mark}")
    return text
