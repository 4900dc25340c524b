"""Serving every deployment from one process, and seeing that it is done."""

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.operating.automations import automations_file, read_automations
from flows.operating.deployments import read_deployments, servable
from flows.operating.prefect_api import PrefectApi
from flows.operating.runs import mark_crashed

#: How often a served deployment asks for runs that are due, in seconds.
POLL_SECONDS = 2
#: How often to ask whether they are served: it costs the server 0.09 s of CPU, which it needs to serve them.
ASK_SECONDS = 1.0


def serve_all() -> None:
    """The program `tandem up` starts: serve every deployment of the file named on the command line, until stopped, with
    the automations that run them.

    Schedules stay as they are when it stops; what was missed meanwhile runs late, or is dropped by the limit of one.
    """
    from prefect import get_client
    from prefect.exceptions import TerminationSignal
    from prefect.runner import Runner

    from flows.operating.deploying import apply_automations

    deployments = read_deployments(Path(sys.argv[1]))
    served = {entry.name for entry in deployments}
    rules = [rule for rule in read_automations(automations_file()) if not rule.run or rule.run.deployment in served]
    at_once = max(2, os.cpu_count() or 2)
    runner = Runner(pause_on_shutdown=False, limit=at_once, query_seconds=POLL_SECONDS)
    for entry in deployments:
        runner.add_deployment(servable(entry))
    with get_client(sync_client=True) as client:
        apply_automations(client, rules)
    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())


def are_polled(api: PrefectApi, names: Iterable[str], since: datetime) -> bool:
    """Whether somebody has asked for runs of each of these deployments after `since`: they are served."""
    wanted = list(names)
    found: Sequence[dict[str, Any]] = api.post("/deployments/filter", {"deployments": {"name": {"any_": wanted}}})
    polled = {entry["name"] for entry in found if _instant(entry["last_polled"]) > since}
    return polled == set(wanted)


def bury_the_dead(api: PrefectApi, names: Iterable[str]) -> int:
    """Mark runs of these deployments as crashed that claim to run although nothing serves them; how many there were.

    Only for somebody who knows that nothing does: the owner of the server, before serving. A killed machine leaves such
    runs behind, each holds the one place its deployment has, and everything after it would be cancelled for ever.
    """
    claim = {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}
    question = {"deployments": {"name": {"any_": list(names)}}, "flow_runs": {"state": claim}}
    dead = [str(run["id"]) for run in api.post("/flow_runs/filter", question)]
    return mark_crashed(api, dead, "Its process ended before this server started.")


def _instant(text: str | None) -> datetime:
    return datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")
