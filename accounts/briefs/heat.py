"""Which way interest goes at an account, said with its numbers and proved by this week's signals."""

from datetime import datetime

from accounts.briefs.material import AccountMaterial, Statement
from accounts.engagement import NOBODY, WEEK, HeatReading, Told, heat_of, weight_of
from accounts.playbook import Play
from accounts.vocabulary import Heat


def heat_reading(account: AccountMaterial, play: Play, now: datetime) -> HeatReading:
    """This week against a usual one, by engagement.py."""
    told = [Told(sign.id, sign.person or NOBODY, sign.kind, sign.at) for sign in account.signs if sign.at <= now]
    return heat_of(told, {person.id: person.role for person in account.people}, play.engagement, now)


def heat_statement(account: AccountMaterial, play: Play, now: datetime) -> Statement | None:
    """Rising or cooling; a steady account is not worth a word."""
    reading = heat_reading(account, play, now)
    if reading.heat == Heat.STEADY:
        return None
    proof = tuple(
        proof
        for sign in account.signs
        if (reading.heat == Heat.COOLING or sign.at > now - WEEK) and weight_of(sign.kind, play.engagement)
        for proof in sign.evidence
    )
    return Statement(f"interest {reading.heat.value} {_measure(reading)}", proof)


def _measure(reading: HeatReading) -> str:
    """``(18 points, usually 6)``; points of seven days; `play.yaml` says what earns them."""
    return f"({round(reading.this_week)} points, usually {round(reading.usual_week)})"
