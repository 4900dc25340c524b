"""Planning as people ask for it: the plan of any moment, one person's answer, a word about late steps."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import nsmallest

from sqlalchemy import Engine

from accounts import tick
from accounts.ahead import Leaving
from accounts.errors import Refused
from accounts.ledger import audit
from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from accounts.ledger.pages.why import account_named, find, read_background, read_who
from accounts.ledger.planning.ahead import Coming, coming
from accounts.ledger.planning.results import Late, accounts_of, late_steps, reprieve, skip
from accounts.ledger.signals.settling import leave_out, let_go
from accounts.pace import Pace
from accounts.planning import Said, Touch, Wait
from accounts.playbook import Play
from accounts.vocabulary import Answer, Reason
from accounts.why import Case, Who

#: Touches first, then who waits, then who gets nothing.
ORDER = {Answer.TOUCH: 0, Answer.WAIT: 1, Answer.NEVER: 2}
DAY = timedelta(days=1)
AT_THE_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One person of a plan."""

    who: Who
    said: Said

    @property
    def at(self) -> datetime | None:
        """When it is due, or when the answer may change."""
        if isinstance(self.said, Touch):
            return self.said.due
        return self.said.until if isinstance(self.said, Wait) else None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A plan: how many get what, and the first lines of it in order of answer and time."""

    play: str
    as_of: datetime
    answers: Mapping[Answer, int]
    reasons: Mapping[Reason, int]
    lines: Sequence[Line]

    @property
    def people(self) -> int:
        return sum(self.answers.values())


def foresee(
    engine: Engine, play: Play, now: datetime, *, accounts: Collection[str] = (), most: int | None
) -> Foreseen:  # fmt: skip
    """Who would get what at `now`, past or future, and who would not and why; writes nothing.

    accounts: only these (keys), or all. most: lines kept, None for all. Raises NotFound for an unknown account.
    """
    answers: Counter[Answer] = Counter()
    reasons: Counter[Reason] = Counter()

    def counted(found: Iterator[tuple[int, Said]]) -> Iterator[tuple[int, Said]]:
        for person, said in found:
            answers[said.answer] += 1
            if said.reason is not None:
                reasons[said.reason] += 1
            yield person, said

    with reading(engine) as connection:
        ids = [account_named(connection, key) for key in accounts] if accounts else None
    everybody = counted(_said(engine, play, now, ids))
    kept = sorted(everybody, key=_rank) if most is None else nsmallest(most, everybody, key=_rank)
    with reading(engine) as connection:
        who = read_who(connection, [person for person, _ in kept])
    lines = [Line(who[person], said) for person, said in kept if person in who]
    return Foreseen(play.key, now, dict(answers), dict(reasons.most_common()), lines)


@dataclass(frozen=True, slots=True)
class Departure:
    """A mail that leaves in the days to come."""

    who: Who
    content: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Days:
    """What leaves before `until` if nobody reacts and nothing changes: how many mails, and the first of them."""

    until: datetime
    count: int
    departures: Sequence[Departure]
    #: People to whom nothing leaves as long as a brake holds.
    braked: int
    #: How fast mail leaves is limited, which is not counted here: some may leave later.
    is_paced: bool


def look_ahead(
    engine: Engine, play: Play, now: datetime, days: int, *, accounts: Collection[str] = (), most: int | None,
    pace: Pace | None = None,
) -> Days:  # fmt: skip
    """What leaves from `now` on, mail by mail; writes nothing.

    accounts: only of these (keys), or of all. most: departures kept, None for all. Raises NotFound for an unknown
    account.
    """
    count, braked = 0, 0

    def counted(found: Iterator[Coming]) -> Iterator[Leaving]:
        nonlocal count, braked
        for one in found:
            count, braked = count + len(one.leaving), braked + len(one.braked)
            yield from one.leaving

    with reading(engine) as connection:
        ids = [account_named(connection, key) for key in accounts] if accounts else accounts_of(connection, play)
        everything = counted(
            one for some in chunks(sorted(ids), tick.SHARD) for one in coming(connection, some, play, now, days * DAY)
        )
        kept = sorted(everything) if most is None else nsmallest(most, everything)
        who = read_who(connection, [one.person_id for one in kept])
    departures = [Departure(who[one.person_id], one.content, one.at) for one in kept if one.person_id in who]
    return Days(now + days * DAY, count, departures, braked, bool(pace))


def cases_of(engine: Engine, play: Play, who: str, now: datetime) -> list[Case]:
    """What planning says at `now` of everybody meant by an address or a name, one case per account they stand in.

    Raises NotFound with the closest matches.
    """
    with reading(engine) as connection:
        people = find(connection, who)
        backgrounds = {one.id: read_background(connection, one, now) for one in people}
    looks = {look.read.account.id: look for look in tick.look(engine, play, now, {one.account_id for one in people})}
    cases = []
    for one in people:
        account, answers = looks[one.account_id].read.account, looks[one.account_id].answers
        for person, said in zip(account.people, answers, strict=True):
            if person.id == one.id:
                cases.append(Case(one, account, person, said, play, now, background=backgrounds[one.id]))
    return cases


def list_late(engine: Engine, *, account: str | None = None, who: Collection[str] = ()) -> list[tuple[Who, Late]]:
    """Late steps that wait for a decision: of these people (addresses or names), of an account, or all.

    Raises NotFound for somebody unknown.
    """
    with reading(engine) as connection:
        id = None if account is None else account_named(connection, account)
        meant = {one.id for name in who for one in find(connection, name)}
        late = [step for step in late_steps(connection, account=id) if not who or step.person_id in meant]
        people = read_who(connection, [step.person_id for step in late])
    return [(people[step.person_id], step) for step in late]


def settle_late(engine: Engine, late: Sequence[tuple[Who, Late]], *, send: bool, by: str, now: datetime) -> int:
    """Let late steps go after all, or leave them out; how many. Written down as one entry of the audit.

    Caps, windows and all guards still hold for what is let go. Raises Refused when there is nothing to decide.
    """
    if not late:
        raise Refused("nothing late to decide", cure="tandem late lists what is")
    pairs = [(step.person_id, step.content) for _, step in late]
    waiting = [(step.person_id, step.content) for _, step in late if step.touch_id is None]
    expired = [step.touch_id for _, step in late if step.touch_id is not None]
    with writing(engine) as connection:
        if send:
            reprieve(connection, waiting, by=by, at=now)
            let_go(connection, expired, by=by, now=now)
        else:
            skip(connection, waiting, by=by, at=now)
            leave_out(connection, expired)
        action = "send_late" if send else "skip_late"
        after = {"steps": [f"stakeholder:{person} {content}" for person, content in pairs]}
        audit.append(connection, actor=by, action=action, subject=f"late:{len(pairs)}", at=now, after=after)
    return len(pairs)


def _said(engine: Engine, play: Play, now: datetime, ids: Collection[int] | None) -> Iterator[tuple[int, Said]]:
    for look in tick.look(engine, play, now, ids):
        for person, said in zip(look.read.account.people, look.answers, strict=True):
            yield person.id, said


def _rank(line: tuple[int, Said]) -> tuple[int, datetime, int]:
    person, said = line
    at = said.due if isinstance(said, Touch) else said.until if isinstance(said, Wait) else None
    return ORDER[said.answer], at or AT_THE_END, person
