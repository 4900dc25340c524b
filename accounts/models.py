"""The tables. Names and columns of docs/tables.md are a contract: other tools read them.

Rows are plain classes; what the core reads and returns are the frozen values of the modules that decide.
All times are UTC. A rule that the database can keep stands beside its column, named as a sentence.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, MetaData, Numeric, String, UniqueConstraint
from sqlalchemy import text as text_clause
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from accounts.fingerprints import LENGTH, fingerprint
from accounts.types import Key, json_value, line, mailbox, pk, refers, sha256, slug, text, utc, word
from accounts.weeks import week_of

#: Conditions of partial indexes. Two nulls are never equal, so a plain unique key over both hashes would keep nothing.
ADDRESS_ONLY = text_clause("domain_hash IS NULL")
DOMAIN_ONLY = text_clause("email_hash IS NULL")
UNREAD = text_clause("state = 'waiting'")
HARM = text_clause("kind IN ('bounced', 'complained')")
WAS_SENT = text_clause("state = 'sent'")
REPLIED = text_clause("kind = 'replied'")
PULLED = text_clause("released_at IS NULL")
LIVE = text_clause("ended_at IS NULL")
AT_HOME = text_clause("is_home")
STALE = text_clause("reason = 'stale_crm'")
STRANGER = text_clause("stakeholder_id IS NULL AND email_hash IS NOT NULL")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Rep(Base):
    """A sales representative: owns accounts, receives briefs, signs e-mails."""

    __tablename__ = "rep"
    id: Mapped[pk]
    email: Mapped[mailbox] = mapped_column(unique=True)
    name: Mapped[line]
    manager_email: Mapped[mailbox | None]
    timezone: Mapped[slug | None]
    slack_id: Mapped[slug | None]
    away_from: Mapped[utc | None]
    away_until: Mapped[utc | None]
    backup_id: Mapped[int | None] = refers("rep.id")
    #: How they want to be told: by which channel, at which hour of their own day, how often; null: as the settings say.
    brief_channel: Mapped[word | None]
    brief_hour: Mapped[int | None]
    brief_every: Mapped[word | None]
    #: Links to their pages from before this moment open nothing.
    links_from: Mapped[utc | None]
    row_hash: Mapped[sha256 | None]


class Account(Base):
    """A target account. `replan_at`: when planning must look again; whoever changes a fact of it sets it to now."""

    __tablename__ = "account"
    id: Mapped[pk]
    key: Mapped[slug] = mapped_column(unique=True)
    name: Mapped[line]
    domain: Mapped[line | None] = mapped_column(index=True)
    parent_id: Mapped[int | None] = refers("account.id")
    division: Mapped[line | None]
    tier: Mapped[word | None]
    industry: Mapped[line | None]
    territory: Mapped[line | None]
    country: Mapped[word | None]
    timezone: Mapped[slug | None]
    owner_id: Mapped[int | None] = refers("rep.id")
    play: Mapped[slug | None]
    stage: Mapped[word] = mapped_column(default="target", server_default="target")
    stage_entered_at: Mapped[utc | None]
    first_contacted_at: Mapped[utc | None]
    first_contact_activity_id: Mapped[int | None] = mapped_column(Key)
    source: Mapped[word | None]
    source_id: Mapped[slug | None]
    synced_at: Mapped[utc | None]
    #: The rules tracking went by when it last digested the facts; null since one of them changed.
    tracked_rules: Mapped[word | None]
    #: Where the facts want the account to be while the move is refused; null when they agree with its stage.
    refused_stage: Mapped[word | None]
    replan_at: Mapped[utc | None] = mapped_column(index=True)
    row_hash: Mapped[sha256 | None]


class Stakeholder(Base):
    """A person in the buying group of one account. One person in two accounts is two rows with one address."""

    __tablename__ = "stakeholder"
    __table_args__ = (
        UniqueConstraint("account_id", "email", name="one_stakeholder_per_account_and_address"),
        Index("ix_stakeholder_home", "email", sqlite_where=AT_HOME, postgresql_where=AT_HOME),
    )
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id", index=False)
    email: Mapped[mailbox] = mapped_column(index=True)
    email_hash: Mapped[sha256] = mapped_column(index=True)
    first_name: Mapped[line | None]
    last_name: Mapped[line | None]
    title: Mapped[line | None]
    #: The contact's own number in the CRM, by which its webhooks speak of people.
    crm_id: Mapped[slug | None] = mapped_column(index=True)
    crm_role: Mapped[line | None]
    role: Mapped[word] = mapped_column(default="unknown", server_default="unknown")
    role_source: Mapped[word | None]
    role_evidence: Mapped[line | None]
    timezone: Mapped[slug | None]
    country: Mapped[word | None]
    language: Mapped[word | None]
    consent_basis: Mapped[word | None]
    consent_at: Mapped[utc | None]
    ads_consent_basis: Mapped[word | None]
    ads_consent_at: Mapped[utc | None]
    email_status: Mapped[word] = mapped_column(default="ok", server_default="ok")
    opted_out_at: Mapped[utc | None]
    paused_until: Mapped[utc | None]
    #: The latest choice on the preference page: at most one mail in so many days; mail about this topic only.
    mail_every_days: Mapped[int | None]
    only_topic: Mapped[word | None]
    preferred_at: Mapped[utc | None]
    #: True on one row of a person who stands in several accounts: the account a rep decided for.
    is_home: Mapped[bool] = mapped_column(default=False, server_default="0")
    #: Kept by the import: this address stands in another account as well and nobody has decided yet.
    owner_conflict: Mapped[bool] = mapped_column(default=False, server_default="0")
    row_hash: Mapped[sha256 | None]


class Proposal(Base):
    """Somebody who may belong to a buying group: a question to the rep. Nobody writes to them before it is answered."""

    __tablename__ = "proposal"
    __table_args__ = (UniqueConstraint("account_id", "person_key", name="one_proposal_per_account_and_person"),)
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id", index=False)
    #: Hash of the address; of the name, where no address is known. It stays when a rejected proposal is blanked.
    person_key: Mapped[sha256] = mapped_column(index=True)
    email: Mapped[mailbox | None]
    first_name: Mapped[line | None]
    last_name: Mapped[line | None]
    title: Mapped[line | None]
    #: Where they were seen: the list, or the mailbox.
    source: Mapped[word]
    why: Mapped[line]
    #: Whose seat they were named for.
    replaces_id: Mapped[int | None] = refers("stakeholder.id")
    proposed_at: Mapped[utc]
    state: Mapped[word] = mapped_column(default="open", server_default="open")
    decided_by: Mapped[line | None]
    decided_at: Mapped[utc | None]


class Opportunity(Base):
    __tablename__ = "opportunity"
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id")
    name: Mapped[line | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))
    currency: Mapped[word | None]
    stage: Mapped[line]
    is_open: Mapped[bool]
    is_won: Mapped[bool]
    created_at: Mapped[utc | None]
    close_date: Mapped[date | None]
    closed_at: Mapped[utc | None]
    owner_id: Mapped[int | None] = refers("rep.id")
    source: Mapped[word | None]
    source_id: Mapped[slug] = mapped_column(unique=True)
    row_hash: Mapped[sha256 | None]


class Activity(Base):
    """What sales did with an account. `is_contact`: a real two-way contact by the play's rule."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_account_id_occurred_at", "account_id", "occurred_at"),)
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id", index=False)
    stakeholder_id: Mapped[int | None] = refers("stakeholder.id")
    rep_id: Mapped[int | None] = refers("rep.id")
    kind: Mapped[word]
    direction: Mapped[word | None]
    outcome: Mapped[line | None]
    subject: Mapped[line | None]
    is_contact: Mapped[bool] = mapped_column(default=False, server_default="0")
    occurred_at: Mapped[utc]
    source: Mapped[word | None]
    source_id: Mapped[slug] = mapped_column(unique=True)
    row_hash: Mapped[sha256 | None]


