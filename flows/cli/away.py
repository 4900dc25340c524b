"""`tandem away`: a rep is not there, and who stands in."""

import getpass
from datetime import datetime

import click

from flows.cli.door import Instant, as_json, as_of, clock, house, show_json


@click.command()
@click.argument("rep", metavar="REP")
@click.option("--from", "since", type=Instant(), default=None, help="First day; default: now.")
@click.option("--until", type=Instant(), default=None, help="The day they are back; without it, until you say so.")
@click.option("--backup", default=None, metavar="REP", help="Who gets their briefs and letters, and answers for them.")
@click.option("--back", is_flag=True, help="They are there again, or will not go.")
@click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")
@as_of
@as_json
def away(
    rep: str, since: datetime | None, until: datetime | None, backup: str | None, back: bool, by: str,
    as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """A rep is away: briefs, letters and promises go to the backup, who may answer meanwhile.

    REP is an address, the part before the @, or a name. Back again, the first brief tells what happened. Without a
    backup nobody is told, and the promises' clocks go on.

    Example: tandem away ravi --until 2026-12-07 --backup sofia
    """
    from accounts.errors import InputRefused
    from accounts.ledger.briefs.written import find_rep
    from accounts.ledger.engine import writing
    from accounts.ledger.reps.profiles import go_away

    if back and (since or until or backup):
        raise InputRefused("back or away?", where="--back", cure="leave the others out")
    now = clock(as_of)
    start = None if back else since or now
    with house() as (_, engine), writing(engine) as connection:
        rep_id = find_rep(connection, rep)
        backup_id = find_rep(connection, backup) if backup else None
        is_new = go_away(connection, rep_id, start, until, backup_id, by=by, now=now)
    if json_:
        show_json({"rep": rep_id, "away_from": start, "away_until": until, "backup": backup_id, "is_new": is_new})
        return
    click.echo(_said(rep, start, until, backup) if is_new else "Nothing new.")


def _said(rep: str, start: datetime | None, until: datetime | None, backup: str | None) -> str:
    if start is None:
        return f"{rep} is there."
    days = f"from {start.astimezone():%d %b} " + (f"until {until.astimezone():%d %b}" if until else "until you say so")
    return f"{rep} is away {days}; {backup or 'nobody'} stands in."
