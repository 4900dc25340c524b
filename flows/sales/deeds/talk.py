"""Answers that are kept as they were said: objections, topics, and lines of a brief that are wrong."""

from accounts.answers import AnswerKind
from accounts.errors import InputRefused
from accounts.ledger.people import objections
from accounts.ledger.reps.answers import wrong_line_known
from flows.sales.deeds.scene import Done, Scene


def hear(scene: Scene) -> Done:
    """An objection, or a topic they want to hear about; briefs show it until it is closed."""
    words, kind = " ".join((scene.said.words or "").split()), scene.said.kind.value
    if not words:
        raise InputRefused("say what you heard", where="words", cure="a few words are enough")
    if len(words) > 300:
        raise InputRefused(f"{len(words)} letters are too many", where="words", cure="at most 300")
    person = scene.person.id if scene.person else None
    id, is_new = objections.raise_objection(
        scene.connection, scene.account.id, person, kind, words, rep_id=scene.speaker.rep_id, at=scene.now
    )
    name = "objection" if scene.said.kind is AnswerKind.OBJECTION else "topic"
    sentence = f"Noted as {name} {id} of {scene.name}; it stays in your briefs until it is closed."
    about = f"objection:{id}"
    return Done(sentence, is_new, about=about, detail={"objection": id}, action=name, after={"objection": id})


def close(scene: Scene) -> Done:
    """It is settled, and leaves the briefs."""
    scene.may_lift("a rep says what is settled")
    id = scene.said.objection_id
    if id is None or not objections.exists(scene.connection, scene.account.id, id):
        raise InputRefused(
            f"{scene.account.name} has no objection {id or ''}".strip(), where="objection", cure="see its list"
        )
    kind = objections.close(scene.connection, scene.account.id, id, by=scene.speaker.by, at=scene.now)
    if kind is None:
        return Done("That was closed already.", False)
    after = {"objection": id}
    return Done(
        f"Settled: {kind} {id} leaves your briefs.",
        True,
        about=f"objection:{id}",
        detail=after,
        action="close-objection",
        after=after,
    )


def wrong_line(scene: Scene) -> Done:
    """A line of a brief is wrong: kept with its number and what is wrong about it."""
    if scene.said.line is None:
        raise InputRefused("say which line", where="line", cure="its number, as the brief has it")
    about, words = f"line:{scene.said.line}", scene.said.words
    if wrong_line_known(scene.connection, scene.account.id, about, scene.brief_id, scene.speaker.by, words):
        return Done("You told us so already; thank you.", False)
    detail = {"line": scene.said.line, "words": words}
    sentence = f"Thank you: line {scene.said.line} about {scene.account.name} is marked as wrong."
    return Done(sentence, True, about=about, detail=detail, action="wrong-line", after={"line": scene.said.line})
