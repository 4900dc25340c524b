"""A tick of planning: every account that changed or fell due gets its answers, and only what changed is written."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from accounts.garbage import uncollected
from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import Look, accounts_of, lock, notice, skip_in_pauses, store
from accounts.ledger.snapshots import read_accounts, read_standing
from accounts.planning import Never, Planner, Said, Touch, Wait
from accounts.playbook import Play
from accounts.vocabulary import Answer, Reason

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
    engine: Engine, play: Play, now: datetime, *, only_due: bool = True, accounts: Collection[int] | None = None
) -> Decided:
    """Stores the answer for each stakeholder of the accounts that changed or fell due.

    accounts: exactly these (ids), due or not. only_due False: all accounts of the play. The same facts and the same
    clock write nothing. May be killed between any two shards: what it did stands, the rest is still due.
    """
    with writing(engine) as connection:
        notice(connection, play, now)
    with reading(engine) as connection:
        standing = read_standing(connection, play, now)
        ids = (
            sorted(accounts)
            if accounts is not None
            else accounts_of(connection, play, due_by=now if only_due else None)
        )
    planner = Planner(play, now, standing.seen)
    tally = _Tally()
    with uncollected():
        for shard in chunks(ids, SHARD):
            with writing(engine) as connection:
                lock(connection, shard)
                reads = read_accounts(connection, shard, play, now, standing)
                looks = [Look(read, planner.plan(read.account)) for read in reads]
                skip_in_pauses(connection, [skip for look in looks for skip in planner.skips(look.read.account)])
                tally.add(looks, store(connection, looks, play, now))
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
        self.kinds: Counter[tuple[type[Said], Reason | None]] = Counter()

    def add(self, looks: list[Look], changed: int) -> None:
        self.accounts += len(looks)
        self.changed += changed
        self.people += sum(len(answers) for _, answers in looks)
        self.kinds.update((type(said), said.reason) for _, answers in looks for said in answers)
        self.new_touches += sum(
            isinstance(said, Touch) and (old is None or old[0] != Answer.TOUCH or old[3] != said.content)
            for read, answers in looks
            for said, old in zip(answers, read.decisions, strict=True)
        )

    def decided(self, play: Play, now: datetime) -> Decided:
        answers: Counter[Answer] = Counter()
        reasons: Counter[Reason] = Counter()
        for (kind, reason), count in self.kinds.items():
            answers[_ANSWERS[kind]] += count
            if reason is not None:
                reasons[reason] += count
        return Decided(
            play.key, now, self.accounts, self.people, dict(answers), dict(reasons.most_common()), self.new_touches,
            self.changed,
        )  # fmt: skip


_ANSWERS: dict[type[Said], Answer] = {Touch: Answer.TOUCH, Wait: Answer.WAIT, Never: Answer.NEVER}
