"""The clocks between sales and marketing, looked at: started, stopped, warned, escalated; and told to whom it concerns.

Every flow that may have changed a fact looks: track and listen at all clocks, a pass of briefs at those of the accounts
it tells of. Looking is one transaction; looking again tells nothing twice, and what a killed run did not tell, the next
one does.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.engagement import WEEK
from accounts.feedback import REPS_WORDS
from accounts.ledger import audit
from accounts.ledger.briefs.sla_letters import write_sla_letters
from accounts.ledger.bulk import chunks
from accounts.ledger.engagement.heats import read_heats
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.answering import read_account
from accounts.ledger.reps.spokesmen import Speaker, speaks_for, who_says
from accounts.ledger.sla import clocks
from accounts.ledger.sla import facts as read
from accounts.ledger.sla.clocks import Listed
from accounts.playbook import Play
from accounts.sla.causes import ASKS, MEETINGS, SIDE_OF, Fact
from accounts.sla.clocks import Clock
from accounts.sla.facts import ByAccount, Facts
from accounts.sla.keeping import Known, keep
from accounts.vocabulary import ClockState, Heat, Side, SignalKind
from flows.sales.deeds.scene import only_with_a_reason

#: Accounts whose engagement is read at once.
ACCOUNTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """What a look at the clocks came to."""

    #: Clocks that started, and that were kept in time, by this look.
    started: int = 0
    met: int = 0
    warned: int = 0
    #: Promises found broken by this look.
    breached: int = 0
    #: All that is still owed, what is due first.
    standing: tuple[Listed, ...] = ()


def keep_clocks(engine: Engine, play: Play, now: datetime, only: Collection[int] | None = None) -> Kept:
    """Bring every clock of the play up to `now` (aware UTC). only: those of these accounts, and nothing else is read.

    Who is hot takes the longest to find out, so that is read before anything is locked.
    """
    with reading(engine) as connection:
        hot = find_hot(connection, play, now, only)
    with writing(engine) as connection:
        clocks.one_look_at_a_time(connection)
        known = clocks.read_clocks(connection, play.key, now, only)
        changed = keep(gather(connection, play, known, hot, now, only), known, play, now)
        clocks.write_clocks(connection, play.key, changed)
        standing = clocks.list_clocks(connection, play=play.key, only=only)
        write_sla_letters(connection, play, standing, now)
    return _summary(changed, known, standing)


def find_hot(connection: Connection, play: Play, now: datetime, only: Collection[int] | None = None) -> ByAccount:
    """Account -> what people did since anybody had the last word there, of nurtured accounts whose interest rises."""
    acts = read.read_asks(connection, play.key, _warm(play), now, since=now - WEEK, only=only)
    nurtured = {stage.key for stage in play.stages if stage.nurtured}
    standing = [one.id for one in read.read_accounts(connection, play.key, acts).values() if one.stage in nurtured]
    hot: dict[int, Sequence[Fact]] = {}
    for some in chunks(sorted(standing), ACCOUNTS_AT_ONCE):
        last = read.last_words(connection, some, now)
        fresh = {id: left for id in some if (left := [act for act in acts[id] if id not in last or act.at > last[id]])}
        heats = read_heats(connection, sorted(fresh), play.engagement, now)
        hot.update({id: fresh[id] for id, heat in heats.items() if heat is Heat.RISING})
    return hot


def gather(
    connection: Connection, play: Play, known: Known, hot: ByAccount, now: datetime,
    only: Collection[int] | None = None,
) -> Facts:  # fmt: skip
    """All facts that start or stop a clock of the play; each only of accounts whose clocks look at it."""
    asks = read.read_asks(connection, play.key, ASKS, now, only=only)
    contacted = read.newly_contacted(connection, play.key, now, only)
    verdicts = read.read_verdicts(connection, play.key, now, only)
    ids = {clock.cause.account for clock in known.values() if clock.cause.account}
    ids.update(asks, hot, contacted, verdicts)
    marketing = {clock.cause.account for clock in known.values() if SIDE_OF[clock.cause.duty] is Side.MARKETING}
    promised = {*filter(None, marketing), *contacted, *verdicts}
    whole = only is None
    return Facts(
        desks=read.read_desks(connection),
        accounts=read.read_accounts(connection, play.key, ids),
        asks=asks,
        hot=hot,
        meetings=read.read_asks(connection, play.key, MEETINGS, now, only=only),
        contacted=contacted,
        verdicts=verdicts,
        sales=read.sales_touches(connection, ids, now),
        mails=read.mails_sent(connection, promised, now),
        seats=read.seats_given(connection, promised, now),
        pauses=read.read_pauses(connection, ids, now),
        plans=read.read_plans(connection, play.key, now) if whole else (),
        waiting=read.people_waiting(connection, play.key) if whole else (),
    )


def answer(engine: Engine, clock_id: int, *, by: str, now: datetime, override: str | None = None) -> Listed:
    """A person's word that a promise was kept, written to the audit.

    override: why somebody who does not speak for the account says so of what sales promised there. Raises NotFound;
    Refused for a clock that stopped, and for whoever has to say why and does not.
    """
    with writing(engine) as connection:
        clock, speaker = clocks.running(connection, clock_id, now), who_says(connection, by)
        overridden = _overridden(connection, clock, speaker, override, now)
        stopped = clocks.stop(connection, clock, by=speaker.by, at=now)
        after = {"duty": clock.duty, "state": stopped.state, **({"override": True} if overridden else {})}
        audit.append(
            connection, actor=speaker.by, action="sla-answer", subject=f"clock:{clock_id}", at=now, after=after
        )
    return stopped


def _overridden(connection: Connection, clock: Listed, speaker: Speaker, override: str | None, now: datetime) -> bool:
    """Whether somebody says it for the rep. What marketing owes is nobody's account."""
    if clock.side is Side.MARKETING or clock.account_id is None:
        return False
    account, speaks = read_account(connection, clock.account_id), speaks_for(connection, speaker, clock.account_id, now)
    only_with_a_reason("a rep says what sales has kept", speaker, account, speaks, override)
    return not speaks


def _warm(play: Play) -> set[SignalKind]:
    return {kind for kind, weight in play.engagement.weights.items() if weight > 0} - MEETINGS - REPS_WORDS


def _summary(changed: Iterable[Clock], known: Known, standing: Iterable[Listed]) -> Kept:
    started = met = warned = breached = 0
    for clock in changed:
        before = known.get((clock.cause.duty, clock.cause.subject))
        started += before is None
        warned += len(clock.warned) > (len(before.warned) if before else 0)
        met += clock.state is ClockState.MET
        breached += clock.is_late and not (before and before.is_late)
    return Kept(started, met, warned, breached, tuple(standing))
