"""`tandem deploy`: deployments and automations, as the files say, on a Prefect server."""

import os
from pathlib import Path

import click

from flows.cli.door import as_json, show_json


@click.command()
@click.option(
    "--deployments", type=click.Path(path_type=Path, exists=True), default=None, help="Default: prefect.yaml."
)
@click.option("--automations", type=click.Path(path_type=Path, exists=True), default=None,
              help="Default: automations.yaml.")  # fmt: skip
@as_json
def deploy(deployments: Path | None, automations: Path | None, json_: bool) -> None:
    """Bring Prefect's deployments and automations in line with prefect.yaml and automations.yaml, and say what changed.

    The server is the one of PREFECT_API_URL, of the settings, or of `tandem up` in the same home. Running it again
    changes nothing; what you made in Prefect's pages stays. `tandem up` does the same for what it serves itself.

    Example: PREFECT_API_URL=http://127.0.0.1:4200/api tandem deploy
    """
    from accounts.errors import Refused
    from flows.cli.run import find_server
    from flows.operating.automations import automations_file, read_automations
    from flows.operating.deployments import deployments_file, read_deployments
    from flows.operating.prefect_api import PrefectApi
    from flows.operating.prefect_server import client_environment
    from flows.settings import load_settings

    entries = read_deployments(deployments or deployments_file())
    rules = read_automations(automations or automations_file())
    settings = load_settings()
    server = find_server(settings)
    if server is None or not PrefectApi(server).is_healthy():
        where = server or "PREFECT_API_URL"
        raise Refused("no Prefect server answers", where=where, cure="tandem up, or prefect server start")
    os.environ.update(client_environment(settings.home / "prefect", server))
    from prefect import get_client

    from flows.operating.deploying import deploy as apply

    with get_client(sync_client=True) as client:
        changes = apply(client, entries, rules)
    if json_:
        show_json([{"kind": one.kind, "name": one.name, "was": one.was, "is_mute": one.is_mute} for one in changes])
        return
    for one in changes:
        click.echo(f"{one.was:<9}  {one.kind} {one.name}")
    if mute := sum(one.is_mute for one in changes):
        click.echo(f"{mute} automations are off: there is no notification block `tandem` yet (automations.yaml)")
