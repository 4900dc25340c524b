"""What an account needs before anybody in it can be nurtured well. Counted in the ledger after an import, for the
accounts it spoke of; nothing is turned away for it.

The batch has one row for each account: how many `people` it has, how many `without_basis`, how many `in_conflict`.
"""

from expectations.rules import Rule, Severity, Suite

HAS_AN_OWNER = Rule(
    id="account_has_an_owner",
    sentence="Every account has a rep who owns it.",
    complaint="accounts without an owner: nobody signs e-mails to them, nobody gets their brief",
    cure="fill in owner_email",
    column="owner_email",
    broken_when="owner_id IS NULL",
    severity=Severity.WARNING,
)

HAS_ENOUGH_PEOPLE = Rule(
    id="group_is_large_enough",
    sentence="Each account has at least as many stakeholders as the play wants.",
    complaint="accounts with fewer than {smallest} stakeholders",
    cure="ask the owner who else decides",
    column=None,
    broken_when="people < {smallest}",
    severity=Severity.WARNING,
)

HAS_NOT_TOO_MANY_PEOPLE = Rule(
    id="group_is_small_enough",
    sentence="Each account has at most as many stakeholders as the play wants.",
    complaint="accounts with more than {largest} stakeholders",
    cure="ask the owner who does not decide",
    column=None,
    broken_when="people > {largest}",
    severity=Severity.WARNING,
)

EVERYBODY_HAS_A_BASIS = Rule(
    id="person_has_a_consent_basis",
    sentence="Every person has a consent basis.",
    complaint="accounts with people who have no consent basis and are never written to",
    cure="fill in consent_basis where there is one",
    column="consent_basis",
    broken_when="without_basis > 0",
    severity=Severity.WARNING,
)

BELONGS_TO_ONE_ACCOUNT = Rule(
    id="person_belongs_to_one_account",
    sentence="A person stands in one account, or has one of them as home.",
    complaint="accounts that share a person with another one: nobody writes to them until they have a home",
    cure="decide which account they belong to",
    column="email",
    broken_when="in_conflict > 0",
    severity=Severity.WARNING,
)

READINESS = Suite(
    "readiness",
    (
        HAS_AN_OWNER,
        HAS_ENOUGH_PEOPLE,
        HAS_NOT_TOO_MANY_PEOPLE,
        EVERYBODY_HAS_A_BASIS,
        BELONGS_TO_ONE_ACCOUNT,
    ),
)
