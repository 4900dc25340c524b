"""The first real contact: two people talked. Everything that only looks like it does not count."""

from datetime import timedelta

import pytest

from accounts.contact import ContactTest, Spoken, describe, first_contact
from accounts.playbook import ContactRule
from accounts.vocabulary import ActivityKind
from tests.cast import NOW
from tests.plays import small_play

PLAY = ContactTest(small_play().contact)
ANYTHING = ContactTest(ContactRule(kind=kind) for kind in ActivityKind)


def spoken(
    kind: str, direction: str | None = None, outcome: str | None = None, subject: str | None = None, days_ago: float = 3
) -> Spoken:
    return Spoken(1, kind, direction, outcome, subject, NOW - timedelta(days=days_ago))


@pytest.mark.parametrize(
    "activity",
    [
        spoken("meeting", "outbound", "held"),
        spoken("meeting", None, "HELD"),
        spoken("call", "outbound", "connected"),
        spoken("call", "inbound", " Answered "),
        spoken("email", "inbound"),
        spoken("email", "inbound", subject="Re: your visit on Tuesday"),
        spoken("email", "inbound", "replied"),
    ],
)
def test_two_people_talked(activity: Spoken) -> None:
    assert PLAY.why_not(activity, NOW) is None


@pytest.mark.parametrize(
    ("activity", "reason"),
    [
        (spoken("call", "outbound", "voicemail"), "an attempt: voicemail"),
        (spoken("call", "outbound", "Left voicemail"), "an attempt: Left voicemail"),
        (spoken("call", "outbound", "No answer"), "an attempt: No answer"),
        (spoken("call", "outbound", "LEFT_LIVE_MESSAGE"), "an attempt: LEFT_LIVE_MESSAGE"),
        (spoken("call", "outbound", "nicht erreicht"), "an attempt: nicht erreicht"),
        (spoken("call", "outbound", "répondeur"), "an attempt: répondeur"),
        (spoken("call", "outbound", "Buzón de voz"), "an attempt: Buzón de voz"),
        (spoken("meeting", None, "NO_SHOW"), "an attempt: NO_SHOW"),
        (spoken("meeting", None, "no-show"), "an attempt: no-show"),
        (spoken("meeting", None, "Canceled"), "an attempt: Canceled"),
        (spoken("meeting", None, "SCHEDULED"), "not yet: SCHEDULED"),
        (spoken("email", "outbound"), "an e-mail without an answer"),
        (spoken("email", None), "an e-mail without an answer"),
        (spoken("email", "inbound", subject="Automatic reply: Your visit"), "a machine answered"),
        (spoken("email", "inbound", subject="AW: Abwesenheitsnotiz"), "a machine answered"),
        (spoken("email", "inbound", subject="Réponse automatique : absence"), "a machine answered"),
        (spoken("email", "inbound", subject="Undeliverable: Hello"), "a machine answered"),
        (spoken("note", "inbound", "connected"), "a note talks to nobody"),
        (spoken("meeting", "outbound", "held", days_ago=-1), "it lies ahead"),
    ],
)
def test_nobody_talked_to_anybody_and_no_play_can_say_otherwise(activity: Spoken, reason: str) -> None:
    assert ANYTHING.why_not(activity, NOW) == reason
    assert PLAY.why_not(activity, NOW) is not None


def test_attempts_are_known_in_the_words_of_crms_and_people() -> None:
    said = (
        "voice message left", "answering machine", "left message with the desk", "left live message", "no answer",
        "unanswered", "was not answered", "no response", "not reached", "unreachable", "no connect", "not connected",
        "busy", "wrong number", "second attempt", "tried twice", "no show", "absent", "out of office", "bounced",
        "undelivered", "cancelled", "postponed", "declined", "not held", "did not take place",
        "Mailbox", "Anrufbeantworter", "nicht erreicht", "nicht erschienen", "besetzt", "niemand da", "abwesend",
        "Versuch", "abgesagt", "verschoben", "ausgefallen", "hat nicht stattgefunden",
        "messagerie", "répondeur", "pas de réponse", "sans réponse", "appel non abouti", "injoignable", "occupé",
        "tentative", "annulé",
        "buzón", "contestador", "sin respuesta", "no contesta", "no localizado", "ocupado", "ausente", "intento",
        "aplazada", "pospuesta",
    )  # fmt: skip
    for outcome in said:
        assert ANYTHING.why_not(spoken("call", "inbound", outcome), NOW) == f"an attempt: {outcome}"


