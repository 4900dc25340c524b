"""What we expect of activities: what sales did with an account."""

from accounts.vocabulary import ActivityKind, Direction
from expectations.rules import (
    ROW_IS_WHOLE,
    VALUES_CAN_BE_READ,
    Rule,
    Severity,
    Suite,
    account_is_known,
    account_is_named,
    is_given,
    not_in_the_future,
    one_of,
    rep_is_known,
    stands_once,
)

PERSON_IS_KNOWN = Rule(
    id="person_is_known",
    sentence="The person an activity names is one of the account's stakeholders.",
    complaint="activities with a person who is not among the account's stakeholders, kept for the account alone",
    cure="import the person, then these activities again",
    column="stakeholder_email",
    broken_when="stakeholder_email IS NOT NULL AND stakeholder_id IS NULL",
    severity=Severity.WARNING,
)

ACTIVITIES = Suite(
    "activities",
    (
        ROW_IS_WHOLE,
        VALUES_CAN_BE_READ,
        is_given("activity", "source_id", "Every activity has an id of its own.", "the activity has no id"),
        account_is_named("activity"),
        account_is_known("activity"),
        is_given("kind", "kind", "Every activity is of a kind.", "the activity is of no kind"),
        one_of("kind", tuple(ActivityKind), "An activity is a meeting, a call, an e-mail or a note."),
        one_of("direction", tuple(Direction), "An activity was inbound or outbound."),
        is_given(
            "occurred_at",
            "occurred_at",
            "Every activity says when it happened.",
            "the activity does not say when it happened",
        ),
        not_in_the_future("occurred_at", "What is told of an activity has happened."),
        rep_is_known("an activity", "rep_email", "rep_id"),
        stands_once(
            "activity",
            ("source_id",),
            "An activity stands in the file once.",
            "the activity stands in the file already; the first row was taken",
        ),
        PERSON_IS_KNOWN,
    ),
)
