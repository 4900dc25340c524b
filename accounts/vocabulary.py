"""The words of the trade, once: every code, column, table, test, brief and command uses these and no synonyms.

docs/glossary.md explains each of them to marketing and to sales.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a stakeholder is in the buying group."""

    CHAMPION = "champion"
    ECONOMIC_BUYER = "economic_buyer"
    EXECUTIVE_SPONSOR = "executive_sponsor"
    DECISION_MAKER = "decision_maker"
    TECHNICAL_EVALUATOR = "technical_evaluator"
    END_USER = "end_user"
    PROCUREMENT = "procurement"
    LEGAL = "legal"
    INFLUENCER = "influencer"
    BLOCKER = "blocker"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        """The role as a person says it: "economic buyer"."""
        return self.value.replace("_", " ")


class RoleSource(StrEnum):
    """Who says so; earlier members outrank later ones."""

    REP = "rep"
    CRM = "crm"
    RULE = "rule"


class Channel(StrEnum):
    EMAIL = "email"


class ConsentBasis(StrEnum):
    """Why we may write to a person. No value means no."""

    CONSENT = "consent"
    LEGITIMATE_INTEREST = "legitimate_interest"
    CONTRACT = "contract"


class EmailStatus(StrEnum):
    OK = "ok"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    LEFT = "left"


class ActivityKind(StrEnum):
    MEETING = "meeting"
    CALL = "call"
    EMAIL = "email"
    NOTE = "note"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class TouchState(StrEnum):
    PLANNED = "planned"
    CERTIFIED = "certified"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    VETOED = "vetoed"


class PlanState(StrEnum):
    DRAFT = "draft"
    CERTIFIED = "certified"
    HELD = "held"
    REJECTED = "rejected"
    DONE = "done"


class About(StrEnum):
    """What an event tells of: a row of the ledger that somebody who listens waits for."""

    HOLD = "hold"
    STAGE = "stage"
    REPLY = "reply"
    PLAN = "plan"
    BRAKE = "brake"
    PROMISE = "promise"
    BRIEF = "brief"
    STALE = "stale"


class BriefState(StrEnum):
    """From written to read. `superseded`: it never left, and a newer brief tells what it would have told."""

    PLANNED = "planned"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"


class Answer(StrEnum):
    """The current answer for a stakeholder."""

    TOUCH = "touch"
    WAIT = "wait"
    NEVER = "never"


class Reason(StrEnum):
    """Why a person gets nothing now. One enum for code, command line, brief, Prefect artifact and test."""

    NOT_CONTACTED = "not_contacted"
    STAGE_NOT_NURTURED = "stage_not_nurtured"
    ACCOUNT_HELD = "account_held"
    STAKEHOLDER_HELD = "stakeholder_held"
    OPTED_OUT = "opted_out"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    BOUNCED = "bounced"
    LEFT = "left"
    PAUSED_AFTER_REPLY = "paused_after_reply"
    PAUSED_FOR_MEETING = "paused_for_meeting"
    VETOED = "vetoed"
    AWAITING_APPROVAL = "awaiting_approval"
    PERSON_CAP = "person_cap"
    ACCOUNT_CAP = "account_cap"
    OUTSIDE_WINDOW = "outside_window"
    HOLIDAY = "holiday"
    WAITING_STEP = "waiting_step"
    SEQUENCE_FINISHED = "sequence_finished"
    NO_CONTENT = "no_content"
    CONTENT_EXPIRED = "content_expired"
    OWNER_CONFLICT = "owner_conflict"
    STALE_CRM = "stale_crm"
    UNKNOWN_ROLE = "unknown_role"
    NOT_IN_PLAY = "not_in_play"
    AWAY = "away"
    STAGGERED = "staggered"
    LATE_STEP = "late_step"
    OTHER_TOPIC = "other_topic"
    #: What a rep asked for: one mail later; of the account they work on, a person, a topic or more mails not at all.
    DELAYED_BY_REP = "delayed_by_rep"
    PERSON_OFF_LIMITS = "person_off_limits"
    TOPIC_OFF_LIMITS = "topic_off_limits"
    LEASE_CAP = "lease_cap"
    #: Somebody cancelled the send plan it was in: not this again for a while.
    PLAN_CANCELLED = "plan_cancelled"


class HoldScope(StrEnum):
    ACCOUNT = "account"
    STAKEHOLDER = "stakeholder"


