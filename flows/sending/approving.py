"""A person's word about plans and touches: let a held plan go, reject it, settle what nobody knows."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Engine

from accounts.errors import PlanRefused
from accounts.ledger import audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.people.vetoes import veto
from accounts.ledger.planning import plans, touches
from accounts.ledger.signals import settling
from accounts.playfiles import load_play
from accounts.touch_states import explain
from accounts.vocabulary import PlanState, Reason
from expectations import gate
from expectations.gate import Verdict, Word
from flows.house import play_folder
from flows.nurturing import carry_out, tidy
from flows.settings import Settings


def approve(
    engine: Engine, settings: Settings, plan_id: int, *, by: str, now: datetime, drop: Collection[int] = (),
    drop_failing: bool = False,
) -> Verdict:  # fmt: skip
    """Let a held plan go: judged once more, certified in the name of `by`, sent by the next nurture run.

    drop: touches to leave out; their people never get that content, or the next plan would bring it again.
    drop_failing: leave out rows that must not leave by now. Raises NotFound; PlanRefused when the plan is not held, a
    touch to drop is not in it, rows fail and `drop_failing` was not said, or nothing in it may leave any more (it is
    rejected then).
    """
    tidy(engine, settings, now)
    with reading(engine) as connection:
        plan = plans.read_plan(connection, plan_id)
    if plan.state is not PlanState.HELD:
        raise PlanRefused(f"it is {plan.state} and waits for nobody", where=f"plan {plan_id}")
    play = load_play(play_folder(settings, plan.play))
    _leave_out(engine, plan_id, drop, by=by, now=now)
    verdict = gate.judge(engine, plan_id, play, now, approved=True)
    unasked = [reason for touch_id, reason in verdict.failing.items() if touch_id not in drop]
    if verdict.word is Word.CERTIFY and unasked and not drop_failing:
        why = ", ".join(f"{count} {explain(reason)}" for reason, count in Counter(unasked).most_common())
        raise PlanRefused(
            f"{len(unasked)} of {verdict.rows} messages must not leave: {why}", where=f"plan {plan_id}",
            cure="--drop-failing leaves them out",
        )  # fmt: skip
    done = carry_out(engine, verdict, now, approved_by=by)
    with writing(engine) as connection:
        after = {"word": done.word, "rows": done.rows, "left_out": len(done.failing), "dropped": sorted(drop)}
        audit.append(connection, actor=by, action="approve", subject=f"plan:{plan_id}", at=now, after=after)
    if done.word is not Word.CERTIFY:
        raise PlanRefused(
            " ".join(done.reasons), where=f"plan {plan_id}", cure="it was rejected; planning decides anew"
        )
    return done


def reject(engine: Engine, plan_id: int, *, by: str, now: datetime) -> int:
    """Nothing of a draft, held or certified plan leaves any more, and none of it is planned again for a while
    (planning.CANCELLED_FOR); how many messages that stops.

    Raises NotFound; PlanRefused for a plan that is over.
    """
    with writing(engine) as connection:
        stopped = plans.reject(connection, plan_id, reason=Reason.PLAN_CANCELLED, now=now, by=by)
        audit.append(
            connection, actor=by, action="reject", subject=f"plan:{plan_id}", at=now, after={"stopped": stopped}
        )  # fmt: skip
    return stopped


def _leave_out(engine: Engine, plan_id: int, drop: Collection[int], *, by: str, now: datetime) -> None:
    """A person's no to these messages, kept as vetoes: the gate leaves them out, planning takes the next step."""
    if not drop:
        return
    with writing(engine) as connection:
        listed = plans.planned_touches(connection, plan_id)
        if strangers := sorted(set(drop) - listed.keys()):
            named = ", ".join(map(str, strangers))
            raise PlanRefused(f"not waiting in it: {named}", where=f"plan {plan_id}", cure=f"see tandem plan {plan_id}")
        for touch_id in drop:
            person, content = listed[touch_id]
            if person is not None:  # nobody to say no for: erased meanwhile, which the gate sees itself
                veto(connection, person, content, by=by, at=now, note=f"left out of plan {plan_id}")
        touches.replan_accounts_of(connection, list(drop), now)


def settle(engine: Engine, touch_ids: Sequence[int], *, arrived: bool, by: str, now: datetime) -> None:
    """A person's word about touches whose outcome is unknown: all of them, or none.

    Raises NotFound; Refused for one that there is nothing to settle about.
    """
    with writing(engine) as connection:
        for touch_id in touch_ids:
            to = settling.settle(connection, touch_id, arrived=arrived, by=by, now=now)
            audit.append(connection, actor=by, action="settle", subject=f"touch:{touch_id}", at=now, after={"to": to})
