"""What must hold for a send plan before anybody in it gets mail: the audience suite.

The rows of a plan are looked at as they stand at one moment, each beside the facts about its person, its account and
its content (`snapshot`). A rule names what must never be among them: the query finds what breaks it.

Rules about rows cancel those rows, with the reason. Rules about the plan as a whole ask a person. Write queries over
``{batch}`` without JOIN, without a percent sign and without a colon before a letter: Great Expectations would take the
one for a table without alias, and drivers the others for parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from statistics import median

from accounts.playbook import Play
from accounts.touch_states import Refusal
from accounts.vocabulary import Reason


class About(StrEnum):
    """What a broken rule does."""

    ROW = "row"  # the row is cancelled with the rule's reason
    PLAN = "plan"  # the plan waits for a person
    ALL = "all"  # nothing leaves


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation, named after its business sentence. `finds`: the query for what breaks it."""

    id: str
    sentence: str
    finds: str
    about: About = About.ROW
    #: Of a row that breaks it; empty for rules about the plan.
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on a plan as a whole looks odd enough to ask a person."""

    #: A plan this many times as large as the usual one (median of the last ten), and at least `small`.
    growth: float = 3.0
    #: Plans and groups below this size are never odd.
    small: int = 50
    #: Plans there must have been before sizes and mixes are compared.
    least_history: int = 3
    #: A stage whose share of the plan is this much above its usual share.
    mix: float = 0.5
    #: Words nobody has received yet go to this many people at most.
    first_readers: int = 50
    #: Share of failing rows, and their least number.
    failing_share: float = 0.2
    failing_least: int = 5


@dataclass(frozen=True, slots=True)
class History:
    """What the last plans of this play sent: their sizes, and each stage's share of all of it (0 to 1)."""

    sizes: Sequence[int] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


def _row(id: str, reason: str, sentence: str, where: str) -> Rule:
    return Rule(id, sentence, f"SELECT touch_id FROM {{batch}} WHERE {where}", About.ROW, reason)


#: The first rule a row breaks names its reason: what the person said comes first.
ROW_RULES: tuple[Rule, ...] = (
    _row(
        "address_is_the_persons", Refusal.ADDRESS_CHANGED,
        "Everybody is still there, at the address that was planned.",
        "current_address IS NULL OR current_address <> address",
    ),
    _row("nobody_opted_out", Reason.OPTED_OUT, "Nobody opted out or complained, in whichever account.", "opted_out"),
    _row("nobody_is_suppressed", Reason.SUPPRESSED, "No address and no domain is suppressed.", "suppressed"),
    _row("nobody_left", Reason.LEFT, "Nobody has left the company.", "gone"),
    _row("nobody_bounced", Reason.BOUNCED, "No address has bounced.", "bounced"),
    _row(
        "consent_is_present", Reason.NO_CONSENT,
        "Everybody gave a basis to write to them, and it has begun.",
        "consent_basis IS NULL OR consent_at > judged_at",
    ),
    _row(
        "sales_made_contact_first", Reason.NOT_CONTACTED,
        "Sales has had a real contact with every account.",
        "first_contacted_at IS NULL OR first_contacted_at > judged_at",
    ),
    _row("stage_is_nurtured", Reason.STAGE_NOT_NURTURED, "The play nurtures the stage of every account.",
         "nurtured IS NULL"),
    _row("stage_is_the_accounts", Refusal.STAGE_CHANGED, "Every message is for the stage its account is in.",
         "stage <> account_stage"),
    _row("nobody_is_held", Reason.ACCOUNT_HELD, "No account and no person is held.", "held"),
    _row("nobody_is_away", Reason.AWAY, "Nobody is away by their own word.", "paused_until > judged_at"),
    _row("nobody_was_vetoed", Reason.VETOED, "No rep said no to the person or the content.", "vetoed"),
    _row("one_account_owns_the_address", Reason.OWNER_CONFLICT, "No address stands undecided in two accounts.",
         "owner_conflict"),
    _row("a_rep_signs", Refusal.NO_OWNER, "Every account has a rep in whose name we write.", "rep_email IS NULL"),
    _row(
        "content_is_the_plays", Refusal.CONTENT_CHANGED,
        "Every content is one of the play, for that stage, with the words that were planned.",
        "play_digest IS NULL OR play_digest <> content_digest OR play_stage <> stage",
    ),
    _row("content_has_not_expired", Reason.CONTENT_EXPIRED, "No content has expired.", "expires < judged_on"),
    _row("everybody_is_due_now", Refusal.NOT_DUE, "Everybody is due, and nobody too late.",
         "due_at > judged_at OR not_after < judged_at"),
    _row(
        "address_looks_valid", Refusal.BAD_ADDRESS,
        "Every address is a name, one @ and a domain with a dot, without blanks.",
        "length(address) - length(replace(address, '@', '')) <> 1 OR substr(address, 1, 1) = '@' OR length(domain) < 3 "
        "OR replace(domain, '.', '') = domain OR substr(domain, 1, 1) = '.' "
        "OR substr(domain, length(domain), 1) = '.' OR replace(replace(address, ' ', ''), ',', '') <> address",
    ),
    _row("each_address_stands_once", Refusal.DUPLICATE_ADDRESS, "No address gets two messages from one plan.",
         "copy > 1"),
    _row("person_is_within_the_cap", Reason.PERSON_CAP, "Nobody gets more in a week than the play allows.",
         "person_mails >= person_cap"),
    _row("account_is_within_the_cap", Reason.ACCOUNT_CAP, "No account gets more in a week than the play allows.",
         "account_mails + place_in_account > account_cap"),
)  # fmt: skip

