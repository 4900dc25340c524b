"""A glance at every account with news: enough to see which few are told in full, so that the others are never read.

What people did and what marketing sent is nearly all news there is; it is read as bare rows and weighed here. An
account on which anything else happened, or of whose weight nobody can be sure without its history, is read in full.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from accounts.briefs.material import clean, evidence
from accounts.briefs.news import LOSSES, Glance, Weight, in_order, weight_of_act
from accounts.briefs.saying import DID
from accounts.ledger.briefs.facts import STALE, came_in_after
from accounts.ledger.briefs.readers import Watch
from accounts.ledger.driver import Form, rows
from accounts.playbook import Play
from accounts.vocabulary import EmailStatus, SignalKind

#: It weighs more where interest rises, which only five weeks of history show; no other weight lies in between.
_BY_HEAT = Weight.ENGAGED
_GONE = (EmailStatus.BOUNCED.value, EmailStatus.LEFT.value)

#: Found by the time they came in, whoever's they are: the plus keeps the database from going by owner.
_NEW_SIGNS = """
    WITH watched AS MATERIALIZED (SELECT id, since FROM {times:starts} AS starts)
    SELECT watched.id, signal.account_id, account.key, account.name, account.division, signal.id, signal.kind,
           signal.stakeholder_id, signal.occurred_at,
           CASE WHEN signal.kind {among:losses} THEN
               (SELECT role || ' ' || email_status FROM stakeholder WHERE id = signal.stakeholder_id) END
      FROM signal JOIN account ON account.id = signal.account_id JOIN watched ON watched.id = +account.owner_id
     WHERE signal.received_at > :earliest AND signal.received_at > watched.since AND signal.received_at <= :as_of
       AND signal.is_machine = false AND signal.kind {among:kinds}"""
_NEW_MAILS = """
    SELECT watched.id, account.id, account.key, account.name, account.division, MAX(touch.id), MAX(touch.sent_at)
      FROM {times:watched} AS watched JOIN account ON account.owner_id = watched.id
      JOIN touch ON touch.account_id = account.id
     WHERE touch.sent_at > watched.since AND touch.sent_at <= :as_of AND touch.stakeholder_id IS NOT NULL
     GROUP BY watched.id, account.id, account.key, account.name, account.division"""
#: What no glance can weigh; a question becomes news again when its answer falls due.
_OTHERS = (
    ("stage_change", "at", ""), ("hold", "starts_at", ""), ("hold", "ends_at", ""), ("proposal", "proposed_at", ""),
    ("rep_answer", "at", ""), ("handover", "at", ""),
    ("sla_clock", "due_at", "AND fact.side = 'sales' AND (fact.closed_at IS NULL OR fact.closed_at > :as_of)"),
)  # fmt: skip
_OTHERWISE_CHANGED = "WITH watched AS MATERIALIZED (SELECT id, since FROM {times:watched} AS starts)" + " UNION ".join(
    f"""
    SELECT watched.id, fact.account_id
      FROM watched JOIN account ON account.owner_id = watched.id JOIN {table} AS fact ON fact.account_id = account.id
     WHERE fact.{at} > watched.since AND fact.{at} <= :as_of {more}"""
    for table, at, more in _OTHERS
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is for one reader: accounts to read, and accounts of which the glance says all."""

    full: tuple[int, ...]
    rest: tuple[Glance, ...]


@dataclass(slots=True)
class _Sight:
    """One account while its rows come in. `latest`: in the driver's form, in which times compare as they should."""

    key: str
    name: str
    weight: Weight
    latest: Any
    evidence: list[str]
    people: set[int] = field(default_factory=set)


def look_around(
    connection: Connection, watching: Mapping[int, Watch], play: Play, as_of: datetime
) -> dict[int, Seen]:  # fmt: skip
    """Reader -> what there is. `watching`: by owner; three queries for all of them, each from its own time on."""
    sights: dict[int, dict[int, _Sight]] = {watch.look.rep_id: {} for watch in watching.values()}
    since = {owner: watch.look.since for owner, watch in watching.items()}
    _signs(connection, watching, play, as_of, sights)
    _mails(connection, watching, since, as_of, sights)
    read = _otherwise_changed(connection, watching, since, as_of)
    most = {watch.look.rep_id: watch.look.manner.accounts for watch in watching.values()}
    time = Form.of(connection).read
    return {
        reader: _chosen(sights[reader], read.get(reader, set()), most[reader], time)
        for reader in sorted(sights)
        if sights[reader] or reader in read
    }  # fmt: skip


