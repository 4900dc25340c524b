"""Account snapshots for planning, as of any moment: a constant number of queries for a shard of accounts.

A moment in the past shows stages, roles, opt-outs, holds, vetoes and touches as they were then. Of what keeps no
history (a bounced mailbox, a title, an owner) only today's state is known.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, text

from accounts.guards import FOR_EVER
from accounts.heard import Heard, topics_in
from accounts.identity import domain_hash
from accounts.ledger.driver import Form, Row, rows
from accounts.models import ContentSeen, SendPlan, Stakeholder, Suppression
from accounts.planning import CANCELLED_FOR, WEEK
from accounts.playbook import Play
from accounts.snapshots import Account, Hold, Limits, Mail, OpenTouch, Person
from accounts.vocabulary import ActivityKind, HoldCause, PlanState, Reason, Role

#: How far back a reply or a meeting of sales still moves the clock of a step.
MEMORY = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for all accounts of a run."""

    #: content -> when planning first knew it; those it never knew: now.
    seen: Mapping[str, datetime]
    #: SHA-256 of a domain nobody may write to -> until when.
    domains: Mapping[str, datetime]
    #: address -> the stakeholder a rep decided for, where one person stands in several accounts.
    homes: Mapping[str, int]
    #: A send plan that somebody cancelled -> until when its messages stay away.
    cancelled: Mapping[int, datetime]
    _known: dict[str, datetime | None] = field(default_factory=dict)

    def blocked(self, domain: str) -> datetime | None:
        """Until when nobody may write to a domain; each is hashed once, since colleagues share theirs."""
        if domain not in self._known:
            self._known[domain] = self.domains.get(domain_hash(domain))
        return self._known[domain]


class Read(NamedTuple):
    """An account, and what planning had said of it, in the driver's form."""

    account: Account
    #: In the order of `account.people`; None: never planned.
    decisions: Sequence[Row | None]
    replan_at: Any


def read_standing(connection: Connection, play: Play, now: datetime) -> Standing:
    """Four small queries, once per run."""
    known = dict(connection.execute(select(ContentSeen.content, ContentSeen.first_seen_at)).tuples().all())
    domains = select(Suppression.domain_hash, Suppression.expires_at).where(
        Suppression.email_hash.is_(None), Suppression.at <= now
    )
    homes = select(Stakeholder.email, Stakeholder.id).where(text("is_home"))
    rejected = select(SendPlan.id, SendPlan.approved_at).where(
        SendPlan.state == PlanState.REJECTED, SendPlan.approved_at > now - CANCELLED_FOR, SendPlan.approved_at <= now
    )
    return Standing(
        seen={step.key: known.get(step.key, now) for step in play.steps},
        domains={digest: ends or FOR_EVER for digest, ends in connection.execute(domains) if digest},
        homes=dict(connection.execute(homes).tuples().all()),
        cancelled={plan: at + CANCELLED_FOR for plan, at in connection.execute(rejected) if at},
    )


def read_accounts(
    connection: Connection, ids: Collection[int], play: Play, now: datetime, standing: Standing
) -> Iterator[Read]:
    """The accounts as they were, or will be, at `now`, in the order of their ids."""
    shard = _Shard(connection, ids, play, now)
    people, decisions = shard.people(standing)
    mails, open_touches, holds = shard.mails(), shard.open(), shard.holds()
    vetoes, reprieves = shard.vetoes(), shard.reprieves()
    delays, limits, cancelled = shard.delays(), shard.limits(), shard.cancelled(standing)
    heard = shard.heard()
    time = shard.form.read
    for (
        id, key, of_play, tier, industry, territory, zone, country, rep_zone, synced, contacted, approved, replan_at,
        stage, entered,
    ) in shard.rows(_ACCOUNTS):  # fmt: skip
        begins = entered and time(entered)
        account = Account(
            id, key, stage, people.get(id, ()), begins, contacted and time(contacted), of_play, tier, industry,
            territory, zone, country, rep_zone, synced and time(synced), approved and time(approved),
            _since(begins, holds.get(id, ())), mails.get(id, ()), open_touches.get(id, _NONE), vetoes.get(id, _NONE),
            reprieves.get(id, _NONE), delays.get(id, _NONE), limits.get(id), cancelled.get(id, _NONE),
            heard.get(id, ()),
        )  # fmt: skip
        yield Read(account, decisions.get(id, ()), replan_at)


