"""Do scores and reps agree? And which weights would have agreed more: carefully, and only as a proposal. Pure.

Agreement is the share of pairs (one verdict `ripe`, one `not_yet` or `bad_timing`) in which the ripe account had the
higher score at the moment of its verdict; ties count half, 0.5 is chance (the Mann-Whitney statistic over n*m).

The proposal is a logistic regression on the points each kind of signal brought in at that moment. The present score
stands in it as one column that is free; what each kind adds beyond it is pulled towards nothing (ridge), so that few
verdicts move little. The verdicts are split by time: weights are learned from the earlier ones and tried on the later
ones, with the real score. They are proposed only when they agree clearly more there: by at least `LEAST_GAIN`, and in
`SURE` of the drawings with replacement (Efron's bootstrap) of the later verdicts.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from accounts.engagement import Told, read, read_score
from accounts.errors import Refused
from accounts.feedback import REPS_WORDS
from accounts.playbook import Engagement
from accounts.vocabulary import Role, SignalKind, Verdict

#: What a verdict says of the account's ripeness; `wrong_person` says nothing about it.
IS_RIPE = {Verdict.RIPE: True, Verdict.NOT_YET: False, Verdict.BAD_TIMING: False}

#: Share of the verdicts, the earliest ones, that weights are learned from.
LEARNED_FROM = 0.7
#: Verdicts of each sort that each part needs, at the least.
LEAST_OF_EACH = 8
#: A weight moves by no more than this factor, up or down, at a time.
MOST_CHANGE = 2.0
#: How strongly weights are pulled towards the present ones; the larger, the less.
LEASH = 0.3
#: What the later verdicts must show before anything is proposed.
LEAST_GAIN, SURE, DRAWINGS = 0.01, 0.975, 400


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and what could be known of the account at that moment."""

    id: int
    at: datetime
    is_ripe: bool
    #: The rep's address; None for somebody who is no rep.
    rep: str | None
    signals: Sequence[Told]
    roles: Mapping[int, Role]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well something agrees with verdicts. `share`: 0 to 1; None without verdicts of both sorts."""

    share: float | None
    ripe: int
    unripe: int


@dataclass(frozen=True, slots=True)
class Moved:
    """An account whose place among the judged ones would change: places from 1, the highest score first."""

    verdict: int
    is_ripe: bool
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the verdicts of a play say about its weights."""

    overall: Agreement
    kinds: Mapping[SignalKind, Agreement]
    reps: Mapping[str, Agreement]
    #: Weights of the kinds that would change, in the order of the play; empty: nothing is proposed.
    proposed: Mapping[SignalKind, float]
    #: One sentence: why this is proposed, or why nothing is.
    why: str
    #: Agreement on the later verdicts, with the weights as they are and as tried; None when nothing could be tried.
    held_out_old: Agreement | None = None
    held_out_new: Agreement | None = None
    #: Whose places would change most.
    moves: tuple[Moved, ...] = ()

    @property
    def verdicts(self) -> int:
        return self.overall.ripe + self.overall.unripe


def agreement(scores: Sequence[float], ripe: Sequence[bool]) -> Agreement:
    """Of scores with verdicts; `share` is None when one sort is missing."""
    ups = [score for score, is_ripe in zip(scores, ripe, strict=True) if is_ripe]
    downs = [score for score, is_ripe in zip(scores, ripe, strict=True) if not is_ripe]
    if not ups or not downs:
        return Agreement(None, len(ups), len(downs))
    ranks = _ranks([*ups, *downs])
    wins = sum(ranks[: len(ups)]) - len(ups) * (len(ups) + 1) / 2
    return Agreement(wins / (len(ups) * len(downs)), len(ups), len(downs))


