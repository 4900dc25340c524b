"""A glance at every account with news: enough to see which few are told in full, so that the others are never read.

What people did and what marketing sent is nearly all news there is; it is read as bare rows and weighed here. An
account on which anything else happened, or of whose weight nobody can be sure without its history, is read in full.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, union_all

from accounts.briefs.material import clean, evidence
from accounts.briefs.news import LOSSES, Glance, Weight, weight_of_act
from accounts.briefs.saying import DID
from accounts.ledger.brief_facts import LATE, is_new
from accounts.ledger.brief_readers import Watch
from accounts.ledger.driver import Form, rows
from accounts.models import Account, Handover, Hold, Proposal, RepAnswer, SlaClock, StageChange
from accounts.playbook import Play
from accounts.vocabulary import EmailStatus, Side, SignalKind

#: It weighs more where interest rises, which only five weeks of history show; no other weight lies in between.
_BY_HEAT = Weight.ENGAGED
_GONE = (EmailStatus.BOUNCED.value, EmailStatus.LEFT.value)

#: Found by the time they came in, whoever's they are: the plus keeps the database from going by owner.
_NEW_SIGNS = """
    SELECT account.owner_id, signal.account_id, account.key, account.name, account.division, signal.id, signal.kind,
           signal.stakeholder_id, {time:signal.occurred_at}, {time:signal.received_at},
           CASE WHEN signal.kind {among:losses} THEN
               (SELECT role || ' ' || email_status FROM stakeholder WHERE id = signal.stakeholder_id) END
      FROM signal JOIN account ON account.id = signal.account_id
     WHERE signal.received_at > :received AND signal.received_at <= :as_of AND signal.is_machine = false
       AND signal.kind {among:kinds} AND +account.owner_id {among:owners}"""
_NEW_MAILS = """
    SELECT account.owner_id, account.id, account.key, account.name, account.division, MAX(touch.id),
           {time:MAX(touch.sent_at)}
      FROM account JOIN touch ON touch.account_id = account.id
     WHERE account.owner_id {among:owners} AND touch.sent_at > :since AND touch.sent_at <= :as_of
       AND touch.stakeholder_id IS NOT NULL
     GROUP BY account.owner_id, account.id, account.key, account.name, account.division"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is for one reader: accounts to read, and accounts of which the glance says all."""

    full: tuple[int, ...]
    rest: tuple[Glance, ...]


@dataclass(slots=True)
class _Sight:
    """One account while its rows come in."""

    key: str
    name: str
    weight: Weight
    latest: datetime
    evidence: list[str]
    people: set[int] = field(default_factory=set)

    @property
    def order(self) -> tuple[int, int, float, str]:
        """As that of `Glance`."""
        return self.weight.place, -len(self.people), -self.latest.timestamp(), self.key


def look_around(
    connection: Connection, watching: Mapping[int, Watch], play: Play, as_of: datetime
) -> dict[int, Seen]:  # fmt: skip
    """Reader -> what there is. `watching`: by owner; a fixed number of queries for all of them."""
    sights = defaultdict[int, dict[int, _Sight]](dict)
    since = min(watch.look.since for watch in watching.values())
    _signs(connection, watching, play, since, as_of, sights)
    _mails(connection, watching, since, as_of, sights)
    read = _otherwise_changed(connection, watching, since, as_of)
    most = {watch.look.rep_id: watch.look.manner.accounts for watch in watching.values()}
    return {
        reader: _chosen(sights[reader], read.get(reader, set()), most[reader])
        for reader in sorted({*sights, *read})
    }  # fmt: skip


def _chosen(sights: Mapping[int, _Sight], read: set[int], most: int) -> Seen:
    """The first, and all of whom heat would decide whether they are among them."""
    glances = [
        Glance(id, one.key, one.name, one.weight, len(one.people), one.latest, tuple(one.evidence))
        for id, one in sorted(sights.items(), key=lambda pair: pair[1].order)
        if id not in read
    ]
    full = {glance.id for glance in glances[:most]}
    if any(glance.weight is _BY_HEAT for glance in glances[:most]):
        full |= {glance.id for glance in glances if glance.weight is _BY_HEAT}
    return Seen(tuple(sorted(read | full)), tuple(glance for glance in glances if glance.id not in full))


