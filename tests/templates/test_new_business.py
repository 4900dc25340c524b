"""What marketing and sales agreed on in `new-business/play.yaml`, held against common sense.

Pure checks of the file as a marketer leaves it; `tests/templates/test_words.py` looks after the words.
"""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from accounts.playbook import Play
from accounts.vocabulary import Role, SignalKind

PLAY = Path(__file__).parents[2] / "templates" / "plays" / "new-business"
NURTURED = ["contacted", "discovery", "evaluation", "proposal", "negotiation"]


@pytest.fixture(scope="module")
def play() -> Play:
    settings = yaml.safe_load((PLAY / "play.yaml").read_text("utf-8"))
    return Play.model_validate({**settings, "key": PLAY.name, "version": "unversioned"})


def test_play_has_the_stages_of_the_trade_in_order(play: Play) -> None:
    assert [stage.key for stage in play.stages] == ["target", *NURTURED, "won", "lost", "recycled"]


def test_target_accounts_and_closed_ones_are_never_nurtured(play: Play) -> None:
    assert {stage.key for stage in play.stages if not stage.nurtured} == {"target", "won", "lost", "recycled"}
    assert all((stage.cadence is not None) == stage.nurtured for stage in play.stages)


def test_moves_lead_to_other_known_stages_and_every_stage_can_be_reached(play: Play) -> None:
    keys = {stage.key for stage in play.stages}
    assert {move for stage in play.stages for move in stage.moves} == keys
    assert all(stage.key not in stage.moves for stage in play.stages)


def test_an_account_moves_forward_by_any_number_of_stages_and_never_back_to_target(play: Play) -> None:
    for place, key in enumerate(NURTURED):
        stage = play.stage(key)
        assert stage is not None
        assert {*NURTURED[place + 1 :], "won", "lost", "recycled"} <= set(stage.moves)
        assert "target" not in stage.moves


def test_won_is_not_reopened_by_this_play(play: Play) -> None:
    won = play.stage("won")
    assert won is not None
    assert not set(won.moves) & set(NURTURED)


def test_a_crm_stage_name_belongs_to_one_stage(play: Play) -> None:
    for names in (
        [name.lower() for stage in play.stages for name in stage.crm.salesforce],
        [name.lower() for stage in play.stages for name in stage.crm.hubspot],
    ):
        assert names
        assert [name for name, times in Counter(names).items() if times > 1] == []


def test_every_signal_kind_and_every_role_has_a_weight(play: Play) -> None:
    assert set(play.engagement.weights) == set(SignalKind)
    assert set(play.engagement.role_weights) == set(Role)


def test_what_a_machine_can_do_alone_weighs_nothing(play: Play) -> None:
    weightless = {SignalKind.OPENED, SignalKind.DELIVERED, SignalKind.AD_SHOWN, SignalKind.OUT_OF_OFFICE}
    assert {play.engagement.weights[kind] for kind in weightless} == {0}
    assert play.engagement.weights[SignalKind.UNSUBSCRIBED] < 0


def test_an_attempt_is_not_contact(play: Play) -> None:
    """Without an outcome a call may be a dialled number and a meeting a no-show; an e-mail must come from them."""
    for rule in play.contact:
        assert rule.outcomes or rule.directions == ("inbound",)


def test_the_last_of_the_largest_group_is_still_written_to_on_time(play: Play) -> None:
    """Seven people at five e-mails a week: the sixth and seventh wait a week for their first step, and may."""
    weeks_waited = (play.group.largest - 1) // play.caps.account_per_week
    for stage in play.stages:
        if stage.cadence is not None:
            assert stage.cadence.not_after > timedelta(weeks=weeks_waited)


def test_two_steps_at_this_cadence_keep_the_cap_of_a_person(play: Play) -> None:
    for stage in play.stages:
        if stage.cadence is not None:
            assert stage.cadence.every * play.caps.person_per_week >= timedelta(days=7)


def test_mail_leaves_on_working_days_in_working_hours(play: Play) -> None:
    assert set(play.window.days) <= {"mon", "tue", "wed", "thu", "fri"}
    assert 8 <= play.window.opens.hour < play.window.closes.hour <= 18


def test_each_ad_platform_states_its_minimum(play: Play) -> None:
    assert {ads.platform: ads.minimum_size for ads in play.ads.platforms} == {
        "linkedin": 300, "google": 100, "meta": 100,
    }  # fmt: skip
    assert {kind for ads in play.ads.platforms for kind in ads.kinds} == {"people", "companies"}


def test_the_vendor_can_be_written_to(play: Play) -> None:
    assert play.vendor.domain.endswith(".example")
    assert play.vendor.domain in play.vendor.privacy_url
    assert len(play.vendor.postal_address.split(",")) >= 3