def calibrate(judged: Iterable[Judged], rules: Engagement) -> Calibration:
    """Agreement as it is, and the weights that would agree more, if the later verdicts bear them out.

    What reps said before is no evidence of what they say now: their words weigh nothing here. Without scikit-learn
    there is agreement and no proposal, and it says so.
    """
    rules = with_weights(rules, dict.fromkeys(REPS_WORDS, 0.0))
    verdicts = sorted(judged, key=lambda one: (one.at, one.id))
    points = [_points(one, rules) for one in verdicts]
    found = _described(verdicts, points, rules)
    cut = int(len(verdicts) * LEARNED_FROM)
    early, late = verdicts[:cut], verdicts[cut:]
    if not (_is_enough(early) and _is_enough(late)):
        return Calibration(*found, {}, _too_few(verdicts))
    try:
        weights = _learned(points[:cut], [one.is_ripe for one in early], rules)
    except Refused as refusal:
        return Calibration(*found, {}, f"Nothing is proposed: {refusal}.")
    if weights is None:
        return Calibration(*found, {}, "The score does not go with the verdicts at all; no weighting mends that.")
    return _tried(found, late, verdicts, rules, weights)


def with_weights(rules: Engagement, weights: Mapping[SignalKind, float]) -> Engagement:
    """The same rules with other weights for these kinds."""
    return rules.model_copy(update={"weights": {**rules.weights, **weights}})


def digest_of(before: Mapping[SignalKind, float], proposed: Mapping[SignalKind, float], mark: str = "") -> str:
    """SHA-256 of a proposal: two are the same when they lead from the same weights to the same.

    mark: tells apart calibrations that propose nothing.
    """
    listed = [[[str(kind), float(weight)] for kind, weight in sorted(side.items())] for side in (before, proposed)]
    return sha256(json.dumps([listed, mark]).encode()).hexdigest()


_Found = tuple[Agreement, Mapping[SignalKind, Agreement], Mapping[str, Agreement]]


def _tried(
    found: _Found, late: Sequence[Judged], verdicts: Sequence[Judged], rules: Engagement,
    weights: Mapping[SignalKind, float],
) -> Calibration:  # fmt: skip
    """The weights on verdicts they were not learned from, with the real score."""
    ripe, anew = [one.is_ripe for one in late], with_weights(rules, weights)
    old, new = ([score_of(one, these) for one in verdicts] for these in (rules, anew))
    late_old, late_new = old[-len(late) :], new[-len(late) :]
    before, after = agreement(late_old, ripe), agreement(late_new, ripe)
    gain, sure = (after.share or 0.0) - (before.share or 0.0), _sureness(late_old, late_new, ripe)
    if not weights or gain < LEAST_GAIN or sure < SURE:
        why = f"Other weights would not agree clearly more with the latest {len(late)} verdicts, so none are proposed."
        return Calibration(*found, {}, why, before, after)
    why = f"These weights agree more with the latest {len(late)} verdicts, from which they were not learned."
    return Calibration(*found, weights, why, before, after, _moves(verdicts, old, new))


def score_of(one: Judged, rules: Engagement) -> float:
    """The account's score at the moment of the verdict, under these rules."""
    past = (told for told in one.signals if told.occurred_at <= one.at)
    return read_score(past, one.roles, rules, one.at).value


def _points(one: Judged, rules: Engagement) -> dict[SignalKind, float]:
    """What each kind brought in; the kinds add up to the score."""
    points: Counter[SignalKind] = Counter()
    for contribution in read(one.signals, one.roles, rules, one.at).contributions:
        points[contribution.kind] += contribution.points  # type: ignore[assignment]  # Counter adds floats as well
    return dict(points)


def _described(verdicts: Sequence[Judged], points: Sequence[Mapping[SignalKind, float]], rules: Engagement) -> _Found:
    ripe = [one.is_ripe for one in verdicts]
    scores = [sum(by_kind.values()) for by_kind in points]
    kinds = {
        kind: agreement([by_kind.get(kind, 0.0) for by_kind in points], ripe)
        for kind, weight in rules.weights.items()
        if weight and any(kind in by_kind for by_kind in points)
    }
    places: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(verdicts):
        places[one.rep or "nobody we know"].append(place)
    reps = {rep: agreement([scores[p] for p in of], [ripe[p] for p in of]) for rep, of in sorted(places.items())}
    return agreement(scores, ripe), kinds, reps


