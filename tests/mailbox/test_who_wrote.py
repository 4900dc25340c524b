"""A person or a program? Either mistake costs: a person unheard, or an account held for nobody's answer."""

from collections import Counter
from functools import cache

import pytest

from flows.mailbox import Kind, Understood, understand
from tests.mailbox.letters import ANSWERING, MESSAGE_ID, SUBJECT, Labelled, day, everything, letter


@cache
def letters() -> tuple[Labelled, ...]:
    return tuple(everything())


@cache
def understood(raw: bytes) -> Understood:
    return understand(raw)


def wrong(letters: list[Labelled]) -> list[str]:
    return [
        f"{one.name}: {found.kind} ({found.evidence})"
        for one in letters
        if (found := understood(one.raw)).kind is not one.kind
    ]


def test_no_person_is_taken_for_a_machine() -> None:
    people = [one for one in letters() if one.kind is Kind.REPLY]
    assert len(people) > 350
    assert wrong(people) == []


def test_no_machine_is_taken_for_a_person_nor_for_another_machine() -> None:
    machines = [one for one in letters() if one.kind is not Kind.REPLY]
    assert Counter(one.kind for one in machines)[Kind.OUT_OF_OFFICE] > 250
    assert wrong(machines) == []


def test_the_words_of_a_reply_are_its_own_in_every_program() -> None:
    other = [
        one.name
        for one in letters()
        if one.kind is Kind.REPLY and understood(one.raw).words.split() != one.words.split()
    ]
    assert other == []


def test_absences_end_on_the_day_they_name() -> None:
    told = [one for one in letters() if one.kind is Kind.OUT_OF_OFFICE]
    assert [one.name for one in told if day(understood(one.raw).back_at) != one.back] == []


@pytest.mark.parametrize(
    "head",
    [
        {"Auto_Submitted": "auto-replied"}, {"Auto_Submitted": "auto-generated; owner-email=x"}, {"X_Autoreply": "yes"},
        {"X_Autorespond": """ "Acme" """}, {"X_MS_Exchange_Inbox_Rules_Loop": "dana@acme.example"},
        {"Precedence": "auto_reply"}, {"X_FC_MachineGenerated": "true"}, {"X_Mailer": "vacation 1.0"},
        {"From": "noreply@acme.example"},
    ],
)  # fmt: skip
def test_a_head_that_only_programs_write_is_enough(head: dict[str, str]) -> None:
    found = understand(letter("Thank you, we will read it.", **head))
    assert found.kind is Kind.AUTO_REPLY
    assert found.evidence.lower().startswith(next(iter(head)).replace("_", "-").lower())


@pytest.mark.parametrize(
    "head",
    [{"Auto_Submitted": "no"}, {"Precedence": "list"}, {"X_Auto_Response_Suppress": "All"}, {"Precedence": "normal"}],
)
def test_a_head_that_people_have_as_well_is_not(head: dict[str, str]) -> None:
    assert understand(letter("Let us talk on Thursday.", **ANSWERING, **head)).kind is Kind.REPLY


def test_what_a_reps_mailbox_hands_on_to_us_is_as_much_a_persons_as_it_was() -> None:
    """Exchange marks both, what a rule answers and what it only sends on; whose rule it was tells them apart."""
    mark = {"X_MS_Exchange_Generated_Message_Source": "Mailbox Rules Agent"}
    told = [
        understand(letter("Yes, call me.", **ANSWERING, **mark, X_MS_Exchange_Inbox_Rules_Loop=whose)).kind
        for whose in ("ravi@lumenflow.example", "dana.example@acme.example")
    ]
    assert told == [Kind.REPLY, Kind.AUTO_REPLY]


@pytest.mark.parametrize(
    "mail",
    [letter("Yes, call me.", **ANSWERING), letter("Out of office until 5 January.", Auto_Submitted="auto-replied")],
)
def test_what_a_journal_reports_is_the_mail_and_not_the_report(mail: bytes) -> None:
    """As Exchange keeps a copy of what answers a rep."""
    report = (
        b"From: Microsoft Exchange <microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@lumenflow.example>\r\n"
        b"To: replies@mail.lumenflow.example\r\nSubject: Re: Acme\r\nX-MS-Journal-Report:\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="cut"\r\n\r\n--cut\r\nContent-Type: text/plain\r\n\r\n'
        b"Sender: dana.example@acme.example\r\nRecipient: ravi@lumenflow.example\r\n\r\n"
        b"--cut\r\nContent-Type: message/rfc822\r\n\r\n" + mail + b"\r\n--cut--\r\n"
    )
    assert understand(report) == understand(mail)
    assert understand(mail).kind in (Kind.REPLY, Kind.OUT_OF_OFFICE)


