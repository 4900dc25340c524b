"""All clocks of a play from all its facts: what is owed, what has ended, what must be told. Pure.

    changed = keep(facts, known, play, now)

Clocks are worked out anew from the facts, so facts may come late and in any order, and the next look makes up for one
that was missed. Remembered are only what was told, and ends that no fact can prove again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.calendar import Hours
from accounts.playbook import Play, Step
from accounts.sla.causes import (
    ABOUT_PEOPLE,
    HISTORY,
    PROMISE_OF,
    SIDE_OF,
    Cause,
    End,
    Fact,
    asked,
    came_back,
    ended_by,
    turned_hot,
)
from accounts.sla.clocks import Clock, Promise, look
from accounts.sla.facts import Facts, PlanFact, Waiting
from accounts.sla.hours import Span, marketing_time, on_duty, sales_time
from accounts.vocabulary import Duty, Reason, Side, Verdict

Known = Mapping[tuple[Duty, str], Clock]

#: How an end begins that a person's word made.
WORD = "word:"
GONE = "its cause is gone"
NOBODY_WAITS = "nobody waits for it any more"
REPLACED = "the file was replaced"
NOT_NURTURED = "the stage is not nurtured"


def keep(facts: Facts, known: Known, play: Play, now: datetime) -> list[Clock]:
    """The clocks that are new or have changed, oldest cause first. known: those that may still change."""
    fresh = {(cause.duty, cause.subject): cause for cause in _causes(facts, known, play, now)}
    changed = []
    for name in {**known, **fresh}:
        before = known.get(name)
        clock = _kept(before, fresh.get(name), facts, play, now)
        if clock is not None and clock != before:
            changed.append(clock)
    return sorted(changed, key=lambda clock: (clock.cause.started_at, clock.cause.duty, clock.cause.subject))


def _kept(before: Clock | None, cause: Cause | None, facts: Facts, play: Play, now: datetime) -> Clock | None:
    """One clock brought up to `now`; None for a cause that was dealt with before anybody knew of it."""
    clock = _renewed(before, cause) if before else Clock(_the(cause))
    end = _end(clock, cause, facts, play, now)
    if before is None and end is not None and end.at <= clock.cause.started_at:
        return None
    if before is not None and end is not None and end == before.end:
        return before  # it has stopped: an absence or a new owner since then changes nothing
    side = SIDE_OF[clock.cause.duty]
    pauses = facts.pauses.get((clock.cause.account or 0, side), ())
    owner = _owner(clock.cause, facts)
    rep = _rep(side, owner, facts, now)
    time = _time(clock.cause, side, owner, facts, play, pauses)
    return look(replace(clock, rep=rep), _promise(clock.cause, rep, facts, play), time, pauses, end, now)


def _renewed(before: Clock, cause: Cause | None) -> Clock:
    """The clock with what joined its cause since; when it started is not said anew."""
    if cause is None:
        return before
    return replace(before, cause=replace(before.cause, evidence=cause.evidence))


def _the(cause: Cause | None) -> Cause:
    assert cause is not None  # noqa: S101  a name comes from `known` or from `fresh`
    return cause


# ---- what is owed


def _causes(facts: Facts, known: Known, play: Play, now: datetime) -> Iterator[Cause]:
    owed = {
        clock.cause.account for clock in known.values() if clock.is_open and SIDE_OF[clock.cause.duty] is Side.SALES
    }
    for account in facts.accounts.values():
        asks = asked(account.id, facts.asks.get(account.id, ()), facts.sales.get(account.id, ()))
        yield from asks
        if account.id not in owed:
            yield from _hot(account.id, asks, facts, known, now)
        if account.id in facts.contacted and _is_nurtured(account.id, facts, play):
            contact = facts.contacted[account.id]
            proof = (contact.proof,)
            yield Cause(
                Duty.FIRST_NURTURE, contact.proof, contact.at, contact.known_at, proof, account.id, contact.person
            )
        causes = (came_back(account.id, told) for told in facts.verdicts.get(account.id, ()))
        yield from (cause for cause in causes if cause)
    yield from (_wrong_list(plan) for plan in facts.plans if _is_about_people(plan))
    yield from _stale_content(facts.waiting, play, now)


def _hot(account: int, asks: Iterable[Cause], facts: Facts, known: Known, now: datetime) -> Iterator[Cause]:
    """A hot account where nothing is owed yet: who is to be answered need not be told to call as well."""
    acts = facts.hot.get(account, ())
    if not acts or any(_unanswered(ask, facts) for ask in asks):
        return
    cause = turned_hot(account, acts, now)
    if (cause.duty, cause.subject) not in known:
        yield cause


def _unanswered(ask: Cause, facts: Facts) -> bool:
    return ended_by(facts.sales.get(ask.account or 0, ()), ask.happened_at) is None


def _wrong_list(plan: PlanFact) -> Cause:
    proof = f"plan:{plan.id}"
    return Cause(Duty.RIGHT_LIST, proof, plan.created_at, plan.created_at, (proof,))


def _is_about_people(plan: PlanFact) -> bool:
    """Stopped by the gate since people stood on it who must not: rejected, or held since too many of them failed."""
    checks = plan.checks
    rules = {rule["rule"]: rule["count"] for rule in checks.get("rules", ())}
    too_many = checks.get("word") == "reject" or rules.get("few_rows_fail", 0) != 0
    return checks.get("word") in {"hold", "reject"} and too_many and not ABOUT_PEOPLE.isdisjoint(checks["cancelled"])


def _stale_content(waiting: Iterable[Waiting], play: Play, now: datetime) -> Iterator[Cause]:
    rows = list(waiting)
    for step in play.steps:
        if _is_stale(step, play, now) and any(_waits_for(row, step) for row in rows):
            subject = _content_name(step)
            yield Cause(Duty.FRESH_CONTENT, subject, now, now, (f"content:{step.key}",))


def _content_name(step: Step) -> str:
    return f"{step.key}@{step.digest[:12]}"


def _is_stale(step: Step, play: Play, now: datetime) -> bool:
    """Past its review, or on or past its last day, on the play's own calendar."""
    today = now.astimezone(ZoneInfo(play.window.default_timezone)).date()
    return step.review_by < today or step.expires <= today


