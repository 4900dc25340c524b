"""Telling automations, and whoever else listens to events, what there is to tell: at the end of a flow.

An event is written down as told only when the server has it. A run that is killed before that leaves it to the next
one; killed between the two, that one asks the server what it has by now. What the server has taken and not yet written
down goes a second time under the same id, a moment later, and the server takes it for one.
"""

from datetime import datetime

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.events import Event
from sqlalchemy import Engine

from accounts.ledger import announcements
from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from flows.house import open_house
from flows.news import News, gather_news
from flows.publishing import hand_in, in_a_run, resource_of, taken_by_the_server

#: Events handed in together: for so many, the server says at once which of them it has.
AT_ONCE = 50


@task(name="tell whoever listens", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def tell_whoever_listens(play: str, now: datetime) -> int:
    with open_house(play) as house:
        return tell_news(house.engine, now)


def tell_news(engine: Engine, now: datetime) -> int:
    """How many events were told; none where no run is on a Prefect server, and they wait.

    Raises what the server answers when it does not take them.
    """
    if not in_a_run():
        return 0
    with reading(engine) as connection:
        news = gather_news(connection, now)
    for some in chunks(news, AT_ONCE):
        known = taken_by_the_server(one.id for one in some)
        hand_in(_event(one) for one in some if one.id not in known)
        with writing(engine) as connection:
            announcements.mark(connection, ((one.about, one.fact_id) for one in some), now)
    return len(news)


def _event(one: News) -> Event:
    return Event(id=one.id, event=one.event, resource=resource_of(one.subject, one.name), payload=dict(one.says))
