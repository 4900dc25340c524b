"""Audience sync: who should see the ads of each stage, and what each platform has to be told.

The ledger stands in between. What is wanted is marked as owed first, in short transactions; then the platform is told,
removals of all audiences before the first addition; what it took is confirmed batch by batch. A platform that fails, or
a run that is killed, leaves the rest owed and the next run pays it. Nothing owed: nothing is sent.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from accounts.audiences import (
    ADDRESS_FORMS,
    AudienceKey,
    Wanted,
    find_changes,
    servability,
    want_companies,
    want_people,
)
from accounts.errors import ChannelError, ContentRefused
from accounts.ledger.engine import reading, writing
from accounts.ledger.sending import audiences as ledger
from accounts.playbook import Play
from accounts.vocabulary import MemberState, Reason
from flows.channels.ads import AudienceChannel, Member, open_ads
from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class AudienceReport:
    """One audience: who should be in it, whom the platform has, what is owed, and whether it can serve."""

    platform: str
    kind: str
    stage: str
    wanted: int
    confirmed: int
    pending_add: int
    pending_remove: int
    minimum: int
    #: ``212 of 300, not servable yet``
    servable: str


@dataclass(frozen=True, slots=True)
class AudiencesSynced:
    """What one sync did. Counts only, no addresses and no hashes."""

    added: int = 0
    removed: int = 0
    audiences: tuple[AudienceReport, ...] = ()
    #: People and companies of stages with ads that are in no audience, by reason, most frequent first.
    excluded: tuple[tuple[Reason, int], ...] = ()
    #: Addresses and domains a platform cannot use: platform -> how many.
    unusable: tuple[tuple[str, int], ...] = ()
    #: What a platform said no to, one line each; the members concerned are still owed.
    failures: tuple[str, ...] = ()
    #: Who pulled the kill switch that keeps anybody from being added; None: nobody.
    stopped_by: str | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What should be: every audience of the play, also those nobody belongs in any more."""

    play: str
    wanted: Mapping[AudienceKey, frozenset[str]]
    #: domain -> company name
    names: Mapping[str, str]
    excluded: tuple[tuple[Reason, int], ...]
    unusable: tuple[tuple[str, int], ...]
    stopped_by: str | None


class _Counts(NamedTuple):
    confirmed: int
    pending_add: int
    pending_remove: int


@dataclass(frozen=True, slots=True)
class _Told:
    """What the platforms took, and what they said no to."""

    taken: int
    failures: Mapping[AudienceKey, str]


def sync_audiences(
    engine: Engine, settings: Settings, play: Play, now: datetime, *, channel: AudienceChannel | None = None
) -> AudiencesSynced:
    """Bring the audiences of every platform in the play up to date as of `now` (aware UTC).

    `channel`: the way to the platforms; None opens the one in the settings. Raises ContentRefused for a platform in
    the play that nobody can write audiences for.
    """
    channel = channel or open_ads(settings)
    with reading(engine) as connection:
        plan = _plan(connection, play, now)
    with writing(engine) as connection:
        marked = ledger.open_audiences(connection, plan.play, plan.wanted)
    for key, members in plan.wanted.items():
        _mark(engine, marked[key], members)
    out = _tell(engine, channel, marked, plan, MemberState.PENDING_REMOVE, now)
    clean = {} if plan.stopped_by else {key: id for key, id in marked.items() if key not in out.failures}
    into = _tell(engine, channel, clean, plan, MemberState.PENDING_ADD, now)
    with reading(engine) as connection:
        reports = _reports(play, plan, _count(connection, play))
    failures = tuple(f"{key}: {said}" for key, said in (*out.failures.items(), *into.failures.items()))
    return AudiencesSynced(into.taken, out.taken, reports, plan.excluded, plan.unusable, failures, plan.stopped_by)


def look_at_audiences(engine: Engine, play: Play, now: datetime) -> AudiencesSynced:
    """What `sync_audiences` would find and owe now, without marking, telling or writing anything."""
    with reading(engine) as connection:
        plan = _plan(connection, play, now)
        known = {state.key: _foresee(connection, state, plan) for state in ledger.read_audiences(connection, play.key)}
    fresh = {key: _Counts(0, len(members), 0) for key, members in plan.wanted.items()}
    reports = _reports(play, plan, fresh | known)
    return AudiencesSynced(0, 0, reports, plan.excluded, plan.unusable, stopped_by=plan.stopped_by)


