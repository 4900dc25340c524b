"""Who of a buying group gets what now, and who does not and why: pure, from facts, a play and a moment.

    plan(account, play, now)  ->  one Touch, Wait or Never for each person, in the order of `account.people`

First the guards speak (guards.py), then the person's next step, then the group as a whole: colleagues share the
account's weekly room, are not written to within the same hour, and do not get clones.

The clock of a step. `after` runs from the account's entry into the stage, or from the person's previous touch. Once it
is over the step is due as soon as it can go out: the window is open, the caps leave room, content, role and consent
are there, the rep has approved. From then on it may be `not_after` late; a later one is not sent but waits as
`late_step` for a person's decision. Time under a hold or pause counts for neither: a hold moves the plan, it does not
pile it up (unless the pause says otherwise: pauses.py).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, cast

from accounts.calendar import Calendar, calendar_at, place_of
from accounts.guards import (
    THE_ACCOUNT_IS_NOT_READY,
    THE_PERSON_IS_NOT_READY,
    THE_PERSON_SAID_NO,
    Refusal,
)
from accounts.heard import applies, asked_first
from accounts.pauses import Skip, Stops, elapse, ended, resume, stop_around
from accounts.playbook import Play
from accounts.snapshots import Account, Mail, Person
from accounts.vocabulary import Answer, PauseClock, Reason, Role

WEEK = timedelta(days=7)

#: Least time between two touches of one account: people who sit together compare what arrived in the same hour.
SPREAD = timedelta(hours=1)

#: What somebody cancelled as part of a send plan is not planned again for so long, unless the play is edited before.
CANCELLED_FOR = timedelta(days=7)

#: Reasons that end by somebody's word, at a time nobody knows. With a known time any reason is a wait.
WAITS_FOR_SOMEBODY = frozenset(
    {
        Reason.ACCOUNT_HELD,
        Reason.STAKEHOLDER_HELD,
        Reason.PAUSED_AFTER_REPLY,
        Reason.PAUSED_FOR_MEETING,
        Reason.AWAITING_APPROVAL,
        Reason.STALE_CRM,
    }
)


class Touch(NamedTuple):
    """Due now: this content. `due`: since when; `not_after`: until when it may still leave."""

    content: str
    due: datetime
    not_after: datetime | None
    timezone: str | None
    timezone_source: str | None

    @property
    def answer(self) -> Answer:
        return Answer.TOUCH

    @property
    def reason(self) -> None:
        """A touch needs none."""
        return None


class Wait(NamedTuple):
    """Not yet. `until`: when the answer may change; None: when somebody acts."""

    reason: Reason
    until: datetime | None
    content: str | None = None
    #: A late step: since when it is too late to be sent unasked.
    late_since: datetime | None = None

    @property
    def answer(self) -> Answer:
        return Answer.WAIT


class Never(NamedTuple):
    """Not, as long as the facts are what they are."""

    reason: Reason
    content: str | None = None

    @property
    def answer(self) -> Answer:
        return Answer.NEVER


Said = Touch | Wait | Never


def plan(account: Account, play: Play, now: datetime) -> list[Said]:
    """The answer for each person of `account.people`, in their order. See `Planner` for many accounts."""
    return Planner(play, now).plan(account)


class Planner:
    """A play made ready for one moment, to plan any number of accounts with.

    seen: content key -> when planning first knew it, so that a step added to a running stage is not born late.
    """

    def __init__(self, play: Play, now: datetime, seen: Mapping[str, datetime] | None = None) -> None:
        self.play, self.now = play, now
        self._today = now.date()
        self._sequences = _sequences(play, seen or {})
        self._topics = {step.key: step.topics for step in play.steps}
        self._every = {stage.key: stage.cadence.every for stage in play.stages if stage.cadence}
        self._priority = _priorities(play)
        self._calendars: dict[tuple[str | None, ...], Calendar] = {}
        self._closed: dict[Calendar, tuple[Reason, datetime | None] | None] = {}

    def turn_to(self, moment: datetime) -> None:
        """The same play, made ready for another moment."""
        if moment != self.now:
            self.now, self._today, self._closed = moment, moment.date(), {}

    def plan(self, account: Account, among: Sequence[Person] | None = None) -> list[Said]:
        """One answer per person, in the order of `account.people`; or of those `among` them.

        Whoever is left out takes no turn: leave out only people of whom it is known that nothing of theirs is due.
        """
        people = account.people if among is None else among
        group = self._look_at(account)
        answers = [self._answer(person, group) for person in people]
        if not group.ready:
            return cast(list[Said], answers)
        turns = self._share_room(group)
        return [turns[person.id] if said is None else said for person, said in zip(people, answers, strict=True)]

    def skips(self, account: Account, among: Sequence[Person] | None = None) -> list[Skip]:
        """Steps that a pause leaves out for good; `plan` passes them over, and the tick writes them down."""
        if not any(hold.clock == _SKIP for hold in account.holds):
            return []
        group = self._look_at(account)
        for person in account.people if among is None else among:
            self._answer(person, group)
        return group.skips

    def calendar_of(self, person: Person, account: Account) -> Calendar:
        """The recipient's clock and holidays; one calendar per place, since most people share one."""
        where = (person.timezone, person.country, account.timezone, account.country, account.owner_timezone)
        calendar = self._calendars.get(where)
        if calendar is None:
            calendar = self._calendars[where] = calendar_at(self.play.window, place_of(self.play.window, *where))
        return calendar

    # Chapter one: the account.

    def _look_at(self, account: Account) -> "_Group":
        refusal = _first_account_refusal(account, self.play, self.now)
        if refusal is not None:
            return _Group(account, _refused(refusal), self.now, (), None, [], [])
        begins = max(account.stage_entered_at or _LONG_AGO, account.first_contacted_at or _LONG_AGO)
        mails = self._counted(account)
        free = free_at(mails, self.play.caps.account_per_week)
        if account.limits is not None and account.limits.per_week is not None:
            asked = free_at(_ours(mails), account.limits.per_week)
            free = max(free or asked, asked) if asked else free
        return _Group(account, None, begins, mails, free, [], [])

    def _counted(self, account: Account) -> Sequence[Mail]:
        """The mails that count for caps, newest first. One that waits in a send plan may leave any moment: now."""
        mails = account.mails
        if mails and not self.play.caps.count_rep_emails:
            mails = [mail for mail in mails if mail.content is not None]
        if account.open:
            leaving = [Mail(person, touch.content, self.now) for person, touch in account.open.items()]
            mails = [*leaving, *mails]
        return mails

    # Chapter two: the person.

    def _answer(self, person: Person, group: "_Group") -> "Said | None":
        account, now = group.account, self.now
        for guard in THE_PERSON_SAID_NO:
            refusal = guard(person, account, now)
            if refusal is not None:
                return _refused(refusal)
        if group.refused is not None:
            return group.refused
        for guard in THE_PERSON_IS_NOT_READY:
            refusal = guard(person, account, now)
            if refusal is not None:
                return _refused(refusal)
        if person.id in account.open:
            return self._on_its_way(person, account)
        return self._next_step(person, group)

    def _on_its_way(self, person: Person, account: Account) -> Said:
        """A touch in a send plan leaves, unless the rep has asked for something else since."""
        touch, limits = account.open[person.id], account.limits
        next_allowed = self.calendar_of(person, account).next_allowed
        delayed = account.delays.get((person.id, touch.content)) if account.delays else None
        if delayed is not None and delayed > self.now:
            return Wait(Reason.DELAYED_BY_REP, next_allowed(delayed), touch.content)
        if limits is not None and not limits.topics.isdisjoint(self._topics.get(touch.content, ())):
            return Wait(Reason.TOPIC_OFF_LIMITS, limits.until, touch.content)
        if limits is not None and limits.per_week is not None:
            free = self._turn_of(person.id, account, limits.per_week)
            if free is not None and free > self.now:
                return Wait(Reason.LEASE_CAP, next_allowed(min(free, limits.until)), touch.content)
        return Touch(*touch)

    def _turn_of(self, person_id: int, account: Account, most: int) -> datetime | None:
        """When a planned touch may leave that others, due before it, leave too little room for."""
        due = account.open[person_id].due, person_id
        before = [Mail(one, touch.content, self.now) for one, touch in account.open.items() if (touch.due, one) < due]
        return free_at([*before, *_ours(account.mails)], most)

    def _next_step(self, person: Person, group: "_Group") -> "Said | None":
        steps: Sequence[_Step] | None = self._sequences.get((group.account.stage, person.role))
        if steps is None:
            return _UNKNOWN_ROLE if person.role == Role.UNKNOWN else _NO_CONTENT
        if person.only_topic is not None:
            steps, missed = _about(person.only_topic, steps, person)
            if missed is not None:
                return Never(Reason.OTHER_TOPIC, missed)
        if group.account.heard:
            steps = asked_first(steps, applies(group.account.heard, person.id))
        vetoes = group.account.vetoes.get(person.id, _NOTHING)
        if group.account.holds:
            vetoes = self._without_skipped(steps, person, group, vetoes)
        limits, kept = group.account.limits, None
        for step in steps:
            if step.key in person.used or step.key in vetoes:
                continue
            if limits is None or limits.topics.isdisjoint(step.topics):
                return self._when(step, person, group, vetoes)
            kept = kept or step.key
        if limits is not None and kept is not None:
            return Wait(Reason.TOPIC_OFF_LIMITS, limits.until, kept)
        skipped = next((step.key for step in steps if step.key not in person.used), None)
        return _FINISHED if skipped is None else Never(Reason.VETOED, skipped)

    def _when(
        self, step: "_Step", person: Person, group: "_Group", vetoes: Mapping[str | None, datetime]
    ) -> "Said | None":
        """Is this step's time now? Too early, no longer, no room, too late, closed; or ready, and the group decides."""
        now, account = self.now, group.account
        stops = ended(account.holds, person.id, now, _HOLD) if account.holds else ()
        calendar = self.calendar_of(person, account)
        due, reason = self._due(step, person, group, vetoes, stops, calendar), _WAITING_STEP
        if account.delays or account.cancelled:
            due, reason = _put_off(account, (person.id, step.key), due, reason)
        if step.expires < (self._today if due <= now else due.date()):
            return Never(Reason.CONTENT_EXPIRED, step.key)
        if due > now:
            return Wait(reason, calendar.next_allowed(due), step.key)
        free = self._free_for(person, group)
        if free is not None and free > now:
            return Wait(Reason.PERSON_CAP, calendar.next_allowed(free), step.key)
        due = self._could_go_out(step, person, group, due, free)
        due = calendar.next_allowed(due) or due
        not_after = elapse(due, step.not_after, stops)
        if now > not_after:
            return Wait(_LATE_STEP, None, step.key, not_after)
        closed = self._closed_at(calendar)
        if closed is not None:
            return Wait(*closed, step.key)
        silent_since = person.last_at or _LONG_AGO
        turn = (self._priority.get(person.role, len(self._priority)), silent_since, person.id)
        group.ready.append(_Ready(turn, person.id, step.key, due, not_after, calendar))
        return None

    def _closed_at(self, calendar: Calendar) -> tuple[Reason, datetime | None] | None:
        """Why no mail may leave there now, and until when; None where it may."""
        if calendar not in self._closed:
            opens = calendar.next_allowed(self.now)
            self._closed[calendar] = None if opens == self.now else (calendar.why_closed(self.now), opens)
        return self._closed[calendar]

    def _due(
        self,
        step: "_Step",
        person: Person,
        group: "_Group",
        vetoes: Mapping[str | None, datetime],
        stops: Stops,
        calendar: Calendar,
    ) -> datetime:
        """When `after` is over, and the cadence with it; a refused content counts as the person's previous one."""
        previous = person.last_at
        begins = group.begins if previous is None or previous < group.begins else previous
        if vetoes:
            begins = max(begins, *vetoes.values())
        due = calendar.later(begins, step.after)
        if stops:
            due = resume(begins, due, stops, calendar)
        every = self._every.get(group.account.stage)
        if every is not None and previous is not None:
            return max(due, calendar.later(previous, every))
        return due

    def _without_skipped(
        self, steps: Sequence["_Step"], person: Person, group: "_Group", vetoes: Mapping[str | None, datetime]
    ) -> Mapping[str | None, datetime]:
        """The vetoes, and the steps whose time fell into a pause that skips: each counts as had at its own time."""
        account = group.account
        pauses = ended(account.holds, person.id, self.now, _SKIP)
        if not pauses:
            return vetoes
        stops, calendar = ended(account.holds, person.id, self.now, _HOLD), self.calendar_of(person, account)
        for step in steps:
            if step.key in person.used or step.key in vetoes:
                continue
            due = self._possible(step, person, account, self._due(step, person, group, vetoes, stops, calendar))
            at = calendar.next_allowed(due) or due
            pause = stop_around(at, pauses)
            if pause is None:
                break
            group.skips.append(Skip(person.id, step.key, at, *pause))
            vetoes = {**vetoes, step.key: at}
        return vetoes

    def _free_for(self, person: Person, group: "_Group") -> datetime | None:
        cap, free = self.play.caps.person_per_week, None
        if len(group.mails) >= cap:
            free = free_at([mail for mail in group.mails if mail.person_id == person.id], cap)
        if person.mail_every is None or person.last_at is None:
            return free
        apart = person.last_at + person.mail_every
        return apart if free is None else max(free, apart)

    def _could_go_out(
        self, step: "_Step", person: Person, group: "_Group", due: datetime, free: datetime | None
    ) -> datetime:
        """The moment from which lateness counts: everything that was needed was there (the window apart)."""
        due = self._possible(step, person, group.account, due)
        if person.late == step.key:
            return due  # there was room: that colleagues have taken it since makes it no younger
        for room in (free, group.free):
            if room is not None and room > due:
                due = room
        return due

    def _possible(self, step: "_Step", person: Person, account: Account, due: datetime) -> datetime:
        """When it was due and could be: the content, the role, the consent, the rep's yes were there."""
        now = self.now
        for moment in (step.since, person.role_since, person.consent_at, account.approved_at):
            if moment is not None and due < moment <= now:
                due = moment
        if account.reprieves:
            due = max(due, account.reprieves.get((person.id, step.key), due))
        return due

    # Chapter three: the group.

    def _share_room(self, group: "_Group") -> dict[int, Said]:
        """Deals the account's room to those who are ready: wanted roles first, then whoever waited longest."""
        room = _Room(group.mails, self.play, group.account, self.now)
        return {one.person_id: room.take(one) for one in sorted(group.ready, key=lambda one: one.turn)}


