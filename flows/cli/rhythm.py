"""`tandem rhythm`: how often a rep wants a brief, and at which hour of their own day."""

import getpass
from datetime import datetime
from typing import Any

import click

from accounts.briefs.rhythm import Every, full_hour
from flows.cli.door import as_json, as_of, clock, show_json


class Hour(click.ParamType[int]):
    """``16`` or ``16:00``."""

    name = "hour"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        hour = full_hour(str(value))
        if hour is None:
            self.fail(f"{value} is no full hour: write 16 or 16:00", param, ctx)
        return hour


@click.command()
@click.argument("rep", metavar="REP")
@click.option("--hour", type=Hour(), help="A full hour of their own day, such as 16.")
@click.option("--every", type=click.Choice([one.value for one in Every]), help="How often.")
@click.option("--usual", is_flag=True, help="As the play says, but for what else you name here.")
@click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")
@click.option("--play", default="new-business", show_default=True, help="What is usual.")
@as_of
@as_json
def rhythm(
    rep: str, hour: int | None, every: str | None, usual: bool, by: str, play: str, as_of: datetime | None, json_: bool
) -> None:  # fmt: skip
    """How often a rep wants a brief, and at which hour; without options, how it is now.

    REP is an address, the part before the @, or a name. The hour is one of the rep's own zone.

    Example: tandem rhythm ravi --hour 16 --every weekly
    """
    from accounts.ledger.briefs.turns import read_wishes
    from accounts.ledger.briefs.written import find_rep
    from accounts.ledger.engine import reading, writing
    from accounts.ledger.reps.profiles import Rhythm, rhythm_of, wish_rhythm
    from flows.house import open_house

    with open_house(play) as here:
        with reading(here.engine) as connection:
            rep_id = find_rep(connection, rep)
        if usual or every or hour is not None:
            with writing(here.engine) as connection:
                known = Rhythm(None, None) if usual else rhythm_of(connection, rep_id)
                wanted = Rhythm(every or known.every, known.hour if hour is None else hour)
                wish_rhythm(connection, rep_id, wanted, by=by, now=clock(as_of))
        with reading(here.engine) as connection:
            wish = read_wishes(connection, here.play)[rep_id]
        zone = wish.timezone or here.play.window.default_timezone
    if json_:
        show_json({"rep": rep_id, "every": wish.every, "hour": f"{wish.hour:%H:%M}", "timezone": zone})
        return
    click.echo(f"{rep}: {wish.every}" if wish.every is Every.OFF else f"{rep}: {wish.every}, {wish.hour:%H:%M} {zone}")
