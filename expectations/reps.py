"""What we expect of sales reps."""

from expectations.rules import (
    ROW_IS_WHOLE,
    VALUES_CAN_BE_READ,
    Rule,
    Severity,
    Suite,
    has_a_domain,
    is_given,
    stands_once,
)

BACK_AFTER_LEAVING = Rule(
    id="back_after_leaving",
    sentence="A rep comes back after having left.",
    complaint="the rep is back before having left, or back from nowhere",
    cure="correct away_from and away_until",
    column="away_until",
    broken_when="away_until IS NOT NULL AND (away_from IS NULL OR away_until <= away_from)",
)

SOMEBODY_ELSE_STANDS_IN = Rule(
    id="somebody_else_stands_in",
    sentence="Nobody stands in for themselves.",
    complaint="the rep stands in for themselves",
    cure="name a colleague, or nobody",
    column="backup_email",
    broken_when="backup_email = email",
)

BACKUP_IS_KNOWN = Rule(
    id="backup_is_known",
    sentence="Who stands in for a rep is a rep of ours.",
    complaint="reps for whom somebody should stand in whom we do not know: nobody does",
    cure="import the colleague first, or say so: tandem away",
    column="backup_email",
    broken_when=(
        "backup_email IS NOT NULL AND backup_email NOT IN (SELECT rep.email FROM rep) "
        "AND backup_email NOT IN (SELECT sibling.email FROM incoming_reps AS sibling WHERE NOT sibling.is_rejected)"
    ),
    severity=Severity.WARNING,
)

REPS = Suite(
    "reps",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        is_given("email", "email", "Every rep has an e-mail address.", "the rep has no e-mail address"),
        has_a_domain("email", "rep"),
        BACK_AFTER_LEAVING,
        SOMEBODY_ELSE_STANDS_IN,
        is_given("name", "name", "Every rep has a name: it signs e-mails.", "the rep has no name"),
        stands_once(
            "email",
            ("email",),
            "A rep stands in the file once.",
            "the rep stands in the file already; the first row was taken",
        ),
        BACKUP_IS_KNOWN,
    ),
)
