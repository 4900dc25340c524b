"""A market with a known truth: people do things at random, and reps judge their accounts by weights of our choice."""

import math
from datetime import datetime, timedelta
from random import Random
from statistics import median, pstdev

from accounts.calibration import Judged, score_of
from accounts.engagement import Told
from accounts.playbook import Engagement
from accounts.vocabulary import Role, SignalKind

#: Signals of each kind that an account shows in a month, on average.
OFTEN = {
    SignalKind.CLICKED: 3.0, SignalKind.VISITED: 4.0, SignalKind.DOWNLOADED: 1.0, SignalKind.WEBINAR_ATTENDED: 0.5,
    SignalKind.FORM_FILLED: 0.4, SignalKind.REPLIED: 0.5, SignalKind.AD_CLICKED: 2.0, SignalKind.UNSUBSCRIBED: 0.2,
}  # fmt: skip
ROLES = {1: Role.CHAMPION, 2: Role.ECONOMIC_BUYER, 3: Role.END_USER, 4: Role.UNKNOWN}
REPS = ("ravi@lumenflow.example", "sofia@lumenflow.example")


def verdicts(number: int, truth: Engagement | None, seed: int, until: datetime) -> list[Judged]:
    """So many verdicts over 300 days; reps go by the score under `truth`, with human doubt. None: they toss a coin."""
    random = Random(seed)
    accounts = [_account(random, place, until - timedelta(days=300 * (1 - place / number))) for place in range(number)]
    if truth is None:
        return [_judged(one, random.random() < 0.5, place) for place, one in enumerate(accounts)]
    scores = [score_of(one, truth) for one in accounts]
    middle, spread = median(scores), pstdev(scores)
    chances = [1 / (1 + math.exp(-2 * (score - middle) / spread)) for score in scores]
    return [_judged(one, random.random() < chances[place], place) for place, one in enumerate(accounts)]


def _account(random: Random, place: int, at: datetime) -> Judged:
    signals = []
    for kind, often in OFTEN.items():
        for _ in range(_poisson(random, often * random.random() * 2)):
            when = at - timedelta(days=30 * random.random())
            signals.append(Told(place * 1000 + len(signals), random.randint(1, 4), kind, when))
    return Judged(place, at, False, None, signals, ROLES)


def _judged(one: Judged, is_ripe: bool, place: int) -> Judged:
    return Judged(one.id, one.at, is_ripe, REPS[place % 2], one.signals, one.roles)


def _poisson(random: Random, mean: float) -> int:
    """Knuth's way."""
    limit, count, product = math.exp(-mean), 0, random.random()
    while product > limit:
        count, product = count + 1, product * random.random()
    return count
