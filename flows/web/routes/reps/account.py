"""The page of an account: who is in the group, what comes, what is owed, what happened; each with the answers to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Response
from sqlalchemy import Connection

from accounts.answers import Via
from accounts.briefs.coming import Planned, planned_mails, why_nothing
from accounts.briefs.material import Held
from accounts.briefs.news import held_text, stage_label
from accounts.briefs.saying import title_of
from accounts.briefs.seats import Seat, SeatState, seats
from accounts.errors import Refused
from accounts.ledger.briefs.notices import TOLD_AT_ONCE
from accounts.ledger.engine import reading
from accounts.ledger.pages.account_page import read_account_page
from accounts.ledger.people.proposals import read_open
from accounts.ledger.subjects import account_keys
from accounts.rep_pages.facts import AccountFacts, AccountPage, Clock, Lease
from accounts.rep_pages.points import by_person, left_out, parts
from accounts.rep_pages.timeline import Entry, say
from accounts.vocabulary import Duty, Heat, Reason, Role, Side
from flows.briefs.links import SEATS
from flows.sales.proposals import Word, accept, reject
from flows.web.routes.reps.door import Visit

_DUTIES = {
    Duty.ANSWER: "Your answer is due",
    Duty.CALL: "Your call is due",
    Duty.FIRST_NURTURE: "Marketing's first mail is due",
    Duty.FRESH_CONTENT: "Fresh content is due from marketing",
    Duty.HANDOFF_ANSWER: "Marketing's answer to your verdict is due",
    Duty.RIGHT_LIST: "Marketing's look at its list is due",
}
_HEAT = {Heat.RISING: "Interest is rising", Heat.STEADY: "Interest is steady", Heat.COOLING: "Interest is cooling"}
_ROLES = {role.label: role for role in Role}


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence on the page, and where its answers lead: (label, address)."""

    text: str
    answers: tuple[tuple[str, str], ...] = ()
    #: A day or a time that stands before it.
    when: str = ""
    #: Something that wants a person.
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """A seat of the group, with the person's points and the answers about them."""

    seat: Seat
    points: str
    answers: tuple[tuple[str, str], ...]

    @property
    def note(self) -> str:
        """``Warm: replied Mon``; the state is said once."""
        said, state = self.seat.note, str(self.seat.state)
        told = said if said.startswith(state) else f"{state}: {said}"
        return f"{told[:1].upper()}{told[1:]}"


def show_account(connection: Connection, visit: Visit, page: int = 1, said: str = "", status: int = 200) -> Response:
    """The whole page. `said`: what an answer on it just changed, or why it did not."""
    shown = read_account_page(connection, visit.to.account_id, visit.desk.play, visit.now, page)
    facts, play, account = shown.facts, visit.desk.play, shown.facts.material
    names = facts.names
    return visit.desk.pages.show(
        "rep_account", status, visit=visit, facts=facts, said=said, stage=stage_label(account.stage, play),
        heat=_heat(shown), score=f"{shown.reading.score.value:.1f}", tiles=tuple(_tiles(visit, shown)),
        coming=tuple(_coming(visit, facts)), nothing=_nothing(visit, facts), clocks=tuple(_clocks(visit, shown)),
        standing=tuple(_standing(visit, facts)), heard=tuple(_heard(visit, facts)),
        parts=parts(shown.reading, names), left_out=left_out(shown.reading, facts.names), pages=shown.history,
        history=tuple(_line(visit, account.name, names, one) for one in shown.history.entries),
        to=lambda kind, subject=0: visit.links(kind, account.id, subject), everything=visit.links("page"),
        roles=tuple((role.value, role.label.capitalize()) for role in Role if role is not Role.UNKNOWN),
    )  # fmt: skip


def _heat(shown: AccountPage) -> str:
    heat = shown.reading.heat
    return f"{_HEAT[heat.heat]}: {heat.this_week:.0f} points in seven days, usually {heat.usual_week:.0f}"


