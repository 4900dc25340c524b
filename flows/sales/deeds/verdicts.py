"""Answers that say how a hand-off was: ripe, not yet, wrong person, bad timing; kept, with what follows from them."""

from typing import Any

from accounts.answers import AnswerKind
from accounts.feedback import LeaveAlone, VetoPerson, consequences
from accounts.ledger.engagement import scores
from accounts.ledger.engagement.feedback import give_feedback, latest_feedback, let_it_weigh
from accounts.ledger.engagement.weighing import weighing_for
from accounts.ledger.people import vetoes
from accounts.ledger.planning.open_touches import take_back
from accounts.vocabulary import HoldCause, Reason, Verdict
from flows.sales.deeds import holding
from flows.sales.deeds.scene import Done, Scene


def judge(scene: Scene) -> Done:
    """A verdict on an account or a person, and what follows from it (accounts/feedback.py)."""
    said, verdict = scene.said, Verdict(scene.said.kind)
    scene.until_to_come()
    before = latest_feedback(scene.connection, scene.account.id)
    id = give_feedback(
        scene.connection, scene.subject, verdict, by=scene.speaker.by, at=scene.now, topic=said.topic, note=said.words,
        callback_on=said.day,
    )  # fmt: skip
    told, could_not, taken = SENTENCES[said.kind].format(name=scene.name), "", 0
    is_new, is_person = id != before, scene.person is not None
    if is_new:
        _weigh(scene, verdict)
    detail: dict[str, Any] = {"feedback": id, "verdict": verdict}
    for one in consequences(verdict, scene.now, callback_on=said.day, is_person=is_person, until=said.until):
        if isinstance(one, LeaveAlone):
            placed = holding.place(scene, HoldCause.REP, one.until, note=f"feedback: {verdict}")
            is_new |= placed.is_new
            could_not = placed.outlasted
            told = f"{scene.name} is left alone until {scene.day(one.until)}."
            detail["until"] = one.until.isoformat()
        elif isinstance(one, VetoPerson):
            is_new |= _never_again(scene, verdict)
            taken = len(take_back(scene.connection, {scene.who.id: Reason.VETOED}, scene.now))
    after = {"verdict": verdict, "callback_on": said.day}
    return Done(told, is_new, could_not, detail=detail, action="feedback", after=after, rows=(id,), taken=taken)


def _weigh(scene: Scene, verdict: Verdict) -> None:
    """The score knows it at once; by the rules of the account's own play."""
    let_it_weigh(scene.connection, scene.subject, verdict, scene.now)
    if scene.play is not None:
        weighing_for(scene.connection, scene.play)
    scores.recompute(scene.connection, [scene.account.id])


def _never_again(scene: Scene, verdict: Verdict) -> bool:
    """Whether they had not said so before."""
    by, note = scene.speaker.by, f"feedback: {verdict}"
    is_new = by not in vetoes.said_by(scene.connection, scene.who.id, None)
    vetoes.veto(scene.connection, scene.who.id, None, by=by, at=scene.now, note=note)
    return is_new


SENTENCES = {
    AnswerKind.RIPE: "{name}: ripe. Sales takes it from here, and scores learn from it.",
    AnswerKind.NOT_YET: "{name}: not yet. Nurturing goes on, and scores learn from it.",
    AnswerKind.WRONG_PERSON: "No more mail to {name}; colleagues go on.",
    AnswerKind.BAD_TIMING: "{name}: bad timing.",
}
