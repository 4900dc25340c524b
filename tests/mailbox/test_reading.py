"""No mail, whatever it is, makes understanding it fail or take long."""

import random
from itertools import islice
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.mailbox import Kind, Understood, understand
from flows.mailbox.reading import read_mail, words_of_html
from tests.mailbox.letters import letter, notes, replies
from tests.mailbox.servers import NOTICES, report

PIECES = (
    b"boundary=", b"\r\n\r\n", b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n",
    b"--x\r\n", b"=?utf-8?b?", b"?=", b"\xff\xfe", b"\0", b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-7",
    b'charset="\xff"', b"charset=idna", b"charset=punycode", b"charset=hex", b"charset=undefined", b"charset*0*=%ff",
    b"begin 644 x\r\n", b"Date: Mon, 99 Foo 99999 99:99:99 +9999\r\n", b"message/rfc822", b"message/delivery-status",
    b"Status: 5.999.999", b"<" * 50,
)  # fmt: skip


@given(st.binary(max_size=2_000))
def test_any_bytes_are_understood(raw: bytes) -> None:
    assert isinstance(understand(raw), Understood)


@given(
    st.lists(
        st.sampled_from(
            [*PIECES, b"From: a@b.example\r\n", b"Subject: out of office\r\n", b"until 5 January", b"\r\n"]
        ),
        max_size=40,
    )
)
def test_any_order_of_pieces_is_understood(pieces: list[bytes]) -> None:
    assert isinstance(understand(b"".join(pieces)), Understood)


def test_damaged_mail_is_understood() -> None:
    """Whole forms, with octets lost, doubled, replaced, and pieces of others put in."""
    dice = random.Random(7)
    whole = (
        [one.raw for one in (*islice(replies(), 0, 30, 6), *islice(notes(), 0, 60, 6))]
        + [raw for raw, *_ in NOTICES.values()]
        + [report("550 5.1.1 x", "5.1.1")]
    )
    for _ in range(500):
        raw = bytearray(dice.choice(whole))
        for _ in range(dice.randint(1, 8)):
            at = dice.randrange(len(raw) + 1)
            raw[at : at + dice.choice((0, 0, 1, 40))] = dice.choice(
                (*PIECES, dice.randbytes(8), bytes(raw[at : at + 300]))
            )
        assert isinstance(understand(bytes(raw)), Understood)


def deep(levels: int) -> bytes:
    return (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
        + b"\n\nhi\n"
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(deep(30), id="nested"),
        pytest.param(deep(20_000), id="nested deeper than any parser"),
        pytest.param(b"Content-Type: message/rfc822\n\n" * 100_000, id="mails in mails"),
        pytest.param(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 200_000, id="many parts"),
        pytest.param(b"Content-Type: multipart/mixed" + b"; a=b" * 2_000_000 + b"\n\nx", id="many parameters"),
        pytest.param(b"Content-Type: a/b" + b"".join(b"; a*%d=b" % n for n in range(99_999)), id="split parameters"),
        pytest.param(b"X-A: b\n" * 1_000_000, id="many headers"),
        pytest.param(b"Subject: " + b"=?utf-8?q?a?= " * 700_000, id="many encoded words"),
        pytest.param(b"References: " + b"<a@b.example> " * 700_000, id="many references"),
        pytest.param(b"Subject: x\n\n" + b"a@" * 5_000_000, id="one long line"),
        pytest.param(b"Subject: x\n\n" + b"On 1 wrote\n" * 900_000, id="many announcements"),
        pytest.param(b"Content-Type: text/html\n\n" + b"<" * 10_000_000, id="open brackets"),
        pytest.param(b"Content-Type: text/html\n\n" + b"<style" * 1_600_000, id="open elements"),
        pytest.param(b"Subject: out of office\n\nout of office " + b"1." * 5_000_000, id="many digits"),
        pytest.param(b"Subject: out of office\n\nout of office until " + b"5 January " * 900_000, id="many days"),
        pytest.param(b"Subject: gone\n\nno longer with. " + b"please contact A " * 600_000, id="many successors"),
        pytest.param(report("550 5.1.1 x " + "y " * 5_000_000, "5.1.1"), id="a long diagnostic"),
        pytest.param(report(more="\r\nFinal-Recipient: x; a@b\r\nAction: failed\r\n" * 150_000), id="many fates"),
    ],
)  # fmt: skip
def test_large_and_hostile_mail_is_understood_within_two_seconds(raw: bytes) -> None:
    started = process_time()
    assert isinstance(understand(raw), Understood)
    assert process_time() - started < 2


def test_a_large_attachment_hides_nothing() -> None:
    body = letter("Yes, let us talk.").decode() + "\r\n" + "QUJD" * 2_500_000
    assert understand(body.encode()).words.startswith("Yes, let us talk.")


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-8", "utf-16", "no-such-charset", "us-ascii"])
def test_letters_survive_their_charset(charset: str) -> None:
    known = "utf-8" if charset in ("no-such-charset", "us-ascii") else charset
    raw = f"Subject: Re: x\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode() + "Grüße".encode(known)
    assert read_mail(raw).text.strip("\ufeff") == "Grüße"


def test_headers_are_read_in_any_form() -> None:
    mail = read_mail(
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n aus Wien\r\nFrom: J\u00fcrgen <J@Acme.Example>\r\n\r\n".encode()
    )
    assert (mail.subject, mail.sender) == ("Grüße aus Wien", "j@acme.example")
    assert read_mail("Subject: Grüße\r\n\r\n".encode("latin-1")).subject == "Grüße"


def test_html_is_read_as_its_words() -> None:
    html = "<style>p {x}</style><p>Yes &amp; no</p><!-- not --><blockquote>old<br>words</blockquote><div>bye</div>"
    assert [line for line in words_of_html(html).split("\n") if line] == ["Yes & no", "> old", "> words", "bye"]


def test_a_mailbox_line_in_front_is_no_part_of_the_mail() -> None:
    assert understand(b"From mailer Fri Dec 18 10:12:00 2026\n" + report("550 5.1.1 x", "5.1.1")).kind is Kind.BOUNCE