def _chosen(sights: Mapping[int, _Sight], read: set[int], most: int, time: Callable[[Any], datetime]) -> Seen:
    """The first, and all of whom heat would decide whether they are among them."""
    glances = sorted(
        (
            Glance(id, one.key, one.name, one.weight, len(one.people), time(one.latest), tuple(one.evidence))
            for id, one in sights.items()
            if id not in read
        ),
        key=in_order,
    )
    full = {glance.id for glance in glances[:most]}
    if any(glance.weight is _BY_HEAT for glance in glances[:most]):
        full |= {glance.id for glance in glances if glance.weight is _BY_HEAT}
    return Seen(tuple(sorted(read | full)), tuple(glance for glance in glances if glance.id not in full))


def _signs(
    connection: Connection, watching: Mapping[int, Watch], play: Play, as_of: datetime,
    sights: dict[int, dict[int, _Sight]],
) -> None:  # fmt: skip
    wanted = {wanted.role.value for wanted in play.group.wanted}
    weights = {(kind.value, is_key): weight_of_act(kind, is_key, False) for kind in DID for is_key in (True, False)}
    write, bounced = Form.of(connection).write, SignalKind.BOUNCED.value
    starts = {owner: came_in_after(watch.look) for owner, watch in watching.items()}
    aims = {
        owner: (sights[watch.look.rep_id], write(watch.look.since - STALE), watch.look.known)
        for owner, watch in watching.items()
    }
    found = rows(
        connection, _NEW_SIGNS, starts=starts, earliest=min(starts.values()), as_of=as_of,
        kinds=sorted(kind.value for kind in DID), losses=sorted(kind.value for kind in LOSSES),
    )  # fmt: skip
    for owner, account, key, name, division, id, kind, person, at, loser in found:
        theirs, stale, known = aims[owner]
        role, _, status = loser.partition(" ") if loser else ("", "", "")
        if at <= stale or id in known or (kind == bounced and person and status not in _GONE):
            continue
        weight = weights[kind, role in wanted]
        sight = theirs.get(account)
        if sight is None:
            sight = theirs[account] = _Sight(key, called(name, division), weight, at, [f"signal:{id}"])
        elif weight is sight.weight:
            sight.evidence.append(f"signal:{id}")
        elif weight.place < sight.weight.place:
            sight.weight, sight.evidence = weight, [f"signal:{id}"]
        if at > sight.latest:
            sight.latest = at
        if person:
            sight.people.add(person)


def _mails(
    connection: Connection, watching: Mapping[int, Watch], since: Mapping[int, datetime], as_of: datetime,
    sights: dict[int, dict[int, _Sight]],
) -> None:  # fmt: skip
    found = rows(connection, _NEW_MAILS, watched=since, as_of=as_of)
    for owner, account, key, name, division, touch, at in found:
        theirs = sights[watching[owner].look.rep_id]
        if sight := theirs.get(account):
            sight.latest = max(sight.latest, at)
        else:
            proof = list(evidence("touch", touch))
            theirs[account] = _Sight(key, called(name, division), Weight.MAILED, at, proof)


def _otherwise_changed(
    connection: Connection, watching: Mapping[int, Watch], since: Mapping[int, datetime], as_of: datetime
) -> dict[int, set[int]]:  # fmt: skip
    """Reader -> accounts on which something happened that no glance can weigh."""
    found: dict[int, set[int]] = defaultdict(set)
    for owner, account in rows(connection, _OTHERWISE_CHANGED, watched=since, as_of=as_of):
        found[watching[owner].look.rep_id].add(account)
    return found


def called(name: str, division: str | None) -> str:
    """The account as a person calls it: with its division, unless the name has that in it."""
    is_told = not division or division.lower() in name.lower()
    return clean(name if is_told else f"{name} {division}")
