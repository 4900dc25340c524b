"""A second opinion on engagement and outcomes: written from the docs alone, in the plainest way there is.

It keeps all that was told and adds everything up anew whenever it is asked.
"""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from accounts.feedback import REPS_WORDS
from accounts.playbook import Engagement
from accounts.vocabulary import Heat, Role, SignalKind
from tests.cast import PEOPLE, PLAY

K = SignalKind
DAY = timedelta(days=1)
#: Four people of two accounts, who can change from one to the other; and somebody of Acme whom nobody knows.
CAST = ("alice", "bob", "charlie", "gina")
NOBODY = "nobody"
ACCOUNTS = ("acme", "globex")
#: Why an account is held, and for how many days: docs/signals.md and the pauses of the play.
HOLDS = {K.REPLIED: ("reply", 10), K.MEETING_HELD: ("meeting", 3), K.MEETING_BOOKED: ("meeting", 3),
         K.COMPLAINED: ("complaint", None)}  # fmt: skip
#: Why nobody writes to the address again.
SILENCE = {K.UNSUBSCRIBED: "opted_out", K.COMPLAINED: "complained", K.BOUNCED: "bounced", K.LEFT_COMPANY: "left"}
#: What becomes of the address, the gravest first.
STATES = {K.COMPLAINED: "complained", K.LEFT_COMPANY: "left", K.BOUNCED: "bounced"}
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass
class Deed:
    """What somebody did, or a rep said of them."""

    who: str
    account: str
    kind: SignalKind
    at: datetime
    machine: bool = False


@dataclass
class Model:
    """Everything that was told, by its name; the latest word of reps beside it."""

    roles: dict[tuple[str, str], Role]
    told: dict[str, Deed] = field(default_factory=dict)
    words: dict[tuple[str, str], Deed] = field(default_factory=dict)
    wrong: set[tuple[str, str]] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    plays: dict[str, str] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, PLAY))
    rules: dict[str, Engagement] = field(default_factory=dict)
    released: dict[str, datetime] = field(default_factory=dict)
    #: Holds that stand, by the signal that made them: account, cause, from, to.
    held: dict[str, tuple[str, str, datetime, datetime | None]] = field(default_factory=dict)
    #: What was told and has not acted yet.
    fresh: list[str] = field(default_factory=list)
    #: The account a person belongs to now, and every account they were ever in.
    home: dict[str, str] = field(default_factory=lambda: {who: PEOPLE[who][0] for who in CAST})
    rows: set[tuple[str, str]] = field(default_factory=lambda: {(who, PEOPLE[who][0]) for who in CAST})

    def deeds(self, account: str, now: datetime, rules: Engagement) -> list[tuple[str, float, Deed]]:
        """Who did what and what it weighs, up to now; who was erased is nobody, who is the wrong person left out."""
        found = []
        for deed in (*self.told.values(), *self.words.values()):
            weight = rules.weights.get(deed.kind, 0.0)
            if (
                deed.account == account
                and weight
                and not deed.machine
                and deed.at <= now
                and (deed.who, account) not in self.wrong
            ):
                found.append((NOBODY if deed.who in self.erased else deed.who, weight, deed))
        return found

    def factor(self, who: str, account: str, rules: Engagement) -> float:
        return rules.role_weights.get(self.roles.get((who, account), Role.UNKNOWN), 1.0)

    def act(self) -> None:
        """Whoever answers, meets or complains holds the account; what is older than a release holds nothing."""
        for name in self.fresh:
            deed = self.told[name]
            if deed.kind in HOLDS and deed.at > self.released.get(deed.account, LONG_AGO):
                cause, days = HOLDS[deed.kind]
                self.held[name] = deed.account, cause, deed.at, deed.at + timedelta(days=days) if days else None
        self.fresh = []

    def open(self, account: str, now: datetime) -> dict[str, tuple[str, datetime, datetime | None]]:
        """Holds that stand, by the signal that made them."""
        return {
            name: (cause, begins, ends) for name, (where, cause, begins, ends) in self.held.items()
            if where == account and begins <= now and (ends is None or ends > now)
        }  # fmt: skip

    def silenced(self, who: str) -> dict[str, datetime]:
        """Why nobody writes to the address, and since when."""
        since: dict[str, datetime] = {}
        for deed in self.told.values():
            if deed.who == who and deed.kind in SILENCE:
                why = SILENCE[deed.kind]
                since[why] = min(deed.at, since.get(why, deed.at))
        return since

    def score(self, account: str, now: datetime, rules: Engagement) -> float:
        masses: dict[str, float] = {}
        for who, weight, deed in self.deeds(account, now, rules):
            masses[who] = masses.get(who, 0.0) + weight * 0.5 ** ((now - deed.at) / rules.half_life)
        present = sum(min(1.0, max(0.0, mass)) for who, mass in masses.items() if who != NOBODY)
        breadth = 1 + rules.breadth_bonus * max(0.0, present - 1)
        ceiling = rules.person_ceiling
        return sum(
            self.factor(who, account, rules)
            * (mass if mass <= 0 else ceiling * (1 - math.exp(-mass / ceiling)) * breadth)
            for who, mass in masses.items()
        )

    def heat(self, account: str, now: datetime, rules: Engagement) -> tuple[Heat, float, float]:
        week, before = 0.0, 0.0
        for who, weight, deed in self.deeds(account, now, rules):
            if deed.kind in REPS_WORDS:
                continue
            if now - deed.at < 7 * DAY:
                week += weight * self.factor(who, account, rules)
            elif now - deed.at < 35 * DAY:
                before += weight * self.factor(who, account, rules)
        usual = before / 4
        if abs(week - usual) < rules.heat_points:
            return Heat.STEADY, week, usual
        if week > usual:
            return (Heat.RISING if week >= 1.5 * usual else Heat.STEADY), week, usual
        return (Heat.COOLING if 1.5 * week <= usual else Heat.STEADY), week, usual

    def person(self, who: str) -> tuple[datetime | None, str, datetime | None]:
        """When they said no, what their address is, until when they are away."""
        theirs = [deed for deed in self.told.values() if deed.who == who]
        noes = [deed.at for deed in theirs if deed.kind in (K.UNSUBSCRIBED, K.COMPLAINED)]
        states = {deed.kind for deed in theirs}
        status = next((name for kind, name in STATES.items() if kind in states), "ok")
        away = [deed.at + 7 * DAY for deed in theirs if deed.kind is K.OUT_OF_OFFICE]
        return min(noes, default=None), status, max(away, default=None)
