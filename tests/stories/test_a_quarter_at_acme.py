"""A quarter in an account's life, in milliseconds: what each of six people gets, and what does not reach them."""

from datetime import datetime, timedelta

from accounts.vocabulary import Reason
from tests.cast import NOW, PLAY
from tests.planning.life import Event, Life, held, moves_to, opts_out, released, rep_writes, vetoes
from tests.planning.scenes import acme, person
from tests.plays import small_play, step

DAY = timedelta(days=1)
ALICE, BOB, CHARLIE, DANA, ERIN, FRANK = range(1, 7)

PLAY_OF_THE_QUARTER = small_play(
    steps=(
        step("contacted/first-look", "champion influencer", after=1),
        step("contacted/two-levers", "economic_buyer", after=2),
        step("discovery/why-now", "champion economic_buyer", after=2),
        step("discovery/baseline-first", "champion", 2, after=4),
        step("discovery/three-alarms", "end_user", after=3),
        step("evaluation/pilot", "champion influencer", after=2),
        step("evaluation/five-slides", "champion", 2, after=5),
        step("evaluation/three-numbers", "economic_buyer", after=3),
        step("evaluation/security-pack", "technical_evaluator", after=1),
        step("evaluation/like-with-like", "procurement", after=3),
        step("negotiation/order-checklist", "procurement", after=2),
        step("negotiation/one-open-list", "legal", after=2),
        step("negotiation/if-you-leave", "economic_buyer", after=2),
    )
)


def day(number: float) -> datetime:
    """Day 0 is Tuesday 24 November 2026, ten in the morning in London, eleven at Acme."""
    return NOW + number * DAY


def a_quarter() -> Life:
    life = Life(
        acme(
            person(ALICE, "champion"),
            person(BOB, "economic_buyer"),
            person(CHARLIE, "technical_evaluator"),
            person(DANA, "end_user"),
            person(ERIN, "procurement"),
            person(FRANK, "legal", consent_basis=None),
            stage="target",
            first_contacted_at=None,
        ),
        PLAY_OF_THE_QUARTER,
    )
    life.on(day(3), sales_meets_them())
    life.on(day(14), moves_to("discovery"))
    life.on(day(16.2), opts_out(DANA))  # the afternoon before her first mail
    life.on(day(22), rep_writes(BOB))
    life.on(day(29), moves_to("evaluation"))  # two days before Christmas
    life.on(day(30), vetoes(ERIN, f"{PLAY}/evaluation/like-with-like"))
    life.on(day(36), held("reply", ends=10 * DAY))  # somebody answered
    life.on(day(55), moves_to("negotiation"), held("rep"))  # "let me handle this"
    life.on(day(69), released())
    life.on(day(85), moves_to("won"))
    return life.run(until=day(92))


def sales_meets_them() -> Event:
    def happen(life: Life, at: datetime) -> None:
        life.account = life.account._replace(stage="contacted", stage_entered_at=at, first_contacted_at=at)
        held("meeting", ends=3 * DAY)(life, at)

    return happen


def test_the_quarter() -> None:
    life = a_quarter()

    # Nobody hears from marketing before sales has talked to them, nor in the three days the meeting belongs to sales.
    assert min(sent.at for sent in life.sent) > day(6)

    # Everybody gets what is meant for them, in order, once.
    assert life.to(ALICE) == ["first-look", "why-now", "baseline-first", "pilot", "five-slides"]
    assert life.to(BOB) == ["two-levers", "why-now", "three-numbers", "if-you-leave"]
    assert life.to(CHARLIE) == ["security-pack"]

    # Dana said no the afternoon before her first mail was due; Frank never said yes.
    assert life.to(DANA) == []
    assert life.to(FRANK) == []

    # Erin's rep refused one content; the next stage has another one for her.
    assert life.to(ERIN) == ["order-checklist"]


def test_silence_where_the_rep_has_the_word() -> None:
    """After a reply, and while a rep holds the account, nobody gets anything."""
    life = a_quarter()
    assert [sent for sent in life.sent if day(36) <= sent.at < day(46)] == []
    assert [sent for sent in life.sent if day(55) <= sent.at < day(69)] == []


def test_a_release_after_two_weeks_does_not_flood() -> None:
    """Stage and hold began together; the mails come at the pace they would have come at without the hold."""
    life = a_quarter()
    after = [sent for sent in life.sent if sent.at >= day(69)]
    assert [sent.content.rpartition("/")[2] for sent in after] == ["if-you-leave", "order-checklist"]
    assert min(sent.at for sent in after) >= day(71)


def test_holidays_and_nights_are_kept() -> None:
    """The quarter spans Christmas and New Year; all mail leaves between nine and five in Berlin, on working days."""
    closed = {(12, 25), (12, 26), (1, 1)}
    for sent in a_quarter().sent:
        decided = sent.at - timedelta(minutes=3) + timedelta(hours=1)  # winter time
        assert (decided.month, decided.day) not in closed
        assert decided.weekday() < 5
        assert 9 <= decided.hour < 17


def test_every_silence_of_the_quarter_had_a_reason() -> None:
    assert a_quarter().reasons >= {
        Reason.NOT_CONTACTED, Reason.PAUSED_FOR_MEETING, Reason.WAITING_STEP, Reason.OUTSIDE_WINDOW, Reason.HOLIDAY,
        Reason.OPTED_OUT, Reason.NO_CONSENT, Reason.NO_CONTENT, Reason.SEQUENCE_FINISHED, Reason.PAUSED_AFTER_REPLY,
        Reason.VETOED, Reason.ACCOUNT_HELD, Reason.STAGE_NOT_NURTURED,
    }  # fmt: skip


def test_six_weeks_without_planning_send_nothing_unasked() -> None:
    """The machine was off over the whole of the evaluation; what should have gone out waits for a decision."""
    life = Life(acme(person(ALICE, "champion"), person(BOB, "economic_buyer")), PLAY_OF_THE_QUARTER, start=day(42))
    life.run(until=day(49))
    assert life.sent == []
    assert life.reasons >= {Reason.LATE_STEP}
