"""What we expect of opportunities: the deals sales is working on."""

from expectations.rules import (
    ROW_IS_WHOLE,
    VALUES_CAN_BE_READ,
    Rule,
    Suite,
    account_is_known,
    account_is_named,
    is_given,
    not_in_the_future,
    rep_is_known,
    stands_once,
)

AMOUNT_IS_NOT_NEGATIVE = Rule(
    id="amount_is_not_negative",
    sentence="The amount of an opportunity is zero or more.",
    complaint="the amount is negative",
    cure="correct the amount and import again",
    column="amount",
    broken_when="amount < 0",
)

OPPORTUNITIES = Suite(
    "opportunities",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        is_given("opportunity", "source_id", "Every opportunity has an id of its own.", "the opportunity has no id"),
        account_is_named("opportunity"),
        account_is_known("opportunity"),
        is_given("stage", "stage", "Every opportunity stands in a stage.", "the opportunity has no stage"),
        AMOUNT_IS_NOT_NEGATIVE,
        not_in_the_future("created_at", "No opportunity was created in the future."),
        rep_is_known("an opportunity", "owner_email", "owner_id"),
        stands_once(
            "opportunity",
            ("source_id",),
            "An opportunity stands in the file once.",
            "the opportunity stands in the file already; the first row was taken",
        ),
    ),
)