class _Shard:
    """The queries for some accounts, and what each becomes: values by account id."""

    def __init__(self, connection: Connection, ids: Collection[int], play: Play, now: datetime) -> None:
        self.form = Form.of(connection)
        self._connection, self._play, self._now = connection, play, now
        latest = max((step.not_after for step in play.steps), default=WEEK)
        self._values = {
            "ids": list(ids),
            "now": now,
            "recent": now - max(WEEK + latest, play.caps.stagger),
            "remembered": now - MEMORY,
            "for_ever": FOR_EVER,
        }

    def rows(self, sql: str, **more: Any) -> Iterator[Row]:
        return rows(self._connection, sql, **self._values, **more)

    def people(self, standing: Standing) -> tuple[dict[int, list[Person]], dict[int, list[Row | None]]]:
        """Account id -> its people, and in the same order what was decided for each."""
        people: dict[int, list[Person]] = defaultdict(list)
        decisions: dict[int, list[Row | None]] = defaultdict(list)
        time, history, homes, blocked = self.form.read, self._history(), standing.homes, standing.blocked
        for row in self.rows(_PEOPLE):
            (
                account, id, email, role, zone, country, basis, consent, status, opted_out, paused, conflict,
                suppressed, role_since, every_days, topic, answer, reason, _until, content, *_
            ) = row  # fmt: skip
            until = suppressed and time(suppressed)
            if standing.domains:
                until = _later(until, blocked(email.rpartition("@")[2]))
            used, last_at = history.get(id, _NEW)
            person = Person(
                id, email, role, zone, country, basis, consent and time(consent), status, opted_out and time(opted_out),
                paused and time(paused),
                bool(conflict) or homes.get(email, id) != id, until, role_since and time(role_since), used, last_at,
                every_days and timedelta(every_days), topic, content if reason == _LATE else None,
            )  # fmt: skip
            people[account].append(person)
            decisions[account].append(row[16:] if answer is not None else None)
        self._turn_back(people)
        return people, decisions

    def mails(self) -> dict[int, list[Mail]]:
        """Touches and reps' own e-mails of the last weeks, newest first."""
        mails: dict[int, list[Mail]] = defaultdict(list)
        time = self.form.read
        for account, person, content, at in self.rows(_MAILS):
            mails[account].append(Mail(person, content, time(at)))
        for of_account in mails.values():
            of_account.sort(key=_BY_TIME, reverse=True)
        return mails

    def open(self) -> dict[int, dict[int, OpenTouch]]:
        """Touches that have not left yet, by person."""
        found: dict[int, dict[int, OpenTouch]] = defaultdict(dict)
        time = self.form.read
        for account, person, content, due, not_after, zone, source in self.rows(_OPEN):
            found[account][person] = OpenTouch(content, time(due), not_after and time(not_after), zone, source)
        return found

    def holds(self) -> dict[int, list[Hold]]:
        """Holds, and the pauses that follow from what sales wrote down: a reply, a meeting."""
        holds: dict[int, list[Hold]] = defaultdict(list)
        releases: dict[int, list[datetime]] = defaultdict(list)
        time, now = self.form.read, self._now
        usual = self._play.pauses.clock.value
        for account, person, cause, by, starts, ends, released, clock in self.rows(_HOLDS):
            ended, freed = ends and time(ends), released and time(released)
            if freed is not None and freed <= now:
                ended = freed if ended is None else min(ended, freed)
                releases[account].append(freed)
            holds[account].append(Hold(HoldCause(cause), time(starts), ended, person, by, clock or usual))
        for account, kind, at in self.rows(_PAUSES):
            holds[account].append(self._pause(kind, time(at), releases[account]))
        return holds

    def _pause(self, kind: str, at: datetime, releases: list[datetime]) -> Hold:
        """Quiet for the account after a reply or a meeting, unless somebody released the account since."""
        pauses = self._play.pauses
        met = kind == ActivityKind.MEETING
        ends = at + (pauses.after_meeting if met else pauses.after_reply)
        ends = min([ends, *(freed for freed in releases if freed >= at)])
        return Hold(HoldCause.MEETING if met else HoldCause.REPLY, at, ends, None, "sales", pauses.clock)

    def vetoes(self) -> dict[int, dict[int, dict[str | None, datetime]]]:
        """A rep's no by person and content."""
        found: dict[int, dict[int, dict[str | None, datetime]]] = defaultdict(lambda: defaultdict(dict))
        for account, person, content, at in self.rows(_VETOES):
            found[account][person][content] = self.form.read(at)
        return found

    def reprieves(self) -> dict[int, dict[tuple[int, str], datetime]]:
        """ "Better late than never", by person and content."""
        found: dict[int, dict[tuple[int, str], datetime]] = defaultdict(dict)
        for account, person, content, at in self.rows(_REPRIEVES):
            found[account][person, content] = self.form.read(at)
        return found

    def delays(self) -> dict[int, dict[tuple[int, str], datetime]]:
        """A rep's "not yet", by person and content; of several the latest day."""
        found: dict[int, dict[tuple[int, str], datetime]] = defaultdict(dict)
        for account, person, content, until in self.rows(_DELAYS):
            found[account][person, content] = self.form.read(until)
        return found

    def cancelled(self, standing: Standing) -> dict[int, dict[tuple[int, str], datetime]]:
        """What was in a plan that somebody cancelled, in this edition of the play, by person and content."""
        found: dict[int, dict[tuple[int, str], datetime]] = defaultdict(dict)
        if plans := list(standing.cancelled):
            for account, person, content, plan in self.rows(_CANCELLED, plans=plans, version=self._play.version):
                found[account][person, content] = standing.cancelled[plan]
        return found

    def limits(self) -> dict[int, Limits]:
        """What the rep who works on an account asked for, while their lease stands."""
        return {
            account: Limits(self.form.read(ends), _set_of(people), _set_of(topics), per_week)
            for account, ends, people, topics, per_week in self.rows(_LIMITS)
        }

    def heard(self) -> dict[int, list[Heard]]:
        """Objections and wishes that are open, with the topics they are about."""
        found: dict[int, list[Heard]] = defaultdict(list)
        time, known_by = self.form.read, self._play.known_by
        for account, id, words, at, person in self.rows(_HEARD):
            if topics := topics_in(words, known_by):
                found[account].append(Heard(id, words, time(at), topics, person))
        return found

    def _history(self) -> dict[int, tuple[Sequence[str], datetime | None]]:
        """Stakeholder id -> contents used up, and when the latest touch was."""
        time = self.form.read
        return {person: (used.split("\n"), time(last)) for person, used, last in self.rows(_HISTORY, line="\n")}

    def _turn_back(self, people: dict[int, list[Person]]) -> None:
        """Gives back their role at `now` to those who took another one since; nobody, unless `now` is in the past."""
        now = self._now
        since = [one.id for group in people.values() for one in group if one.role_since and one.role_since > now]
        if not since:
            return
        then = self._roles_then(since)
        for group in people.values():
            group[:] = [
                one._replace(role=then[one.id][0], role_since=then[one.id][1]) if one.id in then else one
                for one in group
            ]

    def _roles_then(self, people: list[int]) -> dict[int, tuple[str, datetime | None]]:
        then: dict[int, tuple[str, datetime | None]] = {}
        for person, before, after, at in self.rows(_ROLES, people=people):
            changed = self.form.read(at)
            if changed <= self._now:
                then[person] = (after, changed)
            else:
                then.setdefault(person, (before or Role.UNKNOWN, None))
        return then


