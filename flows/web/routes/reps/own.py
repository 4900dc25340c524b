"""Pages about no single account: a brief as it was sent, all accounts of a rep, when they want to be told."""

from collections.abc import Mapping

from fastapi import Response
from sqlalchemy import Connection

from accounts.briefs import LABELS
from accounts.briefs.news import stage_label
from accounts.briefs.rhythm import Every
from accounts.briefs.stored import from_payload
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.accounts import read_rep_accounts
from accounts.ledger.reps.links import read_payload
from accounts.ledger.reps.profiles import Rhythm, rhythm_of, wish_rhythm
from accounts.rep_pages.accounts import AccountLine
from accounts.vocabulary import Duty
from flows.briefs.answered import answered_since, gone_from
from flows.web.routes.reps.door import Visit
from flows.web.routes.reps.evidence import MOST_PROOFS, proofs_of
from flows.web.routes.reps.fields import Field, Option

_OWED = {Duty.ANSWER: "your answer", Duty.CALL: "a call"}
_EVERY = (
    (Every.DAILY, "Each working day, when something changed"),
    (Every.WEEKLY, "Once a week, when something changed"),
    (Every.OFF, "No briefs; replies and meetings still reach you at once"),
)
_CHOSEN = {
    Every.DAILY: "Your brief comes each working day on which something changed, at {hour}.",
    Every.WEEKLY: "Your brief comes once a week, at {hour}.",
    Every.OFF: "No more briefs come. Replies and meetings still reach you at once.",
}


def show_list(connection: Connection, visit: Visit) -> Response:
    """Every account the rep answers for, what is owed first."""
    lines = read_rep_accounts(connection, visit.to.rep_id, visit.desk.play, visit.now)
    return visit.desk.pages.show("rep_list", visit=visit, rows=tuple(_row(visit, line) for line in lines))


def _row(visit: Visit, line: AccountLine) -> dict[str, str | bool]:
    return {
        "name": line.name, "address": visit.links("page", line.id), "stage": stage_label(line.stage, visit.desk.play),
        "heat": line.heat.heat.value, "score": f"{line.score:.0f}", "owed": _owed(visit, line),
        "is_late": line.is_late(visit.now), "next": _next(visit, line), "instead_of": line.instead_of or "",
    }  # fmt: skip


def _owed(visit: Visit, line: AccountLine) -> str:
    if line.owed is None:
        return ""
    what = _OWED.get(line.owed, "an answer")
    if line.due_at is None:
        return f"{what}, paused"
    return f"{what}, {'was due' if line.is_late(visit.now) else 'by'} {visit.local.moment(line.due_at)}"


def _next(visit: Visit, line: AccountLine) -> str:
    if line.is_held:
        return "on hold"
    return visit.local.day(line.next_at) if line.next_at else ""


def show_brief(connection: Connection, visit: Visit) -> Response | None:
    """A brief, in the words it was sent in, and what was answered since; None when there is none by that number."""
    payload = read_payload(connection, visit.to.brief_id, visit.to.rep_id)
    if payload is None:
        return None
    brief = from_payload(payload)
    gone = gone_from(connection, brief, visit.to.rep_id, visit.now)
    answered = answered_since(connection, brief, gone, visit.now)
    proofs = proofs_of(connection, visit, brief, gone)
    return visit.desk.pages.show(
        "rep_brief", visit=visit, brief=brief, labels=LABELS, gone=gone, answered=answered, proofs=proofs,
        most=MOST_PROOFS,
    )  # fmt: skip


def ask_rhythm(connection: Connection, visit: Visit) -> Response:
    """How often briefs come, and at which hour."""
    return _ask(visit, rhythm_of(connection, visit.to.rep_id))


def choose_rhythm(visit: Visit, form: Mapping[str, tuple[str, ...]]) -> Response:
    """Done at once; what the form does not offer is asked again."""
    every, hour = ("".join(form.get(name, ())) for name in ("every", "hour"))
    if every not in list(Every) or hour not in dict(_hours(visit)):
        with reading(visit.desk.engine) as connection:
            return _ask(visit, rhythm_of(connection, visit.to.rep_id), 400)
    wanted = Rhythm(every, int(hour) if hour else None)
    with writing(visit.desk.engine) as connection:
        is_new = wish_rhythm(connection, visit.to.rep_id, wanted, by=visit.holder.email, now=visit.now)
    said = _CHOSEN[Every(every)].format(hour=dict(_hours(visit))[hour])
    return visit.desk.pages.show("rep_wished", visit=visit, said=said, is_new=is_new, back=visit.links("page"))


def _hours(visit: Visit) -> tuple[Option, ...]:
    """Every full hour of a day; first, the one that counts for whoever chose none."""
    usual = f"{visit.desk.play.briefs.hour:%H:%M}"
    return (("", f"{usual}, as usual"), *((str(hour), f"{hour:02}:00") for hour in range(24)))


def _ask(visit: Visit, known: Rhythm, status: int = 200) -> Response:
    every, hour = known.every or visit.desk.play.briefs.every, "" if known.hour is None else str(known.hour)
    often = tuple((one.value, label) for one, label in _EVERY)
    fields = (
        Field("every", "From now on", "radio", (every,), often),
        Field("hour", "At", "choice", (hour,), _hours(visit), hint=f"By the clock of {visit.local.zone.key}."),
    )
    return visit.desk.pages.show(
        "rep_ask", status, visit=visit, asks="When do you want a brief?",
        does="It counts from the next brief on. Nothing else changes.", button="Do it this way", fields=fields,
        refusal=None, back=visit.links("page"), account="Your accounts",
    )  # fmt: skip
