"""What briefs are written from, for all reps: a fixed number of queries for every 500 accounts, never one per account.

Only accounts on which something happened since their rep's last brief are read at all, so that a quiet night is cheap.
Signals made by machines stay out of every query here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, func, or_, select, union_all

from accounts.briefs.material import (
    AccountMaterial,
    Held,
    Mail,
    Move,
    Newcomer,
    Outlook,
    Person,
    RepMaterial,
    SalesTouch,
    Sign,
    clean,
)
from accounts.briefs.saying import DID, DID_SHORT
from accounts.briefs.writing import MOST_ACCOUNTS, Brief, choose, write
from accounts.engagement import BASELINE_WEEKS, WEEK
from accounts.ledger.briefs import Look
from accounts.ledger.bulk import chunks
from accounts.ledger.driver import Form, rows
from accounts.ledger.signals import first_since
from accounts.ledger.sla import sales_owes
from accounts.models import (
    Account,
    Activity,
    Hold,
    Proposal,
    Signal,
    SlaClock,
    StageChange,
    Stakeholder,
    Touch,
)
from accounts.playbook import Play
from accounts.vocabulary import (
    ActivityKind,
    Answer,
    Direction,
    EmailStatus,
    HoldCause,
    HoldScope,
    ProposalState,
    Reason,
    Role,
    Side,
    SignalKind,
)

T = TypeVar("T")

ACCOUNTS_AT_ONCE = 500
#: Signals may become visible this much after the time they carry: a transaction that was open while a brief was
#: written. The brief remembers the ids it knew of, so nothing is told twice.
LATE = timedelta(hours=1)
#: What came in later than this after it happened is history, not news.
STALE = timedelta(days=28)
#: Touch ids and content keys of what a person was sent.
Had = tuple[tuple[int, ...], frozenset[str]]
#: As far back as heat looks.
_LOOK_BACK = (BASELINE_WEEKS + 1) * WEEK

_NAMES = """
    SELECT account_id, id, first_name, last_name, title, email, role, email_status, {time:opted_out_at}
      FROM stakeholder WHERE account_id {among:accounts} ORDER BY id"""
_OUTLOOKS = """
    SELECT decision.stakeholder_id, answer, reason, {time:until}, content,
           EXISTS (SELECT 1 FROM veto WHERE veto.stakeholder_id = decision.stakeholder_id
                      AND (veto.content IS NULL OR veto.content = decision.content))
      FROM decision WHERE account_id {among:accounts}"""
_LAST_ACTS = """
    SELECT id, kind, stakeholder_id, {time:occurred_at}
      FROM (SELECT id, kind, stakeholder_id, occurred_at,
                   row_number() OVER (PARTITION BY stakeholder_id ORDER BY occurred_at DESC, id DESC) AS place
              FROM signal
             WHERE account_id {among:accounts} AND kind {among:acts} AND is_machine = false
               AND stakeholder_id IS NOT NULL AND occurred_at <= :as_of AND received_at <= :as_of) AS ranked
     WHERE place = 1"""
#: When it came in, and what it answers to, are asked only of what may be news.
_SIGNS = """
    SELECT signal.account_id, signal.id, kind, signal.stakeholder_id, {time:occurred_at},
           CASE WHEN received_at > :received THEN {time:received_at} END, touch.content
      FROM signal LEFT JOIN touch ON touch.id = signal.touch_id AND received_at > :received
     WHERE signal.account_id {among:accounts} AND signal.id >= :least AND is_machine = false AND kind {among:kinds}
       AND (occurred_at > :earliest OR received_at > :received) AND received_at <= :as_of
     ORDER BY signal.id"""
_HAD = """
    SELECT stakeholder_id, {join}(CAST(id AS TEXT), ' '), {join}(content, ' ')
      FROM touch
     WHERE account_id {among:accounts} AND sent_at <= :as_of AND stakeholder_id IS NOT NULL
     GROUP BY stakeholder_id"""


def briefs_of(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[tuple[int, Brief]]:  # fmt: skip
    """(rep, brief) of each rep with news.

    All is read of the accounts that are told in full; of the many others only what shows that they are not among them.
    """
    choices = (choose(rep, play, as_of) for rep in _material(connection, looks, play, as_of))
    for some in _in_hundreds(choice for choice in choices if choice):
        people = _everybody(connection, [account for choice in some for account in choice.in_full], as_of)
        yield from ((choice.rep.id, write(choice, people)) for choice in some)


def read_material(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """The material of each rep on whose accounts something may have happened, in the order of `looks`' times."""
    for reps in _in_hundreds(_material(connection, looks, play, as_of)):
        people = _everybody(connection, [account.id for rep in reps for account in rep.accounts], as_of)
        for rep in reps:
            accounts = (replace(account, people=people.get(account.id, ())) for account in rep.accounts)
            yield replace(rep, accounts=tuple(accounts))