def _since(begins: datetime | None, holds: Sequence[Hold]) -> Sequence[Hold]:
    """Without holds that were over before the stage began: they move no step of it."""
    if begins is None or not holds:
        return holds
    return [hold for hold in holds if hold.ends_at is None or hold.ends_at > begins]


def _set_of(listed: Any) -> frozenset[Any]:
    """A JSON list, as the driver gives it."""
    return frozenset((json.loads(listed) if isinstance(listed, str) else listed) or ())


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


_NONE: Mapping[Any, Any] = MappingProxyType({})
_NEW: tuple[Sequence[str], datetime | None] = ((), None)
_LATE = Reason.LATE_STEP.value
_BY_TIME = attrgetter("at")

# The queries. `:ids`: the accounts; `:now`: the moment; `:recent`: how far back mails count.

_ACCOUNTS = """
    SELECT a.id, a.key, a.play, a.tier, a.industry, a.territory, a.timezone, a.country, r.timezone,
           {time:a.synced_at}, {time:a.first_contacted_at}, {time:p.at}, a.replan_at,
           CASE WHEN a.stage_entered_at > :now THEN coalesce((
               SELECT c.to_stage FROM stage_change c
               WHERE c.account_id = a.id AND c.at <= :now AND c.refused_reason IS NULL
               ORDER BY c.at DESC, c.id DESC LIMIT 1
           ), 'target') ELSE a.stage END,
           CASE WHEN a.stage_entered_at > :now THEN (
               SELECT {time:max(c.at)} FROM stage_change c
               WHERE c.account_id = a.id AND c.at <= :now AND c.refused_reason IS NULL
           ) ELSE {time:a.stage_entered_at} END
    FROM account a LEFT JOIN rep r ON r.id = a.owner_id LEFT JOIN approval p ON p.account_id = a.id
    WHERE a.id {among:ids}
    ORDER BY a.id"""

_PEOPLE = """
    SELECT s.account_id, s.id, s.email, s.role, s.timezone, s.country, s.consent_basis, {time:s.consent_at},
           s.email_status, {time:s.opted_out_at}, {time:s.paused_until}, s.owner_conflict,
           (SELECT {time:max(coalesce(x.expires_at, :for_ever))} FROM suppression x
            WHERE x.email_hash = s.email_hash AND x.at <= :now),
           (SELECT {time:max(c.at)} FROM role_change c WHERE c.stakeholder_id = s.id),
           CASE WHEN s.preferred_at <= :now THEN s.mail_every_days END,
           CASE WHEN s.preferred_at <= :now THEN s.only_topic END,
           d.answer, d.reason, d.until, d.content, d.play, d.stage, d.not_after, d.timezone, d.timezone_source
    FROM stakeholder s LEFT JOIN decision d ON d.stakeholder_id = s.id
    WHERE s.account_id {among:ids}"""

