"""Flow `brief-reps`: what changed at each rep's accounts, in under 150 words an account; nothing new, no brief."""

from datetime import datetime

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.announcing import tell_whoever_listens
from flows.artifacts import show_calibration
from flows.briefs import briefing, showing
from flows.briefs.briefing import Briefed
from flows.briefs.letters import deliver_letters
from flows.clock import clock
from flows.house import open_house, play_folder
from flows.publishing import publish, rename_run
from flows.reports import brief_report, briefed_report, counts_of
from flows.sales import calibrating

#: Briefs of a run that get a page of their own; `tandem brief` shows every one.
MOST_SHOWN = 20


@flow(name="brief-reps", flow_run_name="brief reps on {play}", timeout_seconds=4 * 3600)
def brief_reps(
    play: str = "new-business", as_of: datetime | None = None, rep: str | None = None, only_due: bool = False
) -> dict[str, int]:
    """Write and deliver the brief of each rep with news.

    Args:
        play: The play the accounts are in, a folder of templates/plays.
        as_of: Pretend it is this time; empty means now.
        rep: Only this rep, by address or name; empty means all.
        only_due: Only reps whose hour it is by their own clock and rhythm, and accounts that just turned hot.
    """
    now = clock(as_of)
    briefed = write_and_deliver(play, now, rep, only_due)
    publish(f"briefs-{play}", briefed_report(briefed, now), "Which reps got a brief, and about what")
    show_what_was_sent(play, now)
    tell_whoever_listens(play, now)
    if rep is None:
        compare_scores_with_verdicts(play, now)
    rename_run(f"briefs · {briefed.delivered} delivered · {briefed.quiet} without news")
    return counts_of(briefed)


@task(name="write and deliver briefs", retries=2, retry_delay_seconds=[10, 60], cache_policy=NO_CACHE)
def write_and_deliver(play: str, now: datetime, rep: str | None, only_due: bool) -> Briefed:
    with open_house(play) as house:
        briefed = briefing.brief_reps(house.engine, house.settings, house.play, now, rep=rep, only_due=only_due)
        deliver_letters(house.engine, house.settings, house.play, now)
        return briefed


def show_what_was_sent(play: str, now: datetime) -> None:
    """A page for each of the first briefs, under a key that stays the same for its rep."""
    with open_house(play) as house:
        for shown in showing.delivered(house.engine, now, most=MOST_SHOWN):
            publish(f"brief-of-rep-{shown.rep_id}", brief_report(shown), "What this rep was told, as sent")


@task(name="compare scores with reps' verdicts, once a month", cache_policy=NO_CACHE)
def compare_scores_with_verdicts(play: str, now: datetime) -> None:
    with open_house(play) as house:
        made = calibrating.calibrate_monthly(house.engine, house.play, play_folder(house.settings, play), now)
        if made:
            show_calibration(made, house.play, now)
