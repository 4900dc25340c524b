"""`tandem roads`: by which channels reps get their briefs, and how that went."""

import getpass
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, get_args

import click

from flows.cli.door import as_json, as_of, clock, show_json
from flows.providers import RepChannelName

if TYPE_CHECKING:
    from accounts.ledger.briefs.delivery import Went

USUAL = "usual"


@click.command()
@click.argument("rep", metavar="[REP]", required=False)
@click.option(
    "--first", type=click.Choice([*get_args(RepChannelName), USUAL]), help="Try this one first; usual: as set."
)
@click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")
@click.option("--play", default="new-business", show_default=True, help="Whose briefs.")
@as_of
@as_json
def roads(rep: str | None, first: str | None, by: str, play: str, as_of: datetime | None, json_: bool) -> None:
    """The roads of briefs: which are tried for whom, in which order, and how the last tries went.

    REP is an address, the part before the @, or a name; without one, all reps. A road that says no for good, or three
    times for now, gives way to the next; e-mail is the last.

    Example: tandem roads ravi --first slack
    """
    from accounts.errors import InputRefused
    from accounts.ledger.briefs import delivery as brief_delivery
    from accounts.ledger.briefs.written import find_rep
    from accounts.ledger.engine import reading, writing
    from accounts.ledger.reps.profiles import read_readers, wish_channel
    from flows.channels.reps.registry import open_roads, order_for
    from flows.house import open_house

    if first and rep is None:
        raise InputRefused("whose road is it?", where="--first", cure="name the rep: tandem roads ravi --first slack")
    with open_house(play) as here:
        settings, engine = here.settings, here.engine
        with reading(engine) as connection:
            rep_id = find_rep(connection, rep) if rep else None
        if first and rep_id:
            with writing(engine) as connection:
                wish_channel(connection, rep_id, None if first == USUAL else first, by=by, now=clock(as_of))
        with reading(engine) as connection:
            readers = read_readers(connection)
            went = brief_delivery.latest(connection, rep_id)
        with open_roads(settings, here.play.vendor) as open_:
            orders = {one.id: order_for(one, settings, open_) for one in readers.values() if rep_id in (None, one.id)}
    if json_:
        show_json(
            {
                "roads": {readers[id].email: order for id, order in orders.items()},
                "tries": [{**asdict(one), "rep": readers[one.rep_id].email} for one in went],
            }
        )
        return
    for id, order in orders.items():
        click.echo(f"{readers[id].email:<32} {', '.join(order)}")
    for one in went:
        click.echo(f"  brief {one.brief_id:<5} {readers[one.rep_id].email:<32} {_line(one)}")


def _line(one: "Went") -> str:
    """``Tue 24 Nov 11:00  slack     delivered``; ``failed, try 3: slack said channel_not_found``."""
    tries = f", try {one.attempts}" if one.attempts > 1 else ""
    later = f", again at {one.retry_at.astimezone():%H:%M}" if one.retry_at else ""
    error = f": {one.error}" if one.error else ""
    return f"{one.as_of.astimezone():%a %d %b %H:%M}  {one.channel:<9} {one.state}{tries}{later}{error}"
