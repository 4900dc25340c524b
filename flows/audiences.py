"""Flow `sync-audiences`: who should see the ads of each stage, told to each platform; removals first."""

from datetime import datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import audience_sync
from flows.audience_sync import AudiencesSynced
from flows.clock import clock
from flows.house import open_house
from flows.publishing import publish, rename_run
from flows.reports import audiences_report, counts_of


@flow(name="sync-audiences", flow_run_name="audiences of {play}", timeout_seconds=4 * 3600)
def sync_audiences(play: str = "new-business", as_of: datetime | None = None) -> dict[str, int]:
    """Bring the ad audiences of every stage up to date, and say which are too small to serve.

    Args:
        play: The play whose ads are shown, a folder of templates/plays.
        as_of: Pretend it is this time; empty means now.
    """
    now = clock(as_of)
    synced = tell_platforms(play, now)
    publish(f"audiences-{play}", audiences_report(synced, now), "Ad audiences: wanted, confirmed, servable")
    rename_run(f"audiences of {play} · {synced.added} in · {synced.removed} out")
    return counts_of(synced)


@task(name="tell the ad platforms", retries=2, retry_delay_seconds=[30, 120], cache_policy=NO_CACHE)
def tell_platforms(play: str, now: datetime) -> AudiencesSynced:
    with open_house(play) as house:
        return audience_sync.sync_audiences(house.engine, house.settings, house.play, now)
