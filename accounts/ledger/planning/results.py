"""What planning leaves in the ledger: decisions that changed, when to look again, and what was said of late steps."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from accounts.guards import FOR_EVER
from accounts.ledger.bulk import chunks, insert_into
from accounts.ledger.driver import Form, Row, write_many
from accounts.ledger.planning.snapshots import Read
from accounts.models import Account, ContentSeen, Decision, PlaySeen, Reprieve, Stakeholder, Touch, Veto
from accounts.pauses import PAUSE, Skip
from accounts.planning import Said, Wait
from accounts.planning import Touch as Due
from accounts.playbook import Play
from accounts.touch_states import Refusal
from accounts.vocabulary import Reason, TouchState

#: Facts whose change marks no account (the CRM only confirms what we knew): look again after this time.
LOOK_AGAIN = timedelta(days=1)


class Look(NamedTuple):
    """An account as it was read, and what planning says of its people now, in the order of `account.people`."""

    read: Read
    answers: Sequence[Said]


class Late(NamedTuple):
    """A step that came too late to be sent unasked. `since`: until when it might have left."""

    person_id: int
    content: str
    since: datetime | None
    #: Of a step that was in a send plan already and expired there.
    touch_id: int | None = None


class Span(NamedTuple):
    """A range of accounts, by their ids, both included."""

    first: int
    last: int


def accounts_of(
    connection: Connection, play: Play, *, due_by: datetime | None = None, span: Span | None = None
) -> list[int]:
    """Ids of the accounts a play answers for: its own and those in no play. `due_by`: only those to be looked at."""
    query = select(Account.id).where(_of(play))
    if span is not None:
        query = query.where(Account.id.between(*span))
    if due_by is not None:
        query = query.where(Account.replan_at <= due_by)
    return sorted(connection.scalars(query))


def notice(connection: Connection, play: Play, now: datetime) -> bool:
    """Takes note of the play's edition and contents; a new edition makes every account due once. True: it is new."""
    if connection.scalar(select(PlaySeen.version).where(PlaySeen.play == play.key)) == play.version:
        return False
    if play.steps:
        contents = [{"content": step.key, "first_seen_at": now} for step in play.steps]
        connection.execute(insert_into(connection, ContentSeen).on_conflict_do_nothing(), contents)
    edition = {"version": play.version, "at": now}
    upsert = insert_into(connection, PlaySeen).values(play=play.key, **edition)
    connection.execute(upsert.on_conflict_do_update(index_elements=["play"], set_=edition))
    connection.execute(update(Account).where(_of(play)).values(replan_at=now))
    return True


def lock(connection: Connection, ids: Collection[int]) -> None:
    """Keeps other writers from these accounts until the transaction ends, so that no mark of theirs is overwritten.

    SQLite has one writer at a time and needs no more.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(select(Account.id).where(Account.id.in_(ids)).order_by(Account.id).with_for_update())


def store(connection: Connection, looks: Iterable[Look], play: Play, now: datetime) -> int:
    """Writes the decisions that changed, and when each account must be looked at again; how many decisions."""
    form = Form.of(connection)
    changed = list(_changed(looks := list(looks), play, form, form.write(now)))
    write_many(connection, _DECIDE, changed)
    write_many(connection, "UPDATE account SET replan_at = ? WHERE id = ?", list(_replanned(looks, form, now)))
    return len(changed)


def look_again_at(answers: Iterable[Said], now: datetime) -> datetime | None:
    """The earliest moment at which an answer of the group may change; a touch stays due until it has left."""
    times = []
    for answer in answers:
        if isinstance(answer, Due):
            times.append(answer.due)
        elif isinstance(answer, Wait):
            if answer.until is not None:
                times.append(answer.until)
            elif answer.reason is Reason.STALE_CRM:
                times.append(now + LOOK_AGAIN)
    return min(times, default=None)


def late_steps(connection: Connection, *, account: int | None = None) -> list[Late]:
    """The late steps that wait for somebody's decision, the longest-standing first.

    Those planning did not take up, and those that expired in a send plan while their account is still at that stage.
    """
    late = select(Decision.stakeholder_id, Decision.content, Decision.not_after).where(
        Decision.reason == Reason.LATE_STEP, *([] if account is None else [Decision.account_id == account])
    )
    expired = (
        select(Touch.stakeholder_id, Touch.content, Touch.not_after, Touch.id)
        .join(Account, Account.id == Touch.account_id)
        .where(
            Touch.state == TouchState.EXPIRED, func.coalesce(Touch.reason, "") != Refusal.LEFT_OUT,
            Touch.stakeholder_id.is_not(None), Touch.stage == Account.stage,
            *([] if account is None else [Touch.account_id == account]),
        )
    )  # fmt: skip
    found = [Late(*row) for query in (late, expired) for row in connection.execute(query) if row.content is not None]
    return sorted(found, key=lambda one: (one.since or FOR_EVER, one.person_id))


def reprieve(connection: Connection, late: Iterable[tuple[int, str]], *, by: str, at: datetime) -> None:
    """Let these late steps go after all, (stakeholder, content) each: lateness counts from here; caps still hold."""
    late = list(late)
    rows = [{"stakeholder_id": person, "content": content, "by": by, "at": at} for person, content in late]
    if rows:
        insert_ = insert_into(connection, Reprieve)
        again = {"by": insert_.excluded.by, "at": insert_.excluded.at}
        key = ["stakeholder_id", "content"]
        connection.execute(insert_.on_conflict_do_update(index_elements=key, set_=again), rows)
        _mark(connection, [person for person, _ in late], at)


def skip(connection: Connection, late: Iterable[tuple[int, str]], *, by: str, at: datetime) -> None:
    """Leave these late steps out, (stakeholder, content) each: the person's next step counts from here."""
    late, note = list(late), "too late, left out"
    rows = [
        {"stakeholder_id": person, "content": content, "by": by, "at": at, "note": note} for person, content in late
    ]
    if rows:
        connection.execute(insert(Veto), rows)
        _mark(connection, [person for person, _ in late], at)


