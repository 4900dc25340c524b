"""What we expect of target accounts."""

from expectations.rules import (
    ROW_IS_WHOLE,
    VALUES_CAN_BE_READ,
    Rule,
    Severity,
    Suite,
    is_given,
    rep_is_known,
    stands_once,
)

NOT_ITS_OWN_PARENT = Rule(
    id="account_is_not_its_own_parent",
    sentence="No account is its own parent.",
    complaint="the parent is the account itself",
    cure="name the company above it, or none",
    column="parent",
    broken_when="parent = key",
)

DOMAIN_HAS_A_DOT = Rule(
    id="domain_has_a_dot",
    sentence="The domain of an account is one, such as acme.example.",
    complaint="the domain is none: it should be such as acme.example",
    cure="correct the domain and import again",
    column="domain",
    broken_when="domain NOT LIKE '_%._%'",
)

PARENT_IS_KNOWN = Rule(
    id="parent_is_known",
    sentence="The parent of an account is an account of ours.",
    complaint="accounts below a parent we do not have, linked as soon as it comes",
    cure="import the parent",
    column="parent",
    broken_when=(
        "parent IS NOT NULL AND parent NOT IN (SELECT account.key FROM account) "
        "AND parent NOT IN (SELECT sibling.key FROM incoming_accounts AS sibling WHERE NOT sibling.is_rejected)"
    ),
    severity=Severity.WARNING,
)

ACCOUNTS = Suite(
    "accounts",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        is_given("account", "key", "Every account has a key of its own.", "the account has no key"),
        is_given("name", "name", "Every account has a name.", "the account has no name"),
        DOMAIN_HAS_A_DOT,
        rep_is_known("an account", "owner_email", "owner_id"),
        NOT_ITS_OWN_PARENT,
        stands_once(
            "account",
            ("key",),
            "An account stands in the file once.",
            "the account stands in the file already; the first row was taken",
        ),
        PARENT_IS_KNOWN,
    ),
)
