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
    "consent_at", "Consent was given before it was imported.", "was given after the day of this import"
)

HAS_A_BASIS = Rule(
    id="person_has_a_consent_basis",
    sentence="Every person has a consent basis.",
    complaint="have no consent basis: they are never written to",
    cure="fill in consent_basis where there is one",
    column="consent_basis",
    sql="SELECT entry FROM {batch} WHERE consent_basis IS NULL",
    severity=Severity.WARNING,
)

COUNTRY_IS_A_CODE = Rule(
    id="country_is_a_code",
    sentence="A country is a two-letter code such as DE.",
    complaint="have a country that is no two-letter code: its holidays are not known",
    cure="translate it with `values` in a mapping file",
    column="country",
    sql="SELECT entry FROM {batch} WHERE country NOT LIKE '__'",
    severity=Severity.WARNING,
)

#: Counted in the ledger once the people are in; the group belongs to the account and not to a file.
GROUP_SIZE = Rule(
    id="group_has_the_wanted_size",
    sentence="Each account has as many stakeholders as the play wants: four to seven.",
    complaint="have fewer or more stakeholders than the play wants",
    cure="ask the owner who else decides, or who does not",
    column=None,
    sql=(
        "SELECT account.key, COUNT(stakeholder.id) AS people FROM account "
        "LEFT JOIN stakeholder ON stakeholder.account_id = account.id AND stakeholder.email_status <> 'left' "
        "WHERE account.synced_at = {now} GROUP BY account.id, account.key "
        "HAVING COUNT(stakeholder.id) < {smallest} OR COUNT(stakeholder.id) > {largest} ORDER BY account.key"
    ),
    severity=Severity.WARNING,
)

STAKEHOLDERS = Suite(
    "stakeholders",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        account_is_named("person"),
        account_is_known("person"),
        is_given("email", "email", "Every person has an e-mail address.", "has no e-mail address"),
        has_a_domain("email", "person"),
        one_of("consent_basis", BASES, "A consent basis is one the law knows."),
        one_of("ads_consent_basis", BASES, "A consent basis for ads is one the law knows."),
        CONSENT_IS_FROM_THE_PAST,
        not_in_the_future("ads_consent_at", "Consent for ads was given before it was imported."),
        stands_once(
            "email",
            ("account", "email"),
            "A person stands in an account once.",
            "stands in this account already; the first row was taken",
        ),
        HAS_A_BASIS,
        COUNTRY_IS_A_CODE,
    ),
)
