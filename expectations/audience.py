"""What must hold for a send plan before anybody in it gets mail: the audience suite.

The rows of a plan are looked at as they stand at one moment, each beside the facts about its person, its account and
its content (snapshot.py). A rule names what must never be among them: the query finds what breaks it.

Rules about rows cancel those rows, with the reason. Rules about the plan as a whole ask a person. Write queries over
``{batch}`` without JOIN, without a percent sign and without a colon before a letter: Great Expectations would take the
one for a table without alias, and drivers the others for parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from statistics import median

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

    #: Messages a plan may hold without asking, whatever earlier ones held; None: any number. The play says it.
    most: int | None = None
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


#: The first rule a row breaks names its reason: what the person said comes first. snapshot.py says what each fact is.
ROW_RULES: tuple[Rule, ...] = (
    _row("address_is_the_persons", Refusal.ADDRESS_CHANGED,
         "Everybody is still there, at the address that was planned.", "NOT same_address"),
    _row("nobody_opted_out", Reason.OPTED_OUT, "Nobody opted out or complained, in whichever account.", "opted_out"),
    _row("nobody_is_suppressed", Reason.SUPPRESSED, "No address and no domain is suppressed.", "suppressed"),
    _row("nobody_left", Reason.LEFT, "Nobody has left the company.", "gone"),
    _row("nobody_bounced", Reason.BOUNCED, "No address has bounced.", "bounced"),
    _row("consent_is_present", Reason.NO_CONSENT,
         "Everybody gave a basis to write to them, and it has begun.", "NOT consented"),
    _row("sales_made_contact_first", Reason.NOT_CONTACTED,
         "Sales has had a real contact with every account.", "NOT contacted"),
    _row("stage_is_nurtured", Reason.STAGE_NOT_NURTURED,
         "The play nurtures the stage of every account.", "NOT nurtured"),
    _row("stage_is_the_accounts", Refusal.STAGE_CHANGED,
         "Every message is for the stage its account is in.", "NOT same_stage"),
    _row("nobody_is_held", Reason.ACCOUNT_HELD, "No account and no person is held.", "held"),
    _row("nobody_is_away", Reason.AWAY, "Nobody is away by their own word.", "away"),
    _row("nobody_was_vetoed", Reason.VETOED, "No rep said no to the person or the content.", "vetoed"),
    _row("one_account_owns_the_address", Reason.OWNER_CONFLICT,
         "No address stands undecided in two accounts.", "owner_conflict"),
    _row("a_rep_signs", Refusal.NO_OWNER, "Every account has a rep in whose name we write.", "NOT signed"),
    _row("content_is_the_plays", Refusal.CONTENT_CHANGED,
         "Every content is one of the play, for that stage, with the words that were planned.", "NOT same_words"),
    _row("content_has_not_expired", Reason.CONTENT_EXPIRED, "No content has expired.", "expired"),
    _row("everybody_is_due_now", Refusal.NOT_DUE, "Everybody is due, and nobody too late.", "NOT due"),
    _row("address_looks_valid", Refusal.BAD_ADDRESS,
         "Every address is a name, one @ and a domain with a dot, without blanks.", "NOT well_formed"),
    _row("each_address_stands_once", Refusal.DUPLICATE_ADDRESS,
         "No address gets two messages from one plan.", "copy > 1"),
    _row("person_is_within_the_cap", Reason.PERSON_CAP,
         "Nobody gets more in a week than the play allows.", "person_mails >= person_cap"),
    _row("account_is_within_the_cap", Reason.ACCOUNT_CAP,
         "No account gets more in a week than the play allows.", "account_mails + place_in_account > account_cap"),
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
    if limits.most is not None:
        sentence = f"The plan has no more messages than may leave without a person's word: {limits.most} at most."
        rules.append(Rule("size_needs_no_word", sentence, _larger_than(limits.most), About.PLAN))
    if len(history.sizes) >= limits.least_history:
        usual = median(history.sizes)
        most = max(int(usual * limits.growth), limits.small)
        sentence = f"The plan is not much larger than usual: at most {most}, usually {usual:g}."
        shifted = (
            f"SELECT stage FROM {{batch}} WHERE plan_size >= {limits.small} GROUP BY stage, plan_size, usual_share "
            f"HAVING count(*) * 1.0 / plan_size - usual_share > {limits.mix}"
        )
        mixed = f"No stage takes {limits.mix:.0%} more of the plan than it usually does."
        rules += [
            Rule("size_is_like_before", sentence, _larger_than(most), About.PLAN),
            Rule("mix_is_like_before", mixed, shifted, About.PLAN),
        ]
    return tuple(rules)


def _larger_than(most: int) -> str:
    return f"SELECT plan_size FROM {{batch}} GROUP BY plan_size HAVING count(*) > {most}"


def suite(limits: Limits, history: History) -> tuple[Rule, ...]:
    """All rules, in the order they are reported."""
    return (*ROW_RULES, *plan_rules(limits, history))


def version_of(rules: Iterable[Rule], limits: Limits) -> str:
    """SHA-256 over all rules and limits: another version may judge differently."""
    words = [f"{rule.id} {rule.about} {rule.reason} {rule.finds}" for rule in rules]
    return sha256("\n".join([*words, repr(limits)]).encode()).hexdigest()
