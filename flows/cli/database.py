"""`tandem database …`: what whoever looks after the database needs."""

import click


@click.group()
def database() -> None:
    """What whoever looks after the database needs."""


@database.command(short_help="Bring the tables back to an earlier version.")
@click.argument("version")
def downgrade(version: str) -> None:
    """Bring the tables back to an earlier version, before you install the Tandem that needs it.

    What that version has no place for is lost. Make a backup first; stop everything else.

    Example: tandem database downgrade 0001
    """
    from accounts.ledger.schema import downgrade as bring_back
    from flows.cli.door import house

    with house() as (_, engine):
        before = bring_back(engine, version)
    click.echo(f"brought back from version {before} to {version}")


@database.command(short_help="Print the SQL for two roles with the least rights.")
@click.option("--app", default="tandem_app", show_default=True, help="Role that Tandem works as.")
@click.option("--reader", default="tandem_reader", show_default=True, help="Role for reports: sees no person.")
def roles(app: str, reader: str) -> None:
    """Print the SQL that makes two roles with the least rights, for PostgreSQL. It changes nothing by itself.

    Run it as the owner of the tables, after `tandem init` and after each upgrade; then let Tandem work as the app.

    Example: tandem database roles | psql postgresql://owner@host/tandem
    """
    from accounts.ledger.rights import script

    click.echo(script(app, reader), nl=False)