def _waits_for(row: Waiting, step: Step) -> bool:
    if row.content is not None:
        return row.content == step.key
    return row.reason == Reason.CONTENT_EXPIRED and row.stage == step.stage and row.role in step.roles


# ---- how it ended


def _end(clock: Clock, fresh: Cause | None, facts: Facts, play: Play, now: datetime) -> End | None:
    cause, said = clock.cause, clock.end
    if said and _is_final(said, fresh, cause):
        return said
    if cause.duty is Duty.FRESH_CONTENT:
        return _content_end(cause, fresh, play, now)
    if cause.account is None:
        return _plan_end(cause, facts)
    if cause.account not in facts.accounts:
        return End(now, GONE, False)
    if cause.duty is Duty.FIRST_NURTURE and not _is_nurtured(cause.account, facts, play):
        found = ended_by(facts.mails.get(cause.account, ()), _just_before(cause.happened_at))
        return found or End(now, NOT_NURTURED, False)
    is_recent = cause.happened_at > now - HISTORY
    if fresh is None and is_recent and cause.duty is not Duty.CALL:
        return End(now, GONE, False)
    return _ENDS[cause.duty](cause, facts)


def _is_final(said: End, fresh: Cause | None, cause: Cause) -> bool:
    """A person's word, and ends that no fact can prove again. What lapsed runs on when its cause is back."""
    if not said.is_kept:
        return fresh is None
    return said.by.startswith(WORD) or cause.duty is Duty.FRESH_CONTENT


