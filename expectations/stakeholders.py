"""What we expect of stakeholders: the people who decide."""

from accounts.vocabulary import ConsentBasis
from expectations.rules import (
    ROW_IS_WHOLE,
    VALUES_CAN_BE_READ,
    Rule,
    Severity,
    Suite,
    account_is_known,
    account_is_named,
    has_a_domain,
    is_given,
    not_in_the_future,
    one_of,
    stands_once,
)

BASES = tuple(ConsentBasis)

CONSENT_IS_FROM_THE_PAST = not_in_the_future(
    "consent_at", "Consent was given before it was imported.", "the consent was given after the day of this import"
)

COUNTRY_IS_A_CODE = Rule(
    id="country_is_a_code",
    sentence="A country is a two-letter code such as DE.",
    complaint="people whose country is no two-letter code, so that its holidays are not known",
    cure="translate it with `values` in a mapping file",
    column="country",
    broken_when="country NOT LIKE '__'",
    severity=Severity.WARNING,
)

STAKEHOLDERS = Suite(
    "stakeholders",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        account_is_named("person"),
        account_is_known("person"),
        is_given("email", "email", "Every person has an e-mail address.", "the person has no e-mail address"),
        has_a_domain("email", "person"),
        one_of("consent_basis", BASES, "A consent basis is one the law knows."),
        one_of("ads_consent_basis", BASES, "A consent basis for ads is one the law knows."),
        CONSENT_IS_FROM_THE_PAST,
        not_in_the_future("ads_consent_at", "Consent for ads was given before it was imported."),
        stands_once(
            "email",
            ("account", "email"),
            "A person stands in an account once.",
            "the e-mail address stands in this account already; the first row was taken",
        ),
        COUNTRY_IS_A_CODE,
    ),
)
