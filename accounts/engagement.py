"""How warm an account is: what each signal weighs, how it fades, and what makes up the score, to the last point.

A signal of weight w that is one half-life old counts w/2. The sum of a person's faded weights is a *mass*. Adding a
signal to a mass needs the mass and nothing else (forward decay: Cormode, Shkapenyuk, Srivastava and Xu, "Forward Decay:
A Practical Time Decay Model for Streaming Systems", ICDE 2009); the landmark is the mass's own latest signal and moves
with it, so numbers never overflow and any order of arrival gives the same mass.

    person's points  = role weight x ceiling x (1 - exp(-mass / ceiling))     the tenth click says less than the first
    account's score  = sum of points x (1 + bonus x (engaged people - 1))     five people say more than one busy person

A negative mass (opt-outs, complaints) counts as it is, without saturation and without bonus. Nothing is a mean: a
silent colleague takes nothing away. A rep's word on ripeness is a signal like any other here; heat leaves it out, since
nobody at the account did anything. Whoever is the wrong person, by a rep's word, is left out of score and heat.
"""

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.feedback import REPS_WORDS
from accounts.playbook import Engagement as Rules
from accounts.vocabulary import Heat, Role, SignalKind

#: The `person` of signals that belong to an account and to nobody known in it.
NOBODY = 0
#: From this mass on a person counts fully as engaged; below it the person fades out of the breadth, without a jump.
ENGAGED = 1.0
#: After so many half-lives 1e-13 of a weight is left; older signals need not be read.
FORGOTTEN_AFTER = 43

WEEK = timedelta(days=7)
BASELINE_WEEKS = 4
#: Heat changes when this week is so many times the usual one (or its inverse), and by the points of the play.
NOTABLE_RATIO = 1.5
#: Scores are shown with one digit.
VISIBLE = 0.05


@dataclass(frozen=True, slots=True)
class Mass:
    """The faded weights of one person: what they are worth at `at`, the time of the latest of them."""

    value: float
    at: datetime
    signals: int = 1

    def plus(self, other: "Mass", half_life: timedelta) -> "Mass":
        """Both together. Commutative, and associative but for rounding."""
        older, newer = (self, other) if self.at <= other.at else (other, self)
        value = newer.value + older.value * faded(newer.at - older.at, half_life)
        return Mass(value, newer.at, self.signals + other.signals)

    def as_of(self, now: datetime, half_life: timedelta) -> float:
        """What is left of it. Before its latest signal a mass cannot tell: add the signals up instead."""
        return self.value * faded(now - self.at, half_life)


@dataclass(frozen=True, slots=True)
class Told:
    """A signal that may weigh something; `person` is a stakeholder's id or NOBODY."""

    id: int
    person: int
    kind: SignalKind
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one signal is worth today inside the account's score, after everything."""

    signal_id: int
    person: int
    kind: SignalKind
    occurred_at: datetime
    points: float


@dataclass(frozen=True, slots=True)
class Score:
    """An account's score; `points` per person add up to `value`."""

    value: float
    points: Mapping[int, float]
    #: People who count fully as engaged.
    engaged: int
    #: What the breadth multiplies positive points by.
    breadth: float
    #: Points in the score for each point of a person's mass; turns a signal's faded weight into its contribution.
    rate: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Moved:
    """An account's score before and after weights changed; places count from 1, None: it had or has no score."""

    account: int
    before: float
    after: float
    place_before: int | None
    place_after: int | None


@dataclass(frozen=True, slots=True)
class HeatReading:
    """Whether the account is busier than it used to be, in its own measure."""

    heat: Heat
    this_week: float
    #: Average week of the four before.
    usual_week: float
    #: What weighed something this week.
    recent: Mapping[SignalKind, int]

    @property
    def sentence(self) -> str:
        """Such as: rising: 18.0 points in the last seven days, 6.0 in a usual week (3 clicked, 1 replied)."""
        if not self.this_week and not self.usual_week:
            return f"{self.heat}: nothing heard in the last five weeks"
        kinds = sorted(self.recent.items(), key=lambda pair: (-pair[1], pair[0]))
        what = ", ".join(f"{count} {kind.value.replace('_', ' ')}" for kind, count in kinds)
        measure = f"{self.this_week:.1f} points in the last seven days, {self.usual_week:.1f} in a usual week"
        return f"{self.heat}: {measure} ({what or 'nothing this week'})"


@dataclass(frozen=True, slots=True)
class Reading:
    """All that engagement says of an account at one moment; `contributions` add up to `score.value`, largest first."""

    score: Score
    contributions: tuple[Contribution, ...]
    heat: HeatReading
    #: Wrong people who did something: it is in no contribution.
    left_out: frozenset[int] = frozenset()


def faded(age: timedelta, half_life: timedelta) -> float:
    """The share that is left after `age`: 1 at once, 0.5 after one half-life."""
    return float(math.exp2(min(-(age / half_life), 1000.0)))


def weight_of(kind: SignalKind, rules: Rules) -> float:
    """Points of one signal on its day; kinds without a weight say nothing."""
    return rules.weights.get(kind, 0.0)


def weigh(signals: Iterable[Told], rules: Rules) -> dict[int, Mass]:
    """The mass of each person, added up signal by signal; weightless ones leave no trace."""
    masses: dict[int, Mass] = {}
    for signal in signals:
        if weight := weight_of(signal.kind, rules):
            one = Mass(weight, signal.occurred_at)
            known = masses.get(signal.person)
            masses[signal.person] = known.plus(one, rules.half_life) if known else one
    return masses


