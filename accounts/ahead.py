"""What leaves in the days to come, if nobody reacts and nothing changes: planning, stepped from opening to opening.

    Ahead(play, now, until).look(account)  ->  the mails that leave before `until`, in their order

Nothing is decided here. The planner answers for a moment; whoever it lets go is counted as written to, as the ledger
counts it, and people are asked about again when their answer may change. So colleagues take their turns, and nobody
stands at an hour that would be theirs alone.

What waits in a send plan leaves as soon as its reader's window is open, as if a plan that is held had its yes. The CRM
goes on confirming what it says. What a brake holds stays where it is, and keeps its place in the account's room.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from accounts.planning import Planner, Said, Touch, Wait
from accounts.playbook import Play
from accounts.snapshots import Account, Mail, OpenTouch, Person


class Leaving(NamedTuple):
    """A mail that leaves, if nothing comes between."""

    at: datetime
    person_id: int
    content: str


class Ahead:
    """A play made ready to look ahead from `now` until `until`, at any number of accounts.

    seen: as `Planner` takes it.
    """

    def __init__(self, play: Play, now: datetime, until: datetime, seen: Mapping[str, datetime] | None = None) -> None:
        self._planner, self._now, self._until = Planner(play, now, seen), now, until

    def look(self, account: Account, stopped: Collection[int] = ()) -> list[Leaving]:
        """What leaves in time, in the order of leaving. stopped: people (ids) whose mails a brake holds."""
        self._planner.turn_to(self._now)
        days = _Days(self._planner, account, stopped)
        now, asked = self._now, [person.id for person in account.people]
        while asked:
            days.go_on(now)
            days.ask(asked)
            now = min(days.again.values(), default=self._until)
            asked = [id for id, at in days.again.items() if at <= now] if now < self._until else []
        return days.left


class _Days:
    """An account in the days to come."""

    def __init__(self, planner: Planner, account: Account, stopped: Collection[int]) -> None:
        #: What has left.
        self.left: list[Leaving] = []
        #: When to ask again about whom. No answer comes earlier: what others get only takes room.
        self.again: dict[int, datetime] = {}
        self._planner, self._stopped = planner, stopped
        self._people = {person.id: person for person in account.people}
        self._mails, self._open = [*account.mails], {**account.open}
        self._account = account._replace(mails=self._mails, open=self._open)

    def go_on(self, now: datetime) -> None:
        """What ends by itself has ended, and what came too late is on its way no longer."""
        account, passed = self._account, now - self._planner.now
        self._planner.turn_to(now)
        late = [id for id, touch in self._open.items() if touch.not_after and touch.not_after < now]
        for id in late:
            self._had(id, self._open[id].content, self._open[id].due)
        self._account = account._replace(
            synced_at=account.synced_at and account.synced_at + passed,
            limits=account.limits if account.limits and account.limits.until > now else None,
            cancelled={mail: ends for mail, ends in account.cancelled.items() if ends > now},
        )

    def ask(self, ids: Iterable[int]) -> None:
        """What planning says of these people; and once more of whoever gets a mail."""
        people = [self._people[id] for id in ids]
        while people:
            answers = self._planner.plan(self._account, people)
            self._leave_out(people)
            gone = [one.id for one, said in zip(people, answers, strict=True) if self._goes(one, said)]
            people = [self._people[id] for id in gone]

    def _goes(self, person: Person, said: Said) -> bool:
        """Whether a mail leaves now; if not, it is noted when to ask again."""
        again = said.until if isinstance(said, Wait) else None
        if isinstance(said, Touch):
            if person.id in self._stopped:
                self._open[person.id] = OpenTouch(*said)
            else:
                again = self._planner.calendar_of(person, self._account).next_allowed(self._planner.now)
                if again == self._planner.now:
                    self._send(person, said.content)
                    return True
        self.again.pop(person.id, None)
        if again is not None and again > self._planner.now:
            self.again[person.id] = again
        return False

    def _send(self, person: Person, content: str) -> None:
        now = self._planner.now
        self.left.append(Leaving(now, person.id, content))
        self._mails.insert(0, Mail(person.id, content, now))
        self._had(person.id, content, now)

    def _had(self, id: int, content: str, at: datetime) -> None:
        """The content is used up, and the person's next step counts from here."""
        person = self._people[id]
        self._open.pop(id, None)
        self._people[id] = person._replace(used=[*person.used, content], last_at=max(person.last_at or at, at))

    def _leave_out(self, people: list[Person]) -> None:
        """What a pause leaves out is kept, as the tick keeps it."""
        for skip in self._planner.skips(self._account, people):
            vetoes = self._account.vetoes
            theirs = {**vetoes.get(skip.person_id, {}), skip.content: skip.at}
            self._account = self._account._replace(vetoes={**vetoes, skip.person_id: theirs})
