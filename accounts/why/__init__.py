"""Why this person gets this, or does not: one sentence with the facts it rests on. Pure; the ledger brings them."""

from accounts.heard import why
from accounts.planning import Touch, Wait
from accounts.vocabulary import Reason
from accounts.why.because import BECAUSE
from accounts.why.case import Background, Case, Who, a, short

__all__ = ["BECAUSE", "Background", "Case", "Who", "explain"]

#: How we know the recipient's clock.
CLOCKS = {
    "stakeholder": "their own",
    "stakeholder_country": "their country's",
    "account": "the account's",
    "account_country": "that of the account's country",
    "rep": "that of the owning rep",
    "play": "the play's default",
}


def explain(case: Case) -> str:
    """``Dana Example (dana@acme.example, end user at Acme Works) gets nothing: opted out on 4 Nov 2026.``"""
    said = case.said
    if isinstance(said, Touch):
        return f"{case.who} gets {case.content} now: {_now(case, said)}{_answers(case)}{_left_out(case)}."
    yet = " yet" if isinstance(said, Wait) else ""
    return f"{case.who} gets nothing{yet}: {BECAUSE[said.reason](case)}{_answers(case)}{_left_out(case)}."


def _left_out(case: Case) -> str:
    """What a pause left out at this stage; `vetoed` says it itself."""
    if case.said.reason is Reason.VETOED:
        return ""
    return "".join(f"; {short(content)} was left out: {why}" for content, why in case.background.left_out.items())


def _answers(case: Case) -> str:
    """What the content goes first for: something that a rep heard."""
    step = case.step
    heard = why(case.account.heard, case.person.id, frozenset(step.topics)) if step else None
    if heard is None or step is None:
        return ""
    about = " and ".join(sorted(heard.topics & set(step.topics)))
    return f"; {case.content} speaks of {about}, since “{heard.words}” was heard on {case.day(heard.at)}"


def _now(case: Case, touch: Touch) -> str:
    step, plan = case.step, case.background.plan
    what = f"step {step.step} for {a(case.person.role)} at {case.account.stage}, " if step else ""
    where = f"in send plan {plan[0]} ({plan[1]}), " if plan else ""
    clock = f"on {CLOCKS.get(touch.timezone_source or '', 'an unknown')} clock ({touch.timezone})"
    return f"{what}{where}due since {case.time(touch.due)}, may leave{case.until(touch.not_after)}, {clock}"
