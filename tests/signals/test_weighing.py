"""Whose weights count: each account follows its own play, new weights move scores, and one can see which."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from accounts.engagement import Score, roll_up, what_moved
from accounts.ledger.engagement import scores
from accounts.ledger.engagement.weighing import read_weighing
from accounts.ledger.engine import reading, writing
from accounts.models import Account
from accounts.playbook import Engagement, Play
from accounts.vocabulary import Role
from flows.cli import tandem
from flows.signals.reweighing import rescore, try_weights
from tests.cast import NOW, World
from tests.plays import small_play
from tests.signals.post import RULES, K, play, signal, tell

ALICE, GINA, IVAN = "alice@acme.example", "gina@globex.example", "ivan@initech.example"
DAY = timedelta(days=1)
HEAVY = Engagement(weights={K.CLICKED: 9, K.VISITED: 1}, half_life=timedelta(days=7), breadth_bonus=0.5)


def other_play(rules: Engagement = HEAVY) -> Play:
    return small_play(engagement=rules).model_copy(update={"key": "renewal"})


def enter(world: World, account: str, play_: str | None) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Account).where(Account.key == account).values(play=play_))


def values(world: World) -> dict[str, float]:
    with reading(world.engine) as connection:
        found = scores.standings(connection, NOW)
    return {key: found[id].value for key, id in world.accounts.items() if id in found}


def by_brute_force(world: World, account: str, rules: Engagement) -> float:
    id = world.accounts[account]
    with reading(world.engine) as connection:
        return scores.read_engagement(connection, [id], rules, NOW)[id].score.value


def test_two_plays_on_one_ledger_weigh_each_account_by_its_own_rules(world: World) -> None:
    enter(world, "globex", "renewal")
    rescore(world.engine, other_play(), NOW)
    rescore(world.engine, play(), NOW)
    for day in range(6):  # whichever play collects
        runs = play() if day % 2 else other_play()
        tell(
            world.engine,
            signal("clicked", ALICE, NOW - day * DAY),
            signal("clicked", GINA, NOW - day * DAY),
            play_=runs,
        )
    found = values(world)
    assert found["acme"] == pytest.approx(by_brute_force(world, "acme", RULES), rel=1e-12)
    assert found["globex"] == pytest.approx(by_brute_force(world, "globex", HEAVY), rel=1e-12)


def test_two_plays_take_turns_without_rescoring_each_other(world: World) -> None:
    enter(world, "globex", "renewal")
    tell(world.engine, signal("clicked", ALICE), signal("clicked", GINA))
    assert rescore(world.engine, other_play(), NOW).people == 1
    for _ in range(2):
        assert rescore(world.engine, play(), NOW).people == 0
        assert rescore(world.engine, other_play(), NOW).people == 0


def test_an_account_in_no_play_follows_the_play_that_scored_first_whoever_runs(world: World) -> None:
    enter(world, "globex", None)
    tell(world.engine, signal("clicked", GINA), play_=other_play())
    tell(world.engine, signal("clicked", GINA, NOW - DAY), play_=play())
    with reading(world.engine) as connection:
        assert read_weighing(connection).first == "renewal"
    assert values(world)["globex"] == pytest.approx(by_brute_force(world, "globex", HEAVY), rel=1e-12)


def test_an_account_that_changes_its_play_is_scored_anew_by_the_next_signal_or_the_next_run(world: World) -> None:
    tell(world.engine, signal("clicked", GINA), signal("clicked", ALICE))
    rescore(world.engine, other_play(), NOW)
    enter(world, "globex", "renewal")
    enter(world, "acme", "renewal")
    tell(world.engine, signal("visited", GINA, NOW - DAY))
    assert values(world)["globex"] == pytest.approx(by_brute_force(world, "globex", HEAVY), rel=1e-12)
    assert values(world)["acme"] == pytest.approx(by_brute_force(world, "acme", RULES), rel=1e-12)
    assert rescore(world.engine, play(), NOW).people == 1
    assert values(world)["acme"] == pytest.approx(by_brute_force(world, "acme", HEAVY), rel=1e-12)


def test_new_weights_count_from_the_next_run_on_and_the_accounts_that_move_are_named(world: World) -> None:
    tell(world.engine, signal("clicked", ALICE), signal("clicked", GINA), signal("visited", IVAN))
    before = values(world)
    heavier = small_play(engagement=RULES.model_copy(update={"weights": {**RULES.weights, K.VISITED: 20.0}}))
    tell(world.engine, signal("clicked", ALICE, NOW - DAY), play_=heavier)
    assert values(world)["initech-north"] == before["initech-north"], "one transaction never mixes two sets of weights"
    found = rescore(world.engine, heavier, NOW)
    after = values(world)
    assert [shift.account for shift in found.most] == ["initech-north"]
    shift = found.most[0]
    assert (shift.before, shift.after) == pytest.approx((before["initech-north"], after["initech-north"]))
    assert (shift.place_before, shift.place_after) == (3, 1)
    assert rescore(world.engine, heavier, NOW).moved == 0


def test_role_weights_move_scores_without_adding_anything_up_anew(world: World) -> None:
    tell(world.engine, signal("clicked", ALICE), signal("clicked", GINA))
    changed = RULES.model_copy(update={"role_weights": {**RULES.role_weights, Role.CHAMPION: 3.0}})
    found = rescore(world.engine, small_play(engagement=changed), NOW)
    assert found.people == 0
    assert "acme" in {shift.account for shift in found.most}


def test_trying_weights_shows_the_same_and_keeps_nothing(world: World) -> None:
    tell(world.engine, signal("clicked", ALICE), signal("visited", GINA))
    before, heavy = values(world), small_play(engagement=HEAVY)
    tried = try_weights(world.engine, heavy, NOW)
    assert values(world) == before
    assert rescore(world.engine, heavy, NOW) == tried


def test_the_command_shows_what_todays_weights_would_move(world: World, tmp_path: Path) -> None:
    tell(world.engine, signal("clicked", ALICE), play_=small_play(engagement=HEAVY))
    url = world.engine.url.render_as_string(hide_password=False)
    environment = {"TANDEM_HOME": str(tmp_path), "TANDEM_DATABASE_URL": url}
    answer = CliRunner().invoke(tandem, ["signal", "rescore", "--json", "--as-of", NOW.isoformat()], env=environment)
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.output)
    assert [shift["account"] for shift in said["most"]] == ["acme"]
    assert said["most"][0]["before"] != said["most"][0]["after"]


def test_the_databases_sum_equals_addition_signal_by_signal_even_over_a_thousand_half_lives(world: World) -> None:
    quick = Engagement(weights={K.CLICKED: 3, K.UNSUBSCRIBED: -5}, half_life=timedelta(hours=1))
    ages = [0.0, 0.3, 7.123456, 40, 41.7, 300]
    told = [signal("clicked", ALICE, NOW - timedelta(days=age)) for age in ages]
    told += [signal("unsubscribed", GINA, NOW - timedelta(days=age)) for age in ages[1:]]
    tell(world.engine, *told, play_=small_play(engagement=quick))
    added = values(world)
    with writing(world.engine) as connection:
        assert scores.recompute(connection) == 2
    assert values(world) == pytest.approx(added, rel=1e-12)


def test_what_moved_leaves_out_what_nobody_can_see() -> None:
    def worth(value: float) -> Score:
        return roll_up({1: value}, {1: Role.END_USER}, RULES)

    moved = what_moved({1: worth(3), 2: worth(9), 3: worth(1)}, {1: worth(3.001), 2: worth(2), 4: worth(8)})
    assert [(one.account, one.place_before, one.place_after) for one in moved] == [
        (4, None, 1),
        (2, 1, 3),
        (3, 3, None),
    ]