def free_at(mails: Sequence[Mail], cap: int) -> datetime | None:
    """Since when, or from when on, fewer than `cap` of these mails (newest first) lie within seven days."""
    return mails[cap - 1].at + WEEK if len(mails) >= cap else None


class _Step(NamedTuple):
    """What planning needs of a content."""

    key: str
    after: timedelta
    not_after: timedelta
    expires: date
    #: When planning first knew it.
    since: datetime | None
    topics: tuple[str, ...]


class _Group(NamedTuple):
    """The account while its people are looked at. `begins`: from when `after` of a first step counts."""

    account: Account
    refused: Said | None
    begins: datetime
    mails: Sequence[Mail]
    #: Since when, or from when on, the account's week has room; None: always had.
    free: datetime | None
    #: Whose step could leave now; answered last, since they share the room.
    ready: "list[_Ready]"
    #: Found on the way: steps that a pause leaves out.
    skips: list[Skip]


class _Ready(NamedTuple):
    """Somebody whose step could leave now, if the group has room. `turn`: who goes first, smallest first."""

    turn: tuple[int, datetime, int]
    person_id: int
    content: str
    due: datetime
    not_after: datetime
    calendar: Calendar


class _Room:
    """What is left of the account's week, of this hour, and of each content."""

    def __init__(self, mails: Sequence[Mail], play: Play, account: Account, now: datetime) -> None:
        self._caps, self._now = play.caps, now
        self._limits = account.limits
        self._mails = list(mails)
        self._latest = {mail.content: mail.at for mail in reversed(mails) if mail.content is not None}

    def take(self, ready: _Ready) -> Said:
        """A touch, or the reason why not yet; a touch leaves less room for the next in line."""
        now, next_allowed = self._now, ready.calendar.next_allowed
        free = free_at(self._mails, self._caps.account_per_week)
        if free is not None and free > now:
            return Wait(Reason.ACCOUNT_CAP, next_allowed(free), ready.content)
        limits = self._limits
        asked = free_at(_ours(self._mails), limits.per_week) if limits and limits.per_week is not None else None
        if limits and asked is not None and asked > now:
            return Wait(Reason.LEASE_CAP, next_allowed(min(asked, limits.until)), ready.content)
        apart = self._apart(ready.content)
        if apart > now:
            return Wait(Reason.STAGGERED, next_allowed(apart), ready.content)
        self._mails.insert(0, Mail(ready.person_id, ready.content, now))
        self._latest[ready.content] = now
        place = ready.calendar.place
        return Touch(ready.content, ready.due, ready.not_after, place.timezone, place.source)

    def _apart(self, content: str) -> datetime:
        """The first moment that is far enough from the account's latest touch, and from this content's latest."""
        latest = max(self._latest.values(), default=_LONG_AGO) + SPREAD
        return max(latest, self._latest.get(content, _LONG_AGO) + self._caps.stagger)


