"""`tandem sla`: what sales and marketing owe each other, and a person's word that a promise was kept."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from accounts.sla.saying import DUTIES
from accounts.vocabulary import Side
from flows.cli.door import as_json, as_of, clock, house, show_json
from flows.cli.reps import by, override

if TYPE_CHECKING:
    from accounts.ledger.sla.clocks import Listed

play = click.option("--play", default="new-business", show_default=True, help="Whose promises count.")


@click.group(invoke_without_command=True)
@click.option("--account", default=None, help="Only this account.")
@click.option("--rep", default=None, help="Only what this rep owes or is owed (address or name).")
@click.option("--side", type=click.Choice([side.value for side in Side]), default=None, help="What this side owes.")
@click.option("--all", "closed", is_flag=True, help="Also what was kept, broken and made up for, or lapsed.")
@play
@as_of
@as_json
@click.pass_context
def sla(
    ctx: click.Context, account: str | None, rep: str | None, side: str | None, closed: bool, play: str,
    as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Who owes what to whom, since when and by when: sales to marketing and marketing to sales.

    Looks at the clocks first, so that what it shows is true now. Working hours only; docs/sla.md says how.

    Example: tandem sla --rep ravi
    """
    if ctx.invoked_subcommand is not None:
        return
    from accounts.ledger.briefs.written import find_rep
    from accounts.ledger.engine import reading
    from accounts.ledger.sla.clocks import list_clocks
    from accounts.ledger.subjects import find_subjects
    from flows.house import open_house
    from flows.sales.sla import keep_clocks

    with open_house(play) as here:
        keep_clocks(here.engine, here.play, clock(as_of))
        with reading(here.engine) as connection:
            key = find_subjects(connection, account)[0].account if account else None
            rep_id = find_rep(connection, rep) if rep else None
            whose = Side(side) if side else None
            clocks = list_clocks(connection, play=play, account=key, rep=rep_id, side=whose, closed=closed)
    if json_:
        show_json([asdict(one) for one in clocks])
        return
    for one in clocks:
        click.echo(_line(one))
    if not clocks:
        click.echo("nothing is owed")


@sla.command(short_help="Say that a promise was kept.")
@click.argument("number", type=int)
@override
@by
@as_of
@as_json
def answer(number: int, override: str | None, by: str, as_of: datetime | None, json_: bool) -> None:
    """Say that a promise was kept where no fact shows it: a hand-off was talked over, a list was put right.

    Of what sales owes, whoever speaks for the account says so; anybody else says why. Who said so is kept in the audit.
    A promise that was kept late stays broken in the ledger.

    Example: tandem sla answer 12
    """
    from flows.sales.sla import answer as say

    with house() as (_, engine):
        said = say(engine, number, by=by, now=clock(as_of), override=override)
    if json_:
        show_json(asdict(said))
        return
    click.echo(f"clock {number} has stopped: {DUTIES[said.duty]}, {_state(said)}")


def _line(one: "Listed") -> str:
    """``12  sales owes  answer who asked  acme  ravi@…  due Tue 24 Nov 17:00  running  (signal:4701)``."""
    due = f"due {one.due_at.astimezone():%a %d %b %H:%M}" if one.due_at else "due once its hold ends"
    whose = one.rep or ("every rep" if one.side is Side.MARKETING else "nobody owns it")
    what = f"{DUTIES[one.duty]}: {one.account or one.subject}"
    proof = ", ".join(one.evidence)
    return f"{one.id:>5}  {one.side:<9} owes  {what:<52}  {whose:<32} {due}  {_state(one)}  ({proof})"


def _state(one: "Listed") -> str:
    """``breached, told grace@…``; ``met by activity:91``."""
    who = one.escalated_to or "nobody: no address"
    told = f", {'told' if one.told_at else 'now a matter for'} {who}" if one.escalated_at else ""
    warned = f", warned at {one.warned[-1][0]} %" if one.warned and not one.escalated_at and not one.closed_at else ""
    ended = f" by {one.closed_by}" if one.closed_by else ""
    late = ", made up for" if one.closed_by and one.state == "breached" else ""
    return f"{one.state}{late}{ended}{told}{warned}"