def _tiles(visit: Visit, shown: AccountPage) -> Iterator[Tile]:
    facts, points = shown.facts, by_person(shown.reading)
    for seat in seats(facts.material, visit.desk.play, visit.local):
        if seat.person is None:
            place = SEATS.index(_ROLES[seat.role])
            yield Tile(seat, "", (("Who is it?", visit.links("seat", facts.material.id, place)),))
        else:
            yield Tile(seat, points.get(seat.person, ""), tuple(_about(visit, facts, seat)))


def _about(visit: Visit, facts: AccountFacts, seat: Seat) -> Iterator[tuple[str, str]]:
    """What a rep may want to say of a person, the likely first."""
    kinds = [("Correct", "correct_person")]
    if _stands_in_several(facts, seat):
        kinds = [("Belongs here", "claim"), *kinds]
    if seat.state is not SeatState.OUT:
        kinds = [("Ready", "ripe"), ("Not yet", "not_yet"), ("Wrong person", "wrong_person"), *kinds]
    for label, kind in kinds:
        yield label, visit.links(kind, facts.material.id, seat.person or 0)


def _stands_in_several(facts: AccountFacts, seat: Seat) -> bool:
    """Whether nobody writes to them before a rep has said where they belong."""
    person = facts.material.person(seat.person)
    return bool(person and person.outlook and person.outlook.reason is Reason.OWNER_CONFLICT)


def _coming(visit: Visit, facts: AccountFacts) -> Iterator[Line]:
    """The next seven days: each mail with a no, and a later."""
    for mail in planned_mails(facts.material, visit.desk.play, visit.local):
        answers = tuple(
            (label, _about_mail(visit, facts, kind, mail))
            for label, kind in (("Do not send", "veto"), ("Later", "delay"))
        )
        yield Line(mail.what, answers, mail.when)


def _about_mail(visit: Visit, facts: AccountFacts, kind: str, mail: Planned) -> str:
    return f"{visit.links(kind, facts.material.id, mail.person)}?{urlencode({'content': mail.content})}"


def _nothing(visit: Visit, facts: AccountFacts) -> str:
    return why_nothing(facts.material, visit.desk.play, visit.local).text


def _clocks(visit: Visit, shown: AccountPage) -> Iterator[Line]:
    for clock in shown.clocks:
        yield Line(_owed(visit, clock), is_urgent=clock.side is Side.SALES and _is_late(visit, clock))


def _owed(visit: Visit, clock: Clock) -> str:
    about = f" ({clock.person})" if clock.person else ""
    if clock.due_at is None:
        return f"{_DUTIES[clock.duty]}{about}; the clock is paused"
    was = "was" if _is_late(visit, clock) else "by"
    said = _DUTIES[clock.duty].replace(" is due", " was due") if was == "was" else f"{_DUTIES[clock.duty]} by"
    return f"{said} {visit.local.moment(clock.due_at)}{about}"


def _is_late(visit: Visit, clock: Clock) -> bool:
    return clock.due_at is not None and clock.due_at <= visit.now


def _standing(visit: Visit, facts: AccountFacts) -> Iterator[Line]:
    """What reps said and what holds: each with the way to take it back."""
    to, names = visit.links, facts.names
    id, account = facts.material.id, facts.material.name
    if facts.awaits_approval:
        yield Line("The first mail waits for your yes.", (("Let it begin", to("approve", id)),), is_urgent=True)
    for hold in facts.material.holds:
        yield Line(_held(visit, facts, hold), (("Release", to("release", id, hold.person or 0)),))
    for refused in facts.refused:
        what = f"“{title_of(refused.content, visit.desk.play, account)}”" if refused.content else "Any mail"
        query = urlencode({"content": refused.content or ""})
        back = f"{to('unveto', id, refused.person)}?{query}"
        yield Line(
            f"{what} to {names.get(refused.person, 'somebody')}: no, said {_by(visit, refused.by)}",
            (("Take it back", back),),
        )
    for put in facts.put_off:
        title = title_of(put.content, visit.desk.play, account)
        whom = names.get(put.person, "somebody")
        back = f"{to('undelay', id, put.person)}?{urlencode({'content': put.content})}"
        said = f"“{title}” to {whom} waits until {visit.local.day(put.until)}, said {_by(visit, put.by)}"
        yield Line(said, (("Take it back", back),))
    if facts.lease:
        answers = (("Change limits", to("limits", id)), ("Give it back", to("give_back", id)))
        yield Line(_leased(visit, facts, facts.lease), answers)