def _ours(mails: Sequence[Mail]) -> list[Mail]:
    """Without what the rep wrote: a rep's limit is on what we write."""
    return [mail for mail in mails if mail.content is not None]


def _first_account_refusal(account: Account, play: Play, now: datetime) -> Refusal | None:
    for guard in THE_ACCOUNT_IS_NOT_READY:
        refusal = guard(account, play, now)
        if refusal is not None:
            return refusal
    return None


def _refused(refusal: Refusal) -> Said:
    """A refusal that ends, by itself or by somebody's word, is a wait."""
    if refusal.until is not None or refusal.reason in WAITS_FOR_SOMEBODY:
        return Wait(refusal.reason, refusal.until)
    return Never(refusal.reason)


def _about(topic: str, steps: Sequence[_Step], person: Person) -> tuple[Sequence[_Step], str | None]:
    """The steps about a topic; and, when the person has had all of those, the first one about something else."""
    wanted = [step for step in steps if topic in step.topics]
    if any(step.key not in person.used for step in wanted):
        return wanted, None
    return wanted, next((step.key for step in steps if step.key not in person.used), None)


def _put_off(account: Account, mail: tuple[int, str], due: datetime, reason: Reason) -> tuple[datetime, Reason]:
    """When a mail is due that somebody wants to wait: the latest word counts."""
    for waits, why in ((account.delays, Reason.DELAYED_BY_REP), (account.cancelled, Reason.PLAN_CANCELLED)):
        until = waits.get(mail)
        if until is not None and until > due:
            due, reason = until, why
    return due, reason


