"""Whoever listens hears of each hold on an account, once, whoever put it there: a rep's answer, a command, a page of
the web app, a reply or a complaint.

An event is written down as told only when the server has it. A run that is killed before that leaves it to the next
one, which may tell it a second time.
"""

from datetime import datetime

from sqlalchemy import Engine

from accounts.ledger import holds
from accounts.ledger.engine import reading, writing
from accounts.ledger.holds import OpenHold
from accounts.playbook import Play


def tell_of_holds(engine: Engine, play: Play, now: datetime) -> int:
    """How many were told; none where no run is on a Prefect server, and they wait.

    Raises what the server answers when it does not take them.
    """
    from flows.publishing import hand_in

    with reading(engine) as connection:
        news = holds.unannounced(connection, play.key, now)
    if not news or not hand_in(map(_event, news)):
        return 0
    with writing(engine) as connection:
        holds.mark_announced(connection, [hold.id for hold in news], now)
    return len(news)


def _event(hold: OpenHold) -> tuple[str, str, str, dict[str, str | None]]:
    """Not who said so: that is a person's address."""
    until = hold.ends_at.isoformat() if hold.ends_at else None
    said = {"cause": hold.cause.value, "until": until}
    return "tandem.account.held", f"tandem.account.{hold.account}", hold.account, said
