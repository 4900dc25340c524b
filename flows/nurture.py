"""Flow `nurture-accounts`: who is due gets what was certified, and everybody else has a reason."""

from collections.abc import Sequence
from datetime import datetime

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE

from accounts.coverage import cover
from accounts.ledger.engine import reading
from accounts.ledger.planning.decisions import count_reasons
from accounts.ledger.planning.seats import count_seats
from accounts.ledger.planning.touches import list_touches
from accounts.ledger.sending.delivery import read_delivery
from accounts.vocabulary import Answer, PlanState
from expectations.gate import Verdict, describe
from flows import nurturing, planning, spreading
from flows.announcing import tell_whoever_listens
from flows.artifacts import show_brakes
from flows.clock import clock
from flows.house import open_house
from flows.nurturing import Nurtured, Tidied, add_up
from flows.planning import Foreseen
from flows.publishing import MOST_ROWS, publish, publish_table, rename_run
from flows.reports import (
    counts_of,
    coverage_report,
    delivered_report,
    foreseen_report,
    foreseen_rows,
    nurtured_report,
    touch_rows,
)  # fmt: skip
from flows.sending import asking, braking
from flows.sending.braking import Watched


@flow(name="nurture-accounts", flow_run_name="nurture {play}", timeout_seconds=12 * 3600)
def nurture_accounts(
    play: str = "new-business", accounts: tuple[str, ...] = (), dry_run: bool = False, as_of: datetime | None = None
) -> dict[str, int]:
    """Decide about everybody whose facts changed or whose time has come, freeze a plan, judge it, send it.

    Args:
        play: A folder of templates/plays.
        accounts: Only these accounts, by their keys; empty means every account of the play.
        dry_run: Show who would get what, and why the others get nothing. Nothing is planned, nothing is sent.
        as_of: Pretend it is this time; empty means now.
    """
    now = clock(as_of)
    if dry_run:
        return show_rehearsal(rehearse(play, now, accounts))
    tidied = tidy_up(play, now)
    with spreading.one_cluster():
        decided = spreading.decide(play, now, accounts)
        plan_id = freeze_plan(play, now, runtime.flow_run.id, accounts)
        verdicts = judge_drafts(play, now)
        show_brakes(watch_the_reputation(play, now), now)
        despatches = spreading.send(play, as_of)
    nurtured = add_up(Nurtured(play, now, decided, plan_id, verdicts, despatches, held=held_plans(play), tidied=tidied))
    show(nurtured, play)
    tell_whoever_listens(play, now)
    held = [f"plan {id} is held" for id in nurtured.held]
    rename_run(" · ".join([f"nurture {play}", f"{nurtured.sent} sent", *held]))
    asking.ask(play, nurtured.held)
    return {**counts_of(nurtured), "due": decided.new_touches, "looked_at": decided.people}


@task(name="look who would get what", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def rehearse(play: str, now: datetime, accounts: Sequence[str]) -> Foreseen:
    with open_house(play) as house:
        return planning.foresee(house.engine, house.play, now, accounts=accounts, most=MOST_ROWS)


@task(name="take up what earlier runs left", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def tidy_up(play: str, now: datetime) -> Tidied:
    with open_house(play) as house:
        return nurturing.tidy(house.engine, house.settings, now)


@task(name="freeze the send plan", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def freeze_plan(play: str, now: datetime, flow_run: str | None, accounts: Sequence[str] = ()) -> int | None:
    with open_house(play) as house:
        ids = nurturing.ids_of(house.engine, accounts) or None
        return nurturing.freeze(house.engine, house.play, now, flow_run, accounts=ids)


@task(name="judge the plan", cache_policy=NO_CACHE)
def judge_drafts(play: str, now: datetime, only: int | None = None) -> tuple[Verdict, ...]:
    """Never repeated and never cached by Prefect: a verdict that was kept would be a way around the gate."""
    with open_house(play) as house:
        drafts = nurturing.plans_of(house.engine, house.play, PlanState.DRAFT)
        return tuple(nurturing.judge(house.engine, house.play, plan, now) for plan in drafts if only in (None, plan))


@task(name="look how our mails fare", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def watch_the_reputation(play: str, now: datetime) -> Watched:
    with open_house(play) as house:
        return braking.watch(house.engine, house.settings.reputation, now)


def held_plans(play: str) -> tuple[int, ...]:
    with open_house(play) as house:
        return tuple(nurturing.plans_of(house.engine, house.play, PlanState.HELD))


def show(nurtured: Nurtured, key: str) -> None:
    """The day at a glance, who got what, who did not and why, what is missing, the gate's verdict.

    key: of the play, or of the account the run was about; each has pages with a history of their own.
    """
    play = nurtured.play
    with open_house(play) as house, reading(house.engine) as connection:
        standing = count_reasons(connection, play)
        touched = list_touches(connection, plan_id=nurtured.plan_id, limit=MOST_ROWS) if nurtured.plan_id else []
        delivered = [read_delivery(connection, one.plan_id, most=MOST_ROWS) for one in nurtured.despatches]
        covered = cover(house.play, count_seats(connection, play), nurtured.as_of.date())
    publish(
        f"nurture-{key}", nurtured_report(nurtured, standing), "The run at a glance, and why the others get nothing"
    )
    publish_table(f"touches-{key}", touch_rows(touched), "Who gets what")
    if covered.gaps or covered.due:
        publish(f"content-{play}", coverage_report(covered, nurtured.as_of), "Who waits for words nobody has written")
    for verdict in nurtured.verdicts:
        publish(f"verdict-{key}", describe(verdict), f"The gate's verdict on plan {verdict.plan_id}")
    for delivery in delivered:
        plan_id = delivery.plan.id
        publish(f"plan-{plan_id}", delivered_report(delivery), f"Who got plan {plan_id}, who did not, and why")


def show_rehearsal(foreseen: Foreseen) -> dict[str, int]:
    """The pages of a dry run, under keys of their own; the counts of its answers."""
    play, due = foreseen.play, foreseen.answers.get(Answer.TOUCH, 0)
    publish(f"dry-run-{play}", foreseen_report(foreseen), "Who would get what, and why the others would get nothing")
    publish_table(f"dry-run-touches-{play}", foreseen_rows(foreseen), "Who would get what")
    rename_run(f"dry run of {play} · {due} of {foreseen.people} would get a mail")
    return {"people": foreseen.people, **{str(answer): count for answer, count in foreseen.answers.items()}}