def skip_in_pauses(connection: Connection, skips: Iterable[Skip]) -> None:
    """Keeps that a pause left these steps out, each at its own time: the person's next step counts from there."""
    rows = [
        {"stakeholder_id": one.person_id, "content": one.content, "by": PAUSE, "at": one.at, "note": one.note}
        for one in skips
    ]
    if rows:
        connection.execute(insert(Veto), rows)


def _of(play: Play) -> ColumnElement[bool]:
    return or_(Account.play == play.key, Account.play.is_(None))


def _mark(connection: Connection, people: Sequence[int], at: datetime) -> None:
    for chunk in chunks(people):
        theirs = select(Stakeholder.account_id).where(Stakeholder.id.in_(chunk))
        connection.execute(update(Account).where(Account.id.in_(theirs)).values(replan_at=at))


def _changed(looks: Iterable[Look], play: Play, form: Form, as_of: object) -> Iterator[Row]:
    for (account, decisions, _), answers in looks:
        for person, old, answer in zip(account.people, decisions, answers, strict=True):
            new = _row(answer, play.key, account.stage, form)
            if new != old:
                yield (person.id, account.id, as_of, *new)


def _row(answer: Said, play: str, stage: str, form: Form) -> Row:
    """What `decision` says of a person, in the order in which snapshots read it."""
    if isinstance(answer, Due):
        content, due, not_after, zone, told = answer
        source = None if told is None else str(told)
        return ("touch", None, form.write(due), content, play, stage, form.write(not_after), zone, source)
    why = _WORDS[answer.reason]
    if isinstance(answer, Wait):
        until, late_since = form.write(answer.until), form.write(answer.late_since)
        return ("wait", why, until, answer.content, play, stage, late_since, None, None)
    return ("never", why, None, answer.content, play, stage, None, None, None)


def _replanned(looks: Iterable[Look], form: Form, now: datetime) -> Iterator[Row]:
    for (account, _, replan_at), answers in looks:
        again = form.write(look_again_at(answers, now))
        if again != replan_at:
            yield (again, account.id)


#: Reasons as plain text: drivers take the detour of an adapter for anything that only behaves like text.
_WORDS = {reason: reason.value for reason in Reason}

_DECIDE = """
    INSERT INTO decision (stakeholder_id, account_id, as_of, answer, reason, until, content, play, stage, not_after,
                          timezone, timezone_source)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (stakeholder_id) DO UPDATE SET
        account_id = excluded.account_id, as_of = excluded.as_of, answer = excluded.answer, reason = excluded.reason,
        until = excluded.until, content = excluded.content, play = excluded.play, stage = excluded.stage,
        not_after = excluded.not_after, timezone = excluded.timezone, timezone_source = excluded.timezone_source"""
