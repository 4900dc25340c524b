"""What a marketer reads in Prefect: each run as a page of Markdown, from the templates in `templates/artifacts/`.

Pure: a summary and a time go in, text comes out. Account keys and masked addresses only.
"""

from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flows.settings import TEMPLATES
from flows.tracking import Tracked


def tracked_report(tracked: Tracked, now: datetime) -> str:
    """Contacts, moves, refusals, unknown CRM stages, missing seats."""
    return _write("track.md", tracked=tracked, now=now)


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
    return pages


def cell(value: object) -> str:
    """A value inside a Markdown table: nothing in it may end the cell, the row or start markup."""
    text = " ".join(str("" if value is None else value).split())
    for mark in "\\|<>`*_[]":
        text = text.replace(mark, f"\\{mark}")
    return text
