"""What a server gives back, and what follows from it."""

import pytest

from flows.mailbox import Action, Cause, Kind, understand
from flows.mailbox.causes import cause_of, digits_in, enhanced_in
from tests.mailbox.letters import MESSAGE_ID, RETURN_PATH, letter
from tests.mailbox.servers import COPY, GONE, NOTICES, notice, report


@pytest.mark.parametrize(
    ("status", "diagnostic", "action", "hard"),
    [
        (
            "5.1.1",
            "550 5.1.1 <dana.example@acme.example>: Recipient address rejected: User unknown",
            "never_again",
            True,
        ),
        ("5.1.2", "550 5.1.2 Host unknown", "never_again", True),
        ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled", "never_again", True),
        (
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            "never_again",
            True,
        ),
        ("5.0.0", "550 No such user here", "never_again", True),
        ("5.1.6", "550 5.1.6 Recipient no longer on server", "ask_replacement", True),
        ("5.1.1", "550 5.1.1 Dana Example is no longer with the company", "ask_replacement", True),
        ("5.2.2", "552 5.2.2 The email account that you tried to reach is over quota", "mailbox_full", False),
        ("5.1.1", "550 5.1.1 mailbox full", "mailbox_full", False),
        ("4.2.2", "452 4.2.2 mailbox full", "mailbox_full", False),
        ("4.4.1", "connect to mx.acme.example[192.0.2.1]:25: Connection timed out", "retry_later", False),
        ("4.7.1", "450 4.7.1 Greylisted, please try again in 300 seconds", "retry_later", False),
        ("5.4.6", "554 5.4.6 Too many hops, mail loop", "retry_later", False),
        ("5.7.26", "550 5.7.26 This mail is unauthenticated (SPF and DKIM did not pass)", "our_fault", False),
        ("5.7.1", "550 5.7.1 Your message was rejected as spam", "our_fault", False),
        (
            "5.7.1",
            "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using dnsbl.example",
            "our_fault",
            False,
        ),
        ("5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.7]", "our_fault", False),
        ("4.7.28", "421 4.7.28 Our system has detected an unusual rate of mail", "our_fault", False),
        ("5.3.4", "552 5.3.4 Message size exceeds fixed limit", "our_fault", False),
        ("5.6.0", "550 5.6.0 Message contains bare LF", "our_fault", False),
        ("5.0.0", "", "unknown", True),
        ("4.0.0", "", "unknown", False),
    ],
)
def test_a_report_leads_to_an_action(status: str, diagnostic: str, action: str, hard: bool) -> None:
    found = understand(report(diagnostic, status))
    assert found.kind is Kind.BOUNCE
    assert found.bounce is not None
    assert (found.bounce.action.value, found.bounce.is_hard) == (action, hard)
    assert found.bounce.recipient == GONE


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_in_plain_words_leads_to_an_action(name: str) -> None:
    raw, action, hard = NOTICES[name]
    found = understand(raw)
    assert found.kind is Kind.BOUNCE, found
    assert found.bounce is not None
    assert (found.bounce.action.value, found.bounce.is_hard, found.bounce.recipient) == (action, hard, GONE)


def test_every_action_is_reached_by_some_cause() -> None:
    assert {cause.action for cause in Cause} == set(Action)


def test_a_bounce_keeps_the_codes_and_the_words_it_rests_on() -> None:
    found = understand(report("550 5.1.1 User unknown (mx7)", "5.1.1"))
    assert found.bounce is not None
    assert (found.bounce.enhanced, found.bounce.smtp_reply) == ("5.1.1", 550)
    assert found.bounce.diagnostic == found.evidence == "550 5.1.1 User unknown (mx7)"
    assert found.confidence > 0.9


def test_a_bounce_names_our_mail_by_its_message_id_and_its_return_path() -> None:
    found = understand(report("550 5.1.1 User unknown", "5.1.1"))
    assert found.about == (MESSAGE_ID,)
    assert RETURN_PATH in found.returned_to


def test_a_notice_names_our_mail_by_the_copy_in_its_text() -> None:
    assert MESSAGE_ID in understand(NOTICES["qmail"][0]).about


def test_whom_we_wrote_to_counts_not_where_it_was_forwarded() -> None:
    found = understand(
        report("550 5.1.1 User unknown", more=f"Original-Recipient: rfc822;{GONE}\r\n", final="d@forward.example")
    )
    assert found.bounce is not None
    assert (found.bounce.recipient, found.bounce.final_recipient) == (GONE, "d@forward.example")


def test_two_recipients_are_two_bounces_and_the_hard_one_is_the_bounce() -> None:
    second = "\r\nFinal-Recipient: rfc822; max@acme.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    found = understand(report("452 4.2.2 mailbox full", "4.2.2", more=second))
    assert [bounce.recipient for bounce in found.bounces] == [GONE, "max@acme.example"]
    assert found.bounce is not None
    assert found.bounce.recipient == "max@acme.example"


def test_a_server_that_goes_on_trying_has_decided_nothing() -> None:
    delayed = report("450 4.2.0 try again later", "4.2.0", action="delayed")
    warned = notice(f"Delivery to {GONE} has been delayed.\nYou do not need to resend your message.\n", "Delayed mail")
    for raw in (delayed, warned):
        found = understand(raw)
        assert (found.kind, found.bounces) == (Kind.DELIVERY_DELAY, ())


