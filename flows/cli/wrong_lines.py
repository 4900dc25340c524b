"""`tandem wrong-lines`: what reps called wrong in their briefs, for who answers for it."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from flows.cli.door import Instant, as_json, as_of, clock, house, show_json

if TYPE_CHECKING:
    from accounts.ledger.briefs.wrong_lines import WrongLine


@click.command("wrong-lines")
@click.option("--since", type=Instant(), default=None, help="Said after this day or time; default: all.")
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="So many, the latest first.")
@as_of
@as_json
def wrong_lines(since: datetime | None, most: int, as_of: datetime | None, json_: bool) -> None:
    """Lines of briefs that reps called wrong: who, when, the line as it stood, and what is true instead.

    Example: tandem wrong-lines --since 2026-11-17
    """
    from accounts.ledger.briefs.wrong_lines import read_wrong_lines
    from accounts.ledger.engine import reading

    with house() as (_, engine), reading(engine) as connection:
        found = read_wrong_lines(connection, since, clock(as_of), most)
    if json_:
        show_json([asdict(one) for one in found])
        return
    for one in found:
        click.echo(_told(one))
    if not found:
        click.echo("No line was called wrong.")


def _told(one: "WrongLine") -> str:
    brief = f"brief {one.brief_id}, line {one.line}" if one.brief_id else f"line {one.line} of a brief"
    stood = one.stood or "(its words are not known)"
    return (
        f"{one.at.astimezone():%a %d %b %Y}  {one.account}  {one.by}  {brief}\n"
        f"  it said:  {stood}\n"
        f"  instead:  {one.instead or '(not said)'}"
    )