def _signs(
    connection: Connection, watching: Mapping[int, Watch], play: Play, since: datetime, as_of: datetime,
    sights: dict[int, dict[int, _Sight]],
) -> None:  # fmt: skip
    wanted = {wanted.role.value for wanted in play.group.wanted}
    weights = {(kind.value, is_key): weight_of_act(kind, is_key, False) for kind in DID for is_key in (True, False)}
    read, bounced = Form.of(connection).read, SignalKind.BOUNCED.value
    found = rows(
        connection, _NEW_SIGNS, received=since - LATE, as_of=as_of, kinds=sorted(kind.value for kind in DID),
        losses=sorted(kind.value for kind in LOSSES), owners=list(watching),
    )  # fmt: skip
    for owner, account, key, name, division, id, kind, person, happened, came_in, loser in found:
        look, at = watching[owner].look, read(happened)
        role, _, status = (loser or "").partition(" ")
        if not is_new(id, at, read(came_in), look) or (kind == bounced and person and status not in _GONE):
            continue
        weight = weights[kind, role in wanted]
        sight = sights[look.rep_id].get(account)
        if sight is None:
            sight = sights[look.rep_id][account] = _Sight(key, called(name, division), weight, at, [])
        elif weight.place < sight.weight.place:
            sight.weight, sight.evidence = weight, []
        if weight is sight.weight:
            sight.evidence.append(f"signal:{id}")
        sight.latest = max(sight.latest, at)
        if person:
            sight.people.add(person)


def _mails(
    connection: Connection, watching: Mapping[int, Watch], since: datetime, as_of: datetime,
    sights: dict[int, dict[int, _Sight]],
) -> None:  # fmt: skip
    read = Form.of(connection).read
    found = rows(connection, _NEW_MAILS, owners=list(watching), since=since, as_of=as_of)
    for owner, account, key, name, division, touch, sent_at in found:
        look, at = watching[owner].look, read(sent_at)
        if at <= look.since:
            continue
        theirs = sights[look.rep_id]
        if sight := theirs.get(account):
            sight.latest = max(sight.latest, at)
        else:
            proof = list(evidence("touch", touch))
            theirs[account] = _Sight(key, called(name, division), Weight.MAILED, at, proof)


def _otherwise_changed(
    connection: Connection, watching: Mapping[int, Watch], since: datetime, as_of: datetime
) -> dict[int, set[int]]:  # fmt: skip
    """Reader -> accounts on which something happened that no glance can weigh; a question becomes news again when its
    answer falls due."""
    theirs = Account.owner_id.in_(list(watching))
    fell_due = (
        select(Account.owner_id, SlaClock.account_id, SlaClock.due_at.label("at"))
        .join(Account, Account.id == SlaClock.account_id)
        .where(theirs, SlaClock.side == Side.SALES, SlaClock.due_at > since, SlaClock.due_at <= as_of)
        .where(or_(SlaClock.closed_at.is_(None), SlaClock.closed_at > as_of))
    )
    parts = [_of(table, at, theirs, since, as_of) for table, at in _OTHERS]
    found: dict[int, set[int]] = defaultdict(set)
    for owner, account, at in connection.execute(union_all(fell_due, *parts)):
        look = watching[owner].look
        if at > look.since:
            found[look.rep_id].add(account)
    return found


_OTHERS: Sequence[tuple[Any, Any]] = (
    (StageChange, StageChange.at),
    (Hold, Hold.starts_at),
    (Hold, Hold.ends_at),
    (Proposal, Proposal.proposed_at),
    (RepAnswer, RepAnswer.at),
    (Handover, Handover.at),
)


def _of(table: Any, at: Any, theirs: Any, since: datetime, as_of: datetime) -> Any:
    joined = select(Account.owner_id, table.account_id, at.label("at")).join(Account, Account.id == table.account_id)
    return joined.where(theirs, at > since, at <= as_of)


def called(name: str, division: str | None) -> str:
    """The account as a person calls it: with its division, unless the name has that in it."""
    is_told = not division or division.lower() in name.lower()
    return clean(name if is_told else f"{name} {division}")
