"""Flow `collect-signals`: what buyers did comes in, is understood and acts."""

from datetime import datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from accounts.vocabulary import BriefState
from flows.announcing import tell_whoever_listens
from flows.artifacts import show_brakes, show_clocks
from flows.briefs.letters import deliver_letters
from flows.briefs.telling import Told, tell_reps
from flows.clock import clock
from flows.house import open_house
from flows.publishing import announce, publish, rename_run
from flows.reports import collected_report, counts_of
from flows.sales.sla import keep_clocks
from flows.sending.braking import Watched, watch
from flows.signals.intake import Collected, collect


@flow(name="collect-signals", flow_run_name="collect signals for {play}", timeout_seconds=3600)
def collect_signals(play: str = "new-business", as_of: datetime | None = None) -> dict[str, int]:
    """Take in what waits at the doors, apply what it means, keep the scores.

    Args:
        play: The play whose weights and pauses apply, a folder of templates/plays.
        as_of: Pretend it is this time; empty means now.
    """
    now = clock(as_of)
    collected = take_in(play, now)
    told = tell_the_reps(play, now)
    watched = watch_the_reputation(play, now)
    publish(f"signals-{play}", collected_report(collected, now), "What came back, and what it changed")
    for why in collected.closed_doors:
        announce("tandem.door.closed", "tandem.door.mailbox", "mailbox", why=why)
    show_brakes(watched, now)
    look_at_the_clocks(play, now)
    tell_whoever_listens(play, now)
    rename_run(f"collect signals · {collected.applied} applied · {len(collected.replies)} replies")
    return {**counts_of(collected), "told": sum(one.state is BriefState.DELIVERED for one in told)}


@task(name="take in what came back", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def take_in(play: str, now: datetime) -> Collected:
    with open_house(play) as house:
        return collect(house.engine, house.settings, house.play, now)


@task(name="tell the reps", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def tell_the_reps(play: str, now: datetime) -> list[Told]:
    """Replies, booked meetings, complaints: one mail each, at once."""
    with open_house(play) as house:
        return tell_reps(house.engine, house.settings, house.play, now)


@task(name="look how our mails fare", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def watch_the_reputation(play: str, now: datetime) -> Watched:
    with open_house(play) as house:
        return watch(house.engine, house.settings.reputation, now)


@task(name="look at the clocks", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def look_at_the_clocks(play: str, now: datetime) -> None:
    with open_house(play) as house:
        show_clocks(house.play, keep_clocks(house.engine, house.play, now), now)
        deliver_letters(house.engine, house.settings, house.play, now)
