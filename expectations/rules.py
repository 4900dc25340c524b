"""A rule about data: one sentence people agree on, and the query that finds what breaks it.

The same query serves three times: the import sets aside the rows it finds, Great Expectations judges that none are
left, and a test puts one bad row in front of it. Write queries without JOIN (Great Expectations would take `{batch}`
for a table without alias then), and without a colon before a letter.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`critical` turns a row away; `warning` is told and keeps it."""

    CRITICAL = "critical"
    WARNING = "warning"


class Among(StrEnum):
    """Which rows a rule looks at: all that came, or only those that no other rule turned away."""

    ALL = "all"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation. `sql` selects the column `entry` of the offending rows from ``{batch}``."""

    id: str
    #: What holds for good data; Great Expectations reports it, docs list it.
    sentence: str
    #: What is said of one row that breaks it.
    complaint: str
    #: What to do about it.
    cure: str
    #: The column of the CSV contract that is to blame; None: the row as a whole.
    column: str | None
    sql: str
    severity: Severity = Severity.CRITICAL
    among: Among = Among.ALL

    def query(self, batch: str, values: Mapping[str, str]) -> str:
        """`sql` about `batch`; `values` fill its other names, such as ``{now}``. They are ours, never a file's."""
        return self.judged(values).replace("{batch}", batch)

    def judged(self, values: Mapping[str, str]) -> str:
        """`sql` with everything filled in but ``{batch}``, which Great Expectations puts in itself."""
        text = self.sql
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text


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
    def version(self) -> str:
        """SHA-256 over all rules: another version may judge differently."""
        words = "\n".join(f"{rule.id} {rule.severity} {rule.among} {rule.sql}" for rule in self.rules)
        return hashlib.sha256(words.encode()).hexdigest()

    def rule(self, id: str) -> Rule:
        """The rule with this id. Raises KeyError when there is none."""
        return {rule.id: rule for rule in self.rules}[id]


#: How a defect stands in `defects`: names of columns between commas, "(row)" for a row that cannot be read at all.
ROW_IS_WHOLE = Rule(
    id="row_is_whole",
    sentence="Each row has one value per column and its quotes are closed.",
    complaint="the row cannot be read",
    cure="mend the row or export the file again",
    column=None,
    sql="SELECT entry FROM {batch} WHERE defects LIKE '%,(row),%'",
)

VALUES_CAN_BE_READ = Rule(
    id="values_can_be_read",
    sentence="Every date, number, address, time zone and yes-or-no can be read as one.",
    complaint="a value cannot be read",
    cure="mend the value, or describe its format in a mapping file",
    column=None,
    sql="SELECT entry FROM {batch} WHERE defects IS NOT NULL",
)


def account_is_named(whose: str) -> Rule:
    return Rule(
        id="account_is_named",
        sentence=f"Every {whose} names its account.",
        complaint="the row names no account",
        cure="fill in the account and import again",
        column="account",
        sql="SELECT entry FROM {batch} WHERE account IS NULL",
    )


def account_is_known(whose: str) -> Rule:
    return Rule(
        id="account_is_known",
        sentence=f"The account of every {whose} is one we have.",
        complaint="the account is not one we have",
        cure="import the account, then: tandem quarantine retry",
        column="account",
        sql="SELECT entry FROM {batch} WHERE account IS NOT NULL AND account_id IS NULL",
    )


def rep_is_known(whose: str, column: str, resolved: str) -> Rule:
    return Rule(
        id=f"{resolved.removesuffix('_id')}_is_known",
        sentence=f"A rep named by {whose} is one of ours.",
        complaint="the rep is not one of ours",
        cure="import the rep, then: tandem quarantine retry",
        column=column,
        sql=f"SELECT entry FROM {{batch}} WHERE {column} IS NOT NULL AND {resolved} IS NULL",
    )


def not_in_the_future(column: str, sentence: str, complaint: str | None = None) -> Rule:
    return Rule(
        id=f"{column}_is_not_in_the_future",
        sentence=sentence,
        complaint=complaint or f"{column} lies in the future",
        cure="correct the date; a row whose time has come passes with: tandem quarantine retry",
        column=column,
        sql=f"SELECT entry FROM {{batch}} WHERE {column} > {{now}}",
    )


def one_of(column: str, words: tuple[str, ...], sentence: str) -> Rule:
    listed = ", ".join(f"'{word}'" for word in words)
    return Rule(
        id=f"{column}_is_known",
        sentence=sentence,
        complaint=f"{column} is not one of {', '.join(words)}",
        cure="correct it, or translate it with `values` in a mapping file",
        column=column,
        sql=f"SELECT entry FROM {{batch}} WHERE {column} NOT IN ({listed})",
    )


def is_given(column: str, staged: str, sentence: str, complaint: str) -> Rule:
    return Rule(
        id=f"{column}_is_given",
        sentence=sentence,
        complaint=complaint,
        cure="fill it in and import again",
        column=column,
        sql=f"SELECT entry FROM {{batch}} WHERE {staged} IS NULL",
    )


def has_a_domain(column: str, whose: str) -> Rule:
    return Rule(
        id=f"{column}_has_a_domain",
        sentence=f"The e-mail address of every {whose} is a name, one @ and a domain with a dot.",
        complaint="the e-mail address has no domain, no name, or more than one @",
        cure="correct the address and import again",
        column=column,
        sql=f"SELECT entry FROM {{batch}} WHERE {column} NOT LIKE '%_@_%._%' OR {column} LIKE '%@%@%'",
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
            "SELECT entry FROM (SELECT entry, row_number() OVER "
            f"(PARTITION BY {keys} ORDER BY entry) AS copy FROM {{batch}}) AS copies WHERE copy > 1"
        ),
        among=Among.ACCEPTED,
    )