def roll_up(masses: Mapping[int, float], roles: Mapping[int, Role], rules: Rules) -> Score:
    """Masses as of one moment -> the account's score. People missing from `roles` weigh as role `unknown`."""
    people = [mass for person, mass in masses.items() if person != NOBODY]
    presence = math.fsum(min(1.0, max(0.0, mass) / ENGAGED) for mass in people)
    breadth = 1.0 + rules.breadth_bonus * max(0.0, presence - 1.0)
    rate = {
        person: _role_weight(roles.get(person, Role.UNKNOWN), rules)
        * saturation(mass, rules.person_ceiling)
        * (breadth if mass > 0 else 1.0)
        for person, mass in masses.items()
    }
    points = {person: mass * rate[person] for person, mass in masses.items()}
    engaged = sum(mass >= ENGAGED for mass in people)
    return Score(math.fsum(points.values()), points, engaged, breadth, rate)


def saturation(mass: float, ceiling: float) -> float:
    """Points per point of mass: 1 for little or negative mass, towards ceiling / mass for much."""
    return -math.expm1(-mass / ceiling) / (mass / ceiling) if mass > 0 else 1.0


def read_score(past: Iterable[Told], roles: Mapping[int, Role], rules: Rules, now: datetime) -> Score:
    """The score as of `now` of what had happened by then."""
    masses = {person: mass.as_of(now, rules.half_life) for person, mass in weigh(past, rules).items()}
    return roll_up(masses, roles, rules)


def read(
    signals: Sequence[Told], roles: Mapping[int, Role], rules: Rules, now: datetime, left_out: Collection[int] = ()
) -> Reading:  # fmt: skip
    """Score, contributions and heat of one account from its signals; those after `now` have not happened yet.

    left_out: wrong people; neither score nor heat is made of what they did.
    """
    happened = [signal for signal in signals if signal.occurred_at <= now and weight_of(signal.kind, rules)]
    past = [signal for signal in happened if signal.person not in left_out]
    score = read_score(past, roles, rules, now)
    contributions = sorted(
        (_contribution(s, score, rules, now) for s in past), key=lambda c: (-abs(c.points), -c.signal_id)
    )
    silenced = frozenset(signal.person for signal in happened) & frozenset(left_out)
    return Reading(score, tuple(contributions), heat_of(past, roles, rules, now), silenced)


def heat_of(signals: Iterable[Told], roles: Mapping[int, Role], rules: Rules, now: datetime) -> HeatReading:
    """This week against the average of the four before: unfaded weights times role weights."""
    return heat_from(((signal.person, signal.kind, signal.occurred_at) for signal in signals), roles, rules, now)


def heat_from(
    acts: Iterable[tuple[int, SignalKind, datetime]], roles: Mapping[int, Role], rules: Rules, now: datetime
) -> HeatReading:  # fmt: skip
    """The same from (person, kind, when): briefs ask for thousands of accounts."""
    week_ago, weeks_ago = now - WEEK, now - (BASELINE_WEEKS + 1) * WEEK
    recent: dict[SignalKind, int] = {}
    this_week, before = [], []
    for person, kind, at in acts:
        weight = rules.weights.get(kind)
        if not weight or kind in REPS_WORDS or not weeks_ago < at <= now:
            continue
        points = weight * _role_weight(roles.get(person, Role.UNKNOWN), rules)
        if at > week_ago:
            this_week.append(points)
            recent[kind] = recent.get(kind, 0) + bool(points)
        else:
            before.append(points)
    week, usual = math.fsum(this_week), math.fsum(before) / BASELINE_WEEKS
    heat, counted = _heat(week, usual, rules.heat_points), {kind: count for kind, count in recent.items() if count}
    return HeatReading(heat, week, usual, counted)


def what_moved(before: Mapping[int, Score], after: Mapping[int, Score]) -> tuple[Moved, ...]:
    """Accounts whose score differs by what one can see, the largest difference first."""
    was, is_ = _places(before), _places(after)
    moved = [
        Moved(account, _value(before, account), _value(after, account), was.get(account), is_.get(account))
        for account in before.keys() | after.keys()
        if abs(_value(after, account) - _value(before, account)) >= VISIBLE
    ]
    return tuple(sorted(moved, key=lambda one: (-abs(one.after - one.before), one.account)))


def digest_of(rules: Rules) -> str:
    """SHA-256 of what a stored mass depends on: the weights and the half-life. Role weights are applied on reading."""
    weights = sorted((kind.value, float(weight)) for kind, weight in rules.weights.items() if weight)
    return hashlib.sha256(json.dumps([rules.half_life.total_seconds(), weights]).encode()).hexdigest()


def _value(scores: Mapping[int, Score], account: int) -> float:
    return scores[account].value if account in scores else 0.0


def _places(scores: Mapping[int, Score]) -> dict[int, int]:
    ranked = sorted(scores, key=lambda account: (-scores[account].value, account))
    return {account: place for place, account in enumerate(ranked, start=1)}


def _contribution(signal: Told, score: Score, rules: Rules, now: datetime) -> Contribution:
    points = (
        weight_of(signal.kind, rules) * faded(now - signal.occurred_at, rules.half_life) * score.rate[signal.person]
    )
    return Contribution(signal.id, signal.person, signal.kind, signal.occurred_at, points)


def _role_weight(role: Role, rules: Rules) -> float:
    return rules.role_weights.get(role, 1.0)


def _heat(this_week: float, usual: float, points: float) -> Heat:
    if abs(this_week - usual) < points:
        return Heat.STEADY
    if this_week > usual:
        return Heat.RISING if this_week >= usual * NOTABLE_RATIO else Heat.STEADY
    return Heat.COOLING if this_week * NOTABLE_RATIO <= usual else Heat.STEADY
