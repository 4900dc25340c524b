"""An answer as a value, and what came of it."""

from dataclasses import dataclass
from datetime import date, datetime

from accounts.answers.kinds import AnswerKind
from accounts.vocabulary import HoldCause, PauseClock, Role


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rep asks of marketing while they work an account; None leaves a limit as it is."""

    #: Ids of people nobody writes to.
    people: tuple[int, ...] | None = None
    #: Topics nobody writes about, as contents name them.
    topics: tuple[str, ...] | None = None
    #: E-mails of ours to the whole group in any seven days; 0: as many as the play says.
    per_week: int | None = None
    ads: bool | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said, wherever they said it. Ids of other accounts are refused when it is performed."""

    kind: AnswerKind
    account_id: int
    #: Whom it is about; None: the whole account.
    stakeholder_id: int | None = None
    #: Which mail it is about: one that is planned (or was sent), or any by its content. Neither: all mail.
    touch_id: int | None = None
    content: str | None = None
    #: Until when, aware UTC; `day`: the day they named, in their own calendar.
    until: datetime | None = None
    day: date | None = None
    #: In their own words: a note, an objection, what is wrong with a line.
    words: str | None = None
    topic: str | None = None
    role: Role | None = None
    #: Of somebody new, or as it should be.
    name: str | None = None
    email: str | None = None
    title: str | None = None
    #: The person works there no longer.
    gone: bool = False
    limits: Limits | None = None
    objection_id: int | None = None
    #: Of the account in its brief, from 1.
    line: int | None = None
    #: Of a hold: why, and what it does with steps whose time comes meanwhile (None: as the play says).
    cause: HoldCause = HoldCause.REP
    clock: PauseClock | None = None
    #: Of a release: only these; empty: all but legal ones.
    causes: tuple[HoldCause, ...] = ()
    #: Why somebody who does not speak for the account lifts a rep's no, or says what is a rep's to say.
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of an answer, for the one who gave it. Plain sentences, full names, the reader's own time."""

    #: ``No mail to Bob Example until 3 December. Two planned mails were taken back.``
    sentence: str
    #: Whether anything changed by it.
    is_new: bool
    #: What could not be done, and why; empty when all could: ``That mail left on Tuesday at 09:12; nothing to stop.``
    could_not: str = ""
    #: Whose word this one replaces, if somebody else answered shortly before.
    instead_of: str = ""
    #: The row of `rep_answer`; None where nothing is kept.
    id: int | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.sentence, self.could_not, self.instead_of)))
