"""A value comes to the ledger in one form, or its row is told which column could not be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.importing.cleaning import Cleaner
from flows.importing.datasets import DATASETS
from tests.plays import small_play


def clean(dataset: str, field: str, value: str) -> object:
    """The cleaned value, or "unreadable"."""
    cleaned = Cleaner(DATASETS[dataset], (field,), small_play()).clean({field: [value]})
    return "unreadable" if cleaned.defects else cleaned.columns[field][0]


@pytest.mark.parametrize(
    ("dataset", "field", "value", "kept"),
    [
        ("stakeholders", "email", " Dana@ACME.example ", "dana@acme.example"),
        ("stakeholders", "email", "dana@münchen.example", "dana@xn--mnchen-3ya.example"),
        ("stakeholders", "email", "", None),
        ("stakeholders", "first_name", "  Zoë\u00a0\n Marie ", "Zoë Marie"),
        ("stakeholders", "first_name", "   ", None),
        ("stakeholders", "last_name", "\u202eevil\u202c مريم", "evil مريم"),
        ("stakeholders", "last_name", "\u2066\u2069", None),
        ("stakeholders", "timezone", "Europe/Berlin", "Europe/Berlin"),
        ("stakeholders", "country", "de", "DE"),
        ("stakeholders", "country", "Germany", "Germany"),
        ("stakeholders", "consent_basis", "Legitimate Interest", "legitimate_interest"),
        ("stakeholders", "consent_at", "2026-11-22", "2026-11-22 00:00:00.000000"),
        ("stakeholders", "consent_at", "2026-11-22T09:30+01:00", "2026-11-22 08:30:00.000000"),
        ("stakeholders", "consent_at", "2026-11-22T09:30:00Z", "2026-11-22 09:30:00.000000"),
        ("reps", "brief_hour", " 07:00 ", 7),
        ("reps", "brief_hour", "0", 0),
        ("accounts", "domain", "https://www.Acme.example/de?x=1", "acme.example"),
        ("accounts", "stage", "Proof of Concept", "evaluation"),
        ("accounts", "stage", "Discovery", "discovery"),
        ("opportunities", "amount", "1200.509", "1200.51"),
        ("opportunities", "amount", "-3", "-3.00"),
        ("opportunities", "close_date", "2026-11-22", "2026-11-22"),
        ("opportunities", "close_date", "2026-11-22T23:00:00Z", "2026-11-22"),
        ("opportunities", "currency", "eur", "EUR"),
        ("opportunities", "is_won", "Yes", True),
        ("opportunities", "is_won", "0", False),
        ("opportunities", "is_won", "", None),
    ],
)
def test_a_value_is_kept_in_one_form(dataset: str, field: str, value: str, kept: object) -> None:
    assert clean(dataset, field, value) == kept


@pytest.mark.parametrize(
    ("dataset", "field", "value"),
    [
        ("stakeholders", "email", "dana@acme"),
        ("stakeholders", "email", "dana acme.example"),
        ("stakeholders", "email", "dana@acme.example, bob@acme.example"),
        ("stakeholders", "email", "dana@acme.example\r\nBcc: all@acme.example"),
        ("stakeholders", "email", "d\u00e4na@acme.example"),
        ("stakeholders", "email", "x" * 320 + "@acme.example"),
        ("stakeholders", "first_name", "M\ufffdller"),
        ("stakeholders", "first_name", "x" * 301),
        ("stakeholders", "first_name", "bell \x07"),
        ("stakeholders", "timezone", "Berlin"),
        ("stakeholders", "timezone", "../../etc/passwd"),
        ("stakeholders", "consent_at", "22.11.2026"),
        ("stakeholders", "consent_at", "2026-02-31"),
        ("stakeholders", "consent_at", "0001-01-01T00:00+14:00"),
        ("reps", "brief_hour", "24"),
        ("reps", "brief_hour", "4 pm"),
        ("reps", "brief_hour", "²"),
        ("accounts", "account", "k" * 121),
        ("accounts", "stage", "Somewhere"),
        ("opportunities", "amount", "1,200"),
        ("opportunities", "amount", "NaN"),
        ("opportunities", "amount", "1" * 13),
        ("opportunities", "close_date", "2026-11"),
        ("opportunities", "is_won", "perhaps"),
    ],
)
def test_what_cannot_be_read_is_not_guessed(dataset: str, field: str, value: str) -> None:
    assert clean(dataset, field, value) == "unreadable"


@given(st.text(max_size=40))
def test_an_address_that_is_taken_can_stand_in_a_header(text: str) -> None:
    kept = clean("stakeholders", "email", text + "@acme.example")
    assert kept == "unreadable" or (str(kept).isascii() and str(kept).isprintable() and " " not in str(kept))
