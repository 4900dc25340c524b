"""What marketing will send in the next seven days, each until when it can be stopped, or why nothing goes out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from shlex import quote

from accounts.briefs.material import AccountMaterial, Evidence, Held, Person, Statement, clip, evidence
from accounts.briefs.news import held_text
from accounts.briefs.saying import BECAUSE, Local, title_of
from accounts.playbook import Play
from accounts.vocabulary import Answer, HoldScope, Reason

#: How far ahead planned mail is shown.
AHEAD = timedelta(days=7)


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
    """What goes out within seven days, by what planning answers now; earliest first."""
    if is_silent(account.stage, play) or _account_hold(account, local.now):
        return ()
    held = {hold.person for hold in account.holds if hold.stands(local.now)}
    coming = [
        (at, person, content)
        for person in account.people
        if person.id not in held and (due := _due(person, account.stage, local.now))
        for at, content in (due,)
    ]
    return tuple(
        Planned(
            local.moment(at),
            f"“{title_of(content, play, account.name)}” to {clip(person.name, 3, 40)}",
            f"tandem veto {quote(person.email)} {quote(content)}",
            evidence("decision", person.id),
            person.id,
            content,
            at,
        )
        for at, person, content in sorted(coming, key=lambda mail: (mail[0], mail[1].id))
    )


def is_silent(stage: str, play: Play) -> bool:
    """Marketing writes to nobody while the account is here."""
    rule = play.stage(stage)
    return rule is not None and not rule.nurtured


def _account_hold(account: AccountMaterial, now: datetime) -> Held | None:
    return next((hold for hold in account.holds if hold.scope == HoldScope.ACCOUNT and hold.stands(now)), None)


def _due(person: Person, stage: str, now: datetime) -> tuple[datetime, str] | None:
    """When the next mail to this person leaves, if one is planned within seven days.

    Planning may not have looked since the account moved on or the mail left: one of another stage is not going to
    leave, and one they have had already does not leave again.
    """
    outlook = person.outlook
    if outlook is None or person.vetoed or not person.takes_mail or outlook.answer == Answer.NEVER:
        return None
    if not outlook.content or not outlook.until or outlook.until > now + AHEAD:
        return None  # nothing to send, or only when somebody acts, or later
    is_current = f"/{stage}/" in outlook.content and outlook.content not in person.contents
    return (max(outlook.until, now), outlook.content) if is_current else None


def why_nothing(account: AccountMaterial, play: Play, local: Local) -> Statement:
    """Nothing goes out, and the reason that holds for most of the group."""
    if is_silent(account.stage, play):
        return Statement(f"Nothing: {BECAUSE[Reason.STAGE_NOT_NURTURED]}", evidence("account", account.id))
    if hold := _account_hold(account, local.now):
        held = held_text(hold, account, local)
        return Statement(f"Nothing: {held[0].lower()}{held[1:]}", hold.evidence)
    reasons = [(p.outlook.reason, p.id) for p in account.people if p.outlook and p.outlook.reason]
    if not reasons:
        return Statement("Not planned yet", evidence("account", account.id))
    common = max((reason for reason, _ in reasons), key=[reason for reason, _ in reasons].count)
    proof = evidence("decision", *(id_ for reason, id_ in reasons if reason == common))
    return Statement(f"Nothing: {BECAUSE[common]}", proof)
