"""DKIM: what we sign, everybody can verify (dkimpy does it here), and nobody can change; a key that cannot sign stops
the house before the first mail.
"""

import re
from binascii import a2b_qp
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
)  # fmt: skip
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)  # fmt: skip
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from accounts.errors import SettingsRefused
from accounts.playfiles import load_play
from flows.channels.email import Outgoing
from flows.channels.email.compose import Composer, Envelope, Mailbox, quoted
from flows.channels.email.dkim import SEALED, SIGNED, Signer, canonical_body, canonical_head, load_signer
from flows.channels.email.outbox import Outbox
from flows.channels.email.smtp import Smtp
from flows.content.mailing import compose_touch, composer_of, marks, open_mailroom
from flows.content.preview import sample_recipient
from flows.settings import TEMPLATES, Dkim, Settings
from tests.cast import PLAY
from tests.sending.post_office import PostOffice, post_office, settings_for

#: Long enough ago: a verifier refuses what was signed in its future.
AT = datetime(2026, 1, 13, 10, 0, 5, tzinfo=UTC)
ENVELOPE = Envelope(
    sender=Mailbox("Ravi Menon", "ravi@mail.example"),
    recipient=Mailbox("Dana Example", "dana@acme.example"),
    reply_to=Mailbox("Ravi Menon", "ravi@lumenflow.example"),
    return_path="bounce+abc@mail.example",
    message_id="<tandem.7.0123456789abcdef@mail.example>",
    date=AT,
    unsubscribe_url="https://mail.example/u/abc",
    headers=(("Feedback-ID", "discovery.why-now:new-business:nurture_mail:tandem_abm"),),
)


@dataclass(frozen=True)
class Said:
    subject: str = "A subject"
    html: str = "<p>Hello</p>\n"
    text: str = "Hello\n"


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, lock: Any = None) -> str:
    return str(key.private_bytes(Encoding.PEM, form, lock or NoEncryption()).decode())


def short() -> str:
    """An RSA key of 511 bits, which today's libraries refuse to make: of two primes that are known."""
    p, q, e = 2**256 - 189, 2**255 - 19, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), RSAPublicNumbers(e, p * q))
    return pem(numbers.private_key())


