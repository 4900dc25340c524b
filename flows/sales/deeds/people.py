"""Answers about the group: who has a seat, who is new, what is wrong about somebody, and whose a person is."""

from collections.abc import Sequence
from typing import Any

from accounts.errors import InputRefused
from accounts.identity import email_hash
from accounts.ledger.importing.facts import resolve_owner_conflict
from accounts.ledger.people import corrections, newcomers
from accounts.ledger.people.group import set_role
from accounts.ledger.people.newcomers import Newcomer
from accounts.ledger.people.proposals import split_name
from accounts.ledger.people.whose_person import namesakes
from accounts.ledger.planning.open_touches import take_back
from accounts.ledger.reps.answering import read_people
from accounts.touch_states import Refusal
from accounts.vocabulary import EmailStatus, Reason, Role, RoleSource
from flows.sales.deeds.scene import Done, Scene

#: Columns as people call them, where they have another name.
COLUMNS = {"first_name": "name", "last_name": "name", "email_status": "status"}
NO_CONSENT_YET = "Nobody writes to them before a basis for it is known."


def seat(scene: Scene) -> Done:
    """Somebody has this seat: one of the group, or somebody new with an address."""
    role = scene.said.role
    if role is None:
        raise InputRefused("say which seat", where="role", cure=f"one of: {', '.join(Role)}")
    id, is_new = (scene.person.id, False) if scene.person else _find_or_add(scene)
    return _seated(scene, id, is_new, role)


def add(scene: Scene) -> Done:
    """One more in the group, whatever their role."""
    id, is_new = _find_or_add(scene)
    if scene.said.role is not None:
        return _seated(scene, id, is_new, scene.said.role)
    name = read_people(scene.connection, scene.account.id, [id])[id].name
    if not is_new:
        return Done(f"{name} stands in {scene.account.name} already.", False)
    said = f"{name} is in {scene.account.name} now. {NO_CONSENT_YET}"
    detail = {"person": id}
    return Done(said, True, about=f"person:{id}", detail=detail, action="add-person", after=detail, person=id)


def correct(scene: Scene) -> Done:
    """Name, title, address or role as they really are; or that they are gone."""
    said, person = scene.said, scene.who
    scene.may_lift(f"a rep says who {person.name} is")
    values: dict[str, Any] = {}
    if said.name:
        values["first_name"], values["last_name"] = split_name(said.name)
    if said.title:
        values["title"] = said.title
    if said.email:
        values |= corrections.new_address(scene.connection, scene.account.id, person.id, said.email)
    if said.gone:
        values["email_status"] = EmailStatus.LEFT
    if not values and said.role is None:
        raise InputRefused(
            "nothing was corrected", where="person", cure="name, title, address, role, or that they left"
        )
    changed = corrections.correct(scene.connection, person.id, values, scene.now)
    reason = Reason.LEFT if said.gone else Refusal.ADDRESS_CHANGED
    moved = {"email", "email_status"} & set(changed)
    taken = len(take_back(scene.connection, {person.id: reason}, scene.now)) if moved else 0
    role = _seated(scene, person.id, False, said.role) if said.role else None
    what = sorted({COLUMNS.get(name, name) for name in changed if name != "email_hash"})
    detail = {"person": person.id, "corrected": what, "role": said.role}
    return Done(
        " ".join(filter(None, (_corrected(scene, what), role.sentence if role else ""))) or "Nothing was changed.",
        bool(changed) or bool(role and role.is_new), detail=detail, action="correct-person", after=detail,
        taken=taken + (role.taken if role else 0),
    )  # fmt: skip


def _corrected(scene: Scene, what: Sequence[str]) -> str:
    if scene.said.gone:
        return f"{scene.name} has left {scene.account.name}; nobody writes to them any more."
    if what:
        return f"Corrected for {scene.name}: {', '.join(what)}."
    return "" if scene.said.role else f"{scene.name} stood there like this already."


def claim(scene: Scene) -> Done:
    """A person who stands in several accounts belongs to this one: only its rep's mail reaches them."""
    person, others = scene.who, namesakes(scene.connection, scene.who.email, scene.account.id)
    if not others:
        return Done(f"{person.name} stands in no other account.", False)
    if person.is_home:
        return Done(f"{person.name} belongs to {scene.account.name} already.", False)
    scene.may_lift(f"a rep says where {person.name} belongs")
    resolve_owner_conflict(scene.connection, person.email, scene.account.key, scene.now)
    reasons = dict.fromkeys((other.stakeholder_id for other in others), Reason.OWNER_CONFLICT)
    taken = take_back(scene.connection, reasons, scene.now)
    detail = {"person": person.id, "instead_of": [other.account_id for other in others]}
    about = f"home:{email_hash(person.email)[:16]}"
    names = " and ".join(dict.fromkeys(other.name for other in others))
    return Done(
        f"{person.name} belongs to {scene.account.name} from now on; {names} writes to them no more.", True,
        about=about, detail=detail, action="claim-person", after=detail, taken=len(taken),
        others=tuple(other.account_id for other in others),
    )  # fmt: skip


def _find_or_add(scene: Scene) -> tuple[int, bool]:
    """Whoever has the address in this account, or somebody new; whether they are new."""
    said = scene.said
    if not said.email:
        raise InputRefused("nobody knows their address", where="email", cure="name and address of somebody new")
    known = newcomers.find(scene.connection, scene.account.id, said.email)
    if known is not None:
        return known, False
    first, last = split_name(said.name)
    return newcomers.seat(
        scene.connection, scene.account.id, Newcomer(said.email, first, last, said.title), scene.now
    ), True


def _seated(scene: Scene, id: int, is_new: bool, role: Role) -> Done:
    """Their role by hand; planned mail for another role is taken back."""
    scene.may_lift("a rep says who has which seat")
    person = read_people(scene.connection, scene.account.id, [id])[id]
    about, detail = f"seat:{role}", {"person": id, "role": role, "was": person.role, "is_new": is_new}
    if person.role == role and person.role_source == RoleSource.REP:
        return Done(f"{person.name} is the {role.label} already.", is_new, about=about)
    taken = take_back(scene.connection, {id: Refusal.ROLE_CHANGED}, scene.now) if person.role != role else []
    set_role(scene.connection, id, role, by=scene.speaker.by, now=scene.now)
    sentence = f"{person.name} is the {role.label} of {scene.account.name}; nothing else changes that."
    more = f" {NO_CONSENT_YET}" if is_new else ""
    after = {"person": id, "role": role, "was": person.role}
    return Done(
        sentence + more, True, about=about, detail=detail, action="seat", after=after, taken=len(taken), person=id
    )  # fmt: skip
