"""Flow `track-accounts`: what sales did and what the CRM says becomes contact, stage and roles."""

from collections.abc import Sequence
from datetime import datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from accounts.ledger.engine import reading
from accounts.ledger.planning.decisions import undecided
from flows.announcing import tell_whoever_listens
from flows.artifacts import show_clocks
from flows.briefs.letters import deliver_letters
from flows.clock import clock
from flows.house import open_house
from flows.publishing import announce, publish, rename_run
from flows.reports import counts_of, tracked_report
from flows.sales.sla import keep_clocks
from flows.sales.territory import keep_territory
from flows.tracking import Tracked, track

#: First contacts that are announced one by one. More at once, as after a large import, are one event and one run.
ONE_BY_ONE = 10


@flow(name="track-accounts", flow_run_name="track {play}", timeout_seconds=3600)
def track_accounts(play: str = "new-business", as_of: datetime | None = None) -> dict[str, int]:
    """Bring every changed account up to date, and say what moved, what was refused and who is missing.

    Args:
        play: The play whose accounts are tracked, a folder of templates/plays.
        as_of: Pretend it is this time; empty means now.
    """
    now = clock(as_of)
    tracked = follow_sales(play, now)
    if tracked.looked_at:
        publish(f"track-{play}", tracked_report(tracked, now), "What sales did, and where accounts stand")
    for contact in contact_events(play, waiting_for_a_decision(play, now)):
        announce(*contact, play=play)
    look_at_the_clocks(play, now)
    tell_whoever_listens(play, now)
    rename_run(f"track {play} · {tracked.looked_at} looked at · {len(tracked.moves)} moved")
    return counts_of(tracked)


@task(name="follow what sales did", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def follow_sales(play: str, now: datetime) -> Tracked:
    with open_house(play) as house:
        tracked = track(house.engine, house.play, now)
        keep_territory(house.engine, house.play.lease, now)
        return tracked


@task(name="look at the clocks", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def look_at_the_clocks(play: str, now: datetime) -> None:
    with open_house(play) as house:
        show_clocks(house.play, keep_clocks(house.engine, house.play, now), now)
        deliver_letters(house.engine, house.settings, house.play, now)


def waiting_for_a_decision(play: str, now: datetime) -> list[str]:
    with open_house(play) as house, reading(house.engine) as connection:
        return undecided(connection, play, now)


def contact_events(play: str, accounts: Sequence[str]) -> list[tuple[str, str, str]]:
    """(event, subject, name) for accounts nobody has decided about since their first contact.

    Told as long as that is so: an event that was lost is made up for by the next run.
    """
    if len(accounts) > ONE_BY_ONE:
        return [("tandem.accounts.contacted", f"tandem.play.{play}", play)]
    return [("tandem.account.contacted", f"tandem.account.{account}", account) for account in accounts]
