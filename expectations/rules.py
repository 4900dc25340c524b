"""A rule about data: one sentence people agree on, and the query that finds what breaks it.

The same SQL serves three times: the import sets aside the rows it finds, Great Expectations judges that none are left,
and a test puts one bad row in front of it. Most rules are a condition on a single row, so that one look at each row
answers all of them. Write no JOIN (Great Expectations would take `{batch}` for a table without alias then), and no
colon before a letter.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`critical` turns a row away; `warning` is told and keeps it."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation: `broken_when`, a condition of offending rows, or `sql`, a whole query for their `entry`."""

    id: str
    #: What holds for good data; Great Expectations reports it, docs list it.
    sentence: str
    #: What is said of one row that breaks it.
    complaint: str
    #: What to do about it.
    cure: str
    #: The column of the CSV contract that is to blame; None: the row as a whole.
    column: str | None
    broken_when: str = ""
    sql: str = ""
    severity: Severity = Severity.CRITICAL

    def __post_init__(self) -> None:
        if self.broken_when:
            object.__setattr__(self, "sql", f"SELECT entry FROM {{batch}} WHERE {self.broken_when}")

    def query(self, batch: str, values: Mapping[str, str]) -> str:
        """`sql` about `batch`; `values` fill its other names, such as ``{now}``."""
        return filled(self.sql, values).replace("{batch}", batch)


@dataclass(frozen=True, slots=True)
class Suite:
    """All rules about one kind of row."""

    name: str
    rules: tuple[Rule, ...]

    @property
    def critical(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.severity is Severity.CRITICAL)

    @property
    def warnings(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.severity is Severity.WARNING)

    @property
    def about_rows(self) -> tuple[Rule, ...]:
        """Critical rules that a single row keeps or breaks, whatever the other rows say."""
        return tuple(rule for rule in self.critical if rule.broken_when)

    @property
    def about_all(self) -> tuple[Rule, ...]:
        """Critical rules about rows beside each other."""
        return tuple(rule for rule in self.critical if not rule.broken_when)

    @property
    def version(self) -> str:
        """SHA-256 over all rules: another version may judge differently."""
        words = "\n".join(f"{rule.id} {rule.severity} {rule.sql}" for rule in self.rules)
        return hashlib.sha256(words.encode()).hexdigest()

    def rule(self, id: str) -> Rule:
        """The rule with this id. Raises KeyError when there is none."""
        return {rule.id: rule for rule in self.rules}[id]


def any_broken(rules: Sequence[Rule], values: Mapping[str, str]) -> str:
    """The condition of a row that breaks one of these rules at least."""
    return " OR ".join(f"({filled(rule.broken_when, values)})" for rule in rules)


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders filled, but for ``{batch}``. The values are ours, never a file's."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


#: How a defect stands in `defects`: names of columns between commas, "(row)" for a row that cannot be read at all.
ROW_IS_WHOLE = Rule(
    id="row_is_whole",
    sentence="Each row has one value per column and its quotes are closed.",
    complaint="the row cannot be read",
    cure="mend the row or export the file again",
    column=None,
    broken_when="defects LIKE '%,(row),%'",
)

VALUES_CAN_BE_READ = Rule(
    id="values_can_be_read",
    sentence="Every date, number, address, time zone and yes-or-no can be read as one.",
    complaint="a value cannot be read",
    cure="mend the value, or describe its format in a mapping file",
    column=None,
    broken_when="defects IS NOT NULL",
)


def account_is_named(whose: str) -> Rule:
    return Rule(
        id="account_is_named",
        sentence=f"Every {whose} names its account.",
        complaint="the row names no account",
        cure="fill in the account and import again",
        column="account",
        broken_when="account IS NULL",
    )


def account_is_known(whose: str) -> Rule:
    return Rule(
        id="account_is_known",
        sentence=f"The account of every {whose} is one we have.",
        complaint="the account is not one we have",
        cure="import the account, then: tandem quarantine retry",
        column="account",
        broken_when="account IS NOT NULL AND account_id IS NULL",
    )


def rep_is_known(whose: str, column: str, resolved: str) -> Rule:
    return Rule(
        id=f"{resolved.removesuffix('_id')}_is_known",
        sentence=f"A rep named by {whose} is one of ours.",
        complaint="the rep is not one of ours",
        cure="import the rep, then: tandem quarantine retry",
        column=column,
        broken_when=f"{column} IS NOT NULL AND {resolved} IS NULL",
    )


def not_in_the_future(column: str, sentence: str, complaint: str | None = None) -> Rule:
    return Rule(
        id=f"{column}_is_not_in_the_future",
        sentence=sentence,
        complaint=complaint or f"{column} lies in the future",
        cure="correct the date; a row whose time has come passes with: tandem quarantine retry",
        column=column,
        broken_when=f"{column} > {{now}}",
    )


def one_of(column: str, words: tuple[str, ...], sentence: str) -> Rule:
    listed = ", ".join(f"'{word}'" for word in words)
    return Rule(
        id=f"{column}_is_known",
        sentence=sentence,
        complaint=f"{column} is not one of {', '.join(words)}",
        cure="correct it, or translate it with `values` in a mapping file",
        column=column,
        broken_when=f"{column} NOT IN ({listed})",
    )


def is_given(column: str, staged: str, sentence: str, complaint: str) -> Rule:
    return Rule(
        id=f"{column}_is_given",
        sentence=sentence,
        complaint=complaint,
        cure="fill it in and import again",
        column=column,
        broken_when=f"{staged} IS NULL",
    )


def has_a_domain(column: str, whose: str) -> Rule:
    return Rule(
        id=f"{column}_has_a_domain",
        sentence=f"The e-mail address of every {whose} is a name, one @ and a domain with a dot.",
        complaint="the e-mail address has no domain, no name, or more than one @",
        cure="correct the address and import again",
        column=column,
        broken_when=f"{column} NOT LIKE '%_@_%._%' OR {column} LIKE '%@%@%'",
    )


def stands_once(column: str, key: tuple[str, ...], sentence: str, complaint: str) -> Rule:
    """The first row with a key is taken, later ones are set aside."""
    keys = ", ".join(key)
    return Rule(
        id=f"{column}_stands_once",
        sentence=sentence,
        complaint=complaint,
        cure="keep the right row and remove the other; tandem quarantine dismiss settles it here",
        column=column,
        sql=(
            f"SELECT entry FROM (SELECT entry, row_number() OVER (PARTITION BY {keys} ORDER BY entry) AS copy "
            f"FROM {{batch}} WHERE ({keys}) IN (SELECT {keys} FROM {{batch}} GROUP BY {keys} HAVING COUNT(*) > 1)"
            ") AS copies WHERE copy > 1"
        ),
    )
