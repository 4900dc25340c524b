"""Managers' roll-ups: a letter to each, on the first working day of the week, from the hour at which briefs go out."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from accounts.briefs.rhythm import Every, is_due
from accounts.briefs.rollup import roll_up
from accounts.briefs.saying import Local
from accounts.ledger.briefs.letters import write_letter_row
from accounts.ledger.briefs.rollups import read_weeks
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.profiles import managers_at
from accounts.playbook import Play
from accounts.sla.hours import calendar_of


def write_rollups(engine: Engine, play: Play, now: datetime) -> int:
    """How many letters were written; once a week each, however often it is asked."""
    if not is_due(Every.WEEKLY, play.briefs.hour, calendar_of(play, None), (), now):
        return 0
    local = Local.at(now, ZoneInfo(play.window.default_timezone))
    week = f"{local.today:%G-W%V}"
    with reading(engine) as connection:
        letters = [(one.address, roll_up(one, local)) for one in read_weeks(connection, play, now)]
    with writing(engine) as connection:
        managers = managers_at(connection, [address for address, _ in letters], now)
        return sum(
            write_letter_row(
                connection, f"rollup:{address}:{week}"[:300], "rollup", managers[address], address, words.payload(), now
            )
            for address, words in letters
        )  # fmt: skip
