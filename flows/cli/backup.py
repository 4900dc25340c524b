"""`tandem backup` and `tandem restore`: the ledger in one file, and back, on either database."""

from pathlib import Path

import click

from flows.cli.door import as_json, clock, house, show_json


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@as_json
def backup(file: Path, json_: bool) -> None:
    """Write the whole ledger into one file, while everything goes on. Keep tandem.toml beside it: it has the key.

    A file of SQLite can be restored into PostgreSQL, and the other way round.

    Example: tandem backup tandem-2026-11-24.zip
    """
    from flows.operating.backup import back_up

    with house() as (_, engine):
        kept = back_up(engine, file, clock(None))
    if json_:
        show_json(kept.as_json())
        return
    click.echo(f"{file}: {kept.rows} rows, tables of version {kept.version}, digest {kept.digest[:16]}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Delete what is there first. All of it.")
@as_json
def restore(file: Path, replace: bool, json_: bool) -> None:
    """Make the ledger what it was when a backup was written: whole, or not at all. Stop everything else before.

    It knows nothing of mails that were sent since: they would be sent again. Before anything runs, `tandem stop`, and
    compare with the provider's log (docs/upgrading.md).

    Example: tandem restore tandem-2026-11-24.zip
    """
    from accounts.ledger.engine import open_ledger, reach
    from flows.operating.backup import restore as bring_back
    from flows.settings import load_settings

    engine = open_ledger(load_settings().ledger_url)
    try:
        reach(engine)
        kept = bring_back(engine, file, replace=replace)
    finally:
        engine.dispose()
    if json_:
        show_json(kept.as_json())
        return
    click.echo(f"{kept.rows} rows are back, as of {kept.made_at.astimezone():%-d %b %Y, %H:%M}")
    click.echo("Mails sent since then would be sent again: tandem stop first, and compare with the provider's log")