#: Subjects, announcements and blocks of headers of programs that speak other languages.
ELSEWHERE = (
    ("Odp", "Od: Ravi Rep <ravi@lumenflow.example>\nWysłano: 9 listopada 2026 10:00\nDo: Piotr\nTemat: Acme"),
    ("SV", "Från: Ravi Rep <ravi@lumenflow.example>\nSkickat: den 9 november 2026 10:00\nTill: Lars\nÄmne: Acme"),
    ("SV", "Fra: Ravi Rep <ravi@lumenflow.example>\nSendt: 9. november 2026 10:00\nTil: Mette\nEmne: Acme"),
    ("VS", "Lähettäjä: Ravi Rep\nLähetetty: maanantai 9. marraskuuta 2026\nVastaanottaja: Aino\nAihe: Acme"),
    ("RE", "Od: Ravi Rep\nOdesláno: pondělí 9. listopadu 2026 10:00\nKomu: Jana\nPředmět: Acme"),
    ("RES", "De: Ravi Rep\nEnviada: 9 de novembro de 2026 10:00\nPara: Rui\nAssunto: Acme"),
    ("RE", "От: Ravi Rep\nОтправлено: 9 ноября 2026 г. 10:00\nКому: Ivan\nТема: Acme"),
    ("YNT", "Kimden: Ravi Rep\nGönderildi: 9 Kasım 2026 Pazartesi 10:00\nKime: Deniz\nKonu: Acme"),
    ("回复", "发件人：Ravi Rep\n发送时间：2026年11月9日 10:00\n收件人：Wei\n主题：Acme"),
    ("RE", "差出人: Ravi Rep\n送信日時: 2026年11月9日 10:00\n宛先: Yuki\n件名: Acme"),
    ("Re", "Den mån 9 nov. 2026 kl 10:00 skrev Ravi Rep <ravi@lumenflow.example>:"),
    ("Odp", "pon., 9 lis 2026 o 10:00 Ravi Rep <ravi@lumenflow.example> napisał(a):"),
    ("Re", "po 9. 11. 2026 v 10:00 odesílatel Ravi Rep <ravi@lumenflow.example> napsal:"),
    ("Re", "пн, 9 нояб. 2026 г. в 10:00, Ravi Rep <ravi@lumenflow.example> пишет:"),
)


@pytest.mark.parametrize(("prefix", "announced"), ELSEWHERE)
def test_an_answer_is_a_persons_and_its_words_alone_in_whatever_language_the_program_quotes(
    prefix: str, announced: str
) -> None:
    body = f"Yes, call me.\n\n{announced}\n\nOne page, no form.\nPlease unsubscribe me: https://t.example/u/abc\n"
    for subject in (f"{prefix}: {SUBJECT}", SUBJECT):
        found = understand(letter(body, subject=subject, In_Reply_To=MESSAGE_ID))
        assert (found.kind, found.words) == (Kind.REPLY, "Yes, call me.")


def test_a_person_answers_a_note_under_its_subject() -> None:
    found = understand(letter("I am back, let us talk.", subject=f"Re: Automatic reply: {SUBJECT}", **ANSWERING))
    assert found.kind is Kind.REPLY


def test_a_reply_that_speaks_of_an_absence_says_when_it_ends() -> None:
    found = understand(letter("I am on holiday until 5 January. Shall we talk on the 6th?", **ANSWERING))
    assert (found.kind, day(found.back_at)) == (Kind.REPLY, "2027-01-05")


def test_a_reply_that_speaks_of_a_departure_names_who_follows() -> None:
    found = understand(
        letter("Max has left the company. Please contact Erika Stein at erika@acme.example, ok?", **ANSWERING)
    )
    assert found.kind is Kind.REPLY
    assert found.departure is not None
    assert (found.departure.name, found.departure.address) == ("Erika Stein", "erika@acme.example")


def test_who_asks_for_a_proof_is_a_challenge() -> None:
    body = "Your message has been waitlisted. Click the link below to be added to my guest list.\n"
    assert understand(letter(body)).kind is Kind.CHALLENGE


def test_newsletters_are_left_to_a_person() -> None:
    assert understand(letter("Our offers", List_Unsubscribe="<https://x.example>")).kind is Kind.UNKNOWN
    assert understand(letter("Offers! To opt out click here", subject="Offers")).kind is Kind.UNKNOWN


def test_a_person_who_answers_through_a_list_is_a_person() -> None:
    through = {"List_Id": "<sales.acme.example>", "List_Unsubscribe": "<mailto:x@acme.example>", "Precedence": "list"}
    assert understand(letter("Thursday is fine.", **ANSWERING, **through)).kind is Kind.REPLY


def test_a_program_that_says_so_in_its_first_words_is_one() -> None:
    found = understand(letter("Auto-reply: I look at my inbox again on the 11th.", **ANSWERING))
    assert (found.kind, found.evidence) == (Kind.AUTO_REPLY, "Auto-reply: I look at my inbox again on the 11th.")


