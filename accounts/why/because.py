"""The words after the colon, one function for each reason; BECAUSE is the whole list."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from accounts.guards import FOR_EVER, HOLDS, active
from accounts.pauses import PAUSE
from accounts.planning import Wait
from accounts.vocabulary import HoldCause, PauseClock, Reason
from accounts.why.case import Case, a, a_day, span

#: Who stopped an account or a person, where it was not a rep.
STOPPERS: Mapping[HoldCause, str] = MappingProxyType(
    {
        HoldCause.COMPLAINT: "a complaint",
        HoldCause.LEGAL: "a legal hold",
        HoldCause.SLA: "an answer that sales still owes",
    }
)


#: What becomes of steps whose time comes during a pause, where it is not the usual thing: the plan moves by as long.
MEANWHILE: Mapping[PauseClock, str] = MappingProxyType(
    {
        PauseClock.HOLD: "",
        PauseClock.KEEP: "; steps keep their dates",
        PauseClock.SKIP: "; steps whose time comes meanwhile are left out",
    }
)


def opted_out(case: Case) -> str:
    at = case.person.opted_out_at
    return f"opted out on {case.day(at)}" if at else "marked one of our mails as spam"


def suppressed(case: Case) -> str:
    why, ends = case.background.suppressed, case.person.suppressed_until
    since = f" since {case.day(why[1])} ({why[0].replace('_', ' ')})" if why else ""
    until = case.until(None if ends == FOR_EVER else ends)
    return f"the address or its domain is on the list of those nobody may write to{since}{until}"


def left(case: Case) -> str:
    return f"has left {case.who.account}"


def bounced(case: Case) -> str:
    at = case.background.bounced_at
    return f"mail to {case.who.email} came back" + (f" on {case.day(at)}" if at else "")


def no_consent(case: Case) -> str:
    begins = case.person.consent_at
    if case.person.consent_basis and begins:
        return f"the consent on record begins on {case.day(begins)}"
    return "no basis for writing to this person is on record"


def not_in_play(case: Case) -> str:
    account, entry, name = case.account, case.play.entry, case.who.account
    if account.play is not None:
        return f"{name} is in the play {account.play}"
    asked = (
        ("tier", entry.tiers, account.tier),
        ("industry", entry.industries, account.industry),
        ("territory", entry.territories, account.territory),
    )
    misses = [
        f"{what} {has or 'unknown'}, not {' or '.join(wanted)}"
        for what, wanted, has in asked
        if wanted and has not in wanted
    ]
    return f"the play {case.play.title} is not for {name} ({'; '.join(misses)})"


def not_contacted(case: Case) -> str:
    tried = case.background.attempt
    attempt = f"; the latest attempt was a {tried[0]} on {case.day(tried[1])}" if tried else ""
    return f"sales has not made contact with {case.who.account} yet{attempt}"


def stage_not_nurtured(case: Case) -> str:
    account = case.account
    since = f" since {case.day(account.stage_entered_at)}" if account.stage_entered_at else ""
    return f"{case.who.account} is at the stage {account.stage}{since}, where {case.play.title} writes to nobody"


def account_held(case: Case) -> str:
    return _stopped(case, None, case.who.account)


def stakeholder_held(case: Case) -> str:
    return _stopped(case, case.person.id, "mail to this person")


def paused_after_reply(case: Case) -> str:
    on, end = _on(case, HoldCause.REPLY), _end(case)
    return f"somebody at {case.who.account} replied{on}, so the rep has the word{end}{_meanwhile(case)}"


def paused_for_meeting(case: Case) -> str:
    on, end = _on(case, HoldCause.MEETING), _end(case)
    return f"sales met with {case.who.account}{on}, so the rep has the word{end}{_meanwhile(case)}"


def stale_crm(case: Case) -> str:
    synced, after = case.account.synced_at or case.now, case.play.stale_crm_after
    old = f", more than {span(after)} ago" if after else ""
    return f"the CRM last confirmed {case.who.account} on {case.day(synced)}{old}"


def awaiting_approval(case: Case) -> str:
    return f"{case.who.owner or 'the owning rep'} has not yet said yes to the first mail to {case.who.account}"


def away(case: Case) -> str:
    if case.background.pause_asked == case.person.paused_until:
        return f"asked for a pause{_end(case)}"
    return f"is out of office{_end(case)}"


def other_topic(case: Case) -> str:
    topics = case.step.topics if case.step else ()
    about = f", which is about {' and '.join(topics)}" if topics else ""
    return f"asked for mail about {case.person.only_topic} only, and nothing is left but {case.content}{about}"


def vetoed(case: Case) -> str:
    refused = case.account.vetoes.get(case.person.id, {})
    content = case.said.content
    who = case.background.refused_by.get(content, "a rep")
    on = f" on {case.day(refused[content])}" if content in refused else ""
    if content is None:
        return f"{who} said no to all mail for this person{on}"
    left = f"nothing is left at {case.account.stage} but {case.content}"
    if who == PAUSE:
        return f"{left}, which was left out: {case.background.left_out.get(content, 'its time fell into a pause')}"
    return f"{left}, to which {who} said no{on}"


def owner_conflict(case: Case) -> str:
    others = " and ".join(case.background.elsewhere) or "another account"
    return f"the same address stands in {others} as well, and {case.who.account} was not chosen to write to it"


def unknown_role(case: Case) -> str:
    title = f" (title: {case.who.title})" if case.who.title else ""
    return f"nobody knows yet which role this person has in the buying group{title}"


def no_content(case: Case) -> str:
    return f"{case.play.title} has no mail for {a(case.person.role)} at {case.account.stage}"


def sequence_finished(case: Case) -> str:
    at = case.person.last_at
    return f"had everything there is for {a(case.person.role)} at {case.account.stage}" + (
        f", the last mail on {case.day(at)}" if at else ""
    )


def content_expired(case: Case) -> str:
    step = case.step
    cure = f" expires on {a_day(step.expires)} and is {step.owner}'s to renew" if step else " has expired"
    return f"the next mail, {case.content},{cure}"


def waiting_step(case: Case) -> str:
    step, last, entered = case.step, case.person.last_at, case.account.stage_entered_at
    first = last is None or (entered is not None and last < entered)
    begins = f"{case.account.stage} began" if first else "the mail before"
    rule = f", step {step.step}, {span(step.after)} after {begins}," if step else ""
    return f"the next mail, {case.content}{rule} leaves{_from(case)}"


def person_cap(case: Case) -> str:
    every, last = case.person.mail_every, case.person.last_at
    if every and last and last + every > case.now:
        wish = f"asked for fewer mails, at most one in {span(every)}, and had one on {case.day(last)}"
        return f"{wish}; {case.content} leaves{_from(case)}"
    mine = [mail.at for mail in case.week if mail.person_id == case.person.id]
    days = " and ".join(case.day(at) for at in reversed(mine))
    return f"had mail on {days}, and {_most(case.play.caps.person_per_week)} a week; {case.content} leaves{_from(case)}"


def account_cap(case: Case) -> str:
    had, cap = len(case.week), case.play.caps.account_per_week
    first = "" if had >= cap else f", {cap - had} of its people go first"
    most = f"{case.who.account} had {_mails(had)} in the last seven days{first}, and {_most(cap)} a week"
    return f"{most}; {case.content} leaves{_from(case)}"


def outside_window(case: Case) -> str:
    window, calendar = case.play.window, case.calendar
    clock = f"{calendar.local(case.now):%A, %H:%M}"
    days = ", ".join(day.capitalize() for day in window.days) or "no day"
    hours = f"{days}, {window.opens:%H:%M} to {window.closes:%H:%M}"
    there = f"it is {clock} there ({calendar.place.timezone}) and mail leaves on {hours}"
    return f"{there}; {case.content} leaves{_from(case)}"


def holiday(case: Case) -> str:
    calendar = case.calendar
    return f"it is {calendar.holiday(case.now)} there ({calendar.place.country}); {case.content} leaves{_from(case)}"


def staggered(case: Case) -> str:
    clone = next((mail for mail in case.account.mails if mail.content == case.said.content), None)
    if clone and clone.at + case.play.caps.stagger > case.now:
        name = case.background.names.get(clone.person_id or 0, "a colleague")
        return f"{name} got the same mail, {case.content}, on {case.time(clone.at)}; this one leaves{_from(case)}"
    return f"a colleague goes first and mails to one account leave an hour apart; {case.content} leaves{_from(case)}"


def late_step(case: Case) -> str:
    since = case.said.late_since if isinstance(case.said, Wait) else None
    until = f" might have left until {case.time(since)}; it" if since else ""
    return f"{case.content}{until} is late and waits for a decision (tandem late)"


def delayed_by_rep(case: Case) -> str:
    return f"a rep wants {case.content} to wait; it leaves{_from(case)}"


def plan_cancelled(case: Case) -> str:
    return (
        f"somebody cancelled the send plan {case.content} was in; it may be planned again{_from(case)}, or when the "
        "play is edited"
    )


def person_off_limits(case: Case) -> str:
    return f"the rep who works on {case.who.account} asked that nobody writes to this person{_lease_end(case)}"


def topic_off_limits(case: Case) -> str:
    about = f", which is about {' and '.join(case.step.topics)}" if case.step else ""
    return (
        f"the rep who works on {case.who.account} wants no mail about it{_lease_end(case)}, and nothing is left but "
        f"{case.content}{about}"
    )


def lease_cap(case: Case) -> str:
    most = case.account.limits.per_week if case.account.limits else None
    return (
        f"the rep who works on {case.who.account} asked for at most {_mails(most or 0)} to the group in seven days; "
        f"{case.content} leaves{_from(case)}"
    )


#: Reason -> its words.
BECAUSE: Mapping[Reason, Callable[[Case], str]] = MappingProxyType(
    {
        Reason(say.__name__): say
        for say in (
            opted_out, suppressed, left, bounced, no_consent, not_in_play, not_contacted, stage_not_nurtured,
            account_held, stakeholder_held, paused_after_reply, paused_for_meeting, stale_crm, awaiting_approval, away,
            vetoed, owner_conflict, unknown_role, no_content, sequence_finished, content_expired, waiting_step,
            person_cap, account_cap, outside_window, holiday, staggered, late_step, other_topic,
            delayed_by_rep, plan_cancelled, person_off_limits, topic_off_limits, lease_cap,
        )
    }
)  # fmt: skip


def _stopped(case: Case, person_id: int | None, what: str) -> str:
    """The hold that lasts longest, with its note."""
    holds = active(case.account.holds, person_id, HOLDS, case.now)
    hold = max(holds, key=lambda hold: hold.ends_at or FOR_EVER)
    who = STOPPERS.get(hold.cause) or case.background.held_by.get(hold.by or "", hold.by) or "a rep"
    note = case.background.notes.get(hold.starts_at)
    ends = case.until(hold.ends_at, ", until it is released")
    said = f" (“{note}”)" if note else ""
    return f"{who} stopped {what} on {case.day(hold.starts_at)}{ends}{said}{MEANWHILE[PauseClock(hold.clock)]}"


def _meanwhile(case: Case) -> str:
    return MEANWHILE[case.play.pauses.clock]


def _on(case: Case, cause: HoldCause) -> str:
    begun: list[datetime] = [
        hold.starts_at
        for person in (None, case.person.id)
        for hold in active(case.account.holds, person, (cause,), case.now)
    ]
    return f" on {case.day(max(begun))}" if begun else ""


def _end(case: Case) -> str:
    return case.until(case.said.until if isinstance(case.said, Wait) else None, ", until it is released")


def _lease_end(case: Case) -> str:
    return case.until(case.account.limits.until) if case.account.limits else ""


def _from(case: Case) -> str:
    """When the mail may leave, if that is known."""
    until = case.said.until if isinstance(case.said, Wait) else None
    return f" on {case.time(until)}" if until else " when the play's window has days again"


def _most(cap: int) -> str:
    return f"{cap} {'is' if cap == 1 else 'are'} the most"


def _mails(number: int) -> str:
    return f"{number} mail{'s' * (number != 1)}"
