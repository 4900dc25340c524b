"""`tandem brief`: a rep's brief on the terminal, as a page, or as JSON; and the list of those that were written."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.door import as_json, as_of, clock, house, show_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from accounts.briefs import Brief
    from accounts.ledger.briefs.written import Listed, Look
    from flows.settings import Settings


@click.command()
@click.argument("rep", required=False)
@click.option("--list", "list_", is_flag=True, help="The briefs that were written, of one rep or of all.")
@click.option("--evidence", is_flag=True, help="Show behind each statement the rows that prove it.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Write the page to a file.")
@click.option("--play", default=None, help="Which play; default: the only one there is.")
@as_of
@as_json
def brief(
    rep: str | None, list_: bool, evidence: bool, html: Path | None, play: str | None, as_of: datetime | None,
    json_: bool,
) -> None:  # fmt: skip
    """Show a rep's brief as it would be sent now: what changed since the last one. Nothing is stored or sent.

    REP is an address, the part before the @, or a name. With --as-of the time of an earlier brief (see --list), that
    brief is shown as it was.

    Example: tandem brief ravi --evidence
    """
    if list_:
        return _list(rep, json_)
    if rep is None:
        raise click.UsageError("name a rep, or ask for --list")
    now = clock(as_of)
    with house() as (settings, engine):
        from accounts.ledger.engine import reading

        with reading(engine) as connection:
            look, written = _read(connection, settings, play, rep, now)
    if html and written:
        _write_page(settings, written, look.rep_id, now, html)
    if json_:
        return _show_json(look, written, now)
    if written is None:
        return _say_nothing(look)
    if html:
        return click.echo(f"written to {html}")
    return _show(written, evidence)


def _read(
    connection: "Connection", settings: "Settings", play: str | None, rep: str, now: datetime
) -> "tuple[Look, Brief | None]":  # fmt: skip
    from accounts.ledger.briefs.written import find_rep, read_looks
    from flows.briefs.briefing import current_brief
    from flows.content.preview import only_play

    rep_id = find_rep(connection, rep)
    (look,) = read_looks(connection, now, rep_id)
    return look, current_brief(connection, only_play(settings, play), now, rep_id)


def _show(written: "Brief", with_evidence: bool) -> None:
    from rich.console import Console

    from flows.briefs.screen import show_brief

    show_brief(Console(highlight=False), written, with_evidence=with_evidence)


def _show_json(look: "Look", written: "Brief | None", now: datetime) -> None:
    from accounts.briefs.stored import to_payload

    payload = to_payload(written) if written else None
    show_json({"rep": look.email, "as_of": now, "since": look.since, "brief": payload})


def _say_nothing(look: "Look") -> None:
    click.echo(f"Nothing new for {look.name} since {look.since.astimezone():%Y-%m-%d %H:%M}: no brief.")
    if not look.is_first:
        click.echo(f"The last one: tandem brief {look.email} --as-of {look.since.isoformat()}")


def _write_page(settings: "Settings", written: "Brief", rep_id: int, now: datetime, path: Path) -> None:
    from accounts.errors import Refused
    from flows.briefs.links import links_of
    from flows.briefs.pages import brief_pages

    page = brief_pages(settings.templates).html(written, links_of(settings, rep_id, 0, now))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot be written: {error.strerror}", where=str(path), cure="name another file") from None


def _list(rep: str | None, json_: bool) -> None:
    from accounts.ledger.briefs.written import find_rep, list_briefs
    from accounts.ledger.engine import reading

    with house() as (_, engine), reading(engine) as connection:
        rows = list_briefs(connection, find_rep(connection, rep) if rep else None)
    if json_:
        return show_json([_as_dict(row) for row in rows])
    if not rows:
        return click.echo("No briefs yet: `tandem run briefs` writes them.")
    return _show_table(rows)


def _as_dict(row: "Listed") -> dict[str, object]:
    from dataclasses import asdict

    return asdict(row)


def _show_table(rows: "list[Listed]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("As of (your zone)", "Rep", "Words", "State", box=None, pad_edge=False)
    for row in rows:
        state = f"{row.state}: {row.error}" if row.error else str(row.state)
        table.add_row(f"{row.as_of.astimezone():%Y-%m-%d %H:%M}", Text(row.rep_name), str(row.words), Text(state))
    Console(highlight=False).print(table)
