"""`tandem demo`: a believable world in `.tandem/demo`, three weeks of it in about a minute."""

import sys

import click

from flows.cli.door import as_json, show_json


@click.command()
@click.option("--seed", default=None, type=int, help="Another world, the same for the same number.")
@as_json
def demo(seed: int | None, json_: bool) -> None:
    """Build a believable world and run three virtual weeks of it through the real flows.

    Writes .tandem/demo (made anew each time): tandem.db, outbox/, briefs/, index.html. Nobody gets mail.

    Example: tandem demo
    """
    from flows.demo.run import run_demo
    from flows.demo.story import SEED

    ending = run_demo(SEED if seed is None else seed, tell=None if json_ else sys.stderr)
    if json_:
        show_json(ending.as_json())
    else:
        click.echo("\n".join(ending.lines()))
