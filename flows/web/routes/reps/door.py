"""Whether a rep's link opens: genuine, not over, not taken back, its account still theirs. Each use is on record.

No login exists, so whoever holds a link can use it: it is good for one thing, for a fortnight, until the rep takes it
back. Links on a page end when the link that opened the page does, so that nobody walks from one to the next for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fastapi import Request
from sqlalchemy import Connection

from accounts.briefs.saying import Local
from accounts.calendar import known_zone
from accounts.ledger.reps import links as rep_links
from accounts.ledger.reps.handovers import GivenUp, given_up
from accounts.ledger.reps.links import REFUSED, USED, Holder, Use
from accounts.machines import ENOUGH, own_verdict
from accounts.vocabulary import SignalKind
from flows.briefs.links import GOOD_FOR, Links, RepLink, read
from flows.sales.answers import may
from flows.web.desk import Desk, fetches_ahead, network_of

#: Clocks of two machines may differ by a night.
SKEW = timedelta(days=1)
#: Pages a rep reads a brief by.
READ = ("page", "brief", "other")


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who came by a rep's link, as the rep."""

    desk: Desk
    token: str
    to: RepLink
    holder: Holder
    now: datetime
    local: Local
    #: Further pages for the same rep, which end with this link.
    links: Links

    @property
    def ends_at(self) -> datetime:
        """When the last day of the link begins."""
        return datetime.combine(self.to.issued_day + GOOD_FOR, time(), UTC)

    @property
    def here(self) -> str:
        return f"/r/{self.token}"


@dataclass(frozen=True, slots=True)
class Shut:
    """A link that opens nothing; what is known of it."""

    why: str = ""
    to: RepLink | None = None
    holder: Holder | None = None
    #: An account that was theirs, and is somebody else's by now.
    given_up: GivenUp | None = None


def enter(connection: Connection, desk: Desk, token: str, now: datetime) -> Visit | Shut:
    """Opens a link, or says why not: for the audit only. The visitor learns nothing, but for a rep who had the account
    when the link was made: they learn who has it now."""
    genuine = read(token, desk.secret)
    if genuine is None:
        return Shut()
    to = genuine.to
    holder = rep_links.read_holder(connection, to.rep_id, to.brief_id, to.account_id)
    if holder is None:
        return Shut()
    if now.date() > genuine.last_day:
        return Shut("over", to, holder)
    if to.issued_day > (now + SKEW).date():
        return Shut("made for a later day", to, holder)
    if holder.took_back(to.issued_day):
        return Shut("taken back", to, holder)
    if to.account_id and not may(connection, to.rep_id, to.account_id, now):
        return Shut("the account is no longer theirs", to, holder, given_up(connection, to.rep_id, to.account_id))
    return Visit(desk, token, to, holder, now, Local.at(now, _zone(holder, desk)), further(desk, to))


def further(desk: Desk, to: RepLink) -> Links:
    """Links for the same rep, which end with this one."""
    return Links("", desk.secret, to.rep_id, to.brief_id, to.issued_day)


def note(desk: Desk, request: Request, found: Visit | Shut, now: datetime) -> None:
    """The use of a link in the audit, and that its brief was read, if it was a person who did."""
    if found.to is None or found.holder is None or request.method == "HEAD":
        return
    to, is_person = found.to, not is_machine(request)
    network = network_of(request.client.host if request.client else None)
    said = {"kind": to.kind, "about": to.subject, "brief": to.brief_id, "method": request.method, "network": network}
    more = {"why": found.why} if isinstance(found, Shut) else {"person": is_person}
    action = REFUSED if isinstance(found, Shut) else USED
    is_read = isinstance(found, Visit) and is_person and (request.method == "POST" or to.kind in READ)
    opened = to.brief_id if is_read else None
    desk.record.keep(Use(found.holder, action, now, {**said, **more}, opened))


def is_machine(request: Request) -> bool:
    """A program that looks at links, or a browser that fetches ahead."""
    if fetches_ahead(request):
        return True
    verdict = own_verdict(SignalKind.CLICKED, _shown(request))
    return verdict is not None and verdict.confidence >= ENOUGH


def _shown(request: Request) -> Mapping[str, object]:
    network = network_of(request.client.host if request.client else None)
    return {"method": request.method, "user_agent": request.headers.get("user-agent", ""), "network": network}


def _zone(holder: Holder, desk: Desk) -> ZoneInfo:
    """The rep's own; the play's where nobody knows it."""
    named = holder.timezone and known_zone(holder.timezone)
    return named or known_zone(desk.play.window.default_timezone) or ZoneInfo("UTC")