class SendPlan(Base):
    """A frozen list of touches that leave together or not at all."""

    __tablename__ = "send_plan"
    id: Mapped[pk]
    flow_run: Mapped[slug | None]
    created_at: Mapped[utc]
    play: Mapped[slug | None]
    size: Mapped[int] = mapped_column(default=0, server_default="0")
    digest: Mapped[sha256 | None]
    state: Mapped[word] = mapped_column(default="draft", server_default="draft", index=True)
    checks: Mapped[json_value | None]
    approved_by: Mapped[line | None]
    approved_at: Mapped[utc | None]


class PlanMember(Base):
    """What a plan was frozen with; the seal is a digest over all that must not change before the touch leaves.

    No address in here: the hashes stand for it, so that the row may outlive an erasure.
    """

    __tablename__ = "plan_member"
    plan_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    touch_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    seal: Mapped[sha256]
    email_hash: Mapped[sha256]
    domain_hash: Mapped[sha256]


class Certificate(Base):
    """The gate's word for a plan: this digest, judged by this suite, good until `expires_at`."""

    __tablename__ = "certificate"
    plan_id: Mapped[int] = mapped_column(Key, primary_key=True)
    digest: Mapped[sha256]
    members: Mapped[int]
    suite_version: Mapped[sha256]
    certified_at: Mapped[utc]
    expires_at: Mapped[utc]
    revoked_at: Mapped[utc | None]


