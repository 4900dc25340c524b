"""Which way the interest of accounts goes: this week against the four before, without the scores."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from accounts.engagement import BASELINE_WEEKS, NOBODY, WEEK, heat_of
from accounts.ledger.driver import rows
from accounts.ledger.engagement.feedback import WRONG_PEOPLE
from accounts.ledger.engagement.scores import read_told
from accounts.playbook import Engagement as Rules
from accounts.vocabulary import Heat, Role

_ROLES = f"""
    SELECT account_id, id, role FROM stakeholder WHERE account_id {{among:accounts}} AND id NOT IN ({WRONG_PEOPLE})"""


def read_heats(connection: Connection, accounts: Sequence[int], rules: Rules, now: datetime) -> dict[int, Heat]:
    """Of the accounts that somebody was heard from in these five weeks; two queries per call.

    What wrong people did heats nothing.
    """
    told = read_told(connection, accounts, rules, since=now - (BASELINE_WEEKS + 1) * WEEK)
    roles = defaultdict[int, dict[int, Role]](dict)
    for account, person, role in rows(connection, _ROLES, accounts=list(told)):
        roles[account][person] = Role(role)
    counted = {
        account: [one for one in acts if one.person == NOBODY or one.person in roles[account]]
        for account, acts in told.items()
    }
    return {account: heat_of(acts, roles[account], rules, now).heat for account, acts in counted.items()}
