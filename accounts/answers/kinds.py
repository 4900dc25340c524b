"""Every answer a rep can give, and what it does. ANSWERS is meant to be read."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class AnswerKind(StrEnum):
    HOLD = "hold"
    RELEASE = "release"
    VETO = "veto"
    UNVETO = "unveto"
    DELAY = "delay"
    UNDELAY = "undelay"
    APPROVE = "approve"
    RIPE = "ripe"
    NOT_YET = "not_yet"
    WRONG_PERSON = "wrong_person"
    BAD_TIMING = "bad_timing"
    SEAT = "seat"
    ADD_PERSON = "add_person"
    CORRECT_PERSON = "correct_person"
    CLAIM = "claim"
    OBJECTION = "objection"
    TOPIC = "topic"
    CLOSE_OBJECTION = "close_objection"
    WRONG_LINE = "wrong_line"
    TAKE = "take"
    LIMITS = "limits"
    GIVE_BACK = "give_back"


class Via(StrEnum):
    """Where it was said."""

    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"
    WEB = "web"
    CLI = "cli"


class About(StrEnum):
    """Whom an answer speaks of: the whole account, one person of it, or either."""

    ACCOUNT = "account"
    PERSON = "person"
    EITHER = "either"


class Rule(NamedTuple):
    """One line of the table."""

    about: About
    does: str
    #: Answers with the same matter contradict each other: the last word counts, and says whose word it replaces. Empty:
    #: nothing is contradicted.
    matter: str


A, K = About, AnswerKind

ANSWERS: Mapping[AnswerKind, Rule] = MappingProxyType(
    {
        K.HOLD: Rule(A.EITHER, "no mail and no ads until then; planned mails are taken back", "hold"),
        K.RELEASE: Rule(A.EITHER, "ends the holds on it", "hold"),
        K.VETO: Rule(A.PERSON, "one mail, or all mail, never reaches this person", "mail"),
        K.UNVETO: Rule(A.PERSON, "takes such a no back", "mail"),
        K.DELAY: Rule(A.PERSON, "one mail waits until then", "mail"),
        K.UNDELAY: Rule(A.PERSON, "such a mail waits no longer", "mail"),
        K.APPROVE: Rule(A.ACCOUNT, "the first mail to the account may leave", "approval"),
        K.RIPE: Rule(A.EITHER, "sales takes it from here; scores learn from it", "verdict"),
        K.NOT_YET: Rule(A.EITHER, "go on nurturing; scores learn from it", "verdict"),
        K.WRONG_PERSON: Rule(A.PERSON, "no mail to this person any more", "verdict"),
        K.BAD_TIMING: Rule(A.EITHER, "left alone until the day they name", "verdict"),
        K.SEAT: Rule(A.EITHER, "somebody has this seat, known or new; no list changes it", "seat"),
        K.ADD_PERSON: Rule(A.ACCOUNT, "one more in the group; nobody writes to them without consent", "group"),
        K.CORRECT_PERSON: Rule(A.PERSON, "name, title, role or address as they are, or gone", "group"),
        K.CLAIM: Rule(A.PERSON, "a person who stands in several accounts belongs to this one", "home"),
        K.OBJECTION: Rule(A.EITHER, "what they hold against us, in briefs until it is closed", ""),
        K.TOPIC: Rule(A.EITHER, "what they want to hear about, in briefs until it is closed", ""),
        K.CLOSE_OBJECTION: Rule(A.ACCOUNT, "an objection or topic is settled", ""),
        K.WRONG_LINE: Rule(A.ACCOUNT, "a line of a brief is wrong: kept for who answers for it", ""),
        K.TAKE: Rule(A.ACCOUNT, "the account is theirs: their limits bind every play while they work it", "lease"),
        K.LIMITS: Rule(A.ACCOUNT, "people, topics, mails a week and ads, for as long as the lease stands", "lease"),
        K.GIVE_BACK: Rule(A.ACCOUNT, "the lease ends, and its limits with it", "lease"),
    }
)
