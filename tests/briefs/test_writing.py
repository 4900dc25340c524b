"""What a brief says, of whom, and in which order."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from accounts.briefs import write_brief
from accounts.briefs.account import AccountBrief
from accounts.briefs.brevity import Room, fit
from accounts.briefs.material import (
    AccountMaterial,
    Held,
    Mail,
    Move,
    Objected,
    Outlook,
    RepMaterial,
    SalesTouch,
    Sign,
    clean,
    clip,
)
from accounts.briefs.news import Weight
from accounts.briefs.next_steps import NEXT_STEPS
from accounts.briefs.saying import BECAUSE, DID, DID_SHORT, HELD_FOR, QUESTIONS
from accounts.briefs.seats import SeatState
from accounts.playbook import Play, Step
from accounts.vocabulary import Answer, EmailStatus, HoldCause, HoldScope, Reason, Role, SignalKind
from tests.briefs.sample import (
    YESTERDAY,
    acme,
    ago,
    coming,
    globex,
    hooli,
    initech,
    never,
    person,
    ravi,
    sign,
    tuesday,
    umbra,
    vandelay,
)
from tests.cast import NOW, PLAY
from tests.plays import small_play, step

WHOLE = small_play()


def brief_of(account: AccountMaterial, play: Play = WHOLE, since: object = YESTERDAY) -> AccountBrief:
    brief = write_brief(ravi(account, since=since), play, NOW)  # type: ignore[arg-type]
    assert brief is not None
    return brief.accounts[0]


def group_of_four(**more: object) -> AccountMaterial:
    """Every wanted seat is taken, nobody has done anything, nobody was written to."""
    people = (
        person(1, "Alice Winter", Role.CHAMPION),
        person(2, "Bob Castellano", Role.ECONOMIC_BUYER),
        person(3, "Charlie Brandt", Role.TECHNICAL_EVALUATOR),
        person(4, "Dana Fields", Role.END_USER),
    )
    values = {"id": 1, "key": "acme", "name": "Acme Works", "stage": "evaluation", "people": people}
    return AccountMaterial(**{**values, **more})  # type: ignore[arg-type]


def states(brief: AccountBrief) -> dict[str, SeatState]:
    return {seat.name: seat.state for seat in brief.group}


class TestWhetherThereIsABrief:
    def test_nothing_new_means_no_brief(self) -> None:
        quiet = group_of_four(
            signs=(sign(SignalKind.CLICKED, 1, 3, is_new=False),),
            mails=(Mail(1, 1, f"{PLAY}/evaluation/pilot", ago(1)),),
            holds=(Held(1, HoldScope.ACCOUNT, None, HoldCause.REPLY, "tandem", ago(3)),),
        )
        assert write_brief(ravi(quiet), WHOLE, NOW) is None

    def test_a_rep_without_accounts_gets_none(self) -> None:
        assert write_brief(ravi(), WHOLE, NOW) is None

    def test_what_happens_after_the_moment_of_writing_is_not_news(self) -> None:
        later = group_of_four(mails=(Mail(1, 1, f"{PLAY}/evaluation/pilot", NOW + timedelta(minutes=1)),))
        assert write_brief(ravi(later), WHOLE, NOW) is None

    def test_a_hold_the_rep_set_is_no_news_to_the_rep(self) -> None:
        held = group_of_four(holds=(Held(1, HoldScope.ACCOUNT, None, HoldCause.REP, "ravi", ago(0.5)),))
        assert write_brief(ravi(held), WHOLE, NOW) is None

    def test_a_hold_that_ran_out_is_news(self) -> None:
        hold = Held(1, HoldScope.ACCOUNT, None, HoldCause.REPLY, "tandem", ago(10), ago(0.5))
        brief = brief_of(group_of_four(holds=(hold,)))
        assert (brief.why, brief.news[0].text) == ("a hold changed", "The hold after a reply is over")

    def test_an_answer_that_fell_due_since_the_last_brief_is_news_by_itself(self) -> None:
        asked = sign(SignalKind.REPLIED, 1, 1.5, is_new=False)
        brief = brief_of(group_of_four(signs=(asked,)))
        assert brief.why == "an answer is overdue"
        assert brief.is_late
        assert brief.news[0].text == "Alice Winter has no answer yet, due Mon 17:00"


class TestOrder:
    def test_a_reply_outranks_a_meeting_a_lost_seat_a_refused_move_rising_heat_and_mail(self) -> None:
        brief = write_brief(ravi(vandelay(), umbra(), hooli(), globex(), initech(), acme()), WHOLE, NOW)
        assert brief is not None
        assert [account.key for account in brief.accounts] == ["acme", "initech-north", "globex", "umbra", "hooli"]

    def test_each_account_says_why_it_stands_where_it_stands(self) -> None:
        brief = write_brief(tuesday(), WHOLE, NOW)
        assert brief is not None
        assert [account.why for account in brief.accounts] == [
            "somebody asked",
            "a meeting",
            "a key person dropped out",
            "a stage change was refused",
            "interest is rising",
        ]

    def test_at_most_five_accounts_are_told_and_the_others_are_named(self) -> None:
        many = [replace(vandelay(), id=n, key=f"account-{n:02}", name=f"Account {n}") for n in range(20)]
        brief = write_brief(ravi(*many), WHOLE, NOW)
        assert brief is not None
        assert len(brief.accounts) == 5
        assert brief.also[0].text == "Account 5 (account-05): marketing wrote"
        assert brief.also[-1].text == "and 7 more accounts"
        assert all(line.evidence for line in brief.also)

    def test_losing_somebody_whom_the_play_does_not_need_weighs_less_than_engagement(self) -> None:
        legal = person(9, "Frank Huber", Role.LEGAL)
        lost = group_of_four(people=(legal,), signs=(sign(SignalKind.UNSUBSCRIBED, 9, 0.1),))
        engaged = replace(group_of_four(signs=(sign(SignalKind.VISITED, 1, 0.9),)), key="engaged")
        brief = write_brief(ravi(lost, engaged), WHOLE, NOW)
        assert brief is not None
        assert [account.key for account in brief.accounts] == ["engaged", "acme"]

    def test_the_order_of_news_is_complete(self) -> None:
        assert [weight.place for weight in Weight] == list(range(len(Weight)))


class TestBuyingGroup:
    def test_the_picture_tells_warm_silent_new_lost_and_missing_apart(self) -> None:
        clicked = sign(SignalKind.CLICKED, 1, 0.5)
        account = AccountMaterial(
            1, "acme", "Acme Works", "evaluation",
            people=(
                person(1, "Alice Winter", Role.CHAMPION, last_sign=clicked),
                person(2, "Bob Castellano", Role.ECONOMIC_BUYER, touches=(7,)),
                person(3, "Charlie Brandt", Role.TECHNICAL_EVALUATOR),
                person(4, "Dana Fields", Role.END_USER, email_status=EmailStatus.LEFT),
            ),
            signs=(clicked,),
        )  # fmt: skip
        assert states(brief_of(account)) == {
            "Alice Winter": SeatState.WARM,
            "Bob Castellano": SeatState.SILENT,
            "Charlie Brandt": SeatState.NEW,
            "Dana Fields": SeatState.OUT,
            "nobody yet": SeatState.MISSING,
        }

    def test_who_just_got_a_first_mail_is_not_called_silent(self) -> None:
        first = Mail(9, 2, f"{PLAY}/evaluation/pilot", ago(0.5))
        for touches, expected in (
            ((9,), ("mailed Mon", SeatState.NEW)),
            ((8, 9), ("silent, 2 mails", SeatState.SILENT)),
        ):
            bob = person(2, "Bob Castellano", Role.ECONOMIC_BUYER, touches=touches)
            (seat,) = (seat for seat in brief_of(group_of_four(people=(bob,), mails=(first,))).group if seat.note)
            assert (seat.note, seat.state) == expected

    def test_every_state_has_a_mark_of_its_own_so_that_no_colour_is_needed(self) -> None:
        assert len({state.mark for state in SeatState}) == len(SeatState)

    def test_the_most_wanted_empty_seat_becomes_a_question(self) -> None:
        brief = brief_of(globex())
        assert brief.question is not None
        assert brief.question.text == "Who signs off the budget?"
        assert "stakeholder:12" in brief.question.evidence

    def test_somebody_who_opted_out_of_mail_still_fills_a_seat(self) -> None:
        people = (*group_of_four().people[:3], person(4, "Dana Fields", Role.END_USER, opted_out_at=ago(3)))
        brief = brief_of(group_of_four(people=people, signs=(sign(SignalKind.VISITED, 1, 0.2),)))
        assert brief.question is None
        assert states(brief)["Dana Fields"] == SeatState.OUT

    def test_somebody_of_unknown_role_is_asked_about_when_no_seat_is_empty(self) -> None:
        people = (*group_of_four().people, person(5, "Jon Petersen", Role.UNKNOWN))
        brief = brief_of(group_of_four(people=people, signs=(sign(SignalKind.VISITED, 1, 0.2),)))
        assert brief.question is not None
        assert brief.question.text == "What is the part of Jon Petersen?"

    def test_warmth_ends_after_two_half_lives(self) -> None:
        for days, expected in ((27, SeatState.WARM), (29, SeatState.SILENT)):
            last = sign(SignalKind.CLICKED, 1, days, is_new=False)
            people = (person(1, "Alice Winter", Role.CHAMPION, last_sign=last), *group_of_four().people[1:])
            brief = brief_of(group_of_four(people=people, mails=(Mail(1, 2, f"{PLAY}/evaluation/pilot", ago(0.1)),)))
            assert states(brief)["Alice Winter"] == expected

    def test_the_headline_counts_people_and_says_what_the_points_mean(self) -> None:
        assert brief_of(hooli()).headline.text == "2 of 4 engaged in 28 days, interest rising (15 points, usually 0)"


class TestNews:
    def test_acts_of_one_person_are_one_line(self) -> None:
        account = group_of_four(
            signs=(
                sign(SignalKind.VISITED, 2, 0.3),
                sign(SignalKind.VISITED, 2, 0.4),
                sign(SignalKind.CLICKED, 2, 0.5, "evaluation/three-numbers"),
            )
        )
        (news,) = brief_of(account).news
        assert news.text == (
            "Bob Castellano followed a link in “About evaluation/three-numbers” and visited our website 2 times, "
            "Tue 03:48"
        )
        assert len(news.evidence) == 3

    def test_the_mail_that_several_acts_answer_is_named_once(self) -> None:
        why_now = "discovery/why-now"
        acts = (sign(SignalKind.CLICKED, 1, 0.3, why_now), sign(SignalKind.DOWNLOADED, 1, 0.2, why_now))
        (news,) = brief_of(group_of_four(signs=acts)).news
        assert news.text == (
            "Alice Winter downloaded a document and followed a link in “About discovery/why-now”, Tue 06:12"
        )

    def test_an_act_of_nobody_we_know_is_somebodys(self) -> None:
        brief = brief_of(group_of_four(signs=(sign(SignalKind.VISITED, None, 0.1),)))
        assert brief.news[0].text == "Somebody there visited our website, Tue 08:36"

    def test_times_are_the_reps_own_through_the_change_of_the_clocks(self) -> None:
        asked = Sign(1, SignalKind.REPLIED, 1, ago(30), is_new=True)
        berlin = brief_of(group_of_four(signs=(asked,)))
        assert berlin.news[0].text == "Alice Winter replied, Sun 25 Oct 11:00"
        before = brief_of(group_of_four(signs=(replace(asked, at=ago(31)),)))
        assert before.news[0].text == "Alice Winter replied, Sat 24 Oct 12:00"

    def test_a_rep_without_a_zone_gets_the_plays(self) -> None:
        rep = replace(ravi(acme()), timezone="Mars/Olympus")
        brief = write_brief(rep, WHOLE, NOW)
        assert brief is not None
        assert brief.zone == "Europe/Berlin"

    def test_a_refused_move_says_what_the_crm_says_and_why_it_was_refused(self) -> None:
        assert brief_of(umbra()).news[0].text == (
            "The CRM says Won; the move from Contacted was refused: contacted may not move to won without a proposal"
        )

    def test_a_hold_that_a_reply_caused_is_told_with_the_reply(self) -> None:
        hold = Held(1, HoldScope.ACCOUNT, None, HoldCause.REPLY, "tandem", ago(0.1), NOW + timedelta(days=10))
        brief = brief_of(group_of_four(signs=(sign(SignalKind.REPLIED, 1, 0.1),), holds=(hold,)))
        assert [line.text for line in brief.news] == ["Alice Winter replied, Tue 08:36"]
        assert brief.more_planned is not None
        assert brief.more_planned.text == "Nothing: on hold until 4 Dec, after a reply"


class TestClock:
    def test_a_reply_starts_the_clock_that_the_play_sets(self) -> None:
        brief = brief_of(group_of_four(signs=(sign(SignalKind.REPLIED, 1, 0.5),)))
        assert brief.clock is not None
        assert brief.clock.text == "Your answer is due by Tue 17:00"
        assert not brief.is_late

    def test_a_touch_by_sales_stops_it(self) -> None:
        answered = SalesTouch(5, "call", 1, ago(0.2))
        brief = brief_of(group_of_four(signs=(sign(SignalKind.REPLIED, 1, 0.5),), sales_touch=answered))
        assert brief.clock is None

    def test_the_oldest_open_question_counts(self) -> None:
        asks = (sign(SignalKind.REPLIED, 1, 3, is_new=False), sign(SignalKind.FORM_FILLED, 2, 0.1))
        brief = brief_of(group_of_four(signs=asks))
        assert brief.clock is not None
        assert brief.clock.text == "Your answer was due Mon 17:00"
        assert brief.step.text == "Answer Alice Winter today, before anything else."

    def test_a_hot_account_wants_a_call_and_its_clock_starts_when_the_rep_is_told(self) -> None:
        brief = brief_of(hooli(), since=ago(4))
        assert brief.clock is not None
        assert brief.clock.text == "Your call is due by Wed 11:00"
        assert brief.why == "interest is rising"

    def test_a_call_that_is_due_goes_with_the_step(self) -> None:
        visited = sign(SignalKind.DOWNLOADED, 1, 0.1)
        alice = person(1, "Alice Winter", Role.CHAMPION, last_sign=visited)
        talked = SalesTouch(5, "call", 1, ago(3))
        empty = group_of_four(people=(alice, *group_of_four().people[2:]), signs=(visited,), sales_touch=talked)
        brief = brief_of(empty)
        assert brief.step.text == "Call Alice Winter and ask who signs off the budget."

    def test_nobody_is_told_to_call_somebody_who_just_booked_a_meeting(self) -> None:
        assert brief_of(initech()).clock is None


class TestNextSevenDays:
    def test_each_mail_names_time_title_person_and_the_command_that_stops_it(self) -> None:
        mails = brief_of(globex()).planned
        assert [(mail.when, mail.what, mail.veto) for mail in mails] == [
            (
                "Fri 11:00",
                "“About discovery/why-now” to Gina Alvarez",
                "tandem veto gina@globex.example new-business/discovery/why-now",
            )
        ]
        assert mails[0].evidence == ("decision:11",)

    @pytest.mark.parametrize(
        ("why", "more"),
        [
            (
                "Nothing: waiting for your yes",
                {"outlook": Outlook(Answer.WAIT, Reason.AWAITING_APPROVAL, "x/y/z")},
            ),
            ("Nothing: no consent", {"outlook": never(Reason.NO_CONSENT)}),
        ],
    )
    def test_when_nothing_leaves_the_reason_stands_there(self, why: str, more: dict[str, object]) -> None:
        people = (person(1, "Alice Winter", Role.CHAMPION, **more), *group_of_four().people[1:])
        brief = brief_of(group_of_four(people=people, signs=(sign(SignalKind.VISITED, 2, 0.1),)))
        assert brief.planned == ()
        assert brief.more_planned is not None
        assert brief.more_planned.text == why

    def test_of_a_person_who_gets_two_the_next_one_stands_there(self) -> None:
        """The link beside it stops one mail; the page of the account has both."""
        twice = (*coming(1, 1, "evaluation/pilot"), *coming(1, 5, "evaluation/five-slides"))
        people = (person(1, "Alice Winter", Role.CHAMPION, leaving=twice), *group_of_four().people[1:])
        brief = brief_of(group_of_four(people=people, signs=(sign(SignalKind.VISITED, 2, 0.1),)))
        assert [mail.content for mail in brief.planned] == [f"{PLAY}/evaluation/pilot"]

    def test_where_a_brake_holds_all_mail_that_is_said(self) -> None:
        people = tuple(replace(one, is_braked=True) for one in group_of_four().people)
        brief = brief_of(group_of_four(people=people, signs=(sign(SignalKind.VISITED, 2, 0.1),)))
        assert brief.more_planned is not None
        assert brief.more_planned.text == "Nothing: all sending there is stopped, until somebody lets it go on"

    def test_a_held_account_gets_nothing_and_says_why(self) -> None:
        brief = brief_of(initech())
        assert brief.more_planned is not None
        assert brief.more_planned.text == "Nothing: on hold until Sat, around a meeting"
        assert brief.more_planned.evidence == ("hold:71",)

    def test_a_stage_in_which_marketing_is_silent_gets_nothing_and_says_so(self) -> None:
        people = (person(1, "Alice Winter", Role.CHAMPION),)
        brief = brief_of(group_of_four(people=people, stage="won", moves=(Move(1, "proposal", "won", ago(0.1)),)))
        assert brief.planned == ()
        assert brief.more_planned is not None
        assert brief.more_planned.text == "Nothing: marketing is silent in this stage"

    def test_without_an_answer_from_planning_nothing_is_claimed(self) -> None:
        brief = brief_of(group_of_four(signs=(sign(SignalKind.VISITED, 2, 0.1),)))
        assert brief.more_planned is not None
        assert brief.more_planned.text == "Not planned yet"


class TestSuggestedStep:
    @pytest.mark.parametrize(
        ("account", "text"),
        [
            (acme(), "Answer Alice Winter yourself; marketing stays out of it."),
            (initech(), "Ask Ivan Sorokin what the meeting must settle."),
            (globex(), "Ask Gina Alvarez who takes over from Hank Moreau."),
            (umbra(), "Check the stage in the CRM, or tell marketing why it is right."),
            (hooli(), "Call Quentin Marsh: interest is rising and your last contact is long ago."),
            (group_of_four(signs=(sign(SignalKind.MEETING_HELD, 1, 0.1),)),
             "Send Alice Winter what was agreed, with dates."),
            (group_of_four(signs=(sign(SignalKind.COMPLAINED, 4, 0.1),)),
             "Speak to Dana Fields yourself; marketing will not write again."),
            (group_of_four(people=(person(1, "Alice Winter", Role.CHAMPION, touches=(8, 9)),),
                           mails=(Mail(9, 1, f"{PLAY}/evaluation/pilot", ago(0.1)),)),
             "Call Alice Winter; mail alone is not working here."),
            (vandelay(), "Nothing to do for now."),
            (group_of_four(stage="target", signs=(sign(SignalKind.VISITED, None, 0.1),)),
             "Contact Alice Winter first; marketing starts after you."),
            (group_of_four(stage="won", moves=(Move(1, "proposal", "won", ago(0.1)),)),
             "Nothing to do; marketing has stopped: won."),
        ],
    )  # fmt: skip
    def test_the_situation_gives_the_step(self, account: AccountMaterial, text: str) -> None:
        assert brief_of(account).step.text == text

    def test_somebody_warm_is_asked_for_the_empty_seat(self) -> None:
        visited = sign(SignalKind.VISITED, 1, 0.1)
        people = (person(1, "Alice Winter", Role.CHAMPION, last_sign=visited), *group_of_four().people[2:])
        talked = SalesTouch(5, "call", 1, ago(3))
        brief = brief_of(group_of_four(people=people, signs=(visited,), sales_touch=talked))
        assert brief.step.text == "Ask Alice Winter who signs off the budget."

    def test_one_voice_is_asked_to_bring_in_a_silent_colleague(self) -> None:
        visited = sign(SignalKind.VISITED, 1, 0.1)
        alice = person(1, "Alice Winter", Role.CHAMPION, last_sign=visited)
        bob = person(2, "Bob Castellano", Role.ECONOMIC_BUYER, touches=(1,))
        brief = brief_of(group_of_four(people=(alice, bob, *group_of_four().people[2:]), signs=(visited,)))
        assert brief.step.text == "Ask Alice Winter to bring in Bob Castellano."

    def test_the_last_row_of_the_table_always_holds(self) -> None:
        hold = Held(1, HoldScope.ACCOUNT, None, HoldCause.LEGAL, "counsel", ago(0.1))
        assert brief_of(group_of_four(holds=(hold,))).step.text == "Nothing to do for now."

    def test_no_situation_stands_in_the_table_twice(self) -> None:
        assert len({situation for situation, _, _ in NEXT_STEPS}) == len(NEXT_STEPS)


class TestAsset:
    def test_it_fits_the_stage_and_the_role_of_the_person_to_talk_to(self) -> None:
        brief = brief_of(group_of_four(signs=(sign(SignalKind.REPLIED, 3, 0.1),)))
        assert brief.asset is not None
        assert brief.asset.evidence == (f"content:{PLAY}/evaluation/security-pack",)
        assert brief.asset.talking_point == "One page, no form."

    def test_an_expired_piece_is_never_offered(self) -> None:
        old = step("evaluation/security-pack", "technical_evaluator", expires=date(2026, 11, 23))
        last_day = step("evaluation/new-pack", "technical_evaluator", 2, expires=date(2026, 11, 24))
        account = group_of_four(signs=(sign(SignalKind.REPLIED, 3, 0.1),))
        assert brief_of(account, small_play(steps=(old,))).asset is None
        asset = brief_of(account, small_play(steps=(old, last_day))).asset
        assert asset is not None
        assert asset.evidence == (f"content:{PLAY}/evaluation/new-pack",)

    def test_a_piece_that_marketing_sends_anyway_is_not_the_first_choice(self) -> None:
        replied = (sign(SignalKind.REPLIED, 1, 0.1),)
        has_it = person(1, "Alice Winter", Role.CHAMPION, contents=frozenset({f"{PLAY}/evaluation/pilot"}))
        sent = brief_of(group_of_four(signs=replied, people=(has_it, *group_of_four().people[1:])))
        assert sent.asset is not None
        assert sent.asset.evidence == (f"content:{PLAY}/evaluation/five-slides",)

    def test_a_piece_about_what_was_heard_goes_before_the_others_and_names_it_as_evidence(self) -> None:
        cheap = step("evaluation/bills", "champion", 3, topics=("cost",))
        others = [replace_topics(one, ("proof",)) for one in WHOLE.steps]
        play = small_play(steps=(*others, cheap), heard={"cost": ("price",)})
        replied = (sign(SignalKind.REPLIED, 1, 0.1),)
        price = Objected(9, "The price is steep", None, ago(2))
        plain, heard = (brief_of(group_of_four(signs=replied, objections=said), play) for said in ((), (price,)))
        assert plain.asset is not None
        assert heard.asset is not None
        assert plain.asset.evidence == (f"content:{PLAY}/evaluation/pilot",)
        assert heard.asset.evidence == (f"content:{PLAY}/evaluation/bills", "objection:9")


def replace_topics(one: Step, topics: tuple[str, ...]) -> Step:
    return one.model_copy(update={"topics": topics})


class TestEvidence:
    def test_each_statement_has_evidence(self) -> None:
        brief = write_brief(tuesday(), WHOLE, NOW)
        assert brief is not None
        for account in brief.accounts:
            for statement in account.statements():
                assert statement.evidence, statement.text

    def test_what_is_cut_keeps_its_proof(self) -> None:
        people = tuple(
            replace(one, leaving=coming(one.id, one.id, "evaluation/pilot")) for one in group_of_four().people
        )
        signs = (sign(SignalKind.VISITED, 1, 0.1), sign(SignalKind.VISITED, 2, 0.1))
        account = brief_of(group_of_four(people=people, signs=signs))
        assert len(account.planned) == 4, "nothing is cut yet"
        tight = fit(account, Room(news=1, seats=2, planned=0))
        before = {proof for statement in account.statements() for proof in statement.evidence}
        after = {proof for statement in tight.statements() for proof in statement.evidence}
        assert before == after


class TestWords:
    def test_every_reason_role_hold_and_engagement_has_words(self) -> None:
        assert set(BECAUSE) == set(Reason)
        assert set(HELD_FOR) == set(HoldCause)
        assert set(QUESTIONS) == set(Role) - {Role.UNKNOWN}
        assert set(DID_SHORT) < set(DID)

    def test_what_machines_and_mail_servers_report_is_not_an_act(self) -> None:
        assert not {SignalKind.OPENED, SignalKind.DELIVERED, SignalKind.DEFERRED, SignalKind.AD_SHOWN} & set(DID)
        assert not {SignalKind.BOUNCED, SignalKind.UNSUBSCRIBED, SignalKind.OUT_OF_OFFICE} & set(DID_SHORT)

    def test_a_name_is_one_line_of_visible_characters(self) -> None:
        assert clean("Ali\x1b[31mce\r\n  Winter\u202e\t") == "Ali [31mce Winter"

    def test_a_cut_shows(self) -> None:
        assert clip("one two three four", 3) == "one two three…"
        assert clip("one two", 3) == "one two"
        assert len(clip("x" * 500, 3)) == 80

    def test_a_brief_that_may_be_lost_is_mentioned_with_the_command_that_shows_it(self) -> None:
        rep = replace(tuesday(), doubtful=((9, YESTERDAY),))
        brief = write_brief(rep, WHOLE, NOW)
        assert brief is not None
        assert brief.note is not None
        assert brief.note.text == (
            "The brief of Mon 11:00 may not have reached you: "
            "tandem brief ravi@lumenflow.example --as-of 2026-11-23T10:00:00+00:00"
        )
        assert brief.note.evidence == ("brief:9",)

    def test_an_account_where_we_know_nobody_says_so(self) -> None:
        nobody = AccountMaterial(1, "acme", "Acme", "target", (), signs=(sign(SignalKind.VISITED, None, 0.1),))
        brief = brief_of(nobody)
        assert brief.headline.text == "We know nobody there yet"
        assert {seat.state for seat in brief.group} == {SeatState.MISSING}


def test_a_rep_material_without_changes_of_its_own_is_left_alone() -> None:
    material = RepMaterial(1, "Ravi", "ravi@lumenflow.example", None, YESTERDAY, True, (group_of_four(),))
    assert write_brief(material, WHOLE, NOW) is None


class TestAnswers:
    def test_where_a_deal_is_won_nobody_is_asked_to_take_over_and_nothing_is_held(self) -> None:
        won = brief_of(group_of_four(stage="won", moves=(Move(1, "proposal", "won", ago(0.1)),)))
        assert [button.kind for button in won.answers] == ["objection", "wrong_line", "other"]

    def test_a_held_account_offers_to_go_on_instead(self) -> None:
        hold = Held(1, HoldScope.ACCOUNT, None, HoldCause.REP, "ravi", ago(0.5))
        moved = (Move(1, "discovery", "evaluation", ago(0.1)),)
        kinds = [button.kind for button in brief_of(group_of_four(holds=(hold,), moves=moved)).answers]
        assert "release" in kinds
        assert "hold" not in kinds
