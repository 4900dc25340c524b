"""Stages of accounts: the facts they rest on, the moves they made and were refused, and where they stood on any day."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, String, and_, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.types import TypeEngine

from accounts.contact import Spoken
from accounts.ledger.announcements import untold
from accounts.ledger.bulk import chunks
from accounts.ledger.rows import rows_of
from accounts.models import Account, Activity, Opportunity, StageChange
from accounts.stages import Deal, Move
from accounts.tracking import FirstContact, Judged, Tracked
from accounts.types import Key
from accounts.vocabulary import About

#: Columns of a move on its way into the ledger.
MOVE: dict[str, TypeEngine[Any]] = {
    "account_id": Key, "from_stage": String(40), "to_stage": String(40), "cause": String(300),
    "refused_reason": String(300),
}  # fmt: skip


class Refused(NamedTuple):
    """A move that is still refused: where the facts want the account to be, since when, and why not."""

    account: str
    from_stage: str
    to_stage: str
    since: datetime
    cause: str
    reason: str


class Change(NamedTuple):
    """A move that was made."""

    id: int
    account: str
    from_stage: str | None
    to_stage: str
    at: datetime


def find_changed(connection: Connection, play: str, rules: str, now: datetime) -> list[int]:
    """Accounts of the play, or of none yet, with facts tracking has not seen; ids in order.

    That is: marked by an import that changed a fact, to be planned again, or judged by other rules than `rules`, a
    digest of the play's. An export that only says again what is known costs nothing here.
    """
    unseen = or_(
        Account.tracked_rules.is_distinct_from(rules),
        Account.replan_at <= now,
    )
    return list(connection.scalars(select(Account.id).where(_in_play_or_none(play), unseen).order_by(Account.id)))


def lock_accounts(connection: Connection, play: str, ids: Collection[int]) -> list[Tracked]:
    """These accounts, kept from other writers until the transaction ends; those of another play are left out."""
    columns = (getattr(Account, name) for name in Tracked._fields)
    query = select(*columns).where(Account.id.in_(ids), _in_play_or_none(play)).order_by(Account.id)
    return [Tracked(*row) for row in connection.execute(query.with_for_update()).all()]


def read_activities(connection: Connection, ids: Collection[int]) -> dict[int, list[Judged]]:
    """Account -> its activities."""
    columns = (Activity.account_id, Activity.is_contact, *(getattr(Activity, name) for name in Spoken._fields))
    found: dict[int, list[Judged]] = defaultdict(list)
    query = select(*columns).where(Activity.account_id.in_(ids))
    for account_id, is_contact, *spoken in connection.execute(query).all():
        found[account_id].append(Judged(is_contact, Spoken(*spoken)))
    return found


def read_deals(connection: Connection, ids: Collection[int]) -> dict[int, list[Deal]]:
    """Account -> its opportunities."""
    columns = (Opportunity.account_id, *(getattr(Opportunity, name) for name in Deal._fields))
    found: dict[int, list[Deal]] = defaultdict(list)
    query = select(*columns).where(Opportunity.account_id.in_(ids))
    for account_id, *deal in connection.execute(query).all():
        found[account_id].append(Deal(*deal))
    return found


def mark_contacts(connection: Connection, activities: Collection[int], is_contact: bool) -> None:
    """These activities are, or are no longer, real two-way contact."""
    for chunk in chunks(sorted(activities)):
        connection.execute(update(Activity).where(Activity.id.in_(chunk)).values(is_contact=is_contact))


def write_first_contacts(connection: Connection, contacts: Sequence[tuple[int, FirstContact]]) -> None:
    """The first contact of each account, with the activity that proves it and says when; (account id, contact) each."""
    proofs = [(id, contact.activity_id) for id, contact in contacts]
    for chunk in chunks(proofs):
        proof = rows_of(connection, "proof", {"account_id": Key, "activity_id": Key}, chunk)
        at = select(Activity.occurred_at).where(Activity.id == proof.c.activity_id).scalar_subquery()
        news = update(Account).where(Account.id == proof.c.account_id)
        connection.execute(news.values(first_contacted_at=at, first_contact_activity_id=proof.c.activity_id))


def write_moves(connection: Connection, moves: Sequence[tuple[int, Move]], now: datetime) -> None:
    """Moves of accounts, made or refused, with their history; (account id, move) each."""
    for chunk in chunks(moves):
        listed = [(id, move.from_stage, move.to_stage, move.cause, move.refused) for id, move in chunk]
        move = rows_of(connection, "move", MOVE, listed)
        made = update(Account).where(Account.id == move.c.account_id, move.c.refused_reason.is_(None))
        connection.execute(made.values(stage=move.c.to_stage, stage_entered_at=now, refused_stage=None))
        refused = update(Account).where(Account.id == move.c.account_id, move.c.refused_reason.is_not(None))
        connection.execute(refused.values(refused_stage=move.c.to_stage))
        history = select(*move.c, literal(now, StageChange.at.type)).order_by(move.c.account_id)
        connection.execute(insert(StageChange).from_select([*MOVE, "at"], history))


def unannounced(connection: Connection, since: datetime, at: datetime) -> list[Change]:
    """Moves that were made since then, up to `at`, and that nobody who listens was told of, the oldest first."""
    query = (
        select(StageChange.id, Account.key, StageChange.from_stage, StageChange.to_stage, StageChange.at)
        .join(Account, Account.id == StageChange.account_id)
        .where(StageChange.at > since, StageChange.at <= at, StageChange.refused_reason.is_(None))
        .where(untold(About.STAGE, StageChange.id))
        .order_by(StageChange.id)
    )
    return [Change(*row) for row in connection.execute(query)]


def forget_refusals(connection: Connection, ids: Collection[int]) -> None:
    """The facts no longer ask these accounts for a stage they may not enter."""
    for chunk in chunks(sorted(ids)):
        connection.execute(update(Account).where(Account.id.in_(chunk)).values(refused_stage=None))


def enter_play(connection: Connection, play: str, ids: Collection[int]) -> None:
    """These accounts belong to the play from now on."""
    for chunk in chunks(sorted(ids)):
        connection.execute(update(Account).where(Account.id.in_(chunk), Account.play.is_(None)).values(play=play))


def mark_digested(connection: Connection, ids: Collection[int], rules: str) -> None:
    """Tracking has seen all facts of these accounts; it looks again when one or the rules change."""
    for chunk in chunks(sorted(ids)):
        seen = update(Account).where(Account.id.in_(chunk))
        connection.execute(seen.values(tracked_rules=rules))


def date_stages(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """Accounts that came with a stage, and nobody knows since when, entered it now as far as we are concerned."""
    for chunk in chunks(sorted(ids)):
        undated = update(Account).where(Account.id.in_(chunk), Account.stage_entered_at.is_(None))
        connection.execute(undated.values(stage_entered_at=now))


def stage_as_of(connection: Connection, at: datetime, accounts: Collection[int] | None = None) -> dict[int, str]:
    """Account -> the stage it stood in at `at`, as we knew it then. `accounts`: ids, None for all.

    Before its first move an account stood where that move began; without any it stands where it always stood.
    """
    found = dict(_in_chunks(connection, select(Account.id, Account.stage), Account.id, accounts))
    for by_account, stage in (
        (_nearest(StageChange.at > at, func.min), StageChange.from_stage),
        (_nearest(StageChange.at <= at, func.max), StageChange.to_stage),
    ):
        query = select(StageChange.account_id, stage).join(by_account, StageChange.id == by_account.c.change_id)
        known = _in_chunks(connection, query, StageChange.account_id, accounts)
        found.update((account, stage) for account, stage in known if stage is not None)
    return found


def read_refusals(connection: Connection, play: str) -> list[Refused]:
    """Moves of the play's accounts that are refused to this day, by account key."""
    later = aliased(StageChange)
    is_latest = ~exists(select(later.id).where(later.account_id == StageChange.account_id, later.id > StageChange.id))
    query = (
        select(
            Account.key, Account.stage, StageChange.to_stage, StageChange.at, StageChange.cause,
            StageChange.refused_reason,
        )
        .join(Account, Account.id == StageChange.account_id)
        .where(Account.play == play, Account.refused_stage == StageChange.to_stage)
        .where(StageChange.refused_reason.is_not(None), is_latest)
        .order_by(Account.key)
    )  # fmt: skip
    return [Refused(*row) for row in connection.execute(query)]


def count_open_stages(connection: Connection, play: str) -> dict[str, int]:
    """CRM stage name -> how many open opportunities of the play's accounts are in it."""
    query = (
        select(Opportunity.stage, func.count())
        .join(Account, Account.id == Opportunity.account_id)
        .where(Account.play == play, Opportunity.is_open.is_(True), Opportunity.is_won.is_(False))
        .group_by(Opportunity.stage)
    )
    return {row.stage: row[1] for row in connection.execute(query)}


def _in_play_or_none(play: str) -> ColumnElement[bool]:
    return or_(Account.play == play, Account.play.is_(None))


def _nearest(when: ColumnElement[bool], which: Callable[[Any], Any]) -> Any:
    """Per account the first or last real move on one side of a day; ids grow with time."""
    real = and_(when, StageChange.refused_reason.is_(None))
    change_id = which(StageChange.id).label("change_id")
    return select(change_id).where(real).group_by(StageChange.account_id).subquery()


def _in_chunks(connection: Connection, query: Any, column: Any, values: Collection[int] | None) -> Iterator[Any]:
    if values is None:
        yield from connection.execute(query)
        return
    for chunk in chunks(sorted(values)):
        yield from connection.execute(query.where(column.in_(chunk)))
