"""Links of a brief: each opens a page for one answer, needs no password, and dies after a fortnight.

A token says which rep, which brief, which account, which answer and about whom; it is signed for the purpose `rep` and
holds nothing else. Opening a link changes nothing: the page asks before it acts.

What `subject` is, by kind:

    veto, unveto, delay, undelay, wrong_person,
    correct_person, claim                               the stakeholder; which mail is meant stands in the brief, in
                                                        its account's `planned`, under the same person
    ripe, not_yet, bad_timing, hold, release            the stakeholder, or 0 for the whole account
    wrong_person, correct_person, of 0                  whom the form names
    seat, add_person                                    the place of the role in SEATS
    close_objection                                     the objection
    wrong_line                                          the line of the account in `AccountBrief.statements()`,
                                                        from 1; 0: the page lists them
    everything else                                     0
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from accounts.vocabulary import Role
from flows import tokens
from flows.settings import Settings

PURPOSE = "rep"
#: Tokens name a kind by its place in here: new ones go to the end, and none is ever taken out.
KINDS = (
    "page", "brief", "hold", "release", "veto", "unveto", "delay", "approve", "ripe", "not_yet", "wrong_person",
    "bad_timing", "seat", "add_person", "correct_person", "objection", "topic", "close_objection", "wrong_line",
    "take", "limits", "give_back", "off", "claim", "away", "other", "undelay",
)  # fmt: skip
#: The same for the roles of empty seats.
SEATS = tuple(Role)
GOOD_FOR = timedelta(days=14)


class RepLink(NamedTuple):
    """What a link opens, and for whom."""

    rep_id: int
    #: 0: the link stands in no stored brief.
    brief_id: int
    #: 0: it is about no single account.
    account_id: int
    #: One of KINDS.
    kind: str
    subject: int
    #: Compared with `rep.links_from`, so that a rep can make all links of before worthless.
    issued_day: date


class Genuine(NamedTuple):
    """A link that this house made."""

    to: RepLink
    #: The last day (UTC) on which it opens anything.
    last_day: date


def link(base_url: str, secret: str, to: RepLink, last_day: date) -> str:
    """``{base_url}/r/{token}``, good until the end of `last_day` (UTC)."""
    numbers = (to.rep_id, to.brief_id, to.account_id, KINDS.index(to.kind), to.subject, to.issued_day.toordinal())
    return f"{base_url.rstrip('/')}/r/{tokens.sign_until(PURPOSE, last_day, secret, *numbers)}"


def read(token: str, secret: str) -> Genuine | None:
    """What a token of ours opens, or opened until it was over; None for one that is not ours."""
    dated = tokens.verify_dated(PURPOSE, token, secret)
    if dated is None:
        return None
    rep, brief, account, kind, subject, issued = dated.ids
    return Genuine(RepLink(rep, brief, account, KINDS[kind], subject, date.fromordinal(issued)), dated.last_day)


@dataclass(frozen=True)
class Links:
    """The links of one brief, or of one notice; each is made once, however many parts show it."""

    base_url: str
    secret: str
    rep_id: int
    brief_id: int
    issued_day: date
    _made: dict[tuple[str, int, int], str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def last_day(self) -> date:
        """The last day (UTC) on which they open anything."""
        return self.issued_day + GOOD_FOR

    def __call__(self, kind: str, account_id: int = 0, subject: int = 0) -> str:
        """The address that opens this answer."""
        name = (kind, account_id, subject)
        if name not in self._made:
            to = RepLink(self.rep_id, self.brief_id, account_id, kind, subject, self.issued_day)
            self._made[name] = link(self.base_url, self.secret, to, self.last_day)
        return self._made[name]


def links_of(settings: Settings, rep_id: int, brief_id: int, now: datetime) -> Links:
    """The links that this house makes for a brief of this moment; brief 0: for one that is not stored."""
    return Links(settings.base_url, settings.secret_key.get_secret_value(), rep_id, brief_id, now.date())
