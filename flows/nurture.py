"""Flow `nurture-accounts`: who is due gets what was certified, and everybody else has a reason."""

from datetime import datetime

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE

from accounts import tick
from accounts.ledger.decisions import count_reasons
from accounts.ledger.delivery import read_delivery
from accounts.ledger.engine import reading
from accounts.ledger.touches import list_touches
from accounts.tick import Decided
from accounts.vocabulary import PlanState
from expectations.gate import Verdict, describe
from flows import nurturing
from flows.clock import clock
from flows.house import open_house
from flows.nurturing import Nurtured, Tidied, add_up
from flows.publishing import MOST_ROWS, announce, publish, publish_table, rename_run
from flows.reports import counts_of, delivered_report, nurtured_report, touch_rows
from flows.sending import braking
from flows.sending.braking import Watched
from flows.sending.leaving import Despatch


@flow(name="nurture-accounts", flow_run_name="nurture {play}")
def nurture_accounts(play: str = "new-business", as_of: datetime | None = None) -> dict[str, int]:
    """Decide about everybody whose facts changed or whose time has come, freeze a plan, judge it, send it.

    Args:
        play: A folder of templates/plays.
        as_of: Pretend it is this time; empty means now.
    """
    now = clock(as_of)
    tidied = tidy_up(play, now)
    decided = decide(play, now)
    plan_id = freeze_plan(play, now, runtime.flow_run.id)
    verdicts = judge_drafts(play, now)
    braking.tell(watch_the_reputation(play, now), now)
    despatches = send_certified(play, now, as_of is None)
    nurtured = add_up(Nurtured(play, now, decided, plan_id, verdicts, despatches, held=held_plans(play), tidied=tidied))
    show(nurtured)
    return {**counts_of(nurtured), "due": decided.new_touches, "looked_at": decided.people}


@task(name="take up what earlier runs left", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def tidy_up(play: str, now: datetime) -> Tidied:
    with open_house(play) as house:
        return nurturing.tidy(house.engine, house.settings, now)


@task(name="decide about everybody who is due", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def decide(play: str, now: datetime) -> Decided:
    with open_house(play) as house:
        return tick.decide(house.engine, house.play, now)


@task(name="freeze the send plan", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def freeze_plan(play: str, now: datetime, flow_run: str | None) -> int | None:
    with open_house(play) as house:
        return nurturing.freeze(house.engine, house.play, now, flow_run)


@task(name="judge the plan", cache_policy=NO_CACHE)
def judge_drafts(play: str, now: datetime) -> tuple[Verdict, ...]:
    """Never repeated and never cached by Prefect: a verdict that was kept would be a way around the gate."""
    with open_house(play) as house:
        drafts = nurturing.plans_of(house.engine, house.play, PlanState.DRAFT)
        return tuple(nurturing.judge(house.engine, house.play, plan, now) for plan in drafts)


@task(name="look how our mails fare", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def watch_the_reputation(play: str, now: datetime) -> Watched:
    with open_house(play) as house:
        return braking.watch(house.engine, house.settings.reputation, now)


@task(name="send what is certified", retries=2, retry_delay_seconds=[15, 60], cache_policy=NO_CACHE)
def send_certified(play: str, now: datetime, live: bool) -> tuple[Despatch, ...]:
    """Safe to repeat: what was claimed is never claimed again. live: `now` is the present, and time goes on."""
    with open_house(play) as house:
        certified = nurturing.plans_of(house.engine, house.play, PlanState.CERTIFIED)
        return tuple(nurturing.send(house.engine, house.settings, house.play, certified, now, live=live))


def held_plans(play: str) -> tuple[int, ...]:
    with open_house(play) as house:
        return tuple(nurturing.plans_of(house.engine, house.play, PlanState.HELD))


def show(nurtured: Nurtured) -> None:
    """The run's name, who got what, who did not and why, the gate's verdict, and a word for automations."""
    play = nurtured.play
    with open_house(play) as house, reading(house.engine) as connection:
        standing = count_reasons(connection, play)
        touched = list_touches(connection, plan_id=nurtured.plan_id, limit=MOST_ROWS) if nurtured.plan_id else []
        delivered = [read_delivery(connection, one.plan_id, most=MOST_ROWS) for one in nurtured.despatches]
    publish(
        f"nurture-{play}", nurtured_report(nurtured, standing), "The run at a glance, and why the others get nothing"
    )
    publish_table(f"touches-{play}", touch_rows(touched), "Who gets what")
    for verdict in nurtured.verdicts:
        publish(f"verdict-{play}", describe(verdict), f"The gate's verdict on plan {verdict.plan_id}")
    for delivery in delivered:
        plan_id = delivery.plan.id
        publish(f"plan-{plan_id}", delivered_report(delivery), f"Who got plan {plan_id}, who did not, and why")
    for plan in nurtured.held:
        announce("tandem.plan.held", f"tandem.plan.{plan}", f"plan {plan}", play=play)
    rename_run(f"nurture {play} · {nurtured.sent} sent · {len(nurtured.held)} plans held")
