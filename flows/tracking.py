"""Tracking: what sales did and what the CRM says becomes contact, stage and roles of each account.

Only accounts that changed are looked at: synced since tracking saw them last, marked to be planned again, or judged by
rules the play has changed since. Each shard of them is one short transaction, so a run that is killed has done whole
shards and the next one goes on; the same facts at the same time change nothing.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.group import Completeness
from accounts.ledger.engine import reading, writing
from accounts.ledger.people import group as people
from accounts.ledger.planning import stages
from accounts.ledger.reps import leases
from accounts.ledger.signals.effects import replan
from accounts.playbook import Play
from accounts.roles import is_known_crm_role
from accounts.stages import TARGET, StageNames
from accounts.tracking import Facts, Findings, Judge
from accounts.vocabulary import Role

#: Accounts in one transaction: long enough to be quick, short enough to keep nobody waiting.
SHARD = 2_000


@dataclass(frozen=True, slots=True)
class Moved:
    """An account that moved, or was refused to."""

    account: str
    from_stage: str
    to_stage: str
    cause: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A buying group with a seat, or people, missing."""

    account: str
    most_wanted: Role | None
    text: str


@dataclass(frozen=True, slots=True)
class Tracked:
    """What one run of tracking found. Account keys only, no addresses."""

    looked_at: int = 0
    entered: int = 0
    #: Accounts with their first real contact, and accounts whose only contact turned out to be none.
    contacted: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    moves: tuple[Moved, ...] = ()
    #: Moves refused in this run; `ledger.stages.read_refusals` lists all that still are.
    refused: tuple[Moved, ...] = ()
    roles_changed: int = 0
    #: CRM roles nobody could read, with the people who have them; of the accounts that were looked at.
    unknown_roles: tuple[tuple[str, int], ...] = ()
    #: CRM stage names the play does not know, with the open opportunities in them; of all the play's accounts.
    unknown_stages: tuple[tuple[str, int], ...] = ()
    #: Incomplete buying groups among the contacted accounts that were looked at.
    incomplete: tuple[Gap, ...] = ()

    def __add__(self, other: "Tracked") -> "Tracked":
        both = Tracked(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))
        words: Counter[str] = Counter()
        for word, count in both.unknown_roles:
            words[word] += count
        return replace(both, unknown_roles=tuple(words.most_common()))

    @property
    def missing_seats(self) -> tuple[tuple[Role, int], ...]:
        """The most wanted empty seats with the number of accounts, most frequent first."""
        return tuple(Counter(gap.most_wanted for gap in self.incomplete if gap.most_wanted).most_common())


def track(engine: Engine, play: Play, now: datetime, *, accounts: Collection[int] | None = None) -> Tracked:
    """Bring contact, stage and roles of the play's accounts up to date as of `now` (aware UTC).

    `accounts`: ids to look at whether or not they changed; None looks at those that did.
    """
    judge = Judge(play)
    with reading(engine) as connection:
        due = sorted(accounts) if accounts is not None else stages.find_changed(connection, play.key, judge.rules, now)
    total = Tracked()
    for start in range(0, len(due), SHARD):
        with writing(engine) as connection:
            total += _track_shard(connection, judge, due[start : start + SHARD], now)
    with reading(engine) as connection:
        return total + Tracked(unknown_stages=_unknown_stages(connection, play, judge.names))


def _track_shard(connection: Connection, judge: Judge, ids: Sequence[int], now: datetime) -> Tracked:
    gathered = _gather(connection, judge.play.key, ids)
    findings = [judge.judge(facts, now) for facts in gathered]
    roles_changed = _perform(connection, judge, findings, now)
    return replace(
        _summary(findings),
        roles_changed=roles_changed,
        unknown_roles=_unknown_roles(gathered),
        incomplete=_gaps(connection, judge.play, gathered, findings, now),
    )


