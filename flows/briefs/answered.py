"""What was answered about the accounts of a brief since it was written: messages and pages show it alike."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from accounts.answers.saying import signed
from accounts.briefs import Brief
from accounts.ledger.answers import answers_since


def answered_since(connection: Connection, brief: Brief, now: datetime) -> Mapping[int, tuple[str, ...]]:
    """Account -> what was answered, by whom and where, the latest first."""
    told = [account.id for account in brief.accounts]
    given = answers_since(connection, brief.as_of, now, accounts=told)
    said = {account: [one for one in reversed(each) if one.sentence] for account, each in given.items()}
    return {
        account: tuple(dict.fromkeys(signed(one.sentence, one.by, one.via) for one in each))
        for account, each in said.items()
    }