def _sequences(play: Play, seen: Mapping[str, datetime]) -> Mapping[tuple[str, str], Sequence[_Step]]:
    """(stage, role) -> its steps in order of step number; two with one number in the order of their names."""
    ordered = sorted(play.steps, key=lambda step: (step.step, step.key))
    sequences: dict[tuple[str, str], list[_Step]] = defaultdict(list)
    for step in ordered:
        plain = _Step(step.key, step.after, step.not_after, step.expires, seen.get(step.key), step.topics)
        for role in step.roles:
            sequences[(step.stage, role)].append(plain)
    return sequences


def _priorities(play: Play) -> dict[str, int]:
    """Role -> turn: the roles the play wants in its order, then the rest in the order of the vocabulary."""
    wanted = [seat.role for seat in play.group.wanted]
    return {role: turn for turn, role in enumerate(dict.fromkeys([*wanted, *Role]))}


_LONG_AGO = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
_NOTHING: Mapping[str | None, datetime] = MappingProxyType({})
#: Looked up once, see guards.py.
_WAITING_STEP, _LATE_STEP = Reason.WAITING_STEP, Reason.LATE_STEP
_HOLD, _SKIP = PauseClock.HOLD, PauseClock.SKIP
_UNKNOWN_ROLE = Never(Reason.UNKNOWN_ROLE)
_NO_CONTENT = Never(Reason.NO_CONTENT)
_FINISHED = Never(Reason.SEQUENCE_FINISHED)
