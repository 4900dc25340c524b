"""Somebody called us spam: feedback reports (RFC 5965)."""

import pytest

from flows.mailbox import Kind, understand
from tests.mailbox.letters import MESSAGE_ID, OURS, RETURN_PATH
from tests.mailbox.servers import COPY, GONE


def feedback(fields: str, copy: str = COPY) -> bytes:
    return (
        f"From: staff@provider.example\r\nTo: {OURS}\r\nSubject: FW: Acme\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="cut"\r\n\r\n'
        "--cut\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n"
        f"--cut\r\nContent-Type: message/feedback-report\r\n\r\n{fields}\r\n"
        f"--cut\r\nContent-Type: message/rfc822\r\n\r\n{copy}--cut--\r\n"
    ).encode()


ABUSE = "Feedback-Type: abuse\r\nUser-Agent: Provider-FBL/1.0\r\nVersion: 1\r\n"


def test_a_complaint_says_who_and_about_which_mail() -> None:
    found = understand(feedback(f"{ABUSE}Original-Rcpt-To: <{GONE}>\r\nOriginal-Mail-From: <{RETURN_PATH}>\r\n"))
    assert found.kind is Kind.COMPLAINT
    assert found.complaint is not None
    assert (found.complaint.feedback_type, found.complaint.recipient) == ("abuse", GONE)
    assert found.complaint.reporter == "Provider-FBL/1.0"
    assert found.about == (MESSAGE_ID,)
    assert RETURN_PATH in found.returned_to


@pytest.mark.parametrize("hidden", ["redacted@provider.example", "xxxxxxxx@provider.example", "undisclosed"])
def test_a_redacted_address_is_none_and_the_message_id_still_tells(hidden: str) -> None:
    copy = COPY.replace(GONE, hidden)
    found = understand(feedback(f"{ABUSE}Original-Rcpt-To: {hidden}\r\n", copy))
    assert found.complaint is not None
    assert found.complaint.recipient == ""
    assert found.about == (MESSAGE_ID,)


def test_the_return_path_is_found_where_only_the_report_names_it() -> None:
    found = understand(feedback(f"{ABUSE}Original-Mail-From: <{RETURN_PATH}>\r\n", "Subject: Acme\r\n\r\nHi\r\n"))
    assert RETURN_PATH in found.returned_to


def test_a_complaint_without_an_address_in_its_fields_is_read_from_the_copy() -> None:
    found = understand(feedback(ABUSE))
    assert found.complaint is not None
    assert found.complaint.recipient == GONE


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_a_rescue_and_a_failed_signature_are_no_complaints(kind: str) -> None:
    found = understand(feedback(f"Feedback-Type: {kind}\r\nUser-Agent: x\r\n"))
    assert (found.kind, found.complaint) == (Kind.AUTO_REPLY, None)


def test_a_feedback_mail_without_fields_is_known_by_its_subject_and_its_copy() -> None:
    raw = (
        feedback(ABUSE)
        .replace(b"message/feedback-report", b"text/plain")
        .replace(b"FW: Acme", b"complaint about message from 192.0.2.7")
    )
    found = understand(raw)
    assert found.kind is Kind.COMPLAINT
    assert found.complaint is not None
    assert found.complaint.recipient == GONE
