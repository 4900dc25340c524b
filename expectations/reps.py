"""What we expect of sales reps."""

from expectations.rules import ROW_IS_WHOLE, VALUES_CAN_BE_READ, Suite, has_a_domain, is_given, stands_once

REPS = Suite(
    "reps",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        is_given("email", "email", "Every rep has an e-mail address.", "the rep has no e-mail address"),
        has_a_domain("email", "rep"),
        is_given("name", "name", "Every rep has a name: it signs e-mails.", "the rep has no name"),
        stands_once(
            "email",
            ("email",),
            "A rep stands in the file once.",
            "the rep stands in the file already; the first row was taken",
        ),
    ),
)
