"""The heavy parts of a run, spread over processes and machines by settings only: planning by spans of accounts, sending
by as many senders as there are shares.

    over = "here"      this process does it all; up to some 100,000 accounts nothing else is faster
    over = "workers"   each share is a run of the deployments `decide-span` and `send-plans`: any worker of the pool, on
                       any machine, takes it; what none begins, the run does itself after a while
    over = "dask"      each share is a task on a Dask cluster: the one at `scale.dask_address`, or one made for the run

Shares know nothing of each other and meet in the database only. Any of them may run twice, or be killed: what it did
stands, the rest is done by who comes next.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from time import monotonic, sleep
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.states import Cancelled
from pydantic import TypeAdapter

from accounts import tick
from accounts.errors import Refused, TandemError
from accounts.ledger.planning.results import Span
from accounts.tick import Decided
from accounts.vocabulary import PlanState
from flows import nurturing
from flows.clock import clock
from flows.house import open_house
from flows.sending.leaving import Despatch
from flows.sending.progress import shown
from flows.settings import Scale, load_settings

#: The label of a run under which it tells what it came to. A result that Prefect stores lies on one machine's disk.
CAME_TO = "tandem.came-to"
#: How often a run asks whether its shares are done, in seconds.
POLL_SECONDS = 2
#: How the run of a share ends that nobody began, so that the run which started it did its work.
TAKEN_BACK = "Taken back"

_made: ContextVar[str | None] = ContextVar("the address of the Dask cluster that was made for this run", default=None)


@contextmanager
def one_cluster() -> Iterator[None]:
    """While it is open all shares go to the same Dask cluster, if they go to one that is made for the run.

    Each of its processes has to start, and to import everything: 5 s of CPU.
    """
    scale = load_settings().scale
    if scale.over != "dask" or scale.dask_address:
        yield
        return
    from distributed import LocalCluster

    cluster: Any
    with LocalCluster(  # type: ignore[no-untyped-call]  # Dask has no types
        n_workers=scale.shares, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        before = _made.set(cluster.scheduler_address)
        try:
            yield
        finally:
            _made.reset(before)


def decide(play: str, now: datetime, accounts: Sequence[str] = ()) -> Decided:
    """Planning of everybody who is due, where the settings say; of these accounts (keys), due or not, always here."""
    scale = load_settings().scale
    if accounts:
        return decide_named(play, now, accounts)
    if scale.over == "here":
        return decide_span(play, as_of=now)
    spans = divide(play, now, scale.shares)
    shares = [{"play": play, "first": span.first, "last": span.last, "as_of": now} for span in spans]
    with open_house(play) as house:
        return tick.together(_spread(scale, "decide-span", decide_span, shares, Decided), house.play, now)


def send(play: str, as_of: datetime | None) -> tuple[Despatch, ...]:
    """Everything certified is sent from where the settings say. as_of: where time stands still; None: it goes on."""
    scale = load_settings().scale
    if scale.over == "here":
        return send_certified(play, as_of)
    shares = [{"play": play, "as_of": as_of}] * scale.shares
    done = _spread(scale, "send-plans", send_certified, shares, tuple[Despatch, ...])
    by_plan: dict[int, list[Despatch]] = {}
    for despatch in (one for share in done for one in share):
        by_plan.setdefault(despatch.plan_id, []).append(despatch)
    return tuple(_as_one(despatches) for despatches in by_plan.values())


@task(name="divide the accounts", cache_policy=NO_CACHE)
def divide(play: str, now: datetime, shares: int) -> list[Span]:
    with open_house(play) as house:
        return tick.divide(house.engine, house.play, now, shares)


@task(name="decide about everybody who is due", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def decide_span(play: str, first: int | None = None, last: int | None = None, as_of: datetime | None = None) -> Decided:
    """Of the accounts from `first` to `last`, or of all."""
    now = clock(as_of)
    span = Span(first, last) if first is not None and last is not None else None
    with open_house(play) as house:
        return tick.decide(house.engine, house.play, now, span=span)


@task(name="decide about these accounts", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def decide_named(play: str, now: datetime, accounts: Sequence[str]) -> Decided:
    with open_house(play) as house:
        return tick.decide(house.engine, house.play, now, accounts=nurturing.ids_of(house.engine, accounts))


@task(name="send what is certified", retries=2, retry_delay_seconds=[15, 60], cache_policy=NO_CACHE)
def send_certified(play: str, as_of: datetime | None, only: int | None = None) -> tuple[Despatch, ...]:
    """Safe to repeat: what was claimed is never claimed again. only: this plan."""
    now, live = clock(as_of), as_of is None
    with open_house(play) as house:
        plans = nurturing.plans_of(house.engine, house.play, PlanState.CERTIFIED)
        certified = [plan for plan in plans if only in (None, plan)]
        with shown(house.engine, play, certified):
            return tuple(nurturing.send(house.engine, house.settings, house.play, certified, now, live=live))


@flow(name="decide-span", flow_run_name="decide {play} · accounts {first} to {last}", timeout_seconds=4 * 3600)
def decide_span_run(play: str, first: int, last: int, as_of: datetime | None = None) -> None:
    """One share of planning, started by `nurture-accounts`.

    Args:
        play: A folder of templates/plays.
        first: Id of the first account.
        last: Id of the last account.
        as_of: The clock of the run it is a share of; empty means now.
    """
    _tell(decide_span(play, first, last, as_of), Decided)


@flow(name="send-plans", flow_run_name="send {play}", timeout_seconds=12 * 3600)
def send_plans_run(play: str, as_of: datetime | None = None) -> None:
    """One sender of several, started by `nurture-accounts`: claims of what is certified as much as it can carry.

    Args:
        play: A folder of templates/plays.
        as_of: Pretend it is this time; empty means now, and time goes on while mails leave.
    """
    _tell(send_certified(play, as_of), tuple[Despatch, ...])


def _spread(
    scale: Scale, deployment: str, work: Any, shares: Sequence[dict[str, Any]], kind: Any
) -> list[Any]:  # fmt: skip
    """What each share came to. work: the task that `deployment` runs; kind: what it returns."""
    if scale.over == "dask":
        return _over_dask(scale, work, shares)
    return _over_workers(scale, deployment, work, shares, kind)


def _over_workers(
    scale: Scale, deployment: str, work: Any, shares: Sequence[dict[str, Any]], kind: Any
) -> list[Any]:  # fmt: skip
    """Each share as a run of a deployment; those that nobody begins are done here.

    Raises Refused when nobody has deployed it, TandemError when a share fails; the other shares end all the same.
    """
    with get_client(sync_client=True) as client:
        try:
            runs = [
                _start(deployment, share, f"{deployment}, share {number} of {len(shares)}")
                for number, share in enumerate(shares, 1)
            ]
        except ObjectNotFound:
            raise Refused(f"there is no deployment {deployment}", cure="tandem deploy") from None
        runs = _wait(client, runs, scale.wait_minutes)
    done_here = [work(**share) for run, share in zip(runs, shares, strict=True) if run.state_name == TAKEN_BACK]
    failed = [
        f"{run.name} ({run.state_name})"
        for run in runs
        if not (run.state and run.state.is_completed()) and run.state_name != TAKEN_BACK
    ]
    if failed:
        what = f"{len(failed)} of {len(runs)} shares did not come to their end: {', '.join(failed)}"
        raise TandemError(what, cure="their logs say why; the next run takes up what they left")
    told = [run.labels[CAME_TO] for run in runs if CAME_TO in run.labels]  # a killed one costs figures only
    return [*(TypeAdapter(kind).validate_json(str(words)) for words in told), *done_here]


def _wait(client: SyncPrefectClient, runs: list[FlowRun], minutes: float) -> list[FlowRun]:
    """Until all of them have ended. After so many minutes in which none was at work, those that nobody has begun are
    taken back: nobody serves them, and nobody could say when somebody will."""
    at_work = monotonic()
    while not all(run.state and run.state.is_final() for run in runs):
        sleep(POLL_SECONDS)
        runs = [client.read_flow_run(run.id) for run in runs]
        waiting = [run for run in runs if run.state and run.state.is_scheduled()]
        if any(run.state and not run.state.is_final() for run in runs if run not in waiting):
            at_work = monotonic()
        elif monotonic() - at_work > minutes * 60:
            why = f"nobody began it within {minutes:g} minutes: no worker serves it (tandem doctor)"
            for run in waiting:
                get_run_logger().warning("%s is done here: %s", run.name, why)
                client.set_flow_run_state(run.id, Cancelled(name=TAKEN_BACK, message=why))
    return runs


def _start(deployment: str, share: dict[str, Any], name: str) -> FlowRun:
    """name: until it begins, and takes the one of its flow."""
    started = run_deployment(f"{deployment}/{deployment}", parameters=share, timeout=0, flow_run_name=name)
    assert isinstance(started, FlowRun)  # noqa: S101  for the type checker: a flow that is not async gets no coroutine
    return started


def _over_dask(scale: Scale, work: Any, shares: Sequence[dict[str, Any]]) -> list[Any]:
    """Each share as a task on a Dask cluster. Raises what a share raised."""
    from prefect_dask.task_runners import DaskTaskRunner

    runner: Any = DaskTaskRunner(address=scale.dask_address or _made.get())

    @flow(name="shares", task_runner=runner, validate_parameters=False)
    def shares_run() -> list[Any]:
        return [future.result() for future in [work.submit(**share) for share in shares]]

    return shares_run()


def _as_one(shares: Sequence[Despatch]) -> Despatch:
    """What several senders did with one plan. Each of them saw everybody who has to wait, so those are not added up."""
    stopped = next((share.stopped for share in shares if share.stopped), None)
    return Despatch(
        shares[0].plan_id,
        sum((Counter(share.outcomes) for share in shares), Counter()),
        sum((Counter(share.refused) for share in shares), Counter()),
        max(share.postponed for share in shares),
        max(share.paced for share in shares),
        stopped,
    )


def _tell(came_to: Any, kind: Any) -> None:
    """Leave word for the run that this one is a share of."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        text = TypeAdapter(kind).dump_json(came_to).decode()
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(context.flow_run.id, {CAME_TO: text})