def _gather(connection: Connection, play: str, ids: Sequence[int]) -> list[Facts]:
    tracked = stages.lock_accounts(connection, play, ids)
    activities = stages.read_activities(connection, ids)
    deals = stages.read_deals(connection, ids)
    members = people.read_people(connection, ids)
    return [
        Facts(account, activities.get(account.id, ()), deals.get(account.id, ()), members.get(account.id, ()))
        for account in tracked
    ]


def _perform(connection: Connection, judge: Judge, findings: Sequence[Findings], now: datetime) -> int:
    """Write what was found; returns how many roles changed."""
    stages.enter_play(connection, judge.play.key, [found.account.id for found in findings if found.enters])
    stages.mark_contacts(connection, [id for found in findings for id in found.contacts], True)
    stages.mark_contacts(connection, [id for found in findings for id in found.no_contacts], False)
    contacts = [(found.account.id, found.first_contact) for found in findings if found.first_contact]
    stages.write_first_contacts(connection, contacts)
    stages.forget_refusals(connection, [found.account.id for found in findings if found.refusal_is_over])
    stages.write_moves(connection, [(found.account.id, found.move) for found in findings if found.move], now)
    stages.date_stages(connection, [found.account.id for found in findings if _is_undated(found)], now)
    roles_changed = people.write_roles(connection, [seat for found in findings for seat in found.roles], now)
    worked = [found.account.id for found in findings if found.contacts or found.first_contact]
    leases.renew_by_activity(connection, worked, judge.play.lease, now)
    replan(connection, [found.account.id for found in findings if found.changes_the_plan], now)
    seen = [found.account.id for found in findings if not found.must_look_again]
    stages.mark_digested(connection, seen, judge.rules)
    return roles_changed


def _is_undated(found: Findings) -> bool:
    return found.in_play and found.account.stage_entered_at is None and found.account.stage != TARGET


def _gaps(
    connection: Connection, play: Play, gathered: Sequence[Facts], findings: Sequence[Findings], now: datetime
) -> tuple[Gap, ...]:
    """Incomplete groups of accounts that stand in a nurtured stage after this run."""
    nurtured = {stage.key for stage in play.stages if stage.nurtured}
    standing = {found.account.id: found.account.key for found in findings if _stage_after(found) in nurtured}
    members = {facts.account.id: list(facts.people) for facts in gathered if facts.account.id in standing}
    roles = {person.id: str(finding.role) for found in findings for person, finding in found.roles}
    measured = people.measure_groups(connection, members, play.group, now, roles)
    return tuple(_gap(standing[id], group) for id, group in measured.items() if not group.is_complete)


def _stage_after(found: Findings) -> str:
    return found.move.to_stage if found.move and not found.move.refused else found.account.stage


def _gap(account: str, group: Completeness) -> Gap:
    return Gap(account, group.most_wanted, str(group))


def _unknown_roles(gathered: Sequence[Facts]) -> tuple[tuple[str, int], ...]:
    words = (person.crm_role for facts in gathered for person in facts.people)
    return tuple(Counter(word for word in words if word and not is_known_crm_role(word)).most_common())


def _summary(findings: Sequence[Findings]) -> Tracked:
    moves = [
        Moved(found.account.key, found.move.from_stage, found.move.to_stage, found.move.cause, found.move.refused)
        for found in findings
        if found.move
    ]
    return Tracked(
        looked_at=len(findings),
        entered=sum(found.enters for found in findings),
        contacted=tuple(found.account.key for found in findings if found.newly_contacted),
        withdrawn=tuple(found.account.key for found in findings if found.contact_withdrawn),
        moves=tuple(move for move in moves if not move.refused),
        refused=tuple(move for move in moves if move.refused),
    )


def _unknown_stages(connection: Connection, play: Play, names: StageNames) -> tuple[tuple[str, int], ...]:
    counted = stages.count_open_stages(connection, play.key)
    unknown = [(name, count) for name, count in counted.items() if names.find(name) is None]
    return tuple(sorted(unknown, key=lambda named: (-named[1], named[0])))