def _is_enough(verdicts: Sequence[Judged]) -> bool:
    ripe = sum(one.is_ripe for one in verdicts)
    return min(ripe, len(verdicts) - ripe) >= LEAST_OF_EACH


def _too_few(verdicts: Sequence[Judged]) -> str:
    ripe = sum(one.is_ripe for one in verdicts)
    return (
        f"{ripe} verdicts say ripe and {len(verdicts) - ripe} say not yet or bad timing; too few to try weights on: "
        f"the earlier {LEARNED_FROM:.0%} and the rest each need {LEAST_OF_EACH} of both sorts."
    )


def _learned(
    points: Sequence[Mapping[SignalKind, float]], ripe: Sequence[bool], rules: Engagement
) -> dict[SignalKind, float] | None:  # fmt: skip
    """The weights that change; None when the score as it is speaks against the verdicts.

    logit = a + b * score + sum of b_k * points of kind k; so weight k becomes (1 + b_k / b) times what it is. A kind of
    weight 0 stays at 0: the marketer decided that it says nothing.
    """
    kinds = [kind for kind, weight in rules.weights.items() if weight and any(kind in row for row in points)]
    spread = _spread([sum(row.values()) for row in points])
    if not kinds or not spread:
        return None
    free = 100.0  # a column this large is hardly pulled at all
    rows = [
        [free * sum(row.values()) / spread, *(row.get(kind, 0.0) / spread for kind in kinds)] for row in points
    ]  # fmt: skip
    score, *own = _regression(rows, list(ripe))
    slope = score * free
    if slope <= 0:
        return None
    weights = {}
    for kind, coefficient in zip(kinds, own, strict=True):
        old = rules.weights[kind]
        factor = min(MOST_CHANGE, max(1 / MOST_CHANGE, 1 + coefficient / slope))
        if (new := round(old * factor, 1)) != old:
            weights[kind] = new
    return weights


def _regression(rows: Sequence[Sequence[float]], ripe: Sequence[bool]) -> list[float]:
    """Coefficients of a logistic regression with a ridge. Raises Refused without scikit-learn."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        cure = "install it: pip install 'tandem-abm[calibration]'"
        raise Refused("weights are learned with scikit-learn, which is not installed", cure=cure) from None
    model: Any = LogisticRegression(C=LEASH, solver="newton-cholesky", max_iter=200)
    return [float(value) for value in model.fit(rows, ripe).coef_[0]]


def _sureness(old: Sequence[float], new: Sequence[float], ripe: Sequence[bool]) -> float:
    """The share of drawings in which the new scores agree more; drawn alike each time, so the answer is the same."""
    dice, places, better, drawn = random.Random(0), range(len(ripe)), 0, 0  # noqa: S311  no secret hangs on it
    for _ in range(DRAWINGS):
        sample = dice.choices(places, k=len(ripe))
        sorts = [ripe[place] for place in sample]
        before = agreement([old[place] for place in sample], sorts).share
        after = agreement([new[place] for place in sample], sorts).share
        if before is not None and after is not None:
            drawn += 1
            better += after > before
    return better / drawn if drawn else 0.0


def _moves(
    verdicts: Sequence[Judged], old: Sequence[float], new: Sequence[float], most: int = 10
) -> tuple[Moved, ...]:  # fmt: skip
    before, after = _places(old), _places(new)
    moves = [Moved(one.id, one.is_ripe, before[p], after[p]) for p, one in enumerate(verdicts)]
    moves.sort(key=lambda move: (-abs(move.new - move.old), move.verdict))
    return tuple(move for move in moves[:most] if move.new != move.old)


def _places(scores: Sequence[float]) -> list[int]:
    """The place of each score, the highest first, from 1."""
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    places = [0] * len(scores)
    for rank, place in enumerate(order, 1):
        places[place] = rank
    return places


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, the smallest first; equal values share the middle of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, start = [0.0] * len(values), 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2 + 1
        start = end + 1
    return ranks


def _spread(values: Sequence[float]) -> float:
    """Standard deviation."""
    if not values:
        return 0.0
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)