def _plan(connection: Connection, play: Play, now: datetime) -> _Plan:
    stages = [stage.key for stage in play.stages if stage.nurtured]
    people = _want_people(connection, play, stages, now)
    firms = _want_companies(connection, play, stages, now)
    wanted: dict[AudienceKey, frozenset[str]] = {}
    for asked in play.ads.platforms:
        for kind in asked.kinds:
            members = (people[asked.platform] if kind == "people" else firms).members
            keys = (AudienceKey(asked.platform, play.key, stage, kind) for stage in stages)
            wanted.update((key, members.get(key.stage, frozenset())) for key in keys)
    for state in ledger.read_audiences(connection, play.key):
        wanted.setdefault(state.key, frozenset())
    excluded = Counter(firms.excluded)
    excluded.update(next((found.excluded for found in people.values()), {}))
    unusable = Counter({platform: found.unusable for platform, found in people.items()})
    unusable["companies"] = firms.unusable
    stopped_by = ledger.adds_are_stopped(connection, play.key)
    return _Plan(
        play.key, wanted, firms.names, tuple(excluded.most_common()), tuple((+unusable).most_common()), stopped_by
    )


def _want_people(connection: Connection, play: Play, stages: Sequence[str], now: datetime) -> dict[str, Wanted]:
    platforms = [asked.platform for asked in play.ads.platforms if "people" in asked.kinds]
    for platform in platforms:
        if platform not in ADDRESS_FORMS:
            cure = f"use one of: {', '.join(ADDRESS_FORMS)}"
            raise ContentRefused(
                f"no way to name people to the platform {platform!r}", where="play.yaml: ads", cure=cure
            )
    prospects = ledger.read_prospects(connection, play.key, stages, now) if platforms else ()
    return want_people(prospects, platforms, now)


def _want_companies(connection: Connection, play: Play, stages: Sequence[str], now: datetime) -> Wanted:
    asked = any("companies" in platform.kinds for platform in play.ads.platforms)
    return want_companies(ledger.read_firms(connection, play.key, stages, now) if asked else (), stages, now)


def _mark(engine: Engine, audience: int, members: frozenset[str]) -> None:
    """Write down what is owed to the platform."""
    with writing(engine) as connection:
        changes = find_changes(members, ledger.read_states(connection, audience))
        ledger.owe(connection, audience, changes.remove, MemberState.PENDING_REMOVE)
        ledger.owe(connection, audience, changes.add, MemberState.PENDING_ADD)


def _tell(
    engine: Engine, channel: AudienceChannel, audiences: Mapping[AudienceKey, int], plan: _Plan, owed: MemberState,
    now: datetime,
) -> _Told:  # fmt: skip
    """Tell the platforms what we owe them, batch by batch. A failure ends its audience, not the others."""
    call = channel.add if owed is MemberState.PENDING_ADD else channel.remove
    taken, failures = 0, dict[AudienceKey, str]()
    with reading(engine) as connection:
        owing = ledger.owing(connection, plan.play, owed)
    for key, audience in audiences.items():
        if audience not in owing:
            continue
        try:
            for members in _batches(engine, audience, owed, channel.batch, plan.names):
                done = [member.key for member in call(key, members, now)]
                with writing(engine) as connection:
                    ledger.confirm(connection, audience, done, owed, now)
                taken += len(done)
        except ChannelError as error:
            failures[key] = str(error)
    return _Told(taken, failures)


def _batches(
    engine: Engine, audience: int, owed: MemberState, size: int, names: Mapping[str, str]
) -> Iterator[list[Member]]:
    with reading(engine) as connection:
        members = [Member(key, names.get(key, "")) for key in ledger.read_owed(connection, audience, owed)]
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _count(connection: Connection, play: Play) -> dict[AudienceKey, _Counts]:
    """What the ledger says of each audience after marking."""
    states = ledger.read_audiences(connection, play.key)
    return {state.key: _Counts(state.added, state.pending_add, state.pending_remove) for state in states}


def _foresee(connection: Connection, state: ledger.AudienceState, plan: _Plan) -> _Counts:
    """What the ledger would say of an audience if what is owed were marked now."""
    wanted, states = plan.wanted[state.key], ledger.read_states(connection, state.id)
    added = {member for member, known in states.items() if known is MemberState.ADDED}
    return _Counts(len(added), len(wanted - added), len(states.keys() - wanted))


def _reports(play: Play, plan: _Plan, counts: Mapping[AudienceKey, _Counts]) -> tuple[AudienceReport, ...]:
    minimum = {asked.platform: asked.minimum_size for asked in play.ads.platforms}
    reports = [
        _report(key, len(members), counts[key], minimum.get(key.platform)) for key, members in plan.wanted.items()
    ]
    return tuple(report for report in reports if report.minimum or report.confirmed or report.pending_remove)


def _report(key: AudienceKey, wanted: int, counts: _Counts, minimum: int | None) -> AudienceReport:
    text = servability(counts.confirmed, minimum, key.kind) if minimum else "no longer in the play: to be emptied"
    return AudienceReport(key.platform, key.kind, key.stage, wanted, *counts, minimum or 0, text)