SOMEBODY = "somebody_is_in_it"
TOO_MANY_FAIL = "few_rows_fail"


def plan_rules(limits: Limits, history: History) -> tuple[Rule, ...]:
    """Rules about the plan as a whole; those that compare with history only once there is enough of it."""
    fresh = (
        f"SELECT content FROM {{batch}} WHERE NOT sent_before GROUP BY content HAVING count(*) > {limits.first_readers}"
    )
    rules = [
        Rule(
            "new_words_reach_few", f"Words nobody has received yet go to {limits.first_readers} people at most.", fresh,
            About.PLAN,
        )
    ]  # fmt: skip
    if len(history.sizes) >= limits.least_history:
        usual = median(history.sizes)
        most = max(int(usual * limits.growth), limits.small)
        sentence = f"The plan is not much larger than usual: at most {most}, usually {usual:g}."
        too_large = f"SELECT plan_size FROM {{batch}} GROUP BY plan_size HAVING count(*) > {most}"
        shifted = (
            f"SELECT stage FROM {{batch}} WHERE plan_size >= {limits.small} GROUP BY stage, plan_size, usual_share "
            f"HAVING count(*) * 1.0 / plan_size - usual_share > {limits.mix}"
        )
        mixed = f"No stage takes {limits.mix:.0%} more of the plan than it usually does."
        rules += [
            Rule("size_is_like_before", sentence, too_large, About.PLAN),
            Rule("mix_is_like_before", mixed, shifted, About.PLAN),
        ]
    return tuple(rules)


def suite(limits: Limits, history: History) -> tuple[Rule, ...]:
    """All rules, in the order they are reported."""
    return (*ROW_RULES, *plan_rules(limits, history))


def version_of(rules: Iterable[Rule], limits: Limits) -> str:
    """SHA-256 over all rules and limits: another version may judge differently."""
    words = [f"{rule.id} {rule.about} {rule.reason} {rule.finds}" for rule in rules]
    return sha256("\n".join([*words, repr(limits)]).encode()).hexdigest()


def snapshot(dialect: str, plan_id: int, play: Play, now: datetime, history: History) -> str:
    """The query for the planned rows of a plan, each with all facts the rules ask for. One row per touch."""
    sqlite = dialect == "sqlite"
    at, week_ago = _instant(now, sqlite), _instant(now - timedelta(days=7), sqlite)
    steps = [(step.key, step.stage, step.digest, step.expires.isoformat()) for step in play.steps]
    nurtured = [(stage.key,) for stage in play.stages if stage.nurtured]
    shares = [(stage.key, repr(history.shares.get(stage.key, 0.0))) for stage in play.stages]
    rep_mails = _REP_MAILS if play.caps.count_rep_emails else "0"
    return " ".join(
        _SNAPSHOT.format(
            plan_id=int(plan_id), now=at, today=f"'{now.date().isoformat()}'", week_ago=week_ago,
            domain="substr(t.address, instr(t.address, '@') + 1)" if sqlite else "split_part(t.address, '@', 2)",
            steps=_table(steps, 4), nurtured=_table(nurtured, 1), shares=_table(shares, 2),
            counts=_COUNTS.format(week_ago=week_ago),
            person_cap=play.caps.person_per_week, account_cap=play.caps.account_per_week,
            person_rep_mails=rep_mails.format(whose="v.stakeholder_id = t.stakeholder_id", week_ago=week_ago, now=at),
            account_rep_mails=rep_mails.format(whose="1 = 1", week_ago=week_ago, now=at),
        ).split()
    )  # fmt: skip


def _instant(moment: datetime, sqlite: bool) -> str:
    """A literal, as the database keeps times."""
    written = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    return f"'{written}'" if sqlite else f"TIMESTAMPTZ '{written}+00'"


