"""A person's rights, and the proof of who did what: `forget`, `export`, `audit`."""

import getpass
from datetime import datetime

import click

from flows.cli.door import as_json, as_of, clock, house, show_json

by = click.option("--by", default=getpass.getuser, help="Who asks for it; default: you, as the computer knows you.")


@click.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by
@as_of
@as_json
def forget(email: str, yes: bool, by: str, as_of: datetime | None, json_: bool) -> None:
    """Erase a person: ledger, files, quarantine; ads follow at the next sync. The suppression stays, as a hash.

    What went to the account stays counted, about nobody. This cannot be undone.

    Example: tandem forget dana@acme.example
    """
    from flows.forgetting import forget_person

    if not (yes or json_):
        click.confirm(f"Erase everything about {email}? This cannot be undone.", abort=True)
    with house() as (settings, engine):
        erased = forget_person(engine, settings, email, by=by, now=clock(as_of))
    if json_:
        ledger = erased.ledger
        show_json(
            {"email_hash": ledger.email_hash, "rows": ledger.rows, "files": erased.files, "left": erased.leftovers}
        )
        return
    what = ", ".join(f"{count} {table.replace('_', ' ')}" for table, count in erased.ledger.rows.items())
    click.echo(f"erased: {what or 'nothing was left'}; {len(erased.files)} files; never written to again")
    for path in erased.leftovers:
        click.echo(f"still spells the address, erase it by hand: {path}")


@click.command()
@click.argument("email")
@as_json
def export(email: str, json_: bool) -> None:
    """Everything we hold about a person, as JSON.

    Example: tandem export dana@acme.example > dana.json
    """
    from accounts.ledger.engine import reading
    from accounts.ledger.people.privacy import export as everything

    with house() as (_, engine), reading(engine) as connection:
        show_json(everything(connection, email))


@click.command()
@click.option("--verify", is_flag=True, help="Walk the whole chain of hashes; exit 1 where it is broken.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@as_json
def audit(verify: bool, limit: int, json_: bool) -> None:
    """Who did what to whom, latest first; or whether the record is whole.

    Example: tandem audit --verify
    """
    from accounts.errors import Refused
    from accounts.ledger.audit import read_audit
    from accounts.ledger.audit import verify as walk
    from accounts.ledger.engine import reading

    with house() as (_, engine), reading(engine) as connection:
        if verify:
            chain = walk(connection)
            if json_:
                show_json(
                    {
                        "entries": chain.entries,
                        "whole": chain.is_whole,
                        "broken_at": chain.broken_at,
                        "head": chain.head,
                    }
                )
            if not chain.is_whole:
                raise Refused(
                    f"the audit is broken: {chain.why}", where=f"entry {chain.broken_at}", cure="see a backup"
                )
            if not json_:
                click.echo(f"{chain.entries} entries, whole; the last one's hash is {chain.head}")
            return
        rows = read_audit(connection, limit=limit)
    if json_:
        show_json([dict(row._mapping) for row in rows])
        return
    for row in rows:
        click.echo(f"{row.at.astimezone():%Y-%m-%d %H:%M}  {row.actor:<16} {row.action:<14} {row.subject}")
