"""`tandem run …`: a flow, now.

Where a Prefect server is known (PREFECT_API_URL, settings, or `tandem up` in the same home) the run shows in its pages;
without one the same functions are called plainly. Nothing starts a server in secret.
"""

import os
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from flows.cli.door import as_json, as_of, clock, show_json

if TYPE_CHECKING:
    from flows.house import House
    from flows.settings import Settings

#: word on the command line -> the flow, as module:function
FLOWS = {
    "track": "flows.track:track_accounts",
    "nurture": "flows.nurture:nurture_accounts",
    "audiences": "flows.audiences:sync_audiences",
    "signals": "flows.listen:collect_signals",
    "briefs": "flows.brief:brief_reps",
}
#: Counts that mean something to the flow only, and the number of a plan, which is none.
UNSAID = {"plan_id", "verdicts", "despatches"}


@click.command()
@click.argument("flow", type=click.Choice(list(FLOWS)))
@click.option("--play", default="new-business", show_default=True, help="A folder of templates/plays.")
@as_of
@as_json
def run(flow: str, play: str, as_of: datetime | None, json_: bool) -> None:
    """Run a flow now: track, nurture, audiences, signals or briefs.

    Example: tandem run nurture --as-of 2026-11-24T10:00
    """
    counts, server = run_now(flow, play, as_of)
    if json_:
        show_json(counts)
        return
    click.echo(f"{flow} {play}: {_in_words(counts)}")
    if server is None:
        click.echo("No Prefect server is running here, so this run shows on no page; `tandem up` starts one.", err=True)


def _in_words(counts: dict[str, Any]) -> str:
    """What there was of, and of which plan; what there was none of is in the JSON."""
    plan = [f"plan {counts['plan_id']}"] if counts.get("plan_id") else []
    some = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count and name not in UNSAID]
    return ", ".join(plan + some) or "nothing to do"


def run_now(flow: str, play: str, as_of: datetime | None) -> tuple[dict[str, Any], str | None]:
    """Its counts, and the server that the run reported to."""
    from flows.settings import load_settings

    server = find_server(load_settings())
    return run_in_prefect(flow, play, as_of, server) if server else run_plainly(flow, play, clock(as_of)), server


def find_server(settings: "Settings") -> str | None:
    """The API this run reports to: the environment's, the settings', or that of `tandem up` in the same home."""
    from flows.operating.prefect_server import server_of

    return os.environ.get("PREFECT_API_URL") or settings.prefect_api_url or server_of(settings.home / "prefect")


def run_in_prefect(flow: str, play: str, as_of: datetime | None, server: str, **more: bool) -> dict[str, Any]:
    from flows.operating.prefect_server import client_environment
    from flows.settings import load_settings

    os.environ.update(client_environment(load_settings().home / "prefect", server))
    module, _, name = FLOWS[flow].partition(":")
    counts: dict[str, Any] = getattr(import_module(module), name)(play=play, as_of=as_of, **more)
    return counts


def run_plainly(flow: str, play: str, now: datetime, **more: bool) -> dict[str, Any]:
    from flows.house import open_house
    from flows.reports import counts_of

    with open_house(play) as house:
        return counts_of(plain_function(flow)(house, now, **more))


def plain_function(flow: str) -> Callable[..., Any]:
    """What the flow's tasks call, without Prefect around it."""
    if flow == "track":
        from flows.tracking import track

        return lambda house, now: track(house.engine, house.play, now)
    if flow == "signals":
        return _hear
    module, name = {
        "nurture": ("flows.nurturing", "nurture"),
        "audiences": ("flows.audience_sync", "sync_audiences"),
        "briefs": ("flows.briefs.briefing", "brief_reps"),
    }[flow]
    function = getattr(import_module(module), name)
    return lambda house, now, **more: function(house.engine, house.settings, house.play, now, **more)


def _hear(house: "House", now: datetime) -> Any:
    """What came back is taken in, and reps hear of it."""
    from flows.briefs.letters import deliver_letters
    from flows.briefs.telling import tell_reps
    from flows.signals.intake import collect

    collected = collect(house.engine, house.settings, house.play, now)
    tell_reps(house.engine, house.settings, house.play, now)
    deliver_letters(house.engine, house.settings, house.play, now)
    return collected