ED = pem(Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
def rsa() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def keys(rsa: RSAPrivateKey) -> dict[str, SecretStr]:
    return {"rsa_key": SecretStr(pem(rsa)), "ed25519_key": SecretStr(pem(Ed25519PrivateKey.generate()))}


def house(**values: Any) -> Settings:
    return Settings(sending_domain="mail.example", dkim=Dkim(**values))


def signer_of(**values: Any) -> Signer:
    signer = load_signer(house(**values))
    assert signer is not None
    return signer


@pytest.fixture(scope="module")
def signer(keys: dict[str, SecretStr]) -> Signer:
    """With both keys, as most houses should have it."""
    return signer_of(**keys)


def verified(raw: bytes, signer: Signer) -> list[bool]:
    """The verdict on each signature of a message, from the top, by a verifier that is not ours."""
    zone = {
        f"{one.selector}._domainkey.{signer.domain}.".encode(): one.key.record.encode() for one in signer.signatures
    }
    count = len(re.findall(rb"(?m)^DKIM-Signature:", raw.partition(b"\r\n\r\n")[0]))
    assert count == len(signer.signatures)

    def ask(name: bytes, **_: object) -> bytes | None:
        return zone.get(name)

    return [_verdict(raw, number, ask) for number in range(count)]


def _verdict(raw: bytes, number: int, ask: Callable[..., bytes | None]) -> bool:
    try:
        return bool(dkim.DKIM(raw).verify(number, dnsfunc=ask))
    except dkim.DKIMException:
        return False


def compose(signer: Signer, envelope: Envelope = ENVELOPE, said: Said | None = None) -> bytes:
    return Composer(signer.seals).fill(envelope, said or Said())


def tags(raw: bytes, number: int = 0) -> dict[str, str]:
    """The tags of a signature, blanks taken out."""
    head = raw.partition(b"\r\n\r\n")[0].decode()
    found = re.findall(r"(?ms)^DKIM-Signature: (.*?)\r\n(?![ \t])", head)[number]
    return dict(part.split("=", 1) for part in re.sub(r"\s", "", found).split(";"))


# --- signing ----------------------------------------------------------------------------------------------------------


def test_a_mail_is_signed_with_every_key_there_is(signer: Signer, keys: dict[str, SecretStr]) -> None:
    raw = compose(signer)
    assert verified(raw, signer) == [True, True]
    assert [tags(raw, number)["a"] for number in (0, 1)] == ["rsa-sha256", "ed25519-sha256"]
    for kind, text in keys.items():
        alone = signer_of(**{kind: text})
        assert verified(compose(alone), alone) == [True]


def test_without_a_key_nothing_is_signed() -> None:
    assert load_signer(house()) is None
    assert b"DKIM" not in composer_of(house()).fill(ENVELOPE, Said())


def test_the_signature_says_who_when_and_for_what(signer: Signer) -> None:
    found = tags(compose(signer))
    assert (found["v"], found["c"], found["d"], found["s"]) == ("1", "relaxed/relaxed", "mail.example", "tandem")
    assert int(found["t"]) == AT.timestamp()
    assert tags(compose(signer), 1)["s"] == "tandem-ed25519"
    assert {"from", "list-unsubscribe", "list-unsubscribe-post", "feedback-id"} <= set(found["h"].split(":"))


def test_every_header_a_reader_sees_is_covered_and_nobody_can_add_a_second_one(signer: Signer) -> None:
    raw = compose(signer)
    present = [line.partition(b":")[0].decode().lower() for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")]
    covered = tags(raw)["h"].split(":")
    written = {name for name in present if name and name[0] not in " \t"} - {"dkim-signature"}
    assert written == set(SEALED + SIGNED)
    for name in SEALED:
        assert covered.count(name) == 2, "once more than it stands there"
        assert verified(raw.replace(b"\r\n\r\n", f"\r\n{name}: another one\r\n\r\n".encode(), 1), signer) == [False] * 2
        assert verified(f"{name}: another one\r\n".encode() + raw, signer) == [False] * 2
    assert covered.count("feedback-id") == 1, "relays add their own"
    assert verified(b"Received: from a relay\r\nFeedback-ID: 1:2:3:relay\r\n" + raw, signer) == [True, True]


def test_a_brief_that_offers_no_unsubscribing_cannot_be_given_it_on_the_way(signer: Signer) -> None:
    raw = compose(signer, replace(ENVELOPE, unsubscribe_url=None))
    assert verified(raw, signer) == [True, True]
    assert verified(b"List-Unsubscribe: <https://evil.example>\r\n" + raw, signer) == [False, False]


@given(st.text(st.sampled_from("ab\u00e4\u20ac= \t\n.")))
@example("  two at the start, " + "x" * 54 + "  two where the line is full")
@example("=" * 24 + "xx   " + "=" * 30)
def test_what_is_written_needs_no_canonicalisation_and_reads_back_the_same(text: str) -> None:
    """Its lines keep to 76 columns all the same (RFC 2045)."""
    written = quoted(text)
    assert b"body\r\n" + canonical_body(written + b".") == b"body\r\n" + written + b".\r\n"
    assert max(map(len, written.split(b"\r\n"))) <= 76
    assert a2b_qp(written).decode() == text.replace("\n", "\r\n")


clean = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=200)
bodies = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\n\r =.\t  \n\n")), max_size=600)


@settings(deadline=None)
@given(clean, clean, bodies)
@example("", "", "")
@example("  two  blanks  ", "", "\n\n\n")
@example("x" * 900, "ä" * 500, "trailing \n\t\n \n\n")
@example("Zürich: " + "what waiting costs " * 40, '"Dana"  \\ (Acme)', ".\n..\n")
def test_whatever_is_written_verifies(signer: Signer, subject: str, name: str, body: str) -> None:
    envelope = replace(ENVELOPE, recipient=Mailbox(name, "dana@acme.example"))
    raw = compose(signer, envelope, Said(subject, body, body))
    assert verified(raw, signer) == [True, True]
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))