def _answered(cause: Cause, facts: Facts) -> End | None:
    return ended_by(facts.sales.get(cause.account or 0, ()), cause.happened_at)


def _called(cause: Cause, facts: Facts) -> End | None:
    """By a call, by a word about the account, or since they agreed to meet."""
    account = cause.account or 0
    words = [told.fact for told in facts.verdicts.get(account, ())]
    done: list[Fact] = [*facts.sales.get(account, ()), *words, *facts.meetings.get(account, ())]
    return ended_by(done, cause.happened_at)


def _nurtured(cause: Cause, facts: Facts) -> End | None:
    return ended_by(facts.mails.get(cause.account or 0, ()), _just_before(cause.happened_at))


def _handed_over_anew(cause: Cause, facts: Facts) -> End | None:
    """Nurturing went on, or the rep found the account ripe after all."""
    account = cause.account or 0
    return ended_by([*facts.mails.get(account, ()), *_ripe(account, facts)], cause.happened_at)


def _seated_anew(cause: Cause, facts: Facts) -> End | None:
    account = cause.account or 0
    return ended_by([*facts.seats.get(account, ()), *_ripe(account, facts)], cause.happened_at)


_ENDS: Mapping[Duty, Callable[[Cause, Facts], End | None]] = {
    Duty.ANSWER: _answered,
    Duty.CALL: _called,
    Duty.FIRST_NURTURE: _nurtured,
    Duty.HANDOFF_ANSWER: _handed_over_anew,
    Duty.RIGHT_LIST: _seated_anew,
}


def _ripe(account: int, facts: Facts) -> list[Fact]:
    return [told.fact for told in facts.verdicts.get(account, ()) if told.verdict is Verdict.RIPE]


def _content_end(cause: Cause, fresh: Cause | None, play: Play, now: datetime) -> End | None:
    """Another file under that name, or none; or nobody who waits."""
    if fresh is not None:
        return None
    is_there = any(_content_name(step) == cause.subject for step in play.steps)
    return End(now, NOBODY_WAITS, False) if is_there else End(now, REPLACED)


def _plan_end(cause: Cause, facts: Facts) -> End | None:
    """A person let it go after all, or a later plan of the play was good."""
    for plan in facts.plans:
        name, went = f"plan:{plan.id}", plan.state in {"certified", "done"}
        if went and (name == cause.subject or plan.created_at > cause.happened_at):
            return End(plan.approved_at or plan.created_at, name)
    return None


# ---- who owes, and when they can


def _owner(cause: Cause, facts: Facts) -> int | None:
    account = facts.accounts.get(cause.account or 0)
    return account.owner if account and account.owner in facts.desks else None


def _rep(side: Side, owner: int | None, facts: Facts, now: datetime) -> int | None:
    if owner is None or side is Side.MARKETING:
        return owner
    return on_duty(owner, facts.desks, now).id


def _promise(cause: Cause, rep: int | None, facts: Facts, play: Play) -> Promise:
    is_sales = SIDE_OF[cause.duty] is Side.SALES
    manager = facts.desks[rep].manager if rep is not None else None
    allowed: timedelta = getattr(play.sla, PROMISE_OF[cause.duty])
    return Promise(allowed, play.sla.warn_at, manager if is_sales else play.sla.marketing_owner)


def _time(
    cause: Cause, side: Side, owner: int | None, facts: Facts, play: Play, pauses: Iterable[Span]
) -> Callable[[], Iterable[Hours]]:  # fmt: skip
    spans, start = tuple(pauses), cause.started_at
    if side is Side.MARKETING:
        return lambda: marketing_time(play, start, spans)
    return lambda: sales_time(play, owner, facts.desks, start, spans)


def _is_nurtured(account: int, facts: Facts, play: Play) -> bool:
    rule = play.stage(facts.accounts[account].stage)
    return rule is not None and rule.nurtured


def _just_before(at: datetime) -> datetime:
    """So that a mail of the same moment counts."""
    return at - timedelta(microseconds=1)
