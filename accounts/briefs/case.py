"""An account on the desk: what every part of its brief looks at, worked out once."""

from dataclasses import dataclass
from datetime import datetime

from accounts.briefs.material import AccountMaterial
from accounts.briefs.saying import DID_SHORT, Local
from accounts.engagement import NOBODY, HeatReading, heat_from
from accounts.playbook import Play
from accounts.sla import ASKS, Owing, owed_answer, owed_call
from accounts.vocabulary import Heat, SignalKind

MEETINGS = frozenset({SignalKind.MEETING_BOOKED, SignalKind.MEETING_HELD})


@dataclass(frozen=True, slots=True)
class Case:
    """One account of one rep at one moment."""

    account: AccountMaterial
    play: Play
    #: The last brief told everything up to here.
    since: datetime
    #: The rep's clock; its `now` is the moment of the brief.
    local: Local
    heat: HeatReading
    #: What sales owes this account.
    clock: Owing | None
    #: Id of the rep who reads it.
    reader: int = 0

    @property
    def now(self) -> datetime:
        return self.local.now

    @property
    def is_rising(self) -> bool:
        return self.heat.heat == Heat.RISING


def open_case(account: AccountMaterial, play: Play, since: datetime, local: Local, reader: int = 0) -> Case:
    heat = heat_reading(account, play, local.now)
    return Case(account, play, since, local, heat, _clock(account, play, local, heat), reader)


def heat_reading(account: AccountMaterial, play: Play, now: datetime) -> HeatReading:
    """This week against a usual one, by engagement.py; what wrong people did is left out."""
    wrong = {person.id for person in account.people if person.is_wrong}
    acts = ((sign.person or NOBODY, sign.kind, sign.at) for sign in account.signs if sign.person not in wrong)
    return heat_from(acts, {person.id: person.role for person in account.people}, play.engagement, now)


def _clock(account: AccountMaterial, play: Play, local: Local, heat: HeatReading) -> Owing | None:
    """What the ledger says is owed; else the answer that was asked for, or a call since interest rises.

    Nobody is called who just agreed to meet.
    """
    if account.is_clocked:
        return account.owing
    now, zone = local.now, str(local.zone)
    contacted_at = account.sales_touch.at if account.sales_touch else None
    asks = [sign for sign in account.signs if sign.kind in ASKS]
    if asked := owed_answer(asks, contacted_at, play, zone, now):
        return asked
    acts = [sign for sign in account.new_signs if sign.kind in DID_SHORT]
    if heat.heat != Heat.RISING or any(sign.kind in MEETINGS for sign in acts):
        return None
    return owed_call(acts, contacted_at, play, zone, now)
