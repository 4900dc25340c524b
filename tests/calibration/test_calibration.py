"""Other weights are proposed where reps go by other weights, and nowhere else."""

import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.calibration import MOST_CHANGE, Calibration, agreement, calibrate, with_weights
from accounts.playbook import Engagement
from accounts.playfiles import load_play
from accounts.vocabulary import SignalKind
from flows.settings import TEMPLATES
from tests.calibration.market import verdicts
from tests.cast import NOW

RULES: Engagement = load_play(TEMPLATES / "plays" / "new-business").engagement
#: What these reps go by: clicks and visits say little, documents and forms much, webinars less than we think.
TRUTH = with_weights(
    RULES,
    {
        SignalKind.CLICKED: 0.5, SignalKind.VISITED: 0.5, SignalKind.AD_CLICKED: 0.3,
        SignalKind.DOWNLOADED: 10, SignalKind.FORM_FILLED: 12, SignalKind.WEBINAR_ATTENDED: 2,
    },
)  # fmt: skip


def of(number: int, truth: Engagement | None, seed: int) -> Calibration:
    return calibrate(verdicts(number, truth, seed, NOW), RULES)


@pytest.fixture(scope="module")
def found() -> Calibration:
    return of(400, TRUTH, 1)


class TestKnownTruth:
    def test_held_out_agreement_improves(self, found: Calibration) -> None:
        assert found.held_out_old is not None
        assert found.held_out_new is not None
        assert found.held_out_old.share is not None
        assert found.held_out_new.share is not None
        assert found.held_out_new.share > found.held_out_old.share + 0.02

    def test_each_larger_move_goes_towards_the_truth(self, found: Calibration) -> None:
        down, up = {SignalKind.CLICKED, SignalKind.VISITED, SignalKind.AD_CLICKED}, {SignalKind.DOWNLOADED}
        assert all(found.proposed[kind] < RULES.weights[kind] for kind in down)
        assert all(found.proposed[kind] > RULES.weights[kind] for kind in up)

    def test_no_weight_moves_by_more_than_the_most_changes_its_sign_or_leaves_nothing(self, found: Calibration) -> None:
        for kind, weight in found.proposed.items():
            factor = weight / RULES.weights[kind]
            assert 1 / MOST_CHANGE - 0.05 <= factor <= MOST_CHANGE + 0.05

    def test_a_weight_of_nothing_stays_nothing(self, found: Calibration) -> None:
        assert all(RULES.weights[kind] for kind in found.proposed)

    def test_it_names_whose_place_would_change(self, found: Calibration) -> None:
        assert found.moves
        assert all(move.old != move.new for move in found.moves)

    def test_kinds_and_reps_have_an_agreement_of_their_own(self, found: Calibration) -> None:
        downloads, clicks = found.kinds[SignalKind.DOWNLOADED].share, found.kinds[SignalKind.CLICKED].share
        assert downloads is not None
        assert clicks is not None
        assert downloads > clicks
        assert {rep: one.ripe + one.unripe for rep, one in found.reps.items()} == {
            "ravi@lumenflow.example": 200, "sofia@lumenflow.example": 200,
        }  # fmt: skip

    def test_in_no_market_do_the_held_out_verdicts_agree_less(self) -> None:
        """Where the gain is not clear enough nothing is proposed, but it is a gain."""
        for seed in (2, 3):
            other = of(400, TRUTH, seed)
            assert other.held_out_old is not None
            assert other.held_out_new is not None
            assert (other.held_out_new.share or 0) > (other.held_out_old.share or 0)

    def test_the_same_verdicts_in_any_order_propose_the_same(self, found: Calibration) -> None:
        backwards = list(reversed(verdicts(400, TRUTH, 1, NOW)))
        assert calibrate(backwards, RULES) == found


class TestNothingToLearn:
    @pytest.mark.parametrize("seed", range(6))
    def test_noise_changes_nothing_and_says_so(self, seed: int) -> None:
        found = of(200, None, seed)
        assert found.proposed == {}
        assert "not agree clearly more" in found.why or "does not go with the verdicts" in found.why

    @pytest.mark.parametrize("seed", range(4))
    def test_reps_who_go_by_the_present_weights_change_nothing(self, seed: int) -> None:
        assert of(200, RULES, seed).proposed == {}

    def test_few_verdicts_change_nothing_and_it_says_how_many_there_are(self) -> None:
        found = of(20, TRUTH, 1)
        assert found.proposed == {}
        assert "too few" in found.why
        assert found.verdicts == 20

    def test_no_verdicts_are_no_error(self) -> None:
        found = calibrate([], RULES)
        assert (found.verdicts, found.overall.share, found.proposed) == (0, None, {})

    def test_reps_who_say_the_opposite_of_the_score_are_told_not_followed(self) -> None:
        contrary = [replace(one, is_ripe=not one.is_ripe) for one in verdicts(300, RULES, 1, NOW)]
        found = calibrate(contrary, RULES)
        assert found.proposed == {}
        assert "does not go with the verdicts" in found.why

    def test_few_verdicts_move_weights_less_than_many(self) -> None:
        """The pull towards the present weights is the same; what pulls away from it grows with the verdicts."""
        from accounts.calibration import _learned, _points

        def moved(number: int) -> float:
            judged = verdicts(number, TRUTH, 7, NOW)
            weights = _learned([_points(one, RULES) for one in judged], [one.is_ripe for one in judged], RULES) or {}
            return sum(abs(weight / RULES.weights[kind] - 1) for kind, weight in weights.items())

        assert moved(40) < moved(600)

    def test_without_the_library_there_is_agreement_and_the_cure_instead_of_a_proposal(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
        found = of(200, TRUTH, 1)
        assert found.overall.share is not None
        assert found.proposed == {}
        assert "pip install 'tandem-abm[calibration]'" in found.why


class TestAgreement:
    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12))
    def test_it_is_the_share_of_pairs_in_the_right_order_with_ties_as_halves(
        self, pairs: list[tuple[int, bool]]
    ) -> None:
        ups = [score for score, is_ripe in pairs if is_ripe]
        downs = [score for score, is_ripe in pairs if not is_ripe]
        found = agreement([score for score, _ in pairs], [is_ripe for _, is_ripe in pairs])
        if not ups or not downs:
            assert found.share is None
            return
        counted = sum((up > down) + (up == down) / 2 for up in ups for down in downs) / (len(ups) * len(downs))
        assert found.share == pytest.approx(counted)
