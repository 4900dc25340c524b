"""A rep says when they are away and who stands in, or that they are there again."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from fastapi import Response
from sqlalchemy import Connection

from accounts.answers import saying
from accounts.answers.form import read_day
from accounts.errors import InputRefused
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.profiles import Absence, absence_of, go_away, read_readers
from flows.web.routes.reps.door import Visit
from flows.web.routes.reps.fields import Field

#: What stands in the field of somebody who is there.
HERE = "here"
#: Filled in beforehand: a week.
USUAL = timedelta(days=7)


def ask_away(
    connection: Connection, visit: Visit, refusal: InputRefused | None = None, asked: Mapping[str, str] | None = None
) -> Response:
    """The form, with what holds now; of a refused one, with what was asked."""
    away = absence_of(connection, visit.to.rep_id, visit.now)
    fields = tuple(
        replace(field, values=(asked[field.name],)) if asked and field.name in asked else field
        for field in _fields(connection, visit, away)
    )
    return visit.desk.pages.show(
        "rep_ask", 400 if refusal else 200, visit=visit, asks="When are you away?",
        does=_does(connection, visit, away), button="Do it this way", fields=fields, refusal=refusal,
        back=visit.links("page"), account="Your accounts",
    )  # fmt: skip


def go(visit: Visit, form: Mapping[str, tuple[str, ...]]) -> Response:
    """Done at once; the form again, with what is wrong with it."""
    asked = {name: "".join(values).strip() for name, values in form.items()}
    try:
        away = _read(visit, asked)
        with writing(visit.desk.engine) as connection:
            since, until, backup = (away.since, away.until, away.backup_id) if away else (None, None, None)
            by, rep = visit.holder.email, visit.to.rep_id
            is_new = go_away(connection, rep, since, until, backup, by=by, now=visit.now)
    except InputRefused as refusal:
        with reading(visit.desk.engine) as connection:
            return ask_away(connection, visit, refusal, asked)
    with reading(visit.desk.engine) as connection:
        said = _said(connection, visit, away)
    return visit.desk.pages.show("rep_wished", visit=visit, said=said, is_new=is_new, back=visit.links("page"))


def _fields(connection: Connection, visit: Visit, away: Absence | None) -> tuple[Field, ...]:
    today, zone = visit.local.today, visit.local.zone
    first = away.since.astimezone(zone).date() if away else today
    back = away.until.astimezone(zone).date() if away and away.until else today + USUAL
    colleagues = ((str(id), name) for id, name in _colleagues(connection, visit))
    known = str(away.backup_id) if away and away.backup_id else ""
    least = (today + timedelta(days=1)).isoformat()
    fields = (
        Field("since", "From", "date", (first.isoformat(),), needed=True),
        Field("until", "Back on", "date", (back.isoformat(),), least=least, needed=True),
        Field("backup", "Who stands in", "choice", (known,), (("", "Nobody"), *colleagues)),
    )
    return (*fields, Field(HERE, "I am there again", "check", (), (("yes", ""),))) if away else fields


def _read(visit: Visit, asked: Mapping[str, str]) -> Absence | None:
    """None: they are there. Raises InputRefused."""
    if asked.get(HERE):
        return None
    since, until = (_day(visit, name, asked.get(name, "")) for name in ("since", "until"))
    if until <= visit.now:
        raise InputRefused(f"{_called(visit, until)} is over", where="until", cure="name a day to come")
    if until <= since:
        what = f"{_called(visit, until)} is not after {_called(visit, since)}"
        raise InputRefused(what, where="until", cure="name a later day")
    return Absence(since, until, _backup(visit, asked.get("backup", "")))


def _called(visit: Visit, at: datetime) -> str:
    return saying.day(at, visit.now, visit.local.zone)


def _day(visit: Visit, name: str, value: str) -> datetime:
    if not value:
        raise InputRefused(f"{'the first day' if name == 'since' else 'the day you are back'} is missing", where=name)
    return read_day(name, value, visit.local.zone)


def _backup(visit: Visit, asked: str) -> int | None:
    with reading(visit.desk.engine) as connection:
        colleagues = {str(id): id for id, _ in _colleagues(connection, visit)}
    if asked and asked not in colleagues:
        raise InputRefused("nobody has that number", where="backup", cure="choose a colleague")
    return colleagues.get(asked)


def _colleagues(connection: Connection, visit: Visit) -> list[tuple[int, str]]:
    readers = read_readers(connection).values()
    return sorted(((one.id, one.name) for one in readers if one.id != visit.to.rep_id), key=lambda one: one[1])


def _does(connection: Connection, visit: Visit, away: Absence | None) -> str:
    usual = (
        "Meanwhile your colleague gets your briefs and can answer for you. Without one nobody is told, and promises go "
        "on. Back again, your first brief tells what happened."
    )
    return f"{_said(connection, visit, away)} {usual}" if away else usual


def _said(connection: Connection, visit: Visit, away: Absence | None) -> str:
    if away is None:
        return "You are there: your briefs come to you."
    names, now, zone = dict(_colleagues(connection, visit)), visit.now, visit.local.zone
    until = f"until {saying.day(away.until, now, zone)}" if away.until else "until you say so"
    who = names.get(away.backup_id or 0, "Nobody")
    return f"You are away from {saying.day(away.since, now, zone)} {until}. {who} stands in."
