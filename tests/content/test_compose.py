"""Composing: what the standard library's parser reads is what was meant, for whatever a CRM contains; and no value
from a CRM can write a header of its own.
"""

import email
import email.policy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from accounts.errors import InputRefused
from flows.channels.email.compose import Composer, Envelope, Mailbox

ENVELOPE = Envelope(
    sender=Mailbox("Ravi Menon", "ravi@mail.example"),
    recipient=Mailbox("Dana Example", "dana@acme.example"),
    reply_to=Mailbox("Ravi Menon", "ravi@lumenflow.example"),
    return_path="bounce+abc@mail.example",
    message_id="<tandem.7.0123456789abcdef@mail.example>",
    date=datetime(2026, 11, 24, 10, 0, 5, tzinfo=UTC),
    unsubscribe_url="https://mail.example/u/abc",
)


@dataclass(frozen=True)
class Said:
    subject: str = "A subject"
    html: str = "<p>Hello</p>\n"
    text: str = "Hello\n"


def compose(envelope: Envelope = ENVELOPE, said: Said | None = None) -> bytes:
    return Composer().fill(envelope, said or Said())


def read(raw: bytes) -> EmailMessage:
    """As the library reads it, with nothing to complain about and within the limits of the standards."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    assert all(part.defects == [] for part in message.walk())
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r"), "CRLF and nothing else"
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    return message


def library_refuses(name: str, value: str) -> bool:
    message = EmailMessage(policy=email.policy.SMTP)
    try:
        message[name] = value
        message.as_bytes()
    except (ValueError, UnicodeError):
        return True
    return False


#: What stands in CRMs, and worse: any character at all, with a liking for those that mean something in a header.
nasty = st.text(
    st.one_of(st.characters(), st.sampled_from('\r\n\0\t "\\<>@,;:()=?_ÄÖ€𝔘\u2028\x85\x0b\x1c')), max_size=90
)
words = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30), max_size=14)
sentences = words.map(" ".join)
clean = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120)
local = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=64)


def test_a_message_has_its_headers_and_two_parts() -> None:
    message = read(compose())
    assert message["From"] == "Ravi Menon <ravi@mail.example>"
    assert message["To"] == "Dana Example <dana@acme.example>"
    assert message["Reply-To"] == "Ravi Menon <ravi@lumenflow.example>"
    assert message["Subject"] == "A subject"
    assert message["Date"].datetime == ENVELOPE.date
    assert message["Message-ID"] == ENVELOPE.message_id
    assert message["List-Unsubscribe"] == "<https://mail.example/u/abc>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["MIME-Version"] == "1.0"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip


def test_each_header_stands_once() -> None:
    names = [name.lower() for name in read(compose())]
    assert len(names) == len(set(names)) == 10


def test_mail_that_nobody_can_unsubscribe_from_does_not_offer_it() -> None:
    message = read(compose(replace(ENVELOPE, unsubscribe_url=None)))
    assert message["List-Unsubscribe"] is None
    assert message["List-Unsubscribe-Post"] is None


def test_more_headers_come_from_the_envelope() -> None:
    message = read(compose(replace(ENVELOPE, headers=(("Auto-Submitted", "auto-generated"), ("X-Tandem", "Grüße")))))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Tandem"] == "Grüße"


@given(st.one_of(sentences, clean, clean.map(lambda text: text * 8)))
@example("")
@example(" leading and trailing ")
@example("two  spaces")
@example("=?utf-8?q?not=20encoded?=")
@example("a" * 2000)
@example("ä" * 2000)
@example("Zürich: " + "what waiting until the next quarter costs " * 30)
def test_any_subject_reads_back_exactly(subject: str) -> None:
    assert read(compose(said=Said(subject=subject)))["Subject"] == subject


def names_in(raw: bytes, header: str) -> str:
    """The display name of a From or To.

    Adjacent encoded words are one text (RFC 2047, 6.2). The newer parser of Python 3.11 puts a space between them
    inside a name, the older one does not; so it is the older one that is asked when there are several.
    """
    value = str(email.message_from_bytes(raw)[header])
    if value.count("=?utf-8?b?") < 2:
        return str(read(raw)[header].addresses[0].display_name)
    return str(make_header(decode_header(value))).rpartition(" <")[0]


def as_one_line(name: str) -> str:
    return " ".join(name.split())


@given(st.one_of(sentences, clean), st.one_of(sentences, clean))
@example('Menon, "Ravi" \\ (Sales)', "Ørsted & Søn")
@example("=?utf-8?b?w4Q=?=", " x ")
@example("a" * 400, "é" * 400)
def test_any_name_reads_back_exactly(sender: str, recipient: str) -> None:
    envelope = replace(
        ENVELOPE,
        sender=Mailbox(sender, "ravi@mail.example"),
        recipient=Mailbox(recipient, "dana@acme.example"),
        reply_to=Mailbox(recipient, "ravi@lumenflow.example"),
    )
    raw = compose(envelope)
    assert [names_in(raw, name) for name in ("From", "To", "Reply-To")] == [
        as_one_line(sender), as_one_line(recipient), as_one_line(recipient),
    ]  # fmt: skip
    message = read(raw)
    assert [address.addr_spec for address in message["From"].addresses] == ["ravi@mail.example"]
    assert [address.addr_spec for address in message["To"].addresses] == ["dana@acme.example"]


#: How six scripts write: letters, marks that belong to the letter before, and what stands between words.
SCRIPTS = {
    "Latin": "abczäöüßøåéñçłśžğıİŒ", "Cyrillic": "абвгдежзийъыэюяЁЇ", "Greek": "αβγδεζηθάέώςΑΩ",
    "Arabic": "ابتثجحخدذرزسشصضطظعغ\u064b\u0651", "Devanagari": "कखगघचछजझटठ\u093f\u0940\u094d",
    "Han": "大夫之道商談價格漢字仮名한글",
}  # fmt: skip
in_six_scripts = st.sampled_from(sorted(SCRIPTS)).flatmap(
    lambda script: st.lists(st.text(SCRIPTS[script] + "-.'’1", min_size=1, max_size=40), min_size=1, max_size=12)
).map(" ".join)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(in_six_scripts, in_six_scripts, in_six_scripts)
@example("Ünïcode " * 60, "Αλέξανδρος " * 30, "大" * 300)
def test_six_scripts_survive_being_read_written_and_read_again(subject: str, sender: str, recipient: str) -> None:
    envelope = replace(
        ENVELOPE, sender=Mailbox(sender, "ravi@mail.example"), recipient=Mailbox(recipient, "dana@acme.example")
    )
    raw = compose(envelope, Said(subject=subject))
    once = email.message_from_bytes(raw, policy=email.policy.SMTP)
    again = email.message_from_bytes(once.as_bytes(), policy=email.policy.SMTP)
    assert read(raw)["Subject"] == once["Subject"] == again["Subject"] == subject
    assert [names_in(raw, name) for name in ("From", "To")] == [as_one_line(sender), as_one_line(recipient)]
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")), "folded as recommended"


@settings(max_examples=50, deadline=None)
@given(st.text("abc XYZ-ä", max_size=40), st.integers(60, 3000), st.sampled_from("xö"))
def test_no_word_is_too_long_for_a_line(before: str, length: int, letter: str) -> None:
    long = f"{before} {letter * length}"
    envelope = replace(
        ENVELOPE, sender=Mailbox(long, "ravi@mail.example"), recipient=Mailbox(long, "dana@acme.example"),
        headers=(("X-More", long),),
    )  # fmt: skip
    raw = compose(envelope, Said(subject=long))
    message = read(raw)  # which allows 998 octets a line
    assert message["Subject"] == message["X-More"] == long
    assert [names_in(raw, name) for name in ("From", "To")] == [as_one_line(long)] * 2


@pytest.mark.parametrize("field", ["message_id", "unsubscribe_url"])
def test_what_can_be_neither_folded_nor_encoded_is_refused_before_a_line_is_too_long(field: str) -> None:
    compose(replace(ENVELOPE, **{field: "x" * 900}))
    with pytest.raises(InputRefused):
        compose(replace(ENVELOPE, **{field: "x" * 901}))


@given(local, local.map(lambda text: text.strip("-")[:60]))
@example("a" * 64, "b" * 60)
def test_any_plain_address_reads_back_exactly(before: str, more: str) -> None:
    address = f"{before}{'.' + more if more else ''}@{'long-' * 10}name.example"
    message = read(compose(replace(ENVELOPE, recipient=Mailbox("Dana", address))))
    assert message["To"].addresses[0].addr_spec == address


def test_a_foreign_domain_travels_as_idna() -> None:
    message = read(compose(replace(ENVELOPE, recipient=Mailbox("", "dana@bücher.example"))))
    assert message["To"].addresses[0].addr_spec == "dana@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "address",
    [
        "", "dana", "@acme.example", "dana@", "dana@acme.example, eve@evil.example", "dana@acme.example>",
        "da na@a.example", "dana@-acme.example", "dana@acme..example", ".dana@acme.example", "dána@acme.example",
        "dana@acme.example\r\nBcc: x@y.example", "dana@[127.0.0.1]", '"dana"@acme.example',
        "d@" + "a" * 400 + ".example", "dana@" + "ü" * 80 + ".example",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(InputRefused) as caught:
        compose(replace(ENVELOPE, recipient=Mailbox("Dana", address)))
    assert "\n" not in str(caught.value)
    assert "dana@acme" not in str(caught.value)


@given(st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\n\r =.\t")), max_size=400))
@example("no line end")
@example(".\n.\n..\n")
@example("trailing space \n and tab\t\n")
@example("From here\n")
@example("--=_tandem\n--=_tandem--\n")
@example("x" * 5000)
@example("é" * 3000 + "\n\n\n")
def test_any_text_reads_back_exactly(body: str) -> None:
    message = read(compose(said=Said(text=body, html=body)))
    same = body.replace("\r\n", "\n").replace("\r", "\n")
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        assert part.get_content().replace("\r\n", "\n") == same


def test_half_a_character_in_a_text_is_refused() -> None:
    with pytest.raises(InputRefused):
        compose(said=Said(text="\ud800"))


@given(nasty)
@example("ok\r\nBcc: eve@evil.example")
@example("ok\nBcc: eve@evil.example")
@example("ok\rBcc: eve@evil.example")
@example("ok\r\n\r\n<p>another body</p>")
@example("ends with a line break\n")
@example("nul\0")
@example("\ud800")
def test_what_the_library_refuses_in_a_header_we_refuse_and_what_we_take_reads_back(value: str) -> None:
    for name, envelope, said in (
        ("Subject", ENVELOPE, Said(subject=value)),
        ("X-More", replace(ENVELOPE, headers=(("X-More", value),)), Said()),
    ):
        try:
            raw = compose(envelope, said)
        except InputRefused:
            continue
        assert not library_refuses(name, value)
        assert read(raw)[name] == value


@given(nasty)
@example("Ravi\r\nBcc: eve@evil.example")
@example("Ravi\0")
def test_no_name_writes_a_header_of_its_own(name: str) -> None:
    try:
        raw = compose(replace(ENVELOPE, sender=Mailbox(name, "ravi@mail.example")))
    except InputRefused:
        return
    message = read(raw)
    assert len(message.keys()) == 10
    assert names_in(raw, "From") == as_one_line(name)


@given(nasty, st.sampled_from(["\r", "\n", "\0", "\r\n", "\r\n "]), nasty)
def test_a_break_anywhere_in_a_subject_name_or_header_is_refused(before: str, break_: str, after: str) -> None:
    value = before + break_ + after
    for envelope, said in (
        (ENVELOPE, Said(subject=value)),
        (replace(ENVELOPE, recipient=Mailbox(value, "dana@acme.example")), Said()),
        (replace(ENVELOPE, headers=(("X-More", value),)), Said()),
    ):
        with pytest.raises(InputRefused) as caught:
            compose(envelope, said)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\0", "\x0b", "\x85", "\u2028"])
@pytest.mark.parametrize("at", ["{}Bcc: x", "ok{}Bcc: x", "ok{}"])
def test_a_line_break_is_refused_in_every_header(break_: str, at: str) -> None:
    value = at.format(break_)
    for envelope, said in (
        (ENVELOPE, Said(subject=value)),
        (replace(ENVELOPE, sender=Mailbox(value, "ravi@mail.example")), Said()),
        (replace(ENVELOPE, recipient=Mailbox(value, "ravi@mail.example")), Said()),
        (replace(ENVELOPE, recipient=Mailbox("Dana", f"dana@acme.example{value}")), Said()),
        (replace(ENVELOPE, reply_to=Mailbox(value, "ravi@mail.example")), Said()),
        (replace(ENVELOPE, message_id=f"<{value}@mail.example>"), Said()),
        (replace(ENVELOPE, unsubscribe_url=f"https://mail.example/{value}"), Said()),
        (replace(ENVELOPE, headers=(("X-More", value),)), Said()),
        (replace(ENVELOPE, headers=((f"X-More{value}", "x"),)), Said()),
    ):
        with pytest.raises(InputRefused):
            compose(envelope, said)


@given(st.text(max_size=30))
def test_a_web_address_in_a_header_is_one_plain_word(tail: str) -> None:
    assume(not all("!" <= letter <= "~" for letter in tail))
    with pytest.raises(InputRefused):
        compose(replace(ENVELOPE, unsubscribe_url="https://mail.example/u/" + tail))


def test_composing_the_same_twice_gives_the_same_bytes() -> None:
    assert compose() == compose()
