"""The sentence for each reason, word for word, with the facts it rests on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.guards import FOR_EVER
from accounts.planning import plan
from accounts.playbook import Approvals, Entry, Play
from accounts.snapshots import Account, Limits, OpenTouch, Person
from accounts.vocabulary import Reason
from accounts.why import BECAUSE, Background, Case, Who, explain
from tests.cast import NOW, PLAY
from tests.planning.scenes import DAY, HOUR, PILOT, acme, hold, mail, person
from tests.plays import small_play

LEGAL = f"{PLAY}/evaluation/privacy"
CHRISTMAS = datetime(2026, 12, 25, 10, 0, tzinfo=UTC)
APPROVED_BY_REP = small_play(approvals=Approvals(first_touch="rep"))
FOR_TIER_ONE = small_play(entry=Entry(tiers=("1",)))


def told(account: Account, play: Play | None = None, now: datetime = NOW, **background: Any) -> str:
    """What is said of the first person, from the colon on."""
    return sentence(account, play, now, **background).partition(": ")[2]


def sentence(account: Account, play: Play | None = None, now: datetime = NOW, **background: Any) -> str:
    one: Person = account.people[0]
    who = Who(one.id, 1, one.email, "Dana Example", "Plant Manager", one.role, "Acme Works", "acme", "Ravi Menon")
    said = plan(account, play or small_play(), now)[0]
    return explain(Case(who, account, one, said, play or small_play(), now, UTC, Background(**background)))


def test_a_touch_says_what_when_and_by_whose_clock() -> None:
    assert sentence(acme()) == (
        "Dana Example (p1@acme.example, champion at Acme Works) gets evaluation/pilot now: step 1 for a champion at "
        "evaluation, due since Mon 23 Nov 2026, 10:00, may leave until Thu 3 Dec 2026, 10:00, on their own clock "
        "(Europe/Berlin)."
    )


def test_a_touch_on_its_way_names_its_send_plan() -> None:
    leaving = acme(open={1: OpenTouch(PILOT, NOW, NOW + DAY, "Europe/Berlin", "account")})
    assert "in send plan 17 (held), " in sentence(leaving, plan=(17, "held"))
    assert "on the account's clock (Europe/Berlin)" in sentence(leaving)


def test_never_and_not_yet_are_kept_apart() -> None:
    assert " gets nothing: opted out" in sentence(acme(person(opted_out_at=NOW - DAY)))
    assert " gets nothing yet: Ravi Menon" in sentence(acme(holds=[hold(until=DAY)]))


def test_somebody_without_name_or_role_is_called_by_their_address() -> None:
    account = acme(person(role="unknown"))
    said = plan(account, small_play(), NOW)[0]
    who = Who(1, 1, "x@acme.example", "", None, "unknown", "Acme Works", "acme", None)
    text = explain(Case(who, account, account.people[0], said, small_play(), NOW, UTC))
    assert text == (
        "x@acme.example (somebody at Acme Works) gets nothing: nobody knows yet which role this person has in the "
        "buying group."
    )


SENTENCES: dict[Reason, list[tuple[Callable[[], str], str]]] = {
    Reason.OPTED_OUT: [
        (lambda: told(acme(person(opted_out_at=datetime(2026, 11, 4, 9, tzinfo=UTC)))), "opted out on 4 Nov 2026."),
        (lambda: told(acme(person(email_status="complained"))), "marked one of our mails as spam."),
    ],
    Reason.SUPPRESSED: [
        (
            lambda: told(acme(person(suppressed_until=FOR_EVER)), suppressed=("unsubscribed", NOW - DAY)),
            "the address or its domain is on the list of those nobody may write to since 23 Nov 2026 (unsubscribed).",
        ),
    ],
    Reason.LEFT: [(lambda: told(acme(person(email_status="left"))), "has left Acme Works.")],
    Reason.BOUNCED: [
        (
            lambda: told(acme(person(email_status="bounced")), bounced_at=NOW - DAY),
            "mail to p1@acme.example came back on 23 Nov 2026.",
        ),
    ],
    Reason.NO_CONSENT: [
        (lambda: told(acme(person(consent_basis=None))), "no basis for writing to this person is on record."),
        (lambda: told(acme(person(consent_at=NOW + DAY))), "the consent on record begins on 25 Nov 2026."),
    ],
    Reason.NOT_IN_PLAY: [
        (lambda: told(acme(play="winback")), "Acme Works is in the play winback."),
        (
            lambda: told(acme(play=None, tier="2"), FOR_TIER_ONE),
            "the play New business is not for Acme Works (tier 2, not 1).",
        ),
    ],
    Reason.NOT_CONTACTED: [
        (
            lambda: told(acme(first_contacted_at=None), attempt=("call", NOW - DAY)),
            "sales has not made contact with Acme Works yet; the latest attempt was a call on 23 Nov 2026.",
        ),
    ],
    Reason.STAGE_NOT_NURTURED: [
        (
            lambda: told(acme(stage="won")),
            "Acme Works is at the stage won since 21 Nov 2026, where New business writes to nobody.",
        ),
    ],
    Reason.ACCOUNT_HELD: [
        (
            lambda: told(acme(holds=[hold(until=5 * DAY)]), notes={NOW - DAY: "board first"}),
            "Ravi Menon stopped Acme Works on 23 Nov 2026 until Sun 29 Nov 2026, 10:00 (“board first”).",
        ),
        (
            lambda: told(acme(holds=[hold("legal")])),
            "a legal hold stopped Acme Works on 23 Nov 2026, until it is released.",
        ),
    ],
    Reason.STAKEHOLDER_HELD: [
        (
            lambda: told(acme(holds=[hold(of=1)])),
            "Ravi Menon stopped mail to this person on 23 Nov 2026, until it is released.",
        ),
    ],
    Reason.PAUSED_AFTER_REPLY: [
        (
            lambda: told(acme(holds=[hold("reply", until=9 * DAY)])),
            "somebody at Acme Works replied on 23 Nov 2026, so the rep has the word until Thu 3 Dec 2026, 10:00.",
        ),
    ],
    Reason.PAUSED_FOR_MEETING: [
        (
            lambda: told(acme(holds=[hold("meeting", until=2 * DAY)])),
            "sales met with Acme Works on 23 Nov 2026, so the rep has the word until Thu 26 Nov 2026, 10:00.",
        ),
    ],
    Reason.STALE_CRM: [
        (
            lambda: told(acme(synced_at=NOW - 15 * DAY)),
            "the CRM last confirmed Acme Works on 9 Nov 2026, more than 14 days ago.",
        ),
    ],
    Reason.AWAITING_APPROVAL: [
        (lambda: told(acme(), APPROVED_BY_REP), "Ravi Menon has not yet said yes to the first mail to Acme Works."),
    ],
    Reason.AWAY: [
        (lambda: told(acme(person(paused_until=NOW + DAY))), "is out of office until Wed 25 Nov 2026, 10:00."),
        (
            lambda: told(acme(person(paused_until=NOW + DAY)), pause_asked=NOW + DAY),
            "asked for a pause until Wed 25 Nov 2026, 10:00.",
        ),
    ],
    Reason.OTHER_TOPIC: [
        (
            lambda: told(acme(person(only_topic="risk"))),
            "asked for mail about risk only, and nothing is left but evaluation/pilot, which is about cost.",
        ),
    ],
    Reason.DELAYED_BY_REP: [
        (
            lambda: told(acme(delays={(1, PILOT): NOW + DAY})),
            "a rep wants evaluation/pilot to wait; it leaves on Wed 25 Nov 2026, 10:00.",
        ),
    ],
    Reason.PLAN_CANCELLED: [
        (
            lambda: told(acme(cancelled={(1, PILOT): NOW + DAY})),
            ("somebody cancelled the send plan evaluation/pilot was in; it may be planned again on "
            "Wed 25 Nov 2026, 10:00, or when the play is edited."),
        ),
    ],
    Reason.PERSON_OFF_LIMITS: [
        (
            lambda: told(acme(limits=Limits(NOW + DAY, frozenset({1})))),
            "the rep who works on Acme Works asked that nobody writes to this person until Wed 25 Nov 2026, 10:00.",
        ),
    ],
    Reason.TOPIC_OFF_LIMITS: [
        (
            lambda: told(acme(limits=Limits(NOW + DAY, topics=frozenset({"cost"})))),
            ("the rep who works on Acme Works wants no mail about it until Wed 25 Nov 2026, 10:00, and nothing is left "
            "but evaluation/pilot, which is about cost."),
        ),
    ],
    Reason.LEASE_CAP: [
        (
            lambda: told(acme(mails=[mail(2 * DAY, to=2)], limits=Limits(NOW + 9 * DAY, per_week=1))),
            ("the rep who works on Acme Works asked for at most 1 mail to the group in seven days; "
            "evaluation/pilot leaves on Mon 30 Nov 2026, 08:00."),
        ),
    ],
    Reason.VETOED: [
        (
            lambda: told(acme(vetoes={1: {None: NOW - DAY}}), refused_by={None: "Ravi Menon"}),
            "Ravi Menon said no to all mail for this person on 23 Nov 2026.",
        ),
        (
            lambda: told(acme(person(role="legal"), vetoes={1: {LEGAL: NOW - DAY}}), refused_by={LEGAL: "Ravi Menon"}),
            "nothing is left at evaluation but evaluation/privacy, to which Ravi Menon said no on 23 Nov 2026.",
        ),
    ],
    Reason.OWNER_CONFLICT: [
        (
            lambda: told(acme(person(owner_conflict=True)), elsewhere=["Globex"]),
            "the same address stands in Globex as well, and Acme Works was not chosen to write to it.",
        ),
    ],
    Reason.UNKNOWN_ROLE: [
        (
            lambda: told(acme(person(role="unknown"))),
            "nobody knows yet which role this person has in the buying group (title: Plant Manager).",
        ),
    ],
    Reason.NO_CONTENT: [
        (
            lambda: told(acme(person(role="influencer"), stage="proposal")),
            "New business has no mail for an influencer at proposal.",
        ),
    ],
    Reason.SEQUENCE_FINISHED: [
        (
            lambda: told(acme(person(role="legal", used=[LEGAL], last_at=NOW - DAY))),
            "had everything there is for somebody in legal at evaluation, the last mail on 23 Nov 2026.",
        ),
    ],
    Reason.CONTENT_EXPIRED: [
        (
            lambda: told(acme(synced_at=NOW + 500 * DAY), now=NOW + 500 * DAY),
            "the next mail, evaluation/pilot, expires on 31 Dec 2027 and is marketing@lumenflow.example's to renew.",
        ),
    ],
    Reason.WAITING_STEP: [
        (
            lambda: told(acme(stage_entered_at=NOW - DAY)),
            "the next mail, evaluation/pilot, step 1, 2 days after evaluation began, leaves on Wed 25 Nov 2026, 10:00.",
        ),
        (
            lambda: told(acme(person(used=[PILOT], last_at=NOW - DAY))),
            ("the next mail, evaluation/five-slides, step 2, 5 days after the mail before, leaves on Mon 30 Nov "
            "2026, 08:00."),
        ),
    ],
    Reason.PERSON_CAP: [
        (
            lambda: told(acme(mails=[mail(DAY, content=None), mail(6 * DAY, content=None)])),
            ("had mail on 18 Nov 2026 and 23 Nov 2026, and 2 are the most a week; evaluation/pilot leaves on "
            "Wed 25 Nov 2026, 10:00."),
        ),
        (
            lambda: told(
                acme(
                    person(used=[PILOT], last_at=NOW - 6 * DAY, mail_every=14 * DAY), stage_entered_at=NOW - 60 * DAY
                )
            ),
            ("asked for fewer mails, at most one in 14 days, and had one on 18 Nov 2026; evaluation/five-slides leaves "
            "on Wed 2 Dec 2026, 10:00."),
        ),
    ],
    Reason.ACCOUNT_CAP: [
        (
            lambda: told(acme(mails=[mail(day * DAY, to=9, content=None) for day in range(2, 7)])),
            ("Acme Works had 5 mails in the last seven days, and 5 are the most a week; evaluation/pilot leaves on "
            "Wed 25 Nov 2026, 10:00."),
        ),
    ],
    Reason.OUTSIDE_WINDOW: [
        (
            lambda: told(acme(), now=NOW + 10 * HOUR),
            ("it is Tuesday, 21:00 there (Europe/Berlin) and mail leaves on Mon, Tue, Wed, Thu, Fri, 09:00 to 17:00; "
            "evaluation/pilot leaves on Wed 25 Nov 2026, 08:00."),
        ),
    ],
    Reason.HOLIDAY: [
        (
            lambda: told(acme(stage_entered_at=CHRISTMAS - 3 * DAY, synced_at=CHRISTMAS), now=CHRISTMAS),
            "it is Christmas Day there (DE); evaluation/pilot leaves on Mon 28 Dec 2026, 08:00.",
        ),
    ],
    Reason.STAGGERED: [
        (
            lambda: told(acme(mails=[mail(HOUR, to=2)]), names={2: "Erin Example"}),
            ("Erin Example got the same mail, evaluation/pilot, on Tue 24 Nov 2026, 09:00; this one leaves on "
            "Wed 25 Nov 2026, 08:00."),
        ),
        (
            lambda: told(acme(mails=[mail(HOUR / 2, to=2, content="x/y/z")])),
            ("a colleague goes first and mails to one account leave an hour apart; evaluation/pilot leaves on "
            "Tue 24 Nov 2026, 10:30."),
        ),
    ],
    Reason.LATE_STEP: [
        (
            lambda: told(acme(stage_entered_at=NOW - 13 * DAY)),
            ("evaluation/pilot might have left until Mon 23 Nov 2026, 10:00; it is late and waits for a decision "
            "(tandem late)."),
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "said", "expected"),
    [(reason, said, expected) for reason, pairs in SENTENCES.items() for said, expected in pairs],
)
def test_the_sentence_of(reason: Reason, said: Callable[[], str], expected: str) -> None:
    assert said() == expected


def test_every_reason_has_its_words() -> None:
    assert set(BECAUSE) == set(Reason) == set(SENTENCES)


def test_times_are_told_in_the_readers_zone() -> None:
    from zoneinfo import ZoneInfo

    account = acme(person(paused_until=NOW + timedelta(days=1)))
    who = Who(1, 1, "d@acme.example", "Dana", None, "champion", "Acme", "acme", None)
    said = plan(account, small_play(), NOW)[0]
    tokyo = Case(who, account, account.people[0], said, small_play(), NOW, ZoneInfo("Asia/Tokyo"))
    assert explain(tokyo).endswith("until Wed 25 Nov 2026, 19:00.")
