"""Flow `nurture-account`: one account, once sales has made contact; the event `tandem.account.contacted` starts it.

It does what `nurture-accounts` does for all, so both may run at once: nobody is planned or sent to twice.
"""

from datetime import datetime

from prefect import flow, runtime

from flows import nurture, spreading
from flows.announcing import tell_whoever_listens
from flows.clock import clock
from flows.nurturing import Nurtured, add_up
from flows.publishing import rename_run
from flows.reports import counts_of
from flows.sending import asking


@flow(name="nurture-account", flow_run_name="nurture {account}", timeout_seconds=3600)
def nurture_account(account: str, play: str = "new-business", as_of: datetime | None = None) -> dict[str, int]:
    """Decide about the people of one account, freeze their plan, judge it, send it.

    Args:
        account: The key of the account, as the CRM export names it.
        play: A folder of templates/plays.
        as_of: Pretend it is this time; empty means now.
    """
    now = clock(as_of)
    decided = spreading.decide(play, now, [account])
    plan_id = nurture.freeze_plan(play, now, runtime.flow_run.id, [account])
    verdicts = nurture.judge_drafts(play, now, plan_id) if plan_id else ()
    despatches = spreading.send_certified(play, as_of, plan_id) if plan_id else ()
    nurtured = add_up(Nurtured(play, now, decided, plan_id, verdicts, despatches, held=nurture.held_plans(play)))
    if plan_id:
        nurture.show(nurtured, account)
        tell_whoever_listens(play, now)
        asking.ask(play, nurtured.held)
    rename_run(f"nurture {account} · {decided.new_touches} due · {nurtured.sent} sent")
    return {**counts_of(nurtured), "due": decided.new_touches, "looked_at": decided.people}
