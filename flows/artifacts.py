"""Pages in the Prefect UI that more than one flow shows, or only when there is something to say."""

from datetime import datetime

from accounts.playbook import Play
from flows.publishing import publish
from flows.reports import brakes_report, calibrated_report, clocks_report
from flows.sales.calibrating import Proposal
from flows.sales.sla import Kept
from flows.sending.braking import Watched


def show_brakes(watched: Watched, now: datetime) -> None:
    """Every brake that holds, and what comes close."""
    if watched.standing or watched.warnings:
        publish("brakes", brakes_report(watched, now), "What is stopped, by whom and why; and what comes close")


def show_clocks(play: Play, kept: Kept, now: datetime) -> None:
    """What is owed."""
    if kept.standing or kept.breached:
        publish(f"sla-{play.key}", clocks_report(kept, now), "Who owes what to whom, and by when")


def show_calibration(made: Proposal, play: Play, now: datetime) -> None:
    """Scores beside verdicts, for the marketer."""
    words = "How far scores agree with what reps say, and the weights that would agree more"
    publish(f"calibration-{play.key}", calibrated_report(made, play, now), words)