@settings(deadline=None)
@given(st.data(), st.integers(33, 126))
def test_a_changed_letter_anywhere_does_not_verify(signer: Signer, data: st.DataObject, letter: int) -> None:
    raw = compose(signer)
    places = [at for at in range(raw.index(b"\r\nFrom: ") + 2, len(raw)) if raw[at] > 32]
    at = data.draw(st.sampled_from(places))
    assume(bytes([letter]).lower() != raw[at : at + 1].lower())  # names of headers may change their case
    changed = raw[:at] + bytes([letter]) + raw[at + 1 :]
    assert verified(changed, signer) == [False, False]


@given(st.lists(st.text(" \tab.=", max_size=12), max_size=12).map("\r\n".join), st.sampled_from(["\r\n", " \r\n\r\n"]))
@example("", "")
@example(" ", "\r\n")
@example("a \t b\t\r\n \r\n", "\r\n\r\n")
def test_our_canonical_body_is_the_one_of_the_standard(body: str, end: str) -> None:
    raw = (body + end).encode()
    assert canonical_body(raw) == dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed").canonicalize_body(raw)


@pytest.mark.parametrize("body", [b"", b" ", b"text", b"text \t", b"text\r\n \t"])
def test_a_last_line_without_its_end_counts_as_the_server_will_end_it(body: bytes) -> None:
    assert canonical_body(body) == canonical_body(body + b"\r\n")


def test_our_canonical_head_is_the_one_of_the_standard() -> None:
    head = b"FROM :  Ravi \t <r@m.example>  \r\nSubject: one\r\n\ttwo\r\n   three \r\nX-Else: x\r\nTo:\r\n d@a.example"
    names, covered = canonical_head(head)
    assert covered == b"from:Ravi <r@m.example>\r\nto:d@a.example\r\nsubject:one two three\r\n"
    assert b"x-else" not in names.flat


def test_of_two_equal_headers_both_are_covered(signer: Signer) -> None:
    raw = signer.sign(b"To: a@a.example\r\n" + Composer().fill(ENVELOPE, Said()), AT)
    assert verified(raw, signer) == [True, True]
    assert verified(raw.replace(b"To: a@a", b"To: b@b"), signer) == [False, False]
    assert tags(raw)["h"].split(":").count("to") == 3


def test_signing_again_gives_the_same_bytes(signer: Signer) -> None:
    assert compose(signer) == compose(signer)


def test_lines_of_the_signature_stay_within_the_recommended_length(signer: Signer) -> None:
    head = compose(signer).partition(b"From: ")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


def test_a_touch_is_signed_on_the_way_that_preview_and_sending_share(keys: dict[str, SecretStr]) -> None:
    home = house(**keys)
    room = open_mailroom(home, load_play(TEMPLATES / "plays" / PLAY), only=f"{PLAY}/discovery/why-now")
    step = room.compiled.content(f"{PLAY}/discovery/why-now").step
    raw = compose_touch(room, sample_recipient(step), AT).raw
    assert verified(raw, signer_of(**keys)) == [True, True]


@pytest.mark.parametrize("body", ["A plain text.\n", ".\n..\n.leading dots\n", "Grüße \t\n\n\n", "=20 \n" * 400])
def test_what_arrives_over_smtp_verifies(signer: Signer, body: str) -> None:
    """Dots are doubled on the line and taken back; nothing else may happen to the bytes."""
    raw = compose(signer, said=Said(text=body, html=body))
    with post_office(PostOffice()) as office, Smtp(settings_for(office), "mail.example") as channel:
        channel.send(Outgoing(ENVELOPE.message_id, ENVELOPE.return_path, "dana@acme.example", raw))
    [arrived] = office.letters
    assert arrived.mail_from == ENVELOPE.return_path
    assert isinstance(arrived.original_content, bytes)
    assert verified(arrived.original_content, signer) == [True, True]