def _in_hundreds(values: Iterator[T]) -> Iterator[list[T]]:
    """A hundred reps with five accounts each are one reading."""
    while some := list(islice(values, ACCOUNTS_AT_ONCE // MOST_ACCOUNTS)):
        yield some


def _everybody(connection: Connection, accounts: Sequence[int], as_of: datetime) -> dict[int, tuple[Person, ...]]:
    """Everything about the people of these accounts."""
    pieces = (_people(connection, list(some), as_of) for some in chunks(sorted(accounts), ACCOUNTS_AT_ONCE))
    return {account: tuple(people) for piece in pieces for account, people in piece.items()}


def _material(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """Without what is known of people beyond name, role and address."""
    by_time = sorted(looks, key=lambda look: (look.since, look.rep_id))
    for some in chunks(by_time, ACCOUNTS_AT_ONCE):
        yield from _of_reps(connection, {look.rep_id: look for look in some}, play, as_of)


def _of_reps(
    connection: Connection, looks: dict[int, Look], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """Reps are complete when the last of their accounts is read; 500 accounts are read at once, whoever's they are."""
    owner = _changed(connection, looks, play, as_of)
    open_reps: dict[int, list[AccountMaterial]] = {}
    for some in chunks(list(owner), ACCOUNTS_AT_ONCE):
        accounts = _accounts(connection, {account: looks[owner[account]] for account in some}, play, as_of)
        for account in some:
            open_reps.setdefault(owner[account], []).append(accounts[account])
        for rep_id in [rep_id for rep_id in open_reps if rep_id != owner[some[-1]]]:
            yield _rep(looks[rep_id], open_reps.pop(rep_id))
    for rep_id, rest in open_reps.items():
        yield _rep(looks[rep_id], rest)


def _rep(look: Look, accounts: list[AccountMaterial]) -> RepMaterial:
    return RepMaterial(
        id=look.rep_id,
        name=clean(look.name),
        email=look.email,
        timezone=look.timezone,
        since=look.since,
        is_first=look.is_first,
        accounts=tuple(accounts),
        doubtful=look.doubtful,
    )


def _changed(
    connection: Connection, looks: dict[int, Look], play: Play, as_of: datetime
) -> dict[int, int]:  # fmt: skip
    """Account -> rep of every account with something that may be news; ordered by rep."""
    since = min(look.since for look in looks.values())
    theirs = select(Account.id).where(Account.owner_id.in_(list(looks)))
    happened = _happened(theirs, since, as_of).subquery()
    query = (
        select(Account.owner_id, Account.id, func.max(happened.c.at))
        .join(happened, happened.c.account_id == Account.id)
        .where(Account.owner_id.in_(list(looks)))
        .group_by(Account.owner_id, Account.id)
        .order_by(Account.owner_id, Account.id)
    )
    return {
        account: rep for rep, account, latest in connection.execute(query) if latest > looks[rep].since - LATE
    }  # fmt: skip


def _happened(theirs: Select[Any], since: datetime, as_of: datetime) -> Any:
    """(account, when) of all that may be news; a question becomes news again when its answer falls due.

    Signals are found by the time they came in, whoever's they are; the rest account by account: each by its index.
    """
    came_in = _signals(Signal.account_id, Signal.received_at.label("at")).where(
        Signal.received_at > since - LATE, Signal.received_at <= as_of
    )
    fell_due = select(SlaClock.account_id, SlaClock.due_at.label("at")).where(
        SlaClock.side == Side.SALES, SlaClock.due_at > since, SlaClock.due_at <= as_of,
        or_(SlaClock.closed_at.is_(None), SlaClock.closed_at > as_of),
    )  # fmt: skip
    others = [
        select(account_id, at).where(account_id.in_(theirs), at > since, at <= as_of)
        for account_id, at in (
            (Touch.account_id, Touch.sent_at),
            (StageChange.account_id, StageChange.at),
            (Hold.account_id, Hold.starts_at),
            (Hold.account_id, Hold.ends_at),
            (Proposal.account_id, Proposal.proposed_at),
        )
    ]
    return union_all(came_in, fell_due, *others)


def _signals(*columns: Any) -> Select[Any]:
    """Of people, about accounts we know, and worth a word."""
    return select(*columns).where(
        Signal.is_machine.is_(False), Signal.account_id.is_not(None), Signal.kind.in_(DID)
    )  # fmt: skip


def _accounts(
    connection: Connection, looks: dict[int, Look], play: Play, as_of: datetime
) -> dict[int, AccountMaterial]:  # fmt: skip
    """Account id -> its material: ten queries for up to 500 accounts. `looks`: account id -> its rep's look."""
    ids = list(looks)
    since = min(look.since for look in looks.values())
    people = _names(connection, ids)
    signs = _signs(connection, looks, play, since, as_of)
    mails, moves = _mails(connection, ids, since, as_of), _moves(connection, ids, since, as_of)
    holds, touches = _holds(connection, ids, since, as_of), _sales_touches(connection, ids, as_of)
    newcomers = _newcomers(connection, ids, as_of)
    owing = sales_owes(connection, ids, as_of)
    query = select(Account.id, Account.key, Account.name, Account.division, Account.stage).where(Account.id.in_(ids))
    return {
        row.id: AccountMaterial(
            id=row.id,
            key=row.key,
            name=_name(row.name, row.division),
            stage=row.stage,
            people=tuple(people[row.id]),
            signs=tuple(signs[row.id]),
            mails=tuple(mail for mail in mails[row.id] if mail.at > looks[row.id].since),
            moves=tuple(move for move in moves[row.id] if move.at > looks[row.id].since),
            holds=tuple(holds[row.id]),
            sales_touch=touches.get(row.id),
            newcomers=tuple(newcomers[row.id]),
            owing=owing.get(row.id),
            is_clocked=row.id in owing,
        )
        for row in connection.execute(query).all()
    }


def _name(name: str, division: str | None) -> str:
    """The account as a person calls it: with its division, unless the name has that in it."""
    is_told = not division or division.lower() in name.lower()
    return clean(name if is_told else f"{name} {division}")


def _names(connection: Connection, ids: list[int]) -> dict[int, list[Person]]:
    """The buying group of each account, as far as news need it."""
    read, found = _time_or_none(connection), defaultdict[int, list[Person]](list)
    for account, id, first, last, title, email, role, status, opted_out in rows(connection, _NAMES, accounts=ids):
        person = Person(id, _called(first, last, title, email), email, _role(role), _status(status), read(opted_out))
        found[account].append(person)
    return found


def _people(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, list[Person]]:
    """The same with what they did and got, and what planning answers for each; four queries."""
    acts, had, outlooks = _last_acts(connection, ids, as_of), _had(connection, ids, as_of), _outlooks(connection, ids)
    return {
        account: [_whole(person, acts, had, outlooks) for person in people]
        for account, people in _names(connection, ids).items()
    }


def _whole(
    person: Person, acts: dict[int, Sign], had: dict[int, Had], outlooks: dict[int, tuple[Outlook, bool]]
) -> Person:  # fmt: skip
    outlook, vetoed = outlooks.get(person.id, (None, False))
    touches, contents = had.get(person.id, ((), frozenset()))
    return Person(
        person.id, person.name, person.email, person.role, person.email_status, person.opted_out_at,
        acts.get(person.id), outlook, vetoed, touches, contents,
    )  # fmt: skip


def _called(first: str | None, last: str | None, title: str | None, email: str) -> str:
    """As a person calls them; by what they do, or by their address, when nobody wrote a name."""
    return clean(f"{first or ''} {last or ''}") or clean(title) or clean(email.partition("@")[0])


def _outlooks(connection: Connection, ids: list[int]) -> dict[int, tuple[Outlook, bool]]:
    """Person -> what planning answers, and whether the rep said no to it."""
    read = _time_or_none(connection)
    return {
        person: (Outlook(_known(Answer, answer, Answer.NEVER), _known(Reason, reason, None), read(at), content), vetoed)
        for person, answer, reason, at, content, vetoed in rows(connection, _OUTLOOKS, accounts=ids)
    }


def _role(value: str) -> Role:
    role: Role = _known(Role, value, Role.UNKNOWN)
    return role


def _status(value: str) -> EmailStatus:
    status: EmailStatus = _known(EmailStatus, value, EmailStatus.OK)
    return status


def _known(words: type[StrEnum], value: str | None, otherwise: Any) -> Any:
    """The word for a value; a value of a newer version is no reason to fail."""
    return words._value2member_map_.get(value, otherwise)


def _time_or_none(connection: Connection) -> Callable[[Any], datetime | None]:
    read = Form.of(connection).read
    return lambda value: None if value is None else read(value)


def _last_acts(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, Sign]:
    """Person -> the last thing they did, ever."""
    read, acts = Form.of(connection).read, sorted(kind.value for kind in DID_SHORT)
    found = rows(connection, _LAST_ACTS, accounts=ids, acts=acts, as_of=as_of)
    return {person: Sign(id, SignalKind(kind), person, read(at)) for id, kind, person, at in found}


def _signs(
    connection: Connection, looks: dict[int, Look], play: Play, since: datetime, as_of: datetime
) -> dict[int, list[Sign]]:  # fmt: skip
    """What people did in the last weeks, and all that came in since the last brief."""
    kinds = {kind.value: kind for kind in {*DID, *(kind for kind, weight in play.engagement.weights.items() if weight)}}
    earliest, received = as_of - _LOOK_BACK, since - LATE
    told = rows(
        connection, _SIGNS, accounts=list(looks), kinds=sorted(kinds), earliest=earliest, received=received,
        as_of=as_of, least=first_since(connection, min(earliest, received)),
    )  # fmt: skip
    read, found = Form.of(connection).read, defaultdict[int, list[Sign]](list)
    for account, id, kind, person, happened, came_in, content in told:
        at, look = read(happened), looks[account]
        is_new = came_in is not None and _is_new(id, at, read(came_in), look)
        found[account].append(Sign(id, kinds[kind], person, at, content, is_new))
    return found


def _is_new(id: int, at: datetime, received_at: datetime, look: Look) -> bool:
    start = look.since if look.is_first else look.since - LATE
    return received_at > start and at > look.since - STALE and id not in look.known


def known_signals(connection: Connection, rep_ids: Sequence[int], as_of: datetime) -> dict[int, list[int]]:
    """Rep -> ids of the signals of the last hour before `as_of`: what a brief of that time knew of."""
    found: dict[int, list[int]] = defaultdict(list)
    for some in chunks(rep_ids):
        query = (
            _signals(Account.owner_id, Signal.id)
            .join(Account, Account.id == Signal.account_id)
            .where(Signal.received_at > as_of - LATE, Signal.received_at <= as_of, Account.owner_id.in_(some))
            .order_by(Signal.id)
        )
        for rep_id, signal_id in connection.execute(query).all():
            found[rep_id].append(signal_id)
    return found


def _had(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, Had]:
    """Person -> all that marketing ever sent them; one row a person, the ids and keys strung together."""
    return {
        person: (tuple(sorted(map(int, touches.split()))), frozenset(contents.split()))
        for person, touches, contents in rows(connection, _HAD, accounts=ids, as_of=as_of)
    }


def _mails(connection: Connection, ids: list[int], since: datetime, as_of: datetime) -> dict[int, list[Mail]]:
    """What marketing sent to these accounts since then, oldest first."""
    query = (
        select(Touch.account_id, Touch.id, Touch.stakeholder_id, Touch.content, Touch.sent_at)
        .where(Touch.account_id.in_(ids), Touch.sent_at > since, Touch.sent_at <= as_of)
        .where(Touch.stakeholder_id.is_not(None))
        .order_by(Touch.sent_at, Touch.id)
    )
    found: dict[int, list[Mail]] = defaultdict(list)
    for account_id, *mail in connection.execute(query).all():
        found[account_id].append(Mail(*mail))
    return found


def _moves(connection: Connection, ids: list[int], since: datetime, as_of: datetime) -> dict[int, list[Move]]:
    query = (
        select(StageChange)
        .where(StageChange.account_id.in_(ids), StageChange.at > since, StageChange.at <= as_of)
        .order_by(StageChange.at, StageChange.id)
    )
    found: dict[int, list[Move]] = defaultdict(list)
    for row in connection.execute(query).all():
        move = Move(row.id, row.from_stage, row.to_stage, row.at, clean(row.refused_reason) or None)
        found[row.account_id].append(move)
    return found


def _holds(connection: Connection, ids: list[int], since: datetime, as_of: datetime) -> dict[int, list[Held]]:
    """Holds that stand, and those that ended since the last brief."""
    over = func.coalesce(Hold.released_at, Hold.ends_at)
    query = (
        select(Hold)
        .where(Hold.account_id.in_(ids), Hold.starts_at <= as_of)
        .where(over.is_(None) | (over > since))
        .order_by(Hold.starts_at, Hold.id)
    )
    found: dict[int, list[Held]] = defaultdict(list)
    for row in connection.execute(query).all():
        held = Held(
            row.id, HoldScope(row.scope), row.stakeholder_id, HoldCause(row.cause), clean(row.by), row.starts_at,
            row.ends_at, row.released_at,
        )  # fmt: skip
        found[row.account_id].append(_as_known_at(held, as_of))
    return found


def _as_known_at(held: Held, as_of: datetime) -> Held:
    """A release that comes later was not known then."""
    return replace(held, released_at=None) if held.released_at and held.released_at > as_of else held


def _newcomers(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, list[Newcomer]]:
    """Who waits for a yes or a no, the latest first."""
    there = Stakeholder.account_id == Proposal.account_id, Stakeholder.email_hash == Proposal.person_key
    query = (
        select(
            Proposal.account_id, Proposal.id, Proposal.first_name, Proposal.last_name, Proposal.email, Proposal.title,
            Proposal.why, Proposal.proposed_at,
        )
        .where(Proposal.account_id.in_(ids), Proposal.state == ProposalState.OPEN, Proposal.proposed_at <= as_of)
        .where(~select(Stakeholder.id).where(*there).exists())
        .order_by(Proposal.proposed_at.desc(), Proposal.id.desc())
    )  # fmt: skip
    found: dict[int, list[Newcomer]] = defaultdict(list)
    for row in connection.execute(query).all():
        name = clean(f"{row.first_name or ''} {row.last_name or ''}") or clean((row.email or "").partition("@")[0])
        one = Newcomer(row.id, name, clean(row.title), clean(row.why), row.proposed_at)
        found[row.account_id].append(one)
    return found


def _sales_touches(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, SalesTouch]:
    """Account -> what sales itself did last: not their mail to us, and no note."""
    place = func.row_number().over(
        partition_by=Activity.account_id, order_by=(Activity.occurred_at.desc(), Activity.id.desc())
    )
    ours = (Activity.direction.is_(None)) | (Activity.direction != Direction.INBOUND)
    ranked = (
        select(Activity.account_id, Activity.id, Activity.kind, Activity.stakeholder_id, Activity.occurred_at,
               place.label("place"))
        .where(Activity.account_id.in_(ids), Activity.kind != ActivityKind.NOTE, ours)
        .where(Activity.occurred_at <= as_of)
        .subquery()
    )  # fmt: skip
    query = select(ranked).where(ranked.c.place == 1)
    return {
        row.account_id: SalesTouch(row.id, clean(row.kind), row.stakeholder_id, row.occurred_at)
        for row in connection.execute(query).all()
    }
