"""A person's word about plans and touches: let a held plan go, reject it, settle what nobody knows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from accounts.errors import PlanRefused
from accounts.ledger import audit, plans, settling
from accounts.ledger.engine import reading, writing
from accounts.playbook import load_play
from accounts.touch_states import Refusal, explain
from accounts.vocabulary import PlanState
from expectations import gate
from expectations.gate import Verdict, Word
from flows.house import play_folder
from flows.nurturing import carry_out, tidy
from flows.settings import Settings


def approve(
    engine: Engine, settings: Settings, plan_id: int, *, by: str, now: datetime, drop_failing: bool = False
) -> Verdict:  # fmt: skip
    """Let a held plan go: judged once more, certified in the name of `by`, sent by the next nurture run.

    drop_failing: leave out rows that must not leave by now. Raises NotFound; PlanRefused when the plan is not held,
    when rows fail and `drop_failing` was not said, or when nothing in it may leave any more (it is rejected then).
    """
    tidy(engine, settings, now)
    with reading(engine) as connection:
        plan = plans.read_plan(connection, plan_id)
    if plan.state is not PlanState.HELD:
        raise PlanRefused(f"it is {plan.state} and waits for nobody", where=f"plan {plan_id}")
    play = load_play(play_folder(settings, plan.play))
    url = engine.url.render_as_string(hide_password=False)
    verdict = gate.judge(url, plan_id, play, now, approved=True)
    if verdict.word is Word.CERTIFY and verdict.failing and not drop_failing:
        why = ", ".join(f"{count} {explain(reason)}" for reason, count in verdict.cancelled.items())
        raise PlanRefused(
            f"{len(verdict.failing)} of {verdict.rows} messages must not leave: {why}", where=f"plan {plan_id}",
            cure="--drop-failing leaves them out",
        )  # fmt: skip
    done = carry_out(engine, verdict, now, approved_by=by)
    with writing(engine) as connection:
        after = {"word": done.word, "rows": done.rows, "left_out": len(done.failing)}
        audit.append(connection, actor=by, action="approve", subject=f"plan:{plan_id}", at=now, after=after)
    if done.word is not Word.CERTIFY:
        raise PlanRefused(
            " ".join(done.reasons), where=f"plan {plan_id}", cure="it was rejected; planning decides anew"
        )
    return done


def reject(engine: Engine, plan_id: int, *, by: str, now: datetime) -> int:
    """Nothing of a draft, held or certified plan leaves any more; how many messages that stops.

    Raises NotFound; PlanRefused for a plan that is over.
    """
    with writing(engine) as connection:
        stopped = plans.reject(connection, plan_id, reason=Refusal.PLAN_REJECTED, now=now, by=by)
        audit.append(
            connection, actor=by, action="reject", subject=f"plan:{plan_id}", at=now, after={"stopped": stopped}
        )  # fmt: skip
    return stopped


def settle(engine: Engine, touch_ids: Sequence[int], *, arrived: bool, by: str, now: datetime) -> None:
    """A person's word about touches whose outcome is unknown: all of them, or none.

    Raises NotFound; Refused for one that there is nothing to settle about.
    """
    with writing(engine) as connection:
        for touch_id in touch_ids:
            to = settling.settle(connection, touch_id, arrived=arrived, by=by, now=now)
            audit.append(connection, actor=by, action="settle", subject=f"touch:{touch_id}", at=now, after={"to": to})
