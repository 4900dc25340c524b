"""The piece a rep can hand over: current, fit for the stage and the person, and about what was heard where one is."""

from dataclasses import dataclass
from datetime import date

from accounts.briefs.material import AccountMaterial, Evidence, Person, clip, evidence, unique
from accounts.briefs.saying import title_of
from accounts.heard import Heard, applies, topics_in, why
from accounts.playbook import Play, Step
from accounts.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Asset:
    """Something to hand over, and how to start talking about it."""

    title: str
    talking_point: str
    url: str
    evidence: Evidence


def asset_of(account: AccountMaterial, person: Person | None, play: Play, today: date) -> Asset | None:
    """A current piece for this stage and the person of the suggested step, best one they do not get by mail anyway, and
    of those one about what was heard."""
    steps = [step for step in play.steps if step.stage == account.stage and step.expires >= today]
    role = person.role if person else Role.CHAMPION
    fitting = [step for step in steps if role in step.roles] or steps
    if not fitting:
        return None
    sent = person.contents if person else frozenset()
    if person and person.outlook and person.outlook.content:
        sent |= {person.outlook.content}
    who, heard = person.id if person else 0, _heard(account, play)
    asked = applies(heard, who)
    step = min(fitting, key=lambda step: (step.key in sent, asked.isdisjoint(step.topics), step.step, step.key))
    title, said = f"“{title_of(step.key, play, account.name)}”", why(heard, who, frozenset(step.topics))
    answers = evidence("objection", said.id) if said else ()
    return Asset(title, _talking_point(step), step.asset, unique(evidence("content", step.key) + answers))


def _heard(account: AccountMaterial, play: Play) -> tuple[Heard, ...]:
    return tuple(
        Heard(one.id, one.words, one.at, topics_in(one.words, play.known_by), one.person) for one in account.objections
    )


def _talking_point(step: Step) -> str:
    """What marketing wrote for the rep to say; else the preheader, which says in one line why the piece is worth
    opening, unless it has variables in it: those are for e-mail only."""
    if step.talking_point:
        return clip(step.talking_point, 20, 160)
    return "" if "{" in step.preheader else clip(step.preheader, 14, 110)
