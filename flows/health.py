"""Flow `watch-health`: what a person has to see to is said once; what needs nobody is put right."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_API_URL
from prefect.variables import Variable

from accounts.health import State
from accounts.ledger.engine import open_existing_ledger
from flows.clock import clock
from flows.operating.health import Change, Looked, look_after
from flows.operating.prefect_api import PrefectApi
from flows.publishing import announce, artifact_key, publish, rename_run
from flows.reports import health_report
from flows.settings import load_settings

#: Where a look is remembered for the next one, on whichever machine that runs.
REMEMBERED = "tandem_health"


@flow(name="watch-health", flow_run_name="watch health", timeout_seconds=600)
def watch_health() -> dict[str, int]:
    """Mark dead runs as crashed, take up what killed senders left, and tell of each change for the worse or better."""
    now = clock(None)
    looked = see_to_it(recall(), now)
    publish("health", health_report(looked, now), "How it is going, and what needs a person")
    tell(looked.changes)
    remember(looked)
    count = {state: sum(sign.state == state for sign in looked.signs) for state in ("fail", "warn")}
    rename_run(f"health · {count['fail']} need a person · {count['warn']} worth a look")
    return {**count, "crashed": len(looked.crashed), "changed": len(looked.changes)}


@task(name="see to it", retries=1, retry_delay_seconds=5, cache_policy=NO_CACHE)
def see_to_it(before: dict[str, State], now: datetime) -> Looked:
    settings = load_settings()
    engine = open_existing_ledger(settings.ledger_url)
    try:
        return look_after(engine, settings, PrefectApi(str(PREFECT_API_URL.value())), before, now)
    finally:
        engine.dispose()


def tell(changes: tuple[Change, ...]) -> None:
    """``tandem.health.fail``, ``tandem.health.warn``, ``tandem.health.ok``: once for each sign that changed."""
    for change in changes:
        sign = change.sign
        told = {key: value for key, value in asdict(sign).items() if key in ("says", "cure", "figures")}
        resource = f"tandem.health.{artifact_key(sign.name)}"
        announce(f"tandem.health.{sign.state}", resource, sign.name, before=change.before, **told)


def recall() -> dict[str, State]:
    remembered: Any = Variable.get(REMEMBERED, default={})
    return cast(dict[str, State], remembered)


def remember(looked: Looked) -> None:
    Variable.set(REMEMBERED, looked.states, overwrite=True)
