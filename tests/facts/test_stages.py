"""The stage of an account from its opportunities and the first contact; moves the play does not allow are refused."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.playbook import Entry
from accounts.stages import Deal, Move, StageNames, Standing, find_move, may_enter, why_refused
from tests.cast import NOW
from tests.plays import small_play

PLAY = small_play()
NAMES = StageNames(PLAY)
TALKED = NOW - timedelta(days=30)


def standing(
    stage: str, *, contacted: datetime | None = TALKED, entered_days_ago: int = 14, **more: object
) -> Standing:
    return Standing(stage, NOW - timedelta(days=entered_days_ago), contacted, **more)  # type: ignore[arg-type]


def deal(stage: str, *, is_open: bool = True, is_won: bool = False, id: int = 1, **more: object) -> Deal:
    return Deal(id, f"Deal {id}", stage, is_open, is_won, **more)  # type: ignore[arg-type]


def won(id: int = 1, **more: object) -> Deal:
    return deal("Closed Won", is_open=False, is_won=True, id=id, **more)


def lost(id: int = 1, **more: object) -> Deal:
    return deal("Closed Lost", is_open=False, id=id, **more)


def moved(now: Standing, *deals: Deal) -> Move | None:
    return find_move(now, deals, PLAY, NAMES)


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("Proof of Concept", "evaluation"),
        ("proof of concept", "evaluation"),
        ("  PROOF  OF CONCEPT ", "evaluation"),
        ("presentationscheduled", "evaluation"),
        ("Presentation Scheduled", "evaluation"),
        ("Negotiation/Review", "negotiation"),
        ("Closed Won", "won"),
        ("closedlost", "lost"),
        ("discovery", "discovery"),
        ("Engaging", None),
        ("", None),
    ],
)
def test_crm_names_are_found_whatever_their_case_and_blanks(name: str, stage: str | None) -> None:
    assert NAMES.find(name) == stage


def test_a_stage_is_found_by_its_own_name_and_by_the_one_that_people_read() -> None:
    renamed = tuple(
        rule.model_copy(update={"label": "Technical check"}) if rule.key == "evaluation" else rule
        for rule in PLAY.stages
    )
    names = StageNames(small_play(stages=renamed))
    assert (names.find("technical check"), names.find("Evaluation")) == ("evaluation", "evaluation")


def test_an_open_opportunity_moves_the_account_to_its_stage_and_says_so() -> None:
    assert moved(standing("discovery"), deal("Proof of Concept")) == Move(
        "discovery", "evaluation", "opportunity “Deal 1” is in “Proof of Concept”"
    )


def test_an_account_that_is_where_it_belongs_does_not_move() -> None:
    assert moved(standing("evaluation"), deal("Proof of Concept")) is None


def test_of_several_open_opportunities_the_most_advanced_counts() -> None:
    move = moved(
        standing("contacted"), deal("Qualification"), deal("Negotiation/Review", id=2), deal("Discovery", id=3)
    )
    assert move is not None
    assert (move.to_stage, move.cause) == ("negotiation", "opportunity “Deal 2” is in “Negotiation/Review”")


def test_of_two_opportunities_in_one_stage_the_later_row_is_the_cause() -> None:
    for ids in ((1, 2), (2, 1)):
        move = moved(standing("contacted"), *(deal("Discovery", id=id) for id in ids))
        assert move is not None
        assert move.cause == "opportunity “Deal 2” is in “Discovery”"


class TestWithoutContact:
    """Promise 1: nothing leaves `target` before sales has made contact."""

    def test_a_target_with_an_open_opportunity_stays_and_the_refusal_says_why(self) -> None:
        move = moved(standing("target", contacted=None), deal("Proof of Concept"))
        assert move is not None
        assert (move.to_stage, move.refused) == ("evaluation", "no sales contact on record yet")

    def test_a_target_with_nothing_or_with_closed_opportunities_just_stays(self) -> None:
        assert moved(standing("target", contacted=None)) is None
        assert moved(standing("target", contacted=None), won(), lost(2)) is None
        assert moved(standing("target", contacted=None), deal("Engaging")) is None

    @given(
        stage=st.sampled_from([*(rule.key for rule in PLAY.stages), "simmering"]),
        deals=st.lists(
            st.builds(
                Deal,
                id=st.integers(1, 9),
                name=st.none(),
                stage=st.sampled_from(["Proof of Concept", "Closed Won", "Closed Lost", "Engaging", "Qualification"]),
                is_open=st.booleans(),
                is_won=st.booleans(),
                created_at=st.none() | st.just(NOW),
            ),
            max_size=4,
        ),
    )
    def test_whatever_the_crm_says_an_account_without_contact_ends_in_target(
        self, stage: str, deals: list[Deal]
    ) -> None:
        move = moved(standing(stage, contacted=None), *deals)
        ends_in = move.to_stage if move and not move.refused else stage
        assert ends_in == "target"

    def test_an_account_that_got_further_goes_back_whatever_the_table_of_moves_says(self) -> None:
        assert moved(standing("negotiation", contacted=None), deal("Negotiation/Review")) == Move(
            "negotiation", "target", "no sales contact on record"
        )


class TestWithoutOpportunity:
    def test_the_first_contact_makes_a_target_contacted(self) -> None:
        talked = standing("target", contact="meeting on 2026-10-25 (held)")
        assert moved(talked) == Move("target", "contacted", "meeting on 2026-10-25 (held)")

    def test_an_account_that_stands_further_along_stays(self) -> None:
        assert moved(standing("discovery")) is None
        assert moved(standing("discovery", last_contacted_at=NOW)) is None

    def test_a_stage_the_play_does_not_know_is_read_as_a_crm_name_or_left_for_contacted(self) -> None:
        assert moved(standing("Proof of Concept")) == Move(
            "Proof of Concept", "evaluation", "its stage was called “Proof of Concept”"
        )
        move = moved(standing("simmering"))
        assert move is not None
        assert (move.to_stage, move.refused) == ("contacted", None)


class TestMoves:
    def test_a_move_the_play_does_not_allow_is_refused_with_the_reason(self) -> None:
        move = moved(standing("evaluation"), deal("Qualification"))
        assert move is not None
        assert move.refused == "the play new-business allows no move from evaluation to contacted"

    def test_skipping_ahead_is_refused_where_the_play_wants_every_stage(self) -> None:
        strict = small_play(
            stages=tuple(
                rule.model_copy(update={"moves": ("discovery",)}) if rule.key == "contacted" else rule
                for rule in PLAY.stages
            )
        )
        move = find_move(standing("contacted"), [deal("Negotiation/Review")], strict, StageNames(strict))
        assert move is not None
        assert move.refused == "the play new-business allows no move from contacted to negotiation"

    def test_back_to_target_needs_leave_once_sales_has_talked_to_them(self) -> None:
        assert why_refused(standing("evaluation"), "target", PLAY) == (
            "the play new-business allows no move from evaluation to target"
        )
        assert why_refused(standing("evaluation", contacted=None), "target", PLAY) is None

    def test_a_stage_that_the_play_does_not_have_is_open_to_nobody(self) -> None:
        for stage in ("evaluation", "simmering"):
            assert why_refused(standing(stage), "dreaming", PLAY) == "the play new-business has no stage dreaming"

    def test_going_back_needs_the_plays_leave(self) -> None:
        back = moved(standing("evaluation"), deal("Needs Analysis"))
        assert back is not None
        assert (back.to_stage, back.refused) == ("discovery", None)


class TestWonAndLost:
    def test_a_won_deal_and_nothing_open_is_won(self) -> None:
        move = moved(standing("negotiation"), won())
        assert move is not None
        assert (move.to_stage, move.refused) == ("won", None)

    def test_flags_outrank_the_name_of_the_column(self) -> None:
        closed = deal("Negotiation/Review", is_open=False)
        assert moved(standing("negotiation"), closed) == Move(
            "negotiation", "lost", "opportunity “Deal 1” is lost (“Negotiation/Review”)"
        )
        signed = moved(standing("proposal"), deal("Whatever", is_open=False, is_won=True))
        assert signed is not None
        assert signed.to_stage == "won"

    def test_a_name_that_says_won_or_lost_is_believed_whatever_the_flags_forgot(self) -> None:
        for name, stage in (("Closed Won", "won"), ("Closed Lost", "lost")):
            for is_open in (True, False):
                move = moved(standing("negotiation"), deal(name, is_open=is_open))
                assert move is not None
                assert move.to_stage == stage

    def test_lost_while_another_is_open_is_not_lost(self) -> None:
        assert moved(standing("evaluation"), lost(), deal("Proof of Concept", id=2)) is None

    def test_lost_and_won_with_nothing_open_is_won(self) -> None:
        move = moved(standing("negotiation"), won(), lost(2, close_date=date(2026, 11, 23)))
        assert move is not None
        assert move.to_stage == "won"

    def test_the_win_the_account_was_worked_for_outweighs_what_was_open_beside_it(self) -> None:
        older = deal("Discovery", id=2, created_at=NOW - timedelta(days=60))
        move = moved(standing("negotiation"), won(closed_at=NOW - timedelta(days=1)), older)
        assert move is not None
        assert move.to_stage == "won"
        assert moved(standing("won", entered_days_ago=0), won(closed_at=NOW - timedelta(days=1)), older) is None

    def test_a_customer_of_last_year_may_be_in_a_new_cycle(self) -> None:
        past = won(closed_at=NOW - timedelta(days=400))
        move = moved(standing("contacted"), past, deal("Proof of Concept", id=2, created_at=NOW - timedelta(days=9)))
        assert move is not None
        assert (move.to_stage, move.refused) == ("evaluation", None)

    def test_a_new_opportunity_of_a_customer_is_refused_since_customers_belong_in_another_play(self) -> None:
        fresh = deal("Discovery", id=2, created_at=NOW)
        move = moved(standing("won"), won(closed_at=NOW - timedelta(days=20)), fresh)
        assert move is not None
        assert move.refused == "the play new-business allows no move from won to discovery"

    def test_a_reopened_deal_brings_a_lost_account_back(self) -> None:
        move = moved(standing("lost"), lost(), deal("Discovery", id=2))
        assert move is not None
        assert (move.to_stage, move.refused) == ("discovery", None)

    @pytest.mark.parametrize(
        ("win", "opened", "stage"),
        [
            (14, 60, "won"),  # on the day on which the account came to where it stands
            (14, 14, "won"),  # opened as the other was won: beside it, not after it
            (14, None, "won"),  # nobody knows since when
            (15, 60, "evaluation"),  # an older win
            (None, 60, "evaluation"),  # nobody knows when
        ],
    )
    def test_whether_a_win_outweighs_an_open_deal_is_a_matter_of_days(
        self, win: int | None, opened: int | None, stage: str
    ) -> None:
        closed_at, created_at = (days and NOW - timedelta(days=days) for days in (win, opened))
        still_open = deal("Proof of Concept", id=2, created_at=created_at)
        move = moved(standing("discovery"), won(closed_at=closed_at), still_open)
        assert move is not None
        assert move.to_stage == stage

    def test_one_newer_deal_is_enough_for_a_new_cycle_and_a_closed_one_is_none(self) -> None:
        win, opened = won(closed_at=NOW - timedelta(days=5)), NOW - timedelta(days=2)
        older = deal("Discovery", id=2, created_at=NOW - timedelta(days=60))
        for newer, stage in ((deal("Proof of Concept", id=3, created_at=opened), "evaluation"),
                             (lost(3, created_at=opened), "won"), (won(3, created_at=opened), "won")):  # fmt: skip
            move = moved(standing("negotiation"), win, older, newer)
            assert move is not None
            assert move.to_stage == stage

    def test_a_win_ends_no_play_that_has_not_begun(self) -> None:
        """An account that never left target, and one of which nobody knows since when it stands where it does."""
        win, older = won(closed_at=NOW), deal("Proof of Concept", id=2, created_at=NOW - timedelta(days=60))
        for begun in (standing("target"), standing("discovery")._replace(entered_at=None)):
            move = moved(begun, win, older)
            assert move is not None
            assert move.to_stage == "evaluation"

    @pytest.mark.parametrize(
        "first",
        [
            {"closed_at": NOW - timedelta(days=9)},
            {"close_date": date(2026, 11, 20)},
            {"closed_at": NOW - timedelta(days=9), "close_date": date(2026, 12, 1)},
            {},
            {"closed_at": NOW - timedelta(days=1), "id": 6},
        ],
        ids=["closed earlier", "closed on an earlier day", "meant to be closed later", "nobody knows", "same moment"],
    )
    def test_of_several_wins_the_latest_is_the_cause(self, first: dict[str, object]) -> None:
        both = won(**{"id": 8, **first}), won(7, closed_at=NOW - timedelta(days=1))  # type: ignore[arg-type]
        for wins in (both, both[::-1]):
            move = moved(standing("negotiation"), *wins)
            assert move is not None
            assert move.cause == "opportunity “Deal 7” is won (“Closed Won”)"

    def test_a_deal_that_is_said_to_close_today_is_later_than_one_of_yesterday(self) -> None:
        move = moved(standing("negotiation"), won(8, closed_at=NOW - timedelta(days=1)), won(7, close_date=NOW.date()))
        assert move is not None
        assert move.cause == "opportunity “Deal 7” is won (“Closed Won”)"


class TestRecycled:
    """It waits for something new; what had happened by then is why it waits."""

    def test_old_deals_do_not_wake_it(self) -> None:
        old = lost(close_date=date(2026, 10, 1))
        assert moved(standing("recycled"), old, deal("Discovery", id=2, created_at=NOW - timedelta(days=90))) is None

    def test_a_new_opportunity_wakes_it(self) -> None:
        move = moved(standing("recycled"), deal("Discovery", created_at=NOW - timedelta(days=1)))
        assert move is not None
        assert move.to_stage == "discovery"

    @pytest.mark.parametrize("close", [won, lost])
    def test_a_deal_is_news_by_the_day_it_was_closed_or_opened(self, close: Callable[..., Deal]) -> None:
        """Recycled a fortnight ago."""
        before, then, since = (NOW - timedelta(days=days) for days in (60, 14, 2))
        news = [close(created_at=before, closed_at=since), deal("Discovery", created_at=since)]
        old = [close(created_at=since, closed_at=then), deal("Discovery", created_at=then), close(), deal("Discovery")]
        assert [moved(standing("recycled"), one) for one in old] == [None] * 4
        assert None not in [moved(standing("recycled"), one) for one in news]

    def test_where_nobody_knows_since_when_it_rests_every_deal_is_news_and_no_conversation_is(self) -> None:
        resting = standing("recycled", last_contacted_at=NOW)._replace(entered_at=None)
        assert moved(resting) is None
        assert moved(resting, deal("Discovery")) is not None

    def test_a_conversation_of_the_moment_in_which_it_was_recycled_does_not_wake_it(self) -> None:
        assert moved(standing("recycled", last_contacted_at=NOW - timedelta(days=14))) is None

    def test_a_new_conversation_wakes_it_and_the_old_one_does_not(self) -> None:
        assert moved(standing("recycled", last_contacted_at=TALKED)) is None
        move = moved(standing("recycled", last_contacted_at=NOW - timedelta(days=1)))
        assert move is not None
        assert move.to_stage == "contacted"


def test_opportunities_with_unknown_stage_names_say_nothing() -> None:
    assert moved(standing("discovery"), deal("Engaging")) is None
    move = moved(standing("target"), deal("Engaging"))
    assert move is not None
    assert move.to_stage == "contacted"


def test_the_play_is_for_accounts_that_fit_all_its_wishes() -> None:
    entry = Entry(tiers=("1", "2"), industries=("Food processing",))
    assert may_enter(entry, "1", "food  Processing", None)
    assert not may_enter(entry, "3", "Food processing", "DACH")
    assert not may_enter(entry, None, "Food processing", "DACH")
    assert not may_enter(entry, "1", "Steel", "DACH")
    assert not may_enter(Entry(territories=("DACH",)), "1", "Steel", "Nordics")
    assert may_enter(Entry(), None, None, None)
