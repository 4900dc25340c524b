"""`tandem links`: the links by which reps answer without a password."""

import getpass
from datetime import datetime

import click

from flows.cli.door import as_json, as_of, clock, house, show_json

rep = click.argument("rep", metavar="REP")


@click.group()
def links() -> None:
    """Links of reps: a fresh one to all their accounts, and the end of all they have.

    REP is an address, the part before the @, or a name.

    Example: tandem links revoke ravi
    """


@links.command()
@rep
@as_of
@as_json
def page(rep: str, as_of: datetime | None, json_: bool) -> None:
    """A fresh link to all accounts of a rep, good for two weeks. Whoever has it can answer as the rep.

    Example: tandem links page ravi
    """
    from accounts.errors import Refused
    from accounts.ledger.briefs.written import find_rep
    from accounts.ledger.engine import reading
    from accounts.ledger.reps.links import read_holder
    from flows.briefs.links import links_of

    now = clock(as_of)
    with house() as (settings, engine), reading(engine) as connection:
        id = find_rep(connection, rep)
        made, holder = links_of(settings, id, 0, now), read_holder(connection, id)
    if holder and holder.took_back(now.date()):
        raise Refused("all links of today were revoked", where=rep, cure="ask again tomorrow, or write a brief")
    if json_:
        show_json({"link": made("page"), "last_day": made.last_day})
    else:
        click.echo(made("page"))


@links.command(short_help="Make all links a rep has by now worthless.")
@rep
@click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")
@as_of
@as_json
def revoke(rep: str, by: str, as_of: datetime | None, json_: bool) -> None:
    """Make all links a rep has by now worthless: a brief was forwarded, a phone is lost. The next brief has fresh ones.

    Example: tandem links revoke ravi
    """
    from accounts.ledger.briefs.written import find_rep
    from accounts.ledger.engine import writing
    from accounts.ledger.reps import links as rep_links

    now = clock(as_of)
    with house() as (_, engine), writing(engine) as connection:
        rep_links.revoke(connection, find_rep(connection, rep), by=by, now=now)
    if json_:
        show_json({"rep": rep, "links_from": now})
    else:
        click.echo(f"the links {rep} has by now open nothing any more; the next brief has fresh ones")
