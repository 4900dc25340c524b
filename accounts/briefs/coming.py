"""What marketing will send in the next seven days, each until when it can be stopped, or why nothing goes out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from shlex import quote

from accounts.briefs.material import AccountMaterial, Evidence, Held, Statement, clip, evidence
from accounts.briefs.news import held_text
from accounts.briefs.saying import BECAUSE, Local, title_of
from accounts.playbook import Play
from accounts.vocabulary import HoldScope, Reason

#: What is said where a brake holds all mail to an account.
BRAKED = "Nothing: all sending there is stopped, until somebody lets it go on"


@dataclass(frozen=True, slots=True)
class Planned:
    """A mail that goes out within seven days unless the rep says no."""

    #: Until then it can be stopped.
    when: str
    #: ``“Five years of cost” to Bob Example``
    what: str
    #: The command that stops it.
    veto: str
    evidence: Evidence
    #: The stakeholder, and the key of the content.
    person: int = 0
    content: str = ""
    leaves_at: datetime | None = None


def planned_mails(account: AccountMaterial, play: Play, local: Local) -> tuple[Planned, ...]:
    """What leaves within seven days if nobody reacts and nothing changes, in the order of leaving."""
    leaving = [(mail, person) for person in account.people for mail in person.leaving]
    return tuple(
        Planned(
            local.moment(mail.at),
            f"“{title_of(mail.content, play, account.name)}” to {clip(person.name, 3, 40)}",
            f"tandem veto {quote(person.email)} {quote(mail.content)}",
            evidence("decision", person.id),
            person.id,
            mail.content,
            mail.at,
        )
        for mail, person in sorted(leaving, key=lambda one: one[0])
    )


def next_mails(mails: Iterable[Planned]) -> tuple[Planned, ...]:
    """The next one to each person: the link beside it stops that one."""
    first: dict[int, Planned] = {}
    for mail in mails:
        first.setdefault(mail.person, mail)
    return tuple(first.values())


def is_silent(stage: str, play: Play) -> bool:
    """Marketing writes to nobody while the account is here."""
    rule = play.stage(stage)
    return rule is not None and not rule.nurtured


def _account_hold(account: AccountMaterial, now: datetime) -> Held | None:
    return next((hold for hold in account.holds if hold.scope == HoldScope.ACCOUNT and hold.stands(now)), None)


def why_nothing(account: AccountMaterial, play: Play, local: Local) -> Statement:
    """Nothing goes out, and the reason that holds for most of the group."""
    if is_silent(account.stage, play):
        return Statement(f"Nothing: {BECAUSE[Reason.STAGE_NOT_NURTURED]}", evidence("account", account.id))
    if hold := _account_hold(account, local.now):
        held = held_text(hold, account, local)
        return Statement(f"Nothing: {held[0].lower()}{held[1:]}", hold.evidence)
    if account.people and all(person.is_braked for person in account.people):
        return Statement(BRAKED, evidence("account", account.id))
    reasons = [(p.outlook.reason, p.id) for p in account.people if p.outlook and p.outlook.reason]
    if not reasons:
        return Statement("Not planned yet", evidence("account", account.id))
    common = max((reason for reason, _ in reasons), key=[reason for reason, _ in reasons].count)
    proof = evidence("decision", *(id_ for reason, id_ in reasons if reason == common))
    return Statement(f"Nothing: {BECAUSE[common]}", proof)
