"""What comes back, and what it does: one row for each kind of signal that does anything.

A kind that is not in the table has no effect: it is kept, it may weigh something, and it changes nobody.
"""

from collections.abc import Mapping
from datetime import timedelta

from accounts.outcomes import rules
from accounts.outcomes.bounces import bounced
from accounts.outcomes.effects import Effect
from accounts.outcomes.happening import Happening
from accounts.outcomes.rules import Rule
from accounts.playbook import Pauses
from accounts.vocabulary import SignalKind

TABLE: Mapping[SignalKind, Rule] = {
    SignalKind.DELIVERED: rules.arrived,
    SignalKind.OPENED: rules.arrived,  # a machine that opens for the reader proves just as well that it arrived
    SignalKind.CLICKED: rules.arrived,
    SignalKind.ACCEPTED: rules.taken,
    SignalKind.DEFERRED: rules.taken,  # the provider has it and goes on trying
    SignalKind.DROPPED: rules.dropped,  # the person's address is not at fault: the provider's own list or filter may be
    SignalKind.BOUNCED: bounced,  # "sent" as well: it left us, and must not leave a second time
    SignalKind.COMPLAINED: rules.complained,  # the only one that waits for a person: colleagues are next to complain
    SignalKind.UNSUBSCRIBED: rules.unsubscribed,  # no hold: one person's no never closes the group
    SignalKind.PREFERRED: rules.preferred,  # the person's own words; only the opt-out says more
    SignalKind.REPLIED: rules.replied,  # the account, not the person: the rep has the word now
    SignalKind.OUT_OF_OFFICE: rules.away,  # the person, not the account: colleagues are at their desks
    SignalKind.LEFT_COMPANY: rules.left,  # suppressed as well: the next import brings the old address again
    SignalKind.MEETING_BOOKED: rules.meeting_booked,  # from the booking on, until some days after the meeting
    SignalKind.MEETING_HELD: rules.meeting_held,
    SignalKind.BRIEF_BOUNCED: rules.brief_bounced,  # a rep is no buyer: nothing but the brief is concerned
}
"""Kinds without a row: visits, downloads, forms, webinars and ads (they weigh something, see engagement.py);
`unknown`."""

#: Kinds that say no more than that a message arrived.
ARRIVALS: frozenset[SignalKind] = frozenset(kind for kind, rule in TABLE.items() if rule is rules.arrived)

#: Kinds whose rules look into the data of the signal.
READ_DATA: frozenset[SignalKind] = frozenset(
    {
        SignalKind.BOUNCED, SignalKind.LEFT_COMPANY, SignalKind.OUT_OF_OFFICE, SignalKind.MEETING_BOOKED,
        SignalKind.PREFERRED, SignalKind.BRIEF_BOUNCED,
    }
)  # fmt: skip

#: Kinds that prove that a message arrived, or at least left for good.
SETTLING: frozenset[SignalKind] = frozenset(
    {
        SignalKind.ACCEPTED, SignalKind.DELIVERED, SignalKind.DEFERRED, SignalKind.OPENED, SignalKind.CLICKED,
        SignalKind.BOUNCED, SignalKind.COMPLAINED, SignalKind.UNSUBSCRIBED, SignalKind.REPLIED,
        SignalKind.OUT_OF_OFFICE, SignalKind.LEFT_COMPANY, SignalKind.PREFERRED,
    }
)  # fmt: skip

#: Kinds that name a day to come, and how long after them it may lie: what is further away counts as this far.
REACH: Mapping[SignalKind, timedelta] = {
    SignalKind.OUT_OF_OFFICE: rules.LONGEST_ABSENCE,
    SignalKind.PREFERRED: rules.LONGEST_ABSENCE,
    SignalKind.MEETING_BOOKED: rules.FURTHEST_MEETING,
}

#: A no that counts without knowing whose it is: the address is enough.
NO_NEEDS_NO_NAME: frozenset[SignalKind] = frozenset(
    {SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED, SignalKind.BOUNCED, SignalKind.LEFT_COMPANY}
)


def effects_of(happening: Happening, pauses: Pauses) -> tuple[Effect, ...]:
    """Everything this signal does; empty for most of them."""
    rule = TABLE.get(happening.kind)
    return rule(happening, pauses) if rule else ()