_ROLES = """
    SELECT c.stakeholder_id, c.from_role, c.to_role, {time:c.at} FROM role_change c
    WHERE c.stakeholder_id {among:people} ORDER BY c.at, c.id"""

#: What each person had, or can no longer get.
_HISTORY = """
    SELECT t.stakeholder_id, {join}(t.content, :line), {time:max(coalesce(t.sent_at, t.due_at))} FROM touch t
    WHERE t.account_id {among:ids} AND t.state <> 'cancelled' AND t.due_at <= :now AND t.stakeholder_id IS NOT NULL
    GROUP BY t.account_id, t.stakeholder_id"""

#: What left lately, ours and the reps' own. A touch whose outcome is unknown may have arrived when it was claimed.
_MAILS = """
    SELECT t.account_id, t.stakeholder_id, t.content, {time:t.sent_at} FROM touch t
    WHERE t.account_id {among:ids} AND t.sent_at > :recent AND t.sent_at <= :now
    UNION ALL
    SELECT t.account_id, t.stakeholder_id, t.content, {time:coalesce(t.claimed_at, t.due_at)} FROM touch t
    WHERE t.account_id {among:ids} AND t.sent_at IS NULL AND t.state = 'unknown' AND t.due_at <= :now
    UNION ALL
    SELECT v.account_id, v.stakeholder_id, NULL, {time:v.occurred_at} FROM activity v
    WHERE v.account_id {among:ids} AND v.kind = 'email' AND v.direction = 'outbound'
      AND v.occurred_at > :recent AND v.occurred_at <= :now"""

_OPEN = """
    SELECT t.account_id, t.stakeholder_id, t.content, {time:t.due_at}, {time:t.not_after}, t.timezone,
           t.timezone_source FROM touch t
    WHERE t.account_id {among:ids} AND t.sent_at IS NULL AND t.state IN ('planned', 'certified', 'sending')
      AND t.due_at <= :now AND t.stakeholder_id IS NOT NULL"""

_HOLDS = """
    SELECT h.account_id, h.stakeholder_id, h.cause, h.by, {time:h.starts_at}, {time:h.ends_at}, {time:h.released_at},
           h.clock
    FROM hold h WHERE h.account_id {among:ids} AND h.starts_at <= :now"""

_PAUSES = """
    SELECT v.account_id, v.kind, {time:v.occurred_at} FROM activity v
    WHERE v.account_id {among:ids} AND v.occurred_at > :remembered AND v.occurred_at <= :now
      AND v.is_contact AND (v.kind = 'meeting' OR v.kind = 'email')"""

_VETOES = """
    SELECT s.account_id, v.stakeholder_id, v.content, {time:v.at}
    FROM veto v JOIN stakeholder s ON s.id = v.stakeholder_id WHERE s.account_id {among:ids} AND v.at <= :now"""

_REPRIEVES = """
    SELECT s.account_id, v.stakeholder_id, v.content, {time:v.at}
    FROM reprieve v JOIN stakeholder s ON s.id = v.stakeholder_id WHERE s.account_id {among:ids} AND v.at <= :now"""

_DELAYS = """
    SELECT s.account_id, d.stakeholder_id, d.content, {time:d.until}
    FROM delay d JOIN stakeholder s ON s.id = d.stakeholder_id WHERE s.account_id {among:ids} AND d.at <= :now
    ORDER BY d.until"""

_CANCELLED = """
    SELECT t.account_id, t.stakeholder_id, t.content, t.plan_id FROM touch t
    WHERE t.account_id {among:ids} AND t.plan_id {among:plans} AND t.state = 'cancelled' AND t.reason = 'plan_cancelled'
      AND t.play_version = :version AND t.stakeholder_id IS NOT NULL"""

_HEARD = """
    SELECT o.account_id, o.id, o.words, {time:o.at}, o.stakeholder_id
    FROM objection o
    WHERE o.account_id {among:ids} AND o.at <= :now AND (o.closed_at IS NULL OR o.closed_at > :now)"""

_LIMITS = """
    SELECT l.account_id, {time:l.ends_at}, l.people, l.topics, l.touches_per_week
    FROM lease l WHERE l.account_id {among:ids} AND l.taken_at <= :now AND l.ends_at > :now
      AND (l.ended_at IS NULL OR l.ended_at > :now)"""
