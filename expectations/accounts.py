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
    complaint="is the account itself",
    cure="name the company above it, or none",
    column="parent",
    sql="SELECT entry FROM {batch} WHERE parent = key",
)

DOMAIN_HAS_A_DOT = Rule(
    id="domain_has_a_dot",
    sentence="The domain of an account is one, such as acme.example.",
    complaint="is no domain such as acme.example",
    cure="correct the domain and import again",
    column="domain",
    sql="SELECT entry FROM {batch} WHERE domain NOT LIKE '_%._%'",
)

HAS_AN_OWNER = Rule(
    id="account_has_an_owner",
    sentence="Every account has a rep who owns it.",
    complaint="have no owner: nobody signs e-mails to them and nobody gets their brief",
    cure="fill in owner_email",
    column="owner_email",
    sql="SELECT entry FROM {batch} WHERE owner_email IS NULL",
    severity=Severity.WARNING,
)

ACCOUNTS = Suite(
    "accounts",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        is_given("account", "key", "Every account has a key of its own.", "has no key"),
        is_given("name", "name", "Every account has a name.", "has no name"),
        DOMAIN_HAS_A_DOT,
        rep_is_known("an account", "owner_email", "owner_id"),
        NOT_ITS_OWN_PARENT,
        stands_once("account", ("key",), "An account stands in the file once.", "stands in the file already"),
        HAS_AN_OWNER,
    ),
)
