"""An account's life in memory: plan, send, let time pass. A quarter takes milliseconds.

life = Life(acme(person(1), …), small_play())
life.on(NOW, reply())            # things that happen, at a time
life.run(until=NOW + 90 * DAY)   # plan every few hours, send what is due
life.sent                        # who got what, when
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from accounts.planning import Never, Planner, Said, Touch, Wait
from accounts.playbook import Play
from accounts.snapshots import Account, Hold, Mail, Person
from accounts.vocabulary import HoldCause, Reason
from tests.cast import NOW

Event = Callable[["Life", datetime], None]


@dataclass(frozen=True)
class Sent:
    person: int
    content: str
    at: datetime
    #: What planning had said of it: due since, and not after.
    due: datetime
    not_after: datetime | None


@dataclass
class Life:
    account: Account
    play: Play
    start: datetime = NOW
    every: timedelta = timedelta(hours=2)
    #: From the decision to the bytes.
    delay: timedelta = timedelta(minutes=3)
    sent: list[Sent] = field(default_factory=list)
    answers: list[Said] = field(default_factory=list)
    reasons: set[Reason] = field(default_factory=set)
    mails: list[Mail] = field(default_factory=list)
    happenings: list[tuple[datetime, Event]] = field(default_factory=list)

    def on(self, at: datetime, *events: Event) -> None:
        self.happenings += [(at, event) for event in events]
        self.happenings.sort(key=lambda happening: happening[0])

    def run(self, until: datetime) -> "Life":
        now = self.start
        while now <= until:
            while self.happenings and self.happenings[0][0] <= now:
                at, event = self.happenings.pop(0)
                event(self, at)
            self.tick(now)
            now += self.every
        self.start = now
        return self

    def tick(self, now: datetime) -> None:
        self.mails.sort(key=lambda mail: mail.at, reverse=True)
        self.account = self.account._replace(synced_at=now, mails=tuple(self.mails))
        planner = Planner(self.play, now)
        self.answers = planner.plan(self.account)
        for skip in planner.skips(self.account):  # the tick keeps them as it keeps a rep's no
            vetoes(skip.person_id, skip.content)(self, skip.at)
        self.reasons |= {said.reason for said in self.answers if isinstance(said, Wait | Never)}
        for person, said in zip(self.account.people, self.answers, strict=True):  # the ledger keeps what was said last
            self.change(person.id, late=said.content if said.reason is Reason.LATE_STEP else None)
        for person, said in zip(self.account.people, self.answers, strict=True):
            if isinstance(said, Touch):
                self._send(person, said, now + self.delay)

    def _send(self, person: Person, touch: Touch, at: datetime) -> None:
        self.sent.append(Sent(person.id, touch.content, at, touch.due, touch.not_after))
        self.mails.append(Mail(person.id, touch.content, at))
        self.change(person.id, used=(*person.used, touch.content), last_at=at)

    def change(self, person_id: int, **facts: object) -> None:
        people = tuple(one._replace(**facts) if one.id == person_id else one for one in self.account.people)
        self.account = self.account._replace(people=people)

    def to(self, person_id: int) -> list[str]:
        """The contents a person got, in order, without play and stage."""
        return [sent.content.rpartition("/")[2] for sent in self.sent if sent.person == person_id]


# What can happen.


def opts_out(person: int) -> Event:
    return lambda life, at: life.change(person, opted_out_at=at)


def bounces(person: int) -> Event:
    return lambda life, at: life.change(person, email_status="bounced")


def held(cause: str = "rep", *, ends: timedelta | None = None, of: int | None = None, clock: str = "hold") -> Event:
    def happen(life: Life, at: datetime) -> None:
        hold = Hold(HoldCause(cause), at, None if ends is None else at + ends, of, "Ravi Menon", clock)
        life.account = life.account._replace(holds=(*life.account.holds, hold))

    return happen


def released() -> Event:
    """Every open hold of the account ends now."""

    def happen(life: Life, at: datetime) -> None:
        holds = [hold._replace(ends_at=min(hold.ends_at or at, at)) for hold in life.account.holds]
        life.account = life.account._replace(holds=tuple(holds))

    return happen


def moves_to(stage: str) -> Event:
    return lambda life, at: setattr(life, "account", life.account._replace(stage=stage, stage_entered_at=at))


def rep_writes(person: int | None) -> Event:
    return lambda life, at: life.mails.append(Mail(person, None, at))


def vetoes(person: int, content: str | None) -> Event:
    def happen(life: Life, at: datetime) -> None:
        said = {**life.account.vetoes, person: {**life.account.vetoes.get(person, {}), content: at}}
        life.account = life.account._replace(vetoes=said)

    return happen
