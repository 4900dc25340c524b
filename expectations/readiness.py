"""What an account needs before anybody in it can be nurtured well. Counted in the ledger after an import, for the
accounts it spoke of; nothing is turned away for it.

These queries select the column `key` of the accounts concerned, once for each case, and run on the ledger itself.
"""

from expectations.rules import Rule, Severity

HAS_AN_OWNER = Rule(
    id="account_has_an_owner",
    sentence="Every account has a rep who owns it.",
    complaint="accounts have no owner: nobody signs e-mails to them and nobody gets their brief",
    cure="fill in owner_email",
    column="owner_email",
    sql="SELECT key FROM account WHERE synced_at = {now} AND owner_id IS NULL",
    severity=Severity.WARNING,
)

HAS_ENOUGH_PEOPLE = Rule(
    id="group_is_large_enough",
    sentence="Each account has at least as many stakeholders as the play wants.",
    complaint="accounts have fewer than {smallest} stakeholders",
    cure="ask the owner who else decides",
    column=None,
    sql=(
        "SELECT key FROM account WHERE synced_at = {now} AND (SELECT COUNT(*) FROM stakeholder "
        "WHERE stakeholder.account_id = account.id AND stakeholder.email_status <> 'left') < {smallest}"
    ),
    severity=Severity.WARNING,
)

HAS_NOT_TOO_MANY_PEOPLE = Rule(
    id="group_is_small_enough",
    sentence="Each account has at most as many stakeholders as the play wants.",
    complaint="accounts have more than {largest} stakeholders",
    cure="ask the owner who does not decide",
    column=None,
    sql=(
        "SELECT key FROM account WHERE synced_at = {now} AND (SELECT COUNT(*) FROM stakeholder "
        "WHERE stakeholder.account_id = account.id AND stakeholder.email_status <> 'left') > {largest}"
    ),
    severity=Severity.WARNING,
)

HAS_A_CONSENT_BASIS = Rule(
    id="person_has_a_consent_basis",
    sentence="Every person has a consent basis.",
    complaint="people have no consent basis: they are never written to",
    cure="fill in consent_basis where there is one",
    column="consent_basis",
    sql=(
        "SELECT account.key FROM account, stakeholder WHERE account.synced_at = {now} "
        "AND stakeholder.account_id = account.id AND stakeholder.consent_basis IS NULL"
    ),
    severity=Severity.WARNING,
)

BELONGS_TO_ONE_ACCOUNT = Rule(
    id="person_belongs_to_one_account",
    sentence="A person stands in one account, or has one of them as home.",
    complaint="people stand in two accounts: nobody writes to them until one account is named as their home",
    cure="decide for one account",
    column="email",
    sql=(
        "SELECT account.key FROM account, stakeholder WHERE account.synced_at = {now} "
        "AND stakeholder.account_id = account.id AND stakeholder.owner_conflict"
    ),
    severity=Severity.WARNING,
)

READINESS = (
    HAS_AN_OWNER,
    HAS_ENOUGH_PEOPLE,
    HAS_NOT_TOO_MANY_PEOPLE,
    HAS_A_CONSENT_BASIS,
    BELONGS_TO_ONE_ACCOUNT,
)