def test_the_outbox_keeps_what_would_leave(signer: Signer, tmp_path: Path) -> None:
    raw = compose(signer)
    with Outbox(tmp_path) as outbox:
        outbox.send(Outgoing(ENVELOPE.message_id, ENVELOPE.return_path, "dana@acme.example", raw))
    [file] = tmp_path.glob("*.eml")
    assert verified(file.read_bytes(), signer) == [True, True]


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_may_stand_in_a_file_or_in_a_variable_with_its_line_ends_written_out(
    tmp_path: Path, rsa: RSAPrivateKey
) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pem(rsa, PrivateFormat.TraditionalOpenSSL))
    one_line = SecretStr(pem(rsa).replace("\n", "\\n"))
    texts = [{"rsa_key_file": file}, {"rsa_key": one_line}, {"rsa_key": SecretStr(pem(rsa))}]
    assert len({compose(signer_of(**text)) for text in texts}) == 1


def test_the_record_to_publish_is_the_public_key(rsa: RSAPrivateKey, signer: Signer) -> None:
    published, short = (one.key.record for one in signer.signatures)
    assert re.fullmatch(r"v=DKIM1; k=rsa; p=MII[A-Za-z0-9+/=]{385,400}", published)
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=", short)
    assert (signer.signatures[0].key.bits, signer.signatures[1].key.bits) == (2048, 256)


def locked() -> str:
    key = generate_private_key(65537, 2048)
    return pem(key, lock=BestAvailableEncryption(b"hush"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (lambda: {"rsa_key": pem(Ed25519PrivateKey.generate())}, "dkim.rsa_key: this is no RSA key"),
        (lambda: {"ed25519_key": pem(ec.generate_private_key(ec.SECP256R1()))}, "dkim.ed25519_key: this is no Ed25519"),
        (lambda: {"rsa_key": locked()}, "dkim.rsa_key: the key is locked with a password"),
        (lambda: {"rsa_key": short()}, "dkim.rsa_key: a key of 511 bits; receivers verify 1024 to 4096"),
        (lambda: {"rsa_key": "hush-hush"}, "dkim.rsa_key: this is no private key in PEM"),
        (lambda: {"rsa_key": ""}, "dkim.rsa_key: this is no private key in PEM"),
        (lambda: {"rsa_key_file": Path("nowhere.pem")}, "dkim.rsa_key_file: nowhere.pem cannot be read"),
        (lambda: {"rsa_key": "x", "rsa_key_file": Path("x.pem")}, "dkim.rsa_key: a key and a file with a key"),
        (lambda: {"ed25519_key": ED, "ed25519_selector": "not one"}, "dkim.ed25519_selector: 'not one' is no selector"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_with_a_cure_and_never_repeated(
    values: Callable[[], dict[str, Any]], says: str
) -> None:
    bad = house(**values())
    for ask in (load_signer, composer_of, marks):
        with pytest.raises(SettingsRefused) as caught:
            ask(bad)
        assert str(caught.value).startswith(says)
        assert caught.value.cure
        assert "hush" not in str(caught.value)
        assert "PRIVATE" not in str(caught.value)


def test_two_keys_need_two_selectors(keys: dict[str, SecretStr]) -> None:
    with pytest.raises(SettingsRefused, match="both keys have one selector"):
        load_signer(house(**keys, ed25519_selector="TANDEM"))


def test_a_room_knows_by_its_marks_that_a_key_was_changed(keys: dict[str, SecretStr], tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    home = house(ed25519_key_file=file)
    file.write_text(ED)
    before = marks(home)
    assert marks(home) == before
    file.write_text(pem(Ed25519PrivateKey.generate()))
    assert marks(home) != before


def test_no_key_shows_when_it_is_printed(keys: dict[str, SecretStr], signer: Signer) -> None:
    home = house(**keys)
    shown = f"{home!r} {home.model_dump_json()} {signer!r} {signer.signatures!r} {signer.mark}"
    for text in keys.values():
        assert text.get_secret_value().splitlines()[1] not in shown
    assert "PRIVATE" not in shown