class Touch(Base):
    """One message to one person, from plan to outcome."""

    __tablename__ = "touch"
    __table_args__ = (
        UniqueConstraint("stakeholder_id", "channel", "content", name="one_touch_per_person_and_content"),
        Index("ix_touch_state_due_at", "state", "due_at"),
        # In the order in which a sender goes through its plan, with nothing between: what has left is not passed again.
        Index("ix_touch_plan_id_state_id", "plan_id", "state", "id"),
        # "Were these words ever sent?" Only what was sent stands in it: a claim does not have to write it.
        Index("ix_touch_sent_words", "content", "content_digest", sqlite_where=WAS_SENT, postgresql_where=WAS_SENT),
        Index("ix_touch_account_id_sent_at", "account_id", "sent_at"),
        Index("ix_touch_history", "account_id", "stakeholder_id", "content", "state", "sent_at", "due_at"),
    )
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id", index=False)
    #: Null: the person was erased; that the account got this content on that day stays.
    stakeholder_id: Mapped[int | None] = refers("stakeholder.id", index=False)
    rep_id: Mapped[int | None] = refers("rep.id", index=False)
    channel: Mapped[word]
    play: Mapped[slug]
    play_version: Mapped[sha256]
    stage: Mapped[word]
    content: Mapped[slug]
    content_digest: Mapped[sha256]
    #: The address that was certified; sending compares it with the stakeholder's address of that moment.
    address: Mapped[mailbox]
    timezone: Mapped[slug | None]
    timezone_source: Mapped[word | None]
    state: Mapped[word]
    reason: Mapped[line | None]
    due_at: Mapped[utc]
    not_after: Mapped[utc | None]
    plan_id: Mapped[int | None] = refers("send_plan.id", index=False)
    claimed_at: Mapped[utc | None]
    claimed_by: Mapped[slug | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    retry_at: Mapped[utc | None]
    sent_at: Mapped[utc | None]
    message_id: Mapped[line | None] = mapped_column(unique=True)
    provider: Mapped[word | None]
    provider_id: Mapped[line | None]
    error: Mapped[line | None]


class Decision(Base):
    """The latest answer for a stakeholder, with its reason."""

    __tablename__ = "decision"
    # Every flow run asks who fell silent; hardly anybody does, so that it holds next to nothing.
    __table_args__ = (Index("ix_decision_silenced", "as_of", "play", sqlite_where=STALE, postgresql_where=STALE),)
    stakeholder_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(Key, index=True)
    as_of: Mapped[utc]
    answer: Mapped[word]
    reason: Mapped[word | None]
    #: touch: when it is due; wait: when the answer may change; never: null.
    until: Mapped[utc | None]
    content: Mapped[slug | None]
    play: Mapped[slug | None]
    stage: Mapped[word | None]
    #: touch: until when it may leave; a late step: until when it might have.
    not_after: Mapped[utc | None]
    timezone: Mapped[slug | None]
    timezone_source: Mapped[word | None]


def _undated(context: Any) -> str:
    """The fingerprint of a signal that is written row by row."""
    row = context.get_current_parameters()
    return fingerprint(row["source"], row["source_id"])


def _its_week(context: Any) -> int:
    return week_of(context.get_current_parameters()["received_at"])


class Signal(Base):
    """What came back. `kind` unknown is kept with its raw data."""

    __tablename__ = "signal"
    __table_args__ = (
        # Fingerprints sort by time: a key of names would write a page for each signal once history is long.
        UniqueConstraint("fingerprint", name="one_signal_per_source_and_id"),
        # One narrow way in from the account, since each further index costs a page a signal once history is long; by
        # weeks, so that it costs none: see accounts.ledger.weeks.
        Index("ix_signal_received_week_account_id", "received_week", "account_id"),
        Index("ix_signal_received_at", "received_at"),
        Index("ix_signal_harm", "occurred_at", sqlite_where=HARM, postgresql_where=HARM),
        Index("ix_signal_replied", "received_at", sqlite_where=REPLIED, postgresql_where=REPLIED),
        Index("ix_signal_strangers", "email_hash", sqlite_where=STRANGER, postgresql_where=STRANGER),
    )
    id: Mapped[pk]
    source: Mapped[word]
    source_id: Mapped[slug]
    #: Of both, and of the time where every telling brings the same.
    fingerprint: Mapped[str] = mapped_column(String(LENGTH), default=_undated)
    kind: Mapped[word]
    #: No foreign keys to accounts and touches, since none is ever deleted and a check is a third of storing a signal:
    #: docs/decisions/a-signal-is-not-checked-twice.md. People are erased, so a signal must not be in time to name one.
    account_id: Mapped[int | None] = mapped_column(Key)
    stakeholder_id: Mapped[int | None] = refers("stakeholder.id", index=False)
    touch_id: Mapped[int | None] = mapped_column(Key)
    #: The address it speaks of, also when nobody we know has it: a no counts for whoever gets that address later.
    email_hash: Mapped[sha256 | None]
    occurred_at: Mapped[utc]
    received_at: Mapped[utc]
    received_week: Mapped[int] = mapped_column(default=_its_week)
    is_machine: Mapped[bool] = mapped_column(default=False, server_default="0")
    machine_reason: Mapped[line | None]
    #: From 0 to 1, and from `accounts.machines.ENOUGH` on a machine's; null: nothing speaks for one.
    machine_confidence: Mapped[float | None]
    data: Mapped[json_value | None]


class Unapplied(Base):
    """Signals whose effects wait; whoever applies them takes them out in the same transaction.

    A queue beside the history, so that a signal is written once: a mark on it would write it anew, with all of its
    indexes on PostgreSQL and its whole page on SQLite.
    """

    __tablename__ = "unapplied"
    signal_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)