def test_what_is_only_planned_is_known_in_the_words_of_crms_and_people() -> None:
    said = (
        "scheduled", "planned", "not started", "pending", "upcoming", "invited", "geplant", "offen", "planifié",
        "prévu", "programada", "planificada", "pendiente",
    )  # fmt: skip
    for outcome in said:
        assert ANYTHING.why_not(spoken("meeting", None, outcome), NOW) == f"not yet: {outcome}"


def test_an_answer_is_known_in_the_words_of_crms_and_people() -> None:
    for outcome in (
        "replied",
        "answered",
        "reply received",
        "beantwortet",
        "hat geantwortet",
        "a répondu",
        "respondida",
    ):
        assert ANYTHING.why_not(spoken("email", "outbound", outcome), NOW) is None


def test_what_happened_this_moment_has_happened() -> None:
    assert PLAY.why_not(spoken("meeting", None, "held", days_ago=0), NOW) is None


def test_only_an_e_mail_has_a_subject_that_a_machine_may_have_written() -> None:
    assert PLAY.why_not(spoken("meeting", None, "held", subject="Out of office: our day at the lake"), NOW) is None


def test_an_outcome_and_a_direction_count_for_the_kind_the_play_names_them_for() -> None:
    why = "the play does not count a {} like this ({})"
    assert PLAY.why_not(spoken("meeting", "inbound", "connected"), NOW) == why.format("meeting", "inbound, connected")
    assert PLAY.why_not(spoken("meeting"), NOW) == why.format("meeting", "no outcome")
    called = ContactTest([ContactRule(kind=ActivityKind.CALL, directions=("inbound",))])
    assert called.why_not(spoken("call", "inbound"), NOW) is None
    assert called.why_not(spoken("call", "outbound"), NOW) == why.format("call", "outbound")


def test_an_outcome_that_one_rule_names_counts_beside_a_rule_that_names_none() -> None:
    both = [ContactRule(kind=ActivityKind.CALL), ContactRule(kind=ActivityKind.CALL, outcomes=("Meeting scheduled",))]
    assert ContactTest(both).why_not(spoken("call", "outbound", "meeting scheduled"), NOW) is None


def test_the_evidence_names_the_outcome_or_else_the_direction_if_there_is_one() -> None:
    assert describe(spoken("call", "outbound", "held")) == "call on 2026-11-21 (held)"
    assert describe(spoken("call", "outbound")) == "call on 2026-11-21 (outbound)"
    assert describe(spoken("meeting")) == "meeting on 2026-11-21"


def test_a_call_without_an_outcome_counts_only_where_the_play_asks_for_none() -> None:
    assert PLAY.why_not(spoken("call", "outbound"), NOW) == "the play does not count a call like this (outbound)"
    assert ANYTHING.why_not(spoken("call", "outbound"), NOW) is None


def test_an_outcome_the_play_names_counts_even_if_it_speaks_of_the_future() -> None:
    """ "Meeting scheduled" as the outcome of a call means that two people agreed on one."""
    named = ContactTest([ContactRule(kind=ActivityKind.CALL, outcomes=("Meeting scheduled",))])
    assert named.why_not(spoken("call", "outbound", "meeting scheduled"), NOW) is None
    assert named.why_not(spoken("call", "outbound", "voicemail, scheduled again"), NOW) is not None


def test_an_answered_e_mail_is_contact_where_the_play_counts_outbound_e_mail() -> None:
    either = ContactTest([ContactRule(kind=ActivityKind.EMAIL)])
    assert either.why_not(spoken("email", "outbound", "replied"), NOW) is None
    assert either.why_not(spoken("email", "outbound", "delivered"), NOW) == "an e-mail without an answer"


def test_without_rules_nothing_is_contact() -> None:
    assert ContactTest(()).why_not(spoken("meeting", None, "held"), NOW) is not None


def test_the_first_contact_is_the_earliest_real_one_with_its_evidence() -> None:
    attempt = spoken("call", "outbound", "no answer", days_ago=9)
    meeting = spoken("meeting", "outbound", "held", days_ago=3)._replace(id=7)
    call = spoken("call", "outbound", "connected", days_ago=5)._replace(id=9)
    found = first_contact([meeting, attempt, call], PLAY, NOW)
    assert found is not None
    assert (found.activity_id, found.at, found.evidence) == (9, call.occurred_at, "call on 2026-11-19 (connected)")


def test_of_two_contacts_at_the_same_time_the_one_recorded_first_is_the_first() -> None:
    both = [spoken("meeting", None, "held")._replace(id=number) for number in (5, 4)]
    found = first_contact(both, PLAY, NOW)
    assert found is not None
    assert found.activity_id == 4


def test_attempts_alone_are_no_contact() -> None:
    assert first_contact([spoken("call", "outbound", "busy"), spoken("email", "outbound")], PLAY, NOW) is None
