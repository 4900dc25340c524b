"""Answers that say how a hand-off was: ripe, not yet, wrong person, bad timing; kept, with what follows from them."""

from accounts.answers import AnswerKind
from accounts.feedback import LeaveAlone, VetoPerson, consequences
from accounts.ledger import holds, vetoes
from accounts.ledger.feedback import give_feedback, latest_feedback
from accounts.ledger.open_touches import take_back
from accounts.vocabulary import HoldCause, Reason, Verdict
from flows.sales.deeds.scene import Done, Scene, until_to_come


def judge(scene: Scene) -> Done:
    """A verdict on an account or a person, and what follows from it (accounts/feedback.py)."""
    said, verdict = scene.said, Verdict(scene.said.kind)
    until_to_come(said.until, scene.now)
    before = latest_feedback(scene.connection, scene.account.id)
    id = give_feedback(
        scene.connection, scene.subject, verdict, by=scene.speaker.by, at=scene.now, topic=said.topic, note=said.words,
        callback_on=said.day,
    )  # fmt: skip
    sentence, taken, until = SENTENCES[said.kind].format(name=scene.name), 0, None
    is_person = scene.person is not None
    for one in consequences(verdict, scene.now, callback_on=said.day, is_person=is_person, until=said.until):
        if isinstance(one, LeaveAlone):
            holds.place(
                scene.connection, scene.subject, HoldCause.REP, by=scene.speaker.by, starts_at=scene.now,
                ends_at=one.until, note=f"feedback: {verdict}",
            )  # fmt: skip
            sentence, until = f"{scene.name} is left alone until {scene.day(one.until)}.", one.until.isoformat()
        elif isinstance(one, VetoPerson):
            at, note = scene.now, f"feedback: {verdict}"
            vetoes.veto(scene.connection, scene.who.id, None, by=scene.speaker.by, at=at, note=note)
            taken = len(take_back(scene.connection, {scene.who.id: Reason.VETOED}, at))
    after = {"verdict": verdict, "callback_on": said.day}
    detail = {"feedback": id, "verdict": verdict, "until": until}
    return Done(sentence, id != before, detail=detail, action="feedback", after=after, rows=(id,), taken=taken)


SENTENCES = {
    AnswerKind.RIPE: "{name}: ripe. Sales takes it from here, and scores learn from it.",
    AnswerKind.NOT_YET: "{name}: not yet. Nurturing goes on, and scores learn from it.",
    AnswerKind.WRONG_PERSON: "No more mail to {name}; colleagues go on.",
    AnswerKind.BAD_TIMING: "{name}: bad timing.",
}