def _table(rows: Sequence[tuple[str, ...]], columns: int) -> str:
    """Rows as a table whose columns are column1, column2 …, on either database; without rows, one that fits nothing."""
    lines = [", ".join(map(_text, row)) for row in rows] or [", ".join(["NULL"] * columns)]
    return "(VALUES " + ", ".join(f"({line})" for line in lines) + ")"


def _text(value: str) -> str:
    """A literal. Keys and digests are ours; a mark that a driver could misread is turned into one nothing equals."""
    return "'" + value.replace("'", "''").replace(":", "?").replace("%", "?").replace("\\", "?") + "'"


#: What left in the last seven days, may have left, or may leave any moment.
_COUNTS = """(o.sent_at > {week_ago} OR o.state IN ('certified', 'sending')
    OR o.state = 'unknown' AND o.claimed_at > {week_ago})"""
_REP_MAILS = (
    "(SELECT count(*) FROM activity v WHERE v.account_id = t.account_id AND {whose} AND v.kind = 'email' "
    "AND v.direction = 'outbound' AND v.occurred_at > {week_ago} AND v.occurred_at <= {now})"
)

_SNAPSHOT = """
SELECT t.id AS touch_id, t.address, {domain} AS domain, t.content, t.content_digest, t.stage, t.due_at, t.not_after,
       {now} AS judged_at, {today} AS judged_on,
       s.email AS current_address, s.consent_basis, s.consent_at, s.paused_until, s.owner_conflict,
       a.stage AS account_stage, a.first_contacted_at, r.email AS rep_email,
       step.column2 AS play_stage, step.column3 AS play_digest, step.column4 AS expires, nurture.column1 AS nurtured,
       CAST(coalesce(share.column2, '0') AS REAL) AS usual_share,
       EXISTS (SELECT 1 FROM stakeholder n WHERE n.email_hash = s.email_hash
               AND (n.opted_out_at IS NOT NULL OR n.email_status = 'complained')) AS opted_out,
       EXISTS (SELECT 1 FROM stakeholder n WHERE n.email_hash = s.email_hash AND n.email_status = 'left') AS gone,
       EXISTS (SELECT 1 FROM stakeholder n WHERE n.email_hash = s.email_hash AND n.email_status = 'bounced') AS bounced,
       EXISTS (SELECT 1 FROM suppression x WHERE (x.email_hash = m.email_hash
               OR x.domain_hash = m.domain_hash AND x.email_hash IS NULL)
               AND (x.expires_at IS NULL OR x.expires_at > {now})) AS suppressed,
       EXISTS (SELECT 1 FROM hold h WHERE h.account_id = t.account_id
               AND (h.scope = 'account' OR h.stakeholder_id = t.stakeholder_id) AND h.released_at IS NULL
               AND h.starts_at <= {now} AND (h.ends_at IS NULL OR h.ends_at > {now})) AS held,
       EXISTS (SELECT 1 FROM veto w WHERE w.stakeholder_id = t.stakeholder_id
               AND (w.content IS NULL OR w.content = t.content)) AS vetoed,
       coalesce(words.known, 0) = 1 AS sent_before,
       (SELECT count(*) FROM touch o WHERE o.stakeholder_id = t.stakeholder_id AND {counts})
               + {person_rep_mails} AS person_mails,
       (SELECT count(*) FROM touch o WHERE o.account_id = t.account_id AND {counts})
               + {account_rep_mails} AS account_mails,
       {person_cap} AS person_cap, {account_cap} AS account_cap,
       row_number() OVER (PARTITION BY t.address ORDER BY t.id) AS copy,
       row_number() OVER (PARTITION BY t.account_id ORDER BY t.due_at, t.id) AS place_in_account,
       count(*) OVER () AS plan_size
  FROM touch t
  JOIN plan_member m ON m.plan_id = t.plan_id AND m.touch_id = t.id
  LEFT JOIN stakeholder s ON s.id = t.stakeholder_id
  LEFT JOIN account a ON a.id = t.account_id
  LEFT JOIN rep r ON r.id = t.rep_id
  LEFT JOIN {steps} AS step ON step.column1 = t.content
  LEFT JOIN {nurtured} AS nurture ON nurture.column1 = a.stage
  LEFT JOIN {shares} AS share ON share.column1 = t.stage
  LEFT JOIN (SELECT d.content_digest, 1 AS known FROM
               (SELECT DISTINCT content, content_digest FROM touch WHERE plan_id = {plan_id}) d
             WHERE EXISTS (SELECT 1 FROM touch e WHERE e.content = d.content AND e.state = 'sent'
                           AND e.content_digest = d.content_digest)) AS words ON words.content_digest = t.content_digest
 WHERE t.plan_id = {plan_id} AND t.state = 'planned'
"""
