"""Who is told of whose accounts: while a rep is away whoever stands in, and the rep of all of it when they are back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from accounts.briefs.material import Absent, clean
from accounts.ledger.briefs.written import Look
from accounts.ledger.sla.facts import read_desks
from accounts.models import Rep
from accounts.sla.hours import Desk, on_duty


@dataclass(frozen=True, slots=True)
class Watch:
    """A rep's accounts as somebody looks at them: the rep, or who stands in for them."""

    look: Look
    owner: int
    absent: Absent | None = None


def watches(connection: Connection, looks: Sequence[Look], now: datetime) -> dict[int, Watch]:
    """Owner -> who is told of their accounts, as far as that is one of `looks`; nobody is told while they are away."""
    by_rep, desks = {look.rep_id: look for look in looks}, read_desks(connection)
    names = dict(connection.execute(select(Rep.id, Rep.name)).tuples().all()) if any_away(desks, now) else {}
    found: dict[int, Watch] = {}
    for owner, desk in desks.items():
        reader = on_duty(owner, desks, now)
        if reader.is_away(now) or reader.id not in by_rep:
            continue
        look = by_rep[reader.id]
        if reader.id == owner:
            found[owner] = Watch(look, owner)
        else:
            absent = Absent(owner, clean(names[owner]), desk.away_until)
            found[owner] = Watch(_of_absent(look, by_rep.get(owner), desk), owner, absent)
    return found


def any_away(desks: Mapping[int, Desk], now: datetime) -> bool:
    return any(desk.is_away(now) for desk in desks.values())


def _of_absent(look: Look, theirs: Look | None, desk: Desk) -> Look:
    """Where news begin for who stands in: at first where the absent rep's last brief ended, later at their own."""
    if theirs is None or desk.away_from is None or look.since >= desk.away_from:
        return look
    return replace(look, since=theirs.since, is_first=theirs.is_first, known=theirs.known)
