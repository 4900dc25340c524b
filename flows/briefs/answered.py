"""What was answered about the accounts of a brief since it was written: messages and pages show it alike.

A brief stays its reader's: its words are theirs to read. Of an account that is somebody else's by now it says nothing
that is newer than the day it went.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from accounts.answers.saying import signed
from accounts.briefs import Brief
from accounts.ledger.reps.answers import Given, answers_since
from accounts.ledger.reps.handovers import GivenUp, given_up
from flows.sales.answers import may


def gone_from(connection: Connection, brief: Brief, rep_id: int, now: datetime) -> Mapping[int, GivenUp | None]:
    """The accounts of a brief that this rep answers for no longer, and whose they are; None: they only stood in."""
    told = [account.id for account in brief.accounts]
    return {id: given_up(connection, rep_id, id) for id in told if not may(connection, rep_id, id, now)}


def answered_since(
    connection: Connection, brief: Brief, gone: Mapping[int, GivenUp | None], now: datetime
) -> Mapping[int, tuple[str, ...]]:  # fmt: skip
    """Account -> what was answered, by whom and where, the latest first; of those that are `gone`, until they went."""
    given = answers_since(connection, brief.as_of, now, accounts=[account.id for account in brief.accounts])

    def is_theirs(one: Given) -> bool:
        left = gone.get(one.account_id)
        return one.account_id not in gone or (left is not None and one.at <= left.at)

    said = {
        account: [one for one in reversed(each) if one.sentence and is_theirs(one)] for account, each in given.items()
    }
    return {
        account: tuple(dict.fromkeys(signed(one.sentence, one.by, one.via) for one in each))
        for account, each in said.items()
    }
