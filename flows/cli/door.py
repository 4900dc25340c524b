"""What every command does at the door: settings, ledger, clock, and how answers are shown."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from flows.clock import clock as clock

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from flows.sales.answers import Answered
    from flows.settings import Settings


class Instant(click.ParamType[datetime]):
    """A day or a time in the user's zone: ``2026-11-22``, ``2026-11-22T09:30``, ``2026-11-22T09:30+01:00``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time; write 2026-11-22 or 2026-11-22T09:30", param, ctx)


as_json = click.option("--json", "json_", is_flag=True, help="Answer as JSON.")
as_of = click.option("--as-of", type=Instant(), default=None, help="Pretend it is this time (your zone).")


@contextmanager
def house() -> Iterator[tuple["Settings", "Engine"]]:
    """Settings and an open ledger for a command; refuses one that was never made."""
    from accounts.ledger.engine import open_existing_ledger
    from flows.settings import load_settings

    settings = load_settings()
    engine = open_existing_ledger(settings.ledger_url)
    try:
        yield settings, engine
    finally:
        engine.dispose()


def show_json(value: Any) -> None:
    """JSON on stdout: times as ISO 8601 with zone, everything else as its text."""
    click.echo(json.dumps(value, default=_as_text, ensure_ascii=False, indent=2))


def show_answer(answered: "Answered", json_: bool, **more: Any) -> None:
    """What a rep's word changed, in the sentences that any other way of saying it is told."""
    if json_:
        subjects = [{"account": subject.account, "email": subject.email} for subject in answered.subjects]
        said = " ".join(str(told) for told in answered.told)
        is_new = any(told.is_new for told in answered.told)
        show_json({"said": said, "changed": is_new, "subjects": subjects, "rows": list(answered.rows), **more})
    else:
        for told in answered.told:
            click.echo(str(told))


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
