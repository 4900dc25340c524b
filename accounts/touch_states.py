"""Where a touch, or a plan, may go from where it is. One table each; a line of why beside each odd edge.

The ledger moves rows along these edges only: its updates name the states they may come from, and the database
refuses the rest (ledger/locks.py is written from these tables).

                 ┌───────────── retry ─────────────┐
    planned ─▶ certified ─▶ sending ─▶ sent        │
       ▲          │            ├─▶ failed          │
       │          │            ├─▶ unknown ─▶ sent, failed, cancelled
       │          ▼            └───────────────────┘
       └──── cancelled ─▶ sent;   cancelled ◀── expired ◀── planned, certified;   vetoed ◀── planned, certified
"""

from enum import StrEnum

from accounts.vocabulary import PlanState, Reason, TouchState

P, T = PlanState, TouchState

#: (from, to) -> why this edge exists.
TOUCH_EDGES: dict[tuple[TouchState, TouchState], str] = {
    (T.PLANNED, T.CERTIFIED): "the gate passed it",
    (T.PLANNED, T.CANCELLED): "the gate refused it, or its plan was rejected",
    (T.PLANNED, T.EXPIRED): "too late to be of use",
    (T.PLANNED, T.VETOED): "a rep said no",
    (T.CERTIFIED, T.SENDING): "claimed; the only way in, and the database guards it",
    (T.CERTIFIED, T.CANCELLED): "somebody said no since, or the certificate ended",
    (T.CERTIFIED, T.EXPIRED): "too late to be of use",
    (T.CERTIFIED, T.VETOED): "a rep said no",
    (T.SENDING, T.SENT): "accepted",
    (T.SENDING, T.FAILED): "refused for good",
    (T.SENDING, T.UNKNOWN): "bytes left and no answer came, or the sender died: it may have arrived, so never again",
    (T.SENDING, T.CERTIFIED): "for certain not accepted: the server said later, or nothing had left yet",
    (T.SENDING, T.CANCELLED): "what was claimed is not what was certified; nothing left",
    (T.UNKNOWN, T.SENT): "a later event of the provider, or a person, says it left",
    (T.UNKNOWN, T.FAILED): "a later event of the provider says that it took it and will not deliver it",
    (T.FAILED, T.SENT): "its provider had said that it would not deliver it, and then it arrived",
    (T.UNKNOWN, T.CANCELLED): "a person says it never left; planning may choose it again",
    (T.EXPIRED, T.CANCELLED): "a person says better late than never; planning may choose it again",
    (T.CANCELLED, T.SENT): "an event of the provider proves that it had left, whatever a person said of it",
    (T.CANCELLED, T.PLANNED): "the reason is gone: the row is used again, since a person gets a content once, ever",
}

PLAN_EDGES: dict[tuple[PlanState, PlanState], str] = {
    (P.DRAFT, P.CERTIFIED): "the gate passed it",
    (P.DRAFT, P.HELD): "a rule about the plan as a whole asks for a person",
    (P.DRAFT, P.REJECTED): "nothing in it may leave, or the gate could not judge",
    (P.HELD, P.CERTIFIED): "a person approved it and the gate judged it again",
    (P.HELD, P.REJECTED): "a person rejected it, or nothing in it may leave any more",
    (P.CERTIFIED, P.DONE): "every touch has an outcome",
    (P.CERTIFIED, P.REJECTED): "it was altered after it was certified, or its certificate ran out",
}

#: States without a way out: what happened, happened.
FINAL = frozenset(state for state in TouchState if not any(start is state for start, _ in TOUCH_EDGES))

#: States in which a touch still intends to leave; a person has at most one of these.
OPEN = (T.PLANNED, T.CERTIFIED, T.SENDING)


class Refusal(StrEnum):
    """Why a planned touch did not leave, where `Reason` has no word for it. Both stand in `touch.reason`."""

    ADDRESS_CHANGED = "address_changed"
    BAD_ADDRESS = "bad_address"
    DUPLICATE_ADDRESS = "duplicate_address"
    STAGE_CHANGED = "stage_changed"
    CONTENT_CHANGED = "content_changed"
    ROLE_CHANGED = "role_changed"
    OWNER_CHANGED = "owner_changed"
    NO_OWNER = "no_owner"
    NOT_DUE = "not_due"
    PLAN_REJECTED = "plan_rejected"
    PLAN_LAPSED = "plan_lapsed"
    NOT_COMPOSED = "not_composed"
    TOO_LATE = "too_late"
    BRAKED = "braked"
    PACED = "paced"
    NOT_OURS = "not_ours"
    LEFT_OUT = "left_out"
    HAD_LEFT = "had_left"
    NO_ANSWER = "no_answer"
    REFUSED_BY_SERVER = "refused_by_server"
    # What a mail server or provider refused it for. The reader's address:
    NO_SUCH_MAILBOX = "no_such_mailbox"
    NO_SUCH_DOMAIN = "no_such_domain"
    MAILBOX_DISABLED = "mailbox_disabled"
    MAILBOX_FULL = "mailbox_full"
    # their server, for now:
    GREYLISTED = "greylisted"
    SERVER_BUSY = "server_busy"
    TOO_MANY = "too_many"
    # this message:
    TOO_LARGE = "too_large"
    REFUSED_AS_SPAM = "refused_as_spam"
    REFUSED_BY_POLICY = "refused_by_policy"
    # us: other messages would fare the same.
    SENDER_REFUSED = "sender_refused"
    SENDER_BLOCKLISTED = "sender_blocklisted"
    NOT_AUTHENTICATED = "not_authenticated"
    LOGIN_REFUSED = "login_refused"
    DROPPED_BY_PROVIDER = "dropped_by_provider"


def may_move(start: TouchState, end: TouchState) -> bool:
    """Whether a touch may go from `start` to `end`; staying is not a move."""
    return (start, end) in TOUCH_EDGES


def sources_of(end: TouchState) -> tuple[TouchState, ...]:
    """The states from which a touch may become `end`."""
    return tuple(start for start, target in TOUCH_EDGES if target is end)


def plan_sources_of(end: PlanState) -> tuple[PlanState, ...]:
    """The states from which a plan may become `end`."""
    return tuple(start for start, target in PLAN_EDGES if target is end)


def explain(reason: str) -> str:
    """A stored reason as a person reads it: "opted out", "address changed"."""
    known = {*Reason, *Refusal}
    return reason.replace("_", " ") if reason in known else reason
