"""Warnings and escalations of clocks as letters, written in the transaction that remembers that they were told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from accounts.calendar import known_zone
from accounts.ledger.briefs.letters import write_letter_row
from accounts.ledger.bulk import among
from accounts.ledger.reps.profiles import managers_at
from accounts.ledger.sla.clocks import Listed
from accounts.letters import LetterKind
from accounts.models import Account, Rep, SlaClock, Stakeholder
from accounts.playbook import Play
from accounts.sla.letters import ESCALATED, Owed, escalation, warning
from accounts.vocabulary import Side


def write_sla_letters(connection: Connection, play: Play, clocks: Sequence[Listed], now: datetime) -> int:
    """A letter for each of these clocks that warned or escalated at `now`; returns how many are new.

    A look that was late finds both warnings at once and tells the later one. Nobody to write to: no letter.
    """
    told = [clock for clock in clocks if clock.escalated_at == now or any(at == now for _, at in clock.warned)]
    if not told:
        return 0
    rows = {row.id: row for row in connection.execute(_names(connection, [clock.id for clock in told]))}
    sales = [clock for clock in told if clock.side is Side.SALES and clock.escalated_at == now]
    reps = managers_at(connection, {clock.escalated_to for clock in sales if clock.escalated_to}, now)
    return sum(_write(connection, play, clock, rows[clock.id], reps, now) for clock in told)


def _write(
    connection: Connection, play: Play, clock: Listed, row: Any, reps: Mapping[str, int], now: datetime
) -> bool:  # fmt: skip
    """A manager answers for the account as well, and so gets a link to it."""
    is_sales = clock.side is Side.SALES
    if clock.escalated_at == now:
        subject, kind = ESCALATED.format(clock.id), LetterKind.SLA_ESCALATION
        address = clock.escalated_to
        rep_id = reps.get(address) if is_sales and address else None
        words = escalation(_owed(clock, row, play))
    else:
        percent = max(percent for percent, at in clock.warned if at == now)
        subject, kind = f"sla:{clock.id}:{percent}", LetterKind.SLA_WARNING
        rep_id, address = (row.rep_id, clock.rep) if is_sales else (None, play.sla.marketing_owner)
        words = warning(_owed(clock, row, play), percent)
    return bool(address) and write_letter_row(
        connection, subject, kind, rep_id, str(address), words.payload(), now
    )  # fmt: skip


def _owed(clock: Listed, row: Any, play: Play) -> Owed:
    """Sales reads it in the rep's own time, and so does their manager; marketing in the play's."""
    zone = row.timezone if clock.side is Side.SALES and row.timezone and known_zone(row.timezone) else None
    name = " ".join(filter(None, (row.first_name, row.last_name))) or clock.person
    return Owed(
        duty=clock.duty,
        started_at=clock.started_at,
        due_at=clock.due_at,
        where=row.account_name or clock.subject,
        person=name,
        rep=row.rep_name,
        zone=ZoneInfo(zone or play.window.default_timezone),
        account=row.account_id,
        account_key=clock.account,
    )


def _names(connection: Connection, ids: Sequence[int]) -> Any:
    return (
        select(
            SlaClock.id, SlaClock.rep_id, SlaClock.account_id, Account.name.label("account_name"),
            Stakeholder.first_name, Stakeholder.last_name, Rep.name.label("rep_name"), Rep.timezone,
        )
        .outerjoin(Account, Account.id == SlaClock.account_id)
        .outerjoin(Stakeholder, Stakeholder.id == SlaClock.stakeholder_id)
        .outerjoin(Rep, Rep.id == SlaClock.rep_id)
        .where(among(connection, SlaClock.id, ids))
    )  # fmt: skip