def test_a_delivered_report_is_no_bounce() -> None:
    assert understand(report(status="2.0.0", action="delivered")).kind is Kind.AUTO_REPLY


def test_what_the_copy_of_our_mail_says_is_not_what_the_server_says() -> None:
    """Our own mail may speak of spam and full mailboxes."""
    copy = COPY + "We fight spam. Is your mailbox full? Has Dana left the company?\r\n"
    body = f"This is the qmail-send program.\n\n<{GONE}>:\nuser unknown\n\n"
    found = understand(notice(f"{body}--- Below this line is a copy of the message.\n\n{copy}"))
    assert found.bounce is not None
    assert found.bounce.cause is Cause.NO_SUCH_MAILBOX


def test_a_person_who_writes_about_a_bounce_is_a_person() -> None:
    body = (
        "Hi Ravi,\n\nyour mail came back to me:\n550 5.1.1 user unknown. Delivery to the following recipient failed.\n"
    )
    assert understand(letter(body, In_Reply_To=MESSAGE_ID)).kind is Kind.REPLY


@pytest.mark.parametrize("prefix", ["Fwd:", "FW:", "WG:", "TR:", "RV:"])
def test_a_person_who_passes_a_notice_on_is_a_person(prefix: str) -> None:
    body = (
        "Does anybody have a new address of Kim?\n\n---------- Forwarded message ---------\n"
        "From: <postmaster@contoso.example>\nDate: Mon, 9 Nov 2026\nSubject: Undeliverable: What waiting costs\n\n"
        "Your message to kim@contoso.example couldn't be delivered.\n550 5.1.10 RecipientNotFound\n"
    )
    found = understand(letter(body, subject=f"{prefix} Undeliverable: What waiting costs"))
    assert (found.kind, found.words) == (Kind.REPLY, "Does anybody have a new address of Kim?")


def test_a_persons_answer_under_a_notice_is_a_persons() -> None:
    body = "That was my old address, please use this one.\n\n> This is the qmail-send program.\n> user unknown\n"
    found = understand(letter(body, subject="Re: failure notice", In_Reply_To=MESSAGE_ID))
    assert (found.kind, found.words) == (Kind.REPLY, "That was my old address, please use this one.")


def test_the_code_that_says_something_is_taken() -> None:
    assert enhanced_in("Status: 5.0.0, then 5.1.1 from 192.5.1.1") == "5.1.1"
    assert enhanced_in("host 10.5.1.1 said") is None
    assert digits_in("said: 550 5.1.1 unknown") == 550
    assert digits_in("port 4711, ticket 550-12-3") is None


def test_words_that_servers_put_under_any_number_outrank_the_number() -> None:
    assert cause_of("5.1.1", 550, "mailbox is over quota") is Cause.MAILBOX_FULL
    assert cause_of("5.1.1", 550, "rejected") is Cause.NO_SUCH_MAILBOX
    assert cause_of("5.7.1", 550, "relaying denied") is Cause.LOGIN_REFUSED


def test_words_nearer_to_the_recipient_outrank_words_further_away() -> None:
    assert cause_of(None, None, "", ("user unknown", "mailbox full")) is Cause.NO_SUCH_MAILBOX


UNHEARD_OF = "Betreff der Sendung siehe unten.\nKod 17, server sagt nein zu <dana.example@acme.example>.\n"


@pytest.mark.parametrize(
    "raw",
    [
        letter(UNHEARD_OF, subject="Xyzzy", From="robot@mx.acme.example", Return_Path="<>"),
        letter(UNHEARD_OF, subject="Re: Xyzzy", Return_Path="<>", In_Reply_To=MESSAGE_ID),
        letter(UNHEARD_OF, subject="Xyzzy", From="MAILER-DAEMON@mx.acme.example"),
        letter(UNHEARD_OF, subject="Xyzzy", From="Postmaster <postmaster@mx.acme.example>"),
        letter(UNHEARD_OF, subject="Xyzzy", From="robot@mx.acme.example", To=RETURN_PATH),
        letter(UNHEARD_OF, subject="Xyzzy", From="robot@mx.acme.example", Delivered_To=RETURN_PATH.upper()),
    ],
    ids=["null path", "null path on an answer", "mailer-daemon", "postmaster", "to the return path", "delivered there"],
)
def test_a_servers_mail_is_a_bounce_even_in_words_nobody_has_heard_and_stops_nobody_for_good(raw: bytes) -> None:
    found = understand(raw)
    assert found.kind is Kind.BOUNCE
    assert found.bounce is not None
    assert (found.bounce.cause, found.bounce.is_hard) == (Cause.UNKNOWN, False)
    assert found.bounce.recipient in (GONE, "")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("I am out of the office until 5 January.", Kind.OUT_OF_OFFICE),
        ("Dana is no longer with the company.", Kind.LEFT_COMPANY),
        ("We have received your request #4711. What happens next? We will respond.", Kind.AUTO_REPLY),
    ],
)
def test_a_note_with_an_empty_return_path_is_a_note(body: str, kind: Kind) -> None:
    """Programs that answer use it as well (RFC 3834)."""
    assert understand(letter(body, Return_Path="<>")).kind is kind


def test_a_postmaster_who_answers_us_and_a_person_who_answers_the_return_path_are_people() -> None:
    words = "Thank you, send me the offer."
    for head in ({"From": "postmaster@acme.example"}, {"To": RETURN_PATH}):
        assert understand(letter(words, In_Reply_To=MESSAGE_ID, **head)).kind is Kind.REPLY
