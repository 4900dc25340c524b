"""Which ways to reps are open? One line a channel; one that lacks its key is closed, and `tandem doctor` says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from accounts.ledger.reps.profiles import Reader
from accounts.playbook import Vendor
from flows.channels.email import EmailChannel
from flows.channels.reps import RepChannel
from flows.channels.reps.email import Email
from flows.settings import Settings

#: By which every rep can be told.
LAST = "email"

Roads = dict[str, RepChannel]


@contextmanager
def open_roads(settings: Settings, vendor: Vendor, channel: EmailChannel | None = None) -> Iterator[Roads]:
    """By name. `channel`: the e-mail channel, if one is open already. Raises SettingsRefused for a key that is none."""
    from flows.channels.reps.crm_task import CrmTask, FileDesk
    from flows.channels.reps.slack import Slack
    from flows.channels.reps.teams import Teams

    reps = settings.reps
    roads: Roads = {LAST: Email(settings, vendor, channel), "crm_task": CrmTask(FileDesk(settings.home / "tasks"))}
    if reps.slack.token:
        roads["slack"] = Slack(reps.slack)
    if reps.teams.url or reps.teams.urls:
        roads["teams"] = Teams(reps.teams)
    try:
        yield roads
    finally:
        for road in roads.values():
            road.close()


def order_for(reader: Reader, settings: Settings, roads: Roads) -> list[str]:
    """The roads to a rep, in the order in which they are tried: their own wish, the settings', e-mail."""
    wished = [reader.channel] if reader.channel else []
    names = dict.fromkeys([*wished, *settings.reps.channels, LAST])
    return [name for name in names if name in roads and roads[name].reaches(reader)]