class HoldCause(StrEnum):
    REP = "rep"
    REPLY = "reply"
    MEETING = "meeting"
    COMPLAINT = "complaint"
    SLA = "sla"
    LEGAL = "legal"


class PauseClock(StrEnum):
    """What a pause does with the clock of the steps; see accounts/pauses.py."""

    HOLD = "hold"
    KEEP = "keep"
    SKIP = "skip"


class Verdict(StrEnum):
    """What a rep says of a person or an account."""

    RIPE = "ripe"
    NOT_YET = "not_yet"
    WRONG_PERSON = "wrong_person"
    BAD_TIMING = "bad_timing"


class Duty(StrEnum):
    """What sales and marketing owe each other; see docs/sla.md."""

    #: Sales: a person asked.
    ANSWER = "answer"
    #: Sales: the account turned hot.
    CALL = "call"
    #: Marketing: the first mail after the first contact.
    FIRST_NURTURE = "first_nurture"
    #: Marketing: content past its review or its last day, while people wait for it.
    FRESH_CONTENT = "fresh_content"
    #: Marketing: a hand-off came back as `not_yet` or `bad_timing`.
    HANDOFF_ANSWER = "handoff_answer"
    #: Marketing: somebody on the list should not be there: a rep's `wrong_person`, or a plan the gate stopped.
    RIGHT_LIST = "right_list"


class Side(StrEnum):
    SALES = "sales"
    MARKETING = "marketing"


class ClockState(StrEnum):
    """Of a promise between the teams. `breached` stays, also when kept later; `lapsed`: nothing is owed any more."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    LAPSED = "lapsed"


class SignalKind(StrEnum):
    """What somebody, or some machine, did. Unknown kinds are kept, never dropped."""

    #: A provider took the message; where it went from there is not known yet.
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    #: A provider took the message and will not deliver it: its own list of dead addresses, or its spam filter.
    DROPPED = "dropped"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    OUT_OF_OFFICE = "out_of_office"
    LEFT_COMPANY = "left_company"
    UNSUBSCRIBED = "unsubscribed"
    #: Chose on the preference page: a pause, fewer mails, one topic only, or all of it again.
    PREFERRED = "preferred"
    VISITED = "visited"
    DOWNLOADED = "downloaded"
    FORM_FILLED = "form_filled"
    WEBINAR_REGISTERED = "webinar_registered"
    WEBINAR_ATTENDED = "webinar_attended"
    #: Came to a fair or a dinner of ours: a scanned badge, a list at the door.
    EVENT_ATTENDED = "event_attended"
    MEETING_BOOKED = "meeting_booked"
    MEETING_HELD = "meeting_held"
    AD_SHOWN = "ad_shown"
    AD_CLICKED = "ad_clicked"
    #: A brief of ours did not reach its rep: no buyer did this.
    BRIEF_BOUNCED = "brief_bounced"
    #: A rep's own word on a person or an account: no buyer did this either. See accounts/feedback.py.
    SAID_RIPE = "said_ripe"
    SAID_NOT_YET = "said_not_yet"
    SAID_BAD_TIMING = "said_bad_timing"
    UNKNOWN = "unknown"


class BounceAction(StrEnum):
    """What follows from a mail that came back."""

    #: The address is dead for good.
    NEVER_AGAIN = "never_again"
    #: The person has left or has another address: the seat wants somebody.
    ASK_REPLACEMENT = "ask_replacement"
    #: Their server has a bad day.
    RETRY_LATER = "retry_later"
    #: They refuse us or this message: nothing is wrong with the address.
    OUR_FAULT = "our_fault"
    MAILBOX_FULL = "mailbox_full"
    UNKNOWN = "unknown"


class ProposalState(StrEnum):
    """Of somebody who may belong to a buying group."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Heat(StrEnum):
    RISING = "rising"
    STEADY = "steady"
    COOLING = "cooling"


class MemberState(StrEnum):
    """Membership of an ad audience: what the platform confirmed, and what we still owe it."""

    ADDED = "added"
    REMOVED = "removed"
    PENDING_ADD = "pending_add"
    PENDING_REMOVE = "pending_remove"


class BrakeScope(StrEnum):
    """What a kill switch stops."""

    GLOBAL = "global"
    PLAY = "play"
    ACCOUNT = "account"
    REP = "rep"
    DOMAIN = "domain"