def _held(visit: Visit, facts: AccountFacts, hold: Held) -> str:
    """Who said so, unless it was the buyer: then the text says what they did."""
    said = held_text(hold, facts.material, visit.local)
    return said if hold.cause in TOLD_AT_ONCE else f"{said} ({_by(visit, hold.by)})"


def _by(visit: Visit, who: str) -> str:
    """Reps by name; by address only where two share one."""
    return "you" if who in (visit.holder.email, visit.holder.name) else who


def _leased(visit: Visit, facts: AccountFacts, lease: Lease) -> str:
    limits = []
    if lease.people:
        limits.append("no mail to " + ", ".join(facts.names.get(person, "somebody") for person in lease.people))
    if lease.topics:
        limits.append("nothing about " + ", ".join(lease.topics))
    if lease.touches_per_week is not None:
        limits.append(f"at most {lease.touches_per_week} mails a week")
    if not lease.ads:
        limits.append("no ads")
    said = f": {'; '.join(limits)}" if limits else ", without limits"
    return f"{lease.rep} works this account until {visit.local.day(lease.ends_at)}{said}"


def _heard(visit: Visit, facts: AccountFacts) -> Iterator[Line]:
    for one in facts.heard:
        who = facts.names.get(one.person or 0)
        said = f"“{one.words}”" + (f", {who}" if who else "")
        settled = visit.links("close_objection", facts.material.id, one.id)
        yield Line(said, (("Settled", settled),), "Topic" if one.kind == "topic" else "Objection")


def _line(visit: Visit, account: str, names: Mapping[int, str], entry: Entry) -> tuple[str, str, str]:
    """Day and time, where it comes from, what it says."""
    return (
        visit.local.moment(entry.at), entry.source.label,
        say(entry, names, visit.desk.play, account),
    )  # fmt: skip


def decide_proposal(visit: Visit, form: Mapping[str, tuple[str, ...]]) -> Response:
    """Somebody who may belong to the group does, or does not; the page again, with what was said."""
    said, status = _decided(visit, form)
    with reading(visit.desk.engine) as connection:
        return show_account(connection, visit, said=said, status=status)


def _decided(visit: Visit, form: Mapping[str, tuple[str, ...]]) -> tuple[str, int]:
    desk, asked = visit.desk, {name: "".join(values).strip() for name, values in form.items()}
    with reading(desk.engine) as connection:
        (key,) = account_keys(connection, [visit.to.account_id]).values()
        theirs = {one.id for one in read_open(connection, key)}
    number = asked.get("proposal", "")
    id = int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0
    if id not in theirs:
        return "That question is not open any more. Nothing has changed.", 409
    word, now = Word(visit.holder.email, Via.WEB), visit.now
    try:
        if asked.get("do") == "accept":
            role = Role(asked["role"]) if asked.get("role") in list(Role) else None
            one, _ = accept(desk.engine, desk.play, id, word, now=now, email=asked.get("email") or None, role=role)
            return f"{one.name} is in the group now. They get no mail before they agreed to it.", 200
        if asked.get("do") == "reject":
            one = reject(desk.engine, id, word, now=now)
            return f"{one.name} is not in the group, and is not asked about again.", 200
    except Refused as refusal:
        return f"Nothing has changed: {refusal.what}.", 409
    return "Say yes or no. Nothing has changed.", 400