class Webhook(Base):
    """What a provider posted and proved to be its own, as it came: it waits here until it is understood.

    Then its body goes, and the row only remembers that it came.
    """

    __tablename__ = "webhook"
    __table_args__ = (
        UniqueConstraint("name", "provider", name="one_post_per_name"),
        Index("ix_webhook_unread", "id", sqlite_where=UNREAD, postgresql_where=UNREAD),
    )
    id: Mapped[pk]
    provider: Mapped[word]
    #: What the provider proved the post with, or calls it: a token that is good once, an id; else the body's digest.
    name: Mapped[slug]
    digest: Mapped[sha256]
    received_at: Mapped[utc] = mapped_column(index=True)
    #: Of the body: JSON, or a form.
    content_type: Mapped[line]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: `waiting`, `read`, or `unreadable` (then it is in quarantine).
    state: Mapped[word]
    error: Mapped[line | None]


class Score(Base):
    """Forward-decayed mass of a person, or of an account's signals that no person is known for; see engagement.py.

    `mass` is what the signals weigh at `latest_at`: that time is the row's own landmark, so nothing overflows.
    """

    __tablename__ = "score"
    account_id: Mapped[int] = mapped_column(Key, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    #: The stakeholder's id; 0 for signals of the account that no person is known for.
    person: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    mass: Mapped[float]
    signals: Mapped[int]
    latest_at: Mapped[utc]
    #: The play by whose rules it was added up: see `weighing`. Another one than the account's means: recompute.
    play: Mapped[slug]


class Weighing(Base):
    """The engagement rules that the scores of a play are made with; the oldest row's count where no play's do."""

    __tablename__ = "weighing"
    id: Mapped[pk]
    play: Mapped[slug] = mapped_column(unique=True)
    rules: Mapped[json_value]


class Hold(Base):
    __tablename__ = "hold"
    __table_args__ = (CheckConstraint("scope IN ('account', 'stakeholder')", name="scope_is_account_or_stakeholder"),)
    id: Mapped[pk]
    scope: Mapped[word]
    account_id: Mapped[int] = refers("account.id")
    stakeholder_id: Mapped[int | None] = refers("stakeholder.id")
    cause: Mapped[word]
    by: Mapped[line]
    note: Mapped[text | None]
    starts_at: Mapped[utc]
    ends_at: Mapped[utc | None]
    released_at: Mapped[utc | None]
    released_by: Mapped[line | None]
    #: What it does with the clock of the steps: `hold`, `keep` or `skip`; null: as the play says.
    clock: Mapped[word | None]
    #: The reply or meeting that caused it; each causes one hold, however often it is told.
    signal_id: Mapped[int | None] = mapped_column(Key, unique=True)


class Brake(Base):
    """A kill switch: while it is not released, nothing in its scope is claimed."""

    __tablename__ = "brake"
    __table_args__ = (
        Index("one_brake_at_a_time", "scope", "target", unique=True, sqlite_where=PULLED, postgresql_where=PULLED),
    )
    id: Mapped[pk]
    scope: Mapped[word]
    #: Play key, account key, rep's address or recipient domain; empty for global.
    target: Mapped[mailbox]
    by: Mapped[line]
    note: Mapped[text | None]
    at: Mapped[utc]
    released_at: Mapped[utc | None]
    released_by: Mapped[line | None]


class Veto(Base):
    """A rep's no to one content for one person, or to all mail for a person (content null)."""

    __tablename__ = "veto"
    id: Mapped[pk]
    stakeholder_id: Mapped[int] = refers("stakeholder.id")
    content: Mapped[slug | None]
    by: Mapped[line]
    at: Mapped[utc]
    note: Mapped[text | None]


class Delay(Base):
    """A "not yet" to one content for one person: planning waits until the latest day; a rep's stands beside others'."""

    __tablename__ = "delay"
    stakeholder_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    content: Mapped[slug] = mapped_column(primary_key=True)
    by: Mapped[line] = mapped_column(primary_key=True)
    until: Mapped[utc]
    at: Mapped[utc]


class Lease(Base):
    """An account that a rep works on: while it stands, the limits they set bind every play."""

    __tablename__ = "lease"
    __table_args__ = (
        Index("one_lease_per_account", "account_id", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
    )
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id", index=False)
    rep_id: Mapped[int] = refers("rep.id")
    taken_at: Mapped[utc]
    #: The latest sales activity, or word of the rep, that renewed it.
    renewed_at: Mapped[utc]
    ends_at: Mapped[utc]
    #: When the rep was told that it is about to lapse.
    noticed_at: Mapped[utc | None]
    ended_at: Mapped[utc | None]
    ended_by: Mapped[line | None]
    #: E-mails to the whole group in any seven days; null: as the play says.
    touches_per_week: Mapped[int | None]
    #: Ids of people nobody writes to, and topics nobody writes about.
    people: Mapped[json_value | None]
    topics: Mapped[json_value | None]
    ads: Mapped[bool] = mapped_column(default=True, server_default="1")


class Reprieve(Base):
    """Somebody's "better late than never" for one content and one person: its lateness counts from here."""

    __tablename__ = "reprieve"
    stakeholder_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    content: Mapped[slug] = mapped_column(primary_key=True)
    by: Mapped[line]
    at: Mapped[utc]


class ContentSeen(Base):
    """When planning first knew a content: nobody is late with a step that did not exist yet."""

    __tablename__ = "content_seen"
    content: Mapped[slug] = mapped_column(primary_key=True)
    first_seen_at: Mapped[utc]


class ContentLink(Base):
    """Where a link of a content led when it was sent: a click a year later still arrives there."""

    __tablename__ = "content_link"
    content_digest: Mapped[sha256] = mapped_column(primary_key=True)
    #: From 0, in the order the links stand in the text.
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    url: Mapped[text]
    #: Of a document that has a page of its own; null: a plain link.
    title: Mapped[line | None]


class PlaySeen(Base):
    """The edition of a play that planning last worked with; another one makes every account due once."""

    __tablename__ = "play_seen"
    play: Mapped[slug] = mapped_column(primary_key=True)
    version: Mapped[sha256]
    at: Mapped[utc]


class Approval(Base):
    """A rep's yes to the first touch of an account, where the play asks for one."""

    __tablename__ = "approval"
    account_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    by: Mapped[line]
    at: Mapped[utc]


class StageChange(Base):
    """A move of an account between stages, or the refusal of one."""

    __tablename__ = "stage_change"
    __table_args__ = (Index("ix_stage_change_account_id_at", "account_id", "at"), Index("ix_stage_change_at", "at"))
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id", index=False)
    from_stage: Mapped[word | None]
    to_stage: Mapped[word]
    at: Mapped[utc]
    cause: Mapped[line]
    refused_reason: Mapped[line | None]


class RoleChange(Base):
    """Who took which seat of the buying group, and on what evidence; gives the group as of any date."""

    __tablename__ = "role_change"
    __table_args__ = (Index("ix_role_change_stakeholder_id_at", "stakeholder_id", "at"),)
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id")
    stakeholder_id: Mapped[int] = refers("stakeholder.id", index=False)
    from_role: Mapped[word | None]
    to_role: Mapped[word]
    source: Mapped[word]
    evidence: Mapped[line | None]
    at: Mapped[utc]


class Feedback(Base):
    __tablename__ = "feedback"
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id")
    stakeholder_id: Mapped[int | None] = refers("stakeholder.id")
    rep_id: Mapped[int | None] = refers("rep.id")
    verdict: Mapped[word]
    topic: Mapped[line | None]
    note: Mapped[text | None]
    callback_on: Mapped[date | None]
    at: Mapped[utc]


class Objection(Base):
    """What a buyer holds against us, or wants to hear about, as a rep heard it; open until somebody answered it."""

    __tablename__ = "objection"
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id")
    stakeholder_id: Mapped[int | None] = refers("stakeholder.id")
    rep_id: Mapped[int | None] = refers("rep.id")
    #: `objection` or `topic`.
    kind: Mapped[word]
    words: Mapped[line]
    at: Mapped[utc]
    closed_at: Mapped[utc | None]
    closed_by: Mapped[line | None]


class RepAnswer(Base):
    """What a rep answered, wherever they did: the next brief says what changed because of it."""

    __tablename__ = "rep_answer"
    __table_args__ = (
        Index("ix_rep_answer_account_id_at", "account_id", "at"),
        Index("ix_rep_answer_brief_id", "brief_id"),
    )
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id", index=False)
    stakeholder_id: Mapped[int | None] = refers("stakeholder.id")
    rep_id: Mapped[int | None] = refers("rep.id")
    by: Mapped[line]
    #: `hold`, `veto`, `ripe`, `seat` …: see accounts.answers.
    kind: Mapped[word]
    #: What it is about, where that is not the account or the person: `touch:17`, `seat:economic_buyer`, `line:3`.
    about: Mapped[line | None]
    #: What changed because of it, as plain values.
    detail: Mapped[json_value | None]
    #: `email`, `slack`, `teams`, `web`, `cli`.
    via: Mapped[word]
    brief_id: Mapped[int | None] = mapped_column(Key)
    at: Mapped[utc]


class Handover(Base):
    """That an account changed hands, and whether both reps were told."""

    __tablename__ = "handover"
    id: Mapped[pk]
    account_id: Mapped[int] = refers("account.id")
    from_rep_id: Mapped[int | None] = refers("rep.id")
    to_rep_id: Mapped[int | None] = refers("rep.id")
    at: Mapped[utc]
    #: Ids of the holds and leases that moved along.
    moved: Mapped[json_value | None]


class Calibration(Base):
    """A look at how far scores agree with reps' verdicts, the weights it proposes, and who adopted them."""

    __tablename__ = "calibration"
    __table_args__ = (UniqueConstraint("play", "digest", name="one_calibration_per_proposal"),)
    id: Mapped[pk]
    play: Mapped[slug]
    made_at: Mapped[utc] = mapped_column(index=True)
    #: Of the weights before and those proposed.
    digest: Mapped[sha256]
    verdicts: Mapped[int]
    #: Weights by kind of signal; `proposed` holds those that would change and is empty when nothing is proposed.
    before: Mapped[json_value]
    proposed: Mapped[json_value]
    findings: Mapped[json_value]
    adopted_at: Mapped[utc | None]
    adopted_by: Mapped[line | None]


class SlaClock(Base):
    """A promise between the teams: who owes what since when, by when, and how it ended. Either side can read it."""

    __tablename__ = "sla_clock"
    __table_args__ = (
        UniqueConstraint("duty", "subject", name="one_clock_per_duty_and_cause"),
        Index("ix_sla_clock_account_id_state", "account_id", "state"),
        Index("ix_sla_clock_play_closed_at", "play", "closed_at"),
        Index("ix_sla_clock_due_at", "due_at"),
    )
    id: Mapped[pk]
    play: Mapped[slug]
    side: Mapped[word]
    duty: Mapped[word]
    #: What started it: `signal:17`, `feedback:5`, `plan:8`, `account:3@…`, a content and its digest.
    subject: Mapped[line]
    account_id: Mapped[int | None] = refers("account.id", index=False)
    #: Whom it is about; not a foreign key, since the clock outlives an erasure.
    stakeholder_id: Mapped[int | None] = mapped_column(Key)
    #: Sales: who owes, or stands in for who does. Marketing: whom it is owed to.
    rep_id: Mapped[int | None] = refers("rep.id")
    evidence: Mapped[json_value]
    #: When the cause happened; the clock starts when we knew of it.
    happened_at: Mapped[utc]
    started_at: Mapped[utc]
    #: Null while nobody can say, since a hold without an end pauses it.
    due_at: Mapped[utc | None]
    #: Spans in which holds paused it: [[from, until or null], …].
    paused: Mapped[json_value]
    #: [[percent, when it was told], …].
    warned: Mapped[json_value]
    state: Mapped[word]
    escalated_at: Mapped[utc | None]
    escalated_to: Mapped[mailbox | None]
    #: When it was kept, in time or late, or when it lapsed; by what.
    closed_at: Mapped[utc | None]
    closed_by: Mapped[line | None]


class Suppression(Base):
    """Addresses and domains nobody may write to. Hashes only: it survives erasure."""

    __tablename__ = "suppression"
    __table_args__ = (
        CheckConstraint("email_hash IS NOT NULL OR domain_hash IS NOT NULL", name="names_an_address_or_a_domain"),
        Index(
            "one_suppression_per_address",
            "email_hash",
            "reason",
            unique=True,
            sqlite_where=ADDRESS_ONLY,
            postgresql_where=ADDRESS_ONLY,
        ),
        Index(
            "one_suppression_per_domain",
            "domain_hash",
            "reason",
            unique=True,
            sqlite_where=DOMAIN_ONLY,
            postgresql_where=DOMAIN_ONLY,
        ),
    )
    id: Mapped[pk]
    email_hash: Mapped[sha256 | None] = mapped_column(index=True)
    domain_hash: Mapped[sha256 | None] = mapped_column(index=True)
    reason: Mapped[word]
    at: Mapped[utc]
    expires_at: Mapped[utc | None]


class Audience(Base):
    """An audience on an ad platform: the people or companies of one stage of a play."""

    __tablename__ = "audience"
    __table_args__ = (UniqueConstraint("platform", "name", "kind", name="one_audience_per_platform_and_name"),)
    id: Mapped[pk]
    platform: Mapped[word]
    name: Mapped[slug]
    play: Mapped[slug | None]
    stage: Mapped[word]
    kind: Mapped[word]
    synced_at: Mapped[utc | None]


class AudienceMember(Base):
    """Somebody in an audience: a person's hash in the platform's form, or a company's domain, and what is owed."""

    __tablename__ = "audience_member"
    __table_args__ = (Index("ix_audience_member_audience_id_state", "audience_id", "state"),)
    audience_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    member_hash: Mapped[str] = mapped_column(String(255), primary_key=True)
    state: Mapped[word]
    synced_at: Mapped[utc | None]


def _told_in(context: Any) -> list[int]:
    """The accounts of a brief that is written, as far as it names them by their ids."""
    accounts = context.get_current_parameters()["payload"].get("accounts", ())
    return [account["id"] for account in accounts if "id" in account]


class Brief(Base):
    """What one rep was told at one time: the brief itself with its evidence, and how its delivery went."""

    __tablename__ = "brief"
    __table_args__ = (UniqueConstraint("rep_id", "as_of", name="one_brief_per_rep_and_time"),)
    id: Mapped[pk]
    rep_id: Mapped[int] = refers("rep.id", index=False)
    as_of: Mapped[utc]
    words: Mapped[int]
    payload: Mapped[json_value]
    #: Ids of the accounts that are told in full: found without reading the payload, which is long.
    told: Mapped[json_value] = mapped_column(default=_told_in)
    #: `digest`; or `jump`, about the one account that turned hot between two digests.
    kind: Mapped[word] = mapped_column(default="digest", server_default="digest")
    delivered_at: Mapped[utc | None]
    channel: Mapped[word | None]
    message_id: Mapped[line | None] = mapped_column(unique=True)
    state: Mapped[word] = mapped_column(default="planned", server_default="planned")
    claimed_at: Mapped[utc | None]
    error: Mapped[line | None]
    opened_at: Mapped[utc | None]


class BriefDelivery(Base):
    """One road a brief took, or is to take: channels are tried in turn, and one that took it is the last."""

    __tablename__ = "brief_delivery"
    __table_args__ = (UniqueConstraint("brief_id", "channel", name="one_delivery_per_brief_and_channel"),)
    id: Mapped[pk]
    brief_id: Mapped[int] = refers("brief.id", index=False)
    channel: Mapped[word]
    state: Mapped[word]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    claimed_at: Mapped[utc | None]
    delivered_at: Mapped[utc | None]
    retry_at: Mapped[utc | None]
    #: What the channel calls it, so that it can be changed later: a message's time stamp, a task's id.
    ref: Mapped[line | None]
    #: When it was last changed to show what was answered.
    updated_at: Mapped[utc | None]
    error: Mapped[line | None]


class Letter(Base):
    """A short message to a rep, a manager or marketing that is no brief: a warning, an escalation, a handover."""

    __tablename__ = "letter"
    id: Mapped[pk]
    #: What it is about, once each: `sla:17:50`, `handover:5:to`, `lease:7:ending`.
    subject: Mapped[line] = mapped_column(unique=True)
    kind: Mapped[word]
    rep_id: Mapped[int | None] = refers("rep.id")
    address: Mapped[mailbox]
    payload: Mapped[json_value]
    written_at: Mapped[utc]
    state: Mapped[word]
    claimed_at: Mapped[utc | None]
    delivered_at: Mapped[utc | None]
    error: Mapped[line | None]


class Notice(Base):
    """That a buyer's reply, meeting or complaint was told to the rep; one for each hold it caused. Not a word of it."""

    __tablename__ = "notice"
    hold_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    rep_id: Mapped[int] = refers("rep.id")
    state: Mapped[word]
    claimed_at: Mapped[utc]
    delivered_at: Mapped[utc | None]
    error: Mapped[line | None]


class Announcement(Base):
    """That automations, and whoever else listens, have an event about something: each once, whichever run tells it."""

    __tablename__ = "announcement"
    #: What kind of thing (`vocabulary.About`), and its id in its own table; a number for what has none (a look).
    about: Mapped[word] = mapped_column(primary_key=True)
    fact_id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    told_at: Mapped[utc]


class Quarantine(Base):
    """A row that could not be taken: its reasons, its original values, and what became of it."""

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("source", "row_hash", name="one_quarantine_entry_per_row"),)
    id: Mapped[pk]
    source: Mapped[slug]
    dataset: Mapped[word]
    row_number: Mapped[int | None]
    row: Mapped[json_value]
    row_hash: Mapped[sha256]
    #: The row as the CSV contract writes it, after its mapping: what a retry judges again. Null: it could not be read.
    fields: Mapped[json_value | None]
    #: What identifies the row, as far as it says: a later row with the same key settles this one.
    key: Mapped[mailbox | None] = mapped_column(index=True)
    account: Mapped[slug | None]
    reasons: Mapped[json_value]
    first_seen: Mapped[utc]
    retried_at: Mapped[utc | None]
    resolved_at: Mapped[utc | None] = mapped_column(index=True)


class MailboxState(Base):
    """How far a folder of the reply mailbox was read: mails up to `last_uid` are in the ledger, or in quarantine."""

    __tablename__ = "mailbox_state"
    #: ``replies@mail.example/INBOX``
    folder: Mapped[line] = mapped_column(primary_key=True)
    #: The server's word for "the UIDs are the same as before" (RFC 3501, 2.3.1.1).
    uidvalidity: Mapped[int] = mapped_column(Key)
    last_uid: Mapped[int] = mapped_column(Key)
    read_at: Mapped[utc]


class Audit(Base):
    """Append-only, hash-chained: each row's hash covers its content and the hash before it."""

    __tablename__ = "audit"
    id: Mapped[pk]
    at: Mapped[utc]
    actor: Mapped[line]
    action: Mapped[word]
    subject: Mapped[line]
    before: Mapped[json_value | None]
    after: Mapped[json_value | None]
    #: Unique, so that the chain cannot fork.
    prev_hash: Mapped[sha256] = mapped_column(unique=True)
    hash: Mapped[sha256] = mapped_column(unique=True)
