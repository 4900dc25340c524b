"""Roles from CRM values and job titles; titles.csv holds a language, a title and the role a colleague expects."""

import csv
import unicodedata
from pathlib import Path

import pytest

from accounts.roles import CRM_ROLES, RULES, find_role, find_role_of_title, is_known_crm_role
from accounts.titles import Trait
from accounts.vocabulary import Role, RoleSource

TITLES = [
    (row["language"], row["title"], Role(row["role"]))
    for row in csv.DictReader((Path(__file__).parent / "titles.csv").read_text(encoding="utf-8").splitlines())
]


@pytest.mark.parametrize(("language", "title", "role"), TITLES)
def test_a_title_gives_the_role_a_colleague_expects(language: str, title: str, role: Role) -> None:
    found = find_role(None, title)
    assert found.role is role, found.evidence


def test_the_table_of_titles_covers_four_languages_and_no_title_twice() -> None:
    languages = [language for language, _, _ in TITLES]
    assert {language: languages.count(language) >= 35 for language in set(languages)} == dict.fromkeys(
        ("en", "de", "fr", "es"), True
    )
    assert len({title for _, title, _ in TITLES}) == len(TITLES)


@pytest.mark.parametrize("title", [title for _, title, _ in TITLES])
def test_capitals_and_missing_accents_change_nothing(title: str) -> None:
    bare = "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c))
    assert find_role_of_title(bare).role is find_role_of_title(title).role
    if ":in" not in title and "In" not in title and "(" not in title:
        assert find_role_of_title(title.upper()).role is find_role_of_title(title).role


@pytest.mark.parametrize(
    ("crm_role", "role"),
    [
        ("Business User", Role.END_USER),
        ("Decision Maker", Role.DECISION_MAKER),
        ("Economic Buyer", Role.ECONOMIC_BUYER),
        ("Economic Decision Maker", Role.ECONOMIC_BUYER),
        ("Evaluator", Role.TECHNICAL_EVALUATOR),
        ("Executive Sponsor", Role.EXECUTIVE_SPONSOR),
        ("Influencer", Role.INFLUENCER),
        ("Technical Buyer", Role.TECHNICAL_EVALUATOR),
        ("BLOCKER", Role.BLOCKER),
        ("BUDGET_HOLDER", Role.ECONOMIC_BUYER),
        ("CHAMPION", Role.CHAMPION),
        ("DECISION_MAKER", Role.DECISION_MAKER),
        ("END_USER", Role.END_USER),
        ("EXECUTIVE_SPONSOR", Role.EXECUTIVE_SPONSOR),
        ("LEGAL_AND_COMPLIANCE", Role.LEGAL),
        ("economic_buyer", Role.ECONOMIC_BUYER),
        ("  economic   buyer ", Role.ECONOMIC_BUYER),
        ("Fürsprecherin", Role.CHAMPION),
        ("Décideur", Role.DECISION_MAKER),
        ("Comprador", Role.PROCUREMENT),
    ],
)
def test_the_crm_says_the_role(crm_role: str, role: Role) -> None:
    found = find_role(crm_role, "Account Manager")
    assert (found.role, found.source, found.confidence) == (role, RoleSource.CRM, 1.0)


def test_every_role_a_crm_may_name_can_be_written_as_our_own_word() -> None:
    assert {role for role in Role if role is not Role.UNKNOWN} == set(CRM_ROLES)
    assert all(find_role(role.value, None).role is role for role in CRM_ROLES)


def test_of_several_crm_roles_the_one_that_decides_most_counts() -> None:
    assert find_role("END_USER;BUDGET_HOLDER;CHAMPION", None).role is Role.ECONOMIC_BUYER


@pytest.mark.parametrize("crm_role", ["Other", "OTHER", "--None--", "n/a", "", None, "Gatekeeper"])
def test_where_the_crm_says_nothing_useful_the_title_decides(crm_role: str | None) -> None:
    found = find_role(crm_role, "CFO")
    assert (found.role, found.source) == (Role.ECONOMIC_BUYER, RoleSource.RULE)


def test_a_crm_value_nobody_knows_is_told_from_one_that_says_nothing() -> None:
    assert not is_known_crm_role("Gatekeeper")
    assert is_known_crm_role("--None--")
    assert is_known_crm_role("Champion")


def test_the_evidence_names_the_words_the_rule_and_the_confidence() -> None:
    found = find_role(None, "Leiterin Finanzen DACH")
    assert (
        found.evidence
        == "title “Leiterin Finanzen DACH”: Leiterin + Finanzen = leads finance, so economic buyer (0.85)"
    )
    assert find_role("BUDGET_HOLDER", None).evidence == "CRM role “BUDGET_HOLDER”, so economic buyer"


@pytest.mark.parametrize("title", [None, "", "   ", "–", "Wizard"])
def test_nothing_to_go_by_is_unknown_with_no_confidence(title: str | None) -> None:
    found = find_role(None, title)
    assert (found.role, found.confidence) == (Role.UNKNOWN, 0.0)
    assert found.evidence


def test_a_title_of_any_length_and_alphabet_is_answered_within_the_column() -> None:
    for title in ("CFO " * 200, "首席财务官", "\x00\ud7ff" * 50, "(((((", "Директор", "a" * 5000):
        assert len(find_role(None, title).evidence) <= 300


def test_no_rule_and_no_trait_is_dead() -> None:
    """Every rule decides about some title of the table, and every trait is used by some rule."""
    used = {find_role_of_title(title).rule for _, title, _ in TITLES}
    assert {rule.name for rule in RULES} - used == set()
    asked = {trait for rule in RULES for need in rule.needs for trait in need}
    assert set(Trait) == asked