def test_a_receipt_of_reading_is_no_reply() -> None:
    raw = (
        b"From: dana.example@acme.example\r\nSubject: Read: Acme\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=disposition-notification; boundary="cut"\r\n\r\n'
        b"--cut\r\nContent-Type: text/plain\r\n\r\nYour message was read on Friday.\r\n"
        b"--cut\r\nContent-Type: message/disposition-notification\r\n\r\n"
        b"Final-Recipient: rfc822;dana.example@acme.example\r\n"
        b"Original-Message-ID: <tandem.17.8ddc@mail.lumenflow.example>\r\n"
        b"Disposition: manual-action/MDN-sent-manually; displayed\r\n\r\n--cut--\r\n"
    )
    found = understand(raw)
    assert (found.kind, found.words) == (Kind.AUTO_REPLY, "")
    assert found.evidence == "Disposition: manual-action/MDN-sent-manually; displayed"
    assert found.about == ("<tandem.17.8ddc@mail.lumenflow.example>",)


def test_mail_out_of_the_blue_is_a_reply_that_a_person_should_look_at() -> None:
    blue, answer = understand(letter("Hello", subject="Hello")), understand(letter("Hello", **ANSWERING))
    assert blue.kind is answer.kind is Kind.REPLY
    assert blue.confidence < 0.6 < answer.confidence


def invitation(method: str, subject: str, said: str = "", **head: str) -> bytes:
    """As Outlook sends it."""
    lines = ("BEGIN:VCALENDAR", f"METHOD:{method}", "BEGIN:VEVENT", f"SUMMARY:{subject}", "END:VEVENT", "END:VCALENDAR")
    fields = {"From": "dana.example@acme.example", "To": "ravi@lumenflow.example", "Subject": subject, **head}
    return (
        "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        + 'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="cut"\r\n\r\n'
        + f"--cut\r\nContent-Type: text/plain\r\n\r\n{said}\r\n"
        + f"--cut\r\nContent-Type: text/calendar; method={method}\r\n\r\n" + "\r\n".join(lines)
        + "\r\n--cut--\r\n"
    ).encode()  # fmt: skip


@pytest.mark.parametrize(
    ("method", "subject"),
    [("REQUEST", "Intro call"), ("REPLY", "Accepted: Intro call"), ("COUNTER", "New time: Intro call")],
)
def test_who_invites_us_or_answers_an_invitation_has_written_to_us(method: str, subject: str) -> None:
    found = understand(invitation(method, subject))
    assert (found.kind, found.words) == (Kind.REPLY, subject)
    assert understand(invitation(method, subject, "Friday would be better.")).words == "Friday would be better."
    room = understand(invitation(method, subject, Auto_Submitted="auto-generated"))
    assert room.kind is Kind.AUTO_REPLY, "a room accepts by itself"


@pytest.mark.parametrize("kind", ["application/pkcs7-mime; smime-type=enveloped-data", "application/pgp-encrypted"])
def test_who_seals_an_answer_has_written_one_and_somebody_has_to_open_it(kind: str) -> None:
    head = f"From: dana.example@acme.example\r\nSubject: AW: Acme\r\nContent-Type: {kind}\r\n"
    body = "Content-Transfer-Encoding: base64\r\n\r\nMIAGCSqGSIb3DQEHA6CAMIACAQAxggF=\r\n"
    found = understand(f"{head}{body}".encode())
    assert (found.kind, found.words) == (Kind.REPLY, "AW: Acme")
    assert understand(f"{head}Auto-Submitted: auto-replied\r\n{body}".encode()).kind is Kind.AUTO_REPLY


@pytest.mark.parametrize("answers", [True, False])
def test_an_answer_may_be_in_what_it_encloses(answers: bool) -> None:
    """The order form, signed, and not a word."""
    head = "Subject: Re: Acme\r\nIn-Reply-To: <a@x.example>\r\n" if answers else "Subject: Invoice\r\n"
    raw = (
        f"From: dana.example@acme.example\r\n{head}MIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="cut"\r\n\r\n--cut\r\nContent-Type: text/plain\r\n\r\n\r\n'
        "--cut\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--cut--\r\n"
    ).encode()
    assert understand(raw).kind is (Kind.REPLY if answers else Kind.UNKNOWN)


def test_a_receipt_is_a_programs_also_where_its_head_says_nothing() -> None:
    body = "Dear Sir or Madam,\n\nwe have received your message. This is an automated response, please do not reply."
    assert understand(letter(body, subject="We have received your message")).kind is Kind.AUTO_REPLY
    assert understand(letter("We have received your paper. Call me.", subject="Paper")).kind is Kind.REPLY
    assert understand(letter(f"{body}\n\nNo, really: who wrote that?", subject="Hm")).kind is Kind.REPLY


def test_an_empty_mail_is_unknown() -> None:
    assert understand(b"").kind is understand(letter("")).kind is Kind.UNKNOWN


def test_a_reply_names_the_mail_it_answers() -> None:
    found = understand(letter("ok", In_Reply_To=MESSAGE_ID, References=f"<first@x.example> {MESSAGE_ID}"))
    assert found.about == (MESSAGE_ID, "<first@x.example>")
    assert found.sender == "dana.example@acme.example"
