"""What each answer does, one function each: `DEEDS` is the whole list. Each writes in the transaction it is given.

scene.py      who said what about whom, and what came of it
mail.py       hold, release, veto, delay, approve      verdicts.py   ripe, not yet, wrong person, bad timing
people.py     seats, newcomers, corrections, whose a person is
talk.py       objections, topics, wrong lines          lease.py      the account is theirs, and within which limits
"""

from collections.abc import Callable, Mapping

from accounts.answers import AnswerKind
from flows.sales.deeds import lease, mail, people, talk, verdicts
from flows.sales.deeds.scene import Done, Scene

K = AnswerKind

DEEDS: Mapping[AnswerKind, Callable[[Scene], Done]] = {
    K.HOLD: mail.hold,
    K.RELEASE: mail.release,
    K.VETO: mail.veto,
    K.UNVETO: mail.unveto,
    K.DELAY: mail.delay,
    K.UNDELAY: mail.undelay,
    K.APPROVE: mail.approve,
    K.RIPE: verdicts.judge,
    K.NOT_YET: verdicts.judge,
    K.WRONG_PERSON: verdicts.judge,
    K.BAD_TIMING: verdicts.judge,
    K.SEAT: people.seat,
    K.ADD_PERSON: people.add,
    K.CORRECT_PERSON: people.correct,
    K.CLAIM: people.claim,
    K.OBJECTION: talk.hear,
    K.TOPIC: talk.hear,
    K.CLOSE_OBJECTION: talk.close,
    K.WRONG_LINE: talk.wrong_line,
    K.TAKE: lease.take,
    K.LIMITS: lease.limit,
    K.GIVE_BACK: lease.give_back,
}

__all__ = ["DEEDS", "Done", "Scene"]
