"""What leaves: `approve` a held send plan, list `touches`, `settle` what nobody knows."""

import getpass
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from accounts.vocabulary import TouchState
from flows.cli.door import as_json, as_of, clock, house, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.ledger.planning.touches import Listed

#: Columns of a table that goes into a file or another program.
PIPED = 200
STATES = [state.value for state in TouchState]
by = click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")


@click.command()
@click.argument("plan", type=int)
@click.option("--reject", "rejected", is_flag=True, help="Nothing of it leaves, now or in the next seven days.")
@click.option("--drop", type=int, multiple=True, metavar="TOUCH", help="Leave out this message; repeatable.")
@click.option("--drop-failing", is_flag=True, help="Leave out messages that must not leave by now.")
@by
@as_of
@as_json
def approve(
    plan: int, rejected: bool, drop: tuple[int, ...], drop_failing: bool, by: str, as_of: datetime | None, json_: bool
) -> None:  # fmt: skip
    """Let a held send plan go, or reject it.

    An approved plan is judged once more and leaves with the next nurture run, inside its readers' working hours. What
    came too late meanwhile has expired and is not sent. Whose message is dropped never gets that content.

    Example: tandem approve 17 --drop 4711 --drop-failing
    """
    from flows.sending.approving import approve as let_go
    from flows.sending.approving import reject

    if rejected and (drop or drop_failing):
        raise click.UsageError("--reject stops all of it; --drop and --drop-failing leave out some")
    with house() as (settings, engine):
        if rejected:
            stopped = reject(engine, plan, by=by, now=clock(as_of))
            answer = {"plan": plan, "state": "rejected", "stopped": stopped}
            said = f"plan {plan} is rejected: {_messages(stopped)} will not leave"
        else:
            verdict = let_go(engine, settings, plan, by=by, now=clock(as_of), drop=drop, drop_failing=drop_failing)
            leaving = verdict.rows - len(verdict.failing)
            answer = {"plan": plan, "state": "certified", "leaving": leaving, "left_out": verdict.cancelled}
            said = f"plan {plan} is approved: {_messages(leaving)} will leave with the next nurture run"
    show_json(answer) if json_ else click.echo(said)


@click.command()
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; repeatable.")
@click.option("--plan", type=int, default=None, help="Only this send plan.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many, newest first.")
@as_json
def touches(states: tuple[str, ...], plan: int | None, limit: int, json_: bool) -> None:
    """What was sent, failed, expired, or is not known.

    An outcome nobody knows is never resent by itself: what comes back settles it, or you do, with `tandem settle`.

    Example: tandem touches --state unknown
    """
    from accounts.ledger.engine import reading
    from accounts.ledger.planning.plans import read_plan
    from accounts.ledger.planning.touches import list_touches

    with house() as (_, engine), reading(engine) as connection:
        if plan is not None:
            read_plan(connection, plan)
        wanted = [TouchState(state) for state in states]
        listed = list_touches(connection, states=wanted, plan_id=plan, limit=limit)
    if json_:
        show_json([{name: getattr(one, name) for name in one.__slots__} for one in listed])
    else:
        _show(listed)


@click.command()
@click.argument("numbers", metavar="TOUCH...", type=int, nargs=-1, required=True)
@click.argument("outcome", type=click.Choice(["sent", "not-sent"]))
@by
@as_of
@as_json
def settle(numbers: tuple[int, ...], outcome: str, by: str, as_of: datetime | None, json_: bool) -> None:
    """Say what became of touches whose outcome nobody knows.

    Look into the provider's log first. `sent` closes them. `not-sent` lets planning choose them again: if you are
    mistaken, the person gets the e-mail twice.

    Example: tandem settle 4711 4712 sent
    """
    from flows.sending.approving import settle as say

    with house() as (_, engine):
        say(engine, numbers, arrived=outcome == "sent", by=by, now=clock(as_of))
    answer = "sent" if outcome == "sent" else "not sent, and may be planned again"
    named = ", ".join(map(str, numbers))
    said = f"touch{'es' * (len(numbers) > 1)} {named}: {answer}"
    show_json({"touches": numbers, "outcome": outcome}) if json_ else click.echo(said)


def _show(listed: "Sequence[Listed]") -> None:
    from rich.console import Console
    from rich.table import Table

    from accounts.touch_states import explain

    if not listed:
        click.echo("no touches")
        return
    table = Table("touch", "state", "why", "account", "to", "content", "when", "plan", box=None, pad_edge=False)
    for one in listed:
        when = (one.sent_at or one.due_at).astimezone()
        table.add_row(
            str(one.id), one.state, explain(one.reason) if one.reason else one.error or "", one.account, one.address,
            one.content.partition("/")[2], f"{when:%Y-%m-%d %H:%M}", str(one.plan_id or ""),
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else PIPED).print(table)


def _messages(number: int) -> str:
    return f"{number} message{'s' * (number != 1)}"
