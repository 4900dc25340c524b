"""Each platform knows people by a normal form of its own: one table of shared vectors, and the digest they end in."""

from hashlib import sha256

import pytest

from accounts.audiences import ADDRESS_FORMS, member_of, usable_domain

#: as written -> LinkedIn, Google, Meta; None: the platform cannot use it
VECTORS: dict[str, tuple[str | None, str | None, str | None]] = {
    "dana@acme.example": ("dana@acme.example",) * 3,
    "  Dana@ACME.example\t": ("dana@acme.example",) * 3,
    "dana.lee@acme.example": ("dana.lee@acme.example",) * 3,
    "dana+ads@acme.example": ("dana+ads@acme.example",) * 3,
    "Jürgen@Müller.example": ("jürgen@müller.example",) * 3,
    "da na@acme.example": ("dana@acme.example", None, "da na@acme.example"),
    "dana@acme.example.": ("dana@acme.example.", "dana@acme.example.", "dana@acme.example"),
    ".dana@acme.example": (".dana@acme.example", ".dana@acme.example", "dana@acme.example"),
    "\x00dana@acme.example\x0b": ("\x00dana@acme.example", "\x00dana@acme.example", "dana@acme.example"),
    "Da.Na@gmail.com": ("da.na@gmail.com", "dana@gmail.com", "da.na@gmail.com"),
    "da.na@GoogleMail.com": ("da.na@googlemail.com", "dana@googlemail.com", "da.na@googlemail.com"),
    "dana+ads@gmail.com": ("dana+ads@gmail.com", "dana@gmail.com", "dana+ads@gmail.com"),
    "da.na@gmail.com.example": ("da.na@gmail.com.example",) * 3,
    "...@gmail.com": ("...@gmail.com", None, None),
    "dana": (None, None, None),
    "dana@": (None, None, None),
    "@acme.example": (None, None, None),
    "a@b@acme.example": ("a@b@acme.example", None, "a@b@acme.example"),
    "": (None, None, None),
}


@pytest.mark.parametrize("written", VECTORS)
@pytest.mark.parametrize(("place", "platform"), [(0, "linkedin"), (1, "google"), (2, "meta")])
def test_an_address_takes_the_platforms_own_form(written: str, place: int, platform: str) -> None:
    assert ADDRESS_FORMS[platform](written) == VECTORS[written][place]


def test_the_digest_is_the_one_google_publishes_for_its_example() -> None:
    """Customer Match, hashed data: example@gmail.com."""
    assert member_of("google", " E.xample@gmail.com") == (
        "264e53d93759bde067fd01ef2698f98d1253c730d12f021116f02eebcfa9ace6"
    )


def test_the_digest_is_sha256_of_the_normal_form_in_hex_and_none_for_what_cannot_be_used() -> None:
    for platform in ADDRESS_FORMS:
        assert member_of(platform, "Dana@acme.example ") == sha256(b"dana@acme.example").hexdigest()
        assert member_of(platform, "dana") is None


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("acme.example", "acme.example"),
        (" WWW.Acme.Example. ", "acme.example"),
        ("sub.acme.example", "sub.acme.example"),
        ("müller.example", "xn--mller-kva.example"),
        ("gmail.com", None),
        ("acme", None),
        ("", None),
        (None, None),
        ("acme..example", None),
        ("-acme.example", None),
        ("=cmd|' /C calc'!A0", None),
        ("acme.example/path", None),
        ("ü" * 80 + ".example", None),
    ],
)
def test_a_company_is_known_by_a_real_domain_of_its_own(written: str | None, domain: str | None) -> None:
    assert usable_domain(written) == domain
