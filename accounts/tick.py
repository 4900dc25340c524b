"""A tick of planning: every account that changed or fell due gets its answers, and only what changed is written."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.garbage import uncollected
from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning.open_touches import take_back
from accounts.ledger.planning.results import Look, Span, accounts_of, lock, notice, skip_in_pauses, store
from accounts.ledger.planning.snapshots import read_accounts, read_standing
from accounts.planning import Never, Planner, Said, Touch, Wait
from accounts.playbook import Play
from accounts.vocabulary import Answer, Reason

#: Reasons that a rep's word makes.
SAID_BY_REPS = frozenset(
    {
        Reason.ACCOUNT_HELD, Reason.STAKEHOLDER_HELD, Reason.VETOED, Reason.DELAYED_BY_REP, Reason.PERSON_OFF_LIMITS,
        Reason.TOPIC_OFF_LIMITS, Reason.LEASE_CAP, Reason.OWNER_CONFLICT,
    }
)  # fmt: skip
#: Accounts per shard: one short transaction of about a tenth of a second, some 10 MB.
SHARD = 1000


@dataclass(frozen=True, slots=True)
class Decided:
    """What a tick came to."""

    play: str
    as_of: datetime
    #: Accounts and people looked at.
    accounts: int = 0
    people: int = 0
    answers: Mapping[Answer, int] = field(default_factory=dict)
    #: Why people get nothing now, the most frequent reason first.
    reasons: Mapping[Reason, int] = field(default_factory=dict)
    #: Touches that are due now and were not at the last look.
    new_touches: int = 0
    #: Decisions that were written.
    changed: int = 0


def decide(
    engine: Engine, play: Play, now: datetime, *,
    only_due: bool = True, accounts: Collection[int] | None = None, among: Collection[int] | None = None,
    span: Span | None = None,
) -> Decided:  # fmt: skip
    """Stores the answer for each stakeholder of the accounts that changed or fell due.

    accounts: exactly these (ids), due or not. among: of these (ids) only. only_due False: all accounts of the play.
    span: of these accounts only; processes may work on several spans at once, and on the same one. The same facts and
    the same clock write nothing. May be killed between any two shards: what it did stands, the rest is still due.
    """
    with writing(engine) as connection:
        notice(connection, play, now)
    with reading(engine) as connection:
        standing = read_standing(connection, play, now)
        ids = (
            sorted(accounts)
            if accounts is not None
            else accounts_of(connection, play, due_by=now if only_due else None, span=span)
        )
    wanted = ids if among is None else [id for id in ids if id in among]
    planner = Planner(play, now, standing.seen)
    tally = _Tally()
    with uncollected():
        for shard in chunks(wanted, SHARD):
            with writing(engine) as connection:
                lock(connection, shard)
                reads = read_accounts(connection, shard, play, now, standing)
                looks = [Look(read, planner.plan(read.account)) for read in reads]
                skip_in_pauses(connection, [skip for look in looks for skip in planner.skips(look.read.account)])
                tally.add(looks, store(connection, looks, play, now))
    return tally.decided(play, now)


def decide_at_once(connection: Connection, play: Play, account_id: int, now: datetime) -> list[int]:
    """The answers of one account, stored in the caller's transaction; the planned touches that were taken back for it.

    For a rep's word: what it forbids is cancelled with it. The caller keeps freezes away meanwhile, and has locked the
    account.
    """
    notice(connection, play, now)
    standing = read_standing(connection, play, now)
    planner = Planner(play, now, standing.seen)

    def look_again() -> list[Look]:
        reads = read_accounts(connection, [account_id], play, now, standing)
        return [Look(read, planner.plan(read.account)) for read in reads]

    looks = look_again()
    taken = take_back(connection, {who: why for one in looks for who, why in _unwanted(one)}, now)
    looks = look_again() if taken else looks
    skip_in_pauses(connection, [skip for look in looks for skip in planner.skips(look.read.account)])
    store(connection, looks, play, now)
    return taken


def _unwanted(look: Look) -> Iterator[tuple[int, Reason]]:
    """Whose planned touch a rep does not want to leave, and why."""
    account = look.read.account
    for person, said in zip(account.people, look.answers, strict=True):
        if person.id in account.open and said.reason in SAID_BY_REPS:
            yield person.id, said.reason


def divide(engine: Engine, play: Play, now: datetime, parts: int) -> list[Span]:
    """At most so many spans with as many due accounts each; none when nobody is due."""
    with writing(engine) as connection:
        notice(connection, play, now)
    with reading(engine) as connection:
        ids = accounts_of(connection, play, due_by=now)
    return [Span(some[0], some[-1]) for some in chunks(ids, max(1, -(-len(ids) // parts)))]


def together(parts: Iterable[Decided], play: Play, now: datetime) -> Decided:
    """What several spans came to, as one tick."""
    tally = _Tally()
    for part in parts:
        tally.accounts += part.accounts
        tally.people += part.people
        tally.new_touches += part.new_touches
        tally.changed += part.changed
        tally.answers.update(part.answers)
        tally.reasons.update(part.reasons)
    return tally.decided(play, now)


def look(engine: Engine, play: Play, now: datetime, accounts: Collection[int] | None = None) -> Iterator[Look]:
    """What `decide` would say at any moment, past or future; writes nothing. Streams in the order of account ids."""
    with reading(engine) as connection:
        standing = read_standing(connection, play, now)
        ids = sorted(accounts) if accounts is not None else accounts_of(connection, play)
        planner = Planner(play, now, standing.seen)
        for shard in chunks(ids, SHARD):
            for read in read_accounts(connection, shard, play, now, standing):
                yield Look(read, planner.plan(read.account))


class _Tally:
    def __init__(self) -> None:
        self.accounts = self.people = self.new_touches = self.changed = 0
        self.answers: Counter[Answer] = Counter()
        self.reasons: Counter[Reason] = Counter()

    def add(self, looks: list[Look], changed: int) -> None:
        self.accounts += len(looks)
        self.changed += changed
        self.people += sum(len(answers) for _, answers in looks)
        kinds = Counter((type(said), said.reason) for _, answers in looks for said in answers)
        for (kind, reason), count in kinds.items():
            self.answers[_ANSWERS[kind]] += count
            if reason is not None:
                self.reasons[reason] += count
        self.new_touches += sum(
            isinstance(said, Touch) and (old is None or old[0] != Answer.TOUCH or old[3] != said.content)
            for read, answers in looks
            for said, old in zip(answers, read.decisions, strict=True)
        )

    def decided(self, play: Play, now: datetime) -> Decided:
        return Decided(
            play.key, now, self.accounts, self.people, dict(self.answers), dict(self.reasons.most_common()),
            self.new_touches, self.changed,
        )  # fmt: skip


_ANSWERS: dict[type[Said], Answer] = {Touch: Answer.TOUCH, Wait: Answer.WAIT, Never: Answer.NEVER}
