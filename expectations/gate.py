"""The gate: may this send plan leave? Great Expectations judges the frozen rows, the verdict is ours.

    verdict = judge(engine, plan_id, play, now)      # reads only; flows/nurturing.py certifies, holds or rejects

The rows are copied once into a temporary table over a connection of the gate's own, so every rule sees the same moment.
Great Expectations fails open in known ways (an empty suite passes, so does an empty table, a crashed rule keeps its
severity): every rule that was asked has to come back, none may have crashed, there is at least one row, and whatever
else goes wrong in its many layers means that nothing leaves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine

from accounts.ledger.engine import reading
from accounts.ledger.planning import plans
from accounts.playbook import Play
from accounts.touch_states import explain
from expectations import snapshot
from expectations.audience import (
    SOMEBODY,
    TOO_MANY_FAIL,
    About,
    History,
    Limits,
    Rule,
    suite,
    version_of,
)  # fmt: skip
from expectations.hearing import CRASHED, Answers, hear


class Word(StrEnum):
    """What the gate says of a plan."""

    CERTIFY = "certify"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one rule. `count`: rows that break it; 1 for a rule about the whole plan; None when it crashed."""

    rule: str
    sentence: str
    about: About
    count: int | None

    @property
    def kept(self) -> bool:
        return self.count == 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer about one plan, on the digest it looked at."""

    plan_id: int
    digest: str
    suite_version: str
    word: Word
    rows: int
    #: Why the word is not "certify"; sentences.
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    #: touch id -> reason, of the rows that must not leave.
    failing: Mapping[int, str]

    @property
    def cancelled(self) -> dict[str, int]:
        """Reason -> how many rows must not leave for it, the most frequent first."""
        return _count(self.failing.values())

    def checks(self) -> dict[str, Any]:
        """What `send_plan.checks` keeps: counts and sentences, no person."""
        return {
            "word": self.word, "rows": self.rows, "failing": len(self.failing), "suite": self.suite_version,
            "reasons": list(self.reasons), "cancelled": self.cancelled,
            "rules": [
                {"rule": one.rule, "sentence": one.sentence, "about": one.about, "count": one.count}
                for one in self.findings
            ],
        }  # fmt: skip


def judge(
    engine: Engine, plan_id: int, play: Play, now: datetime, *, limits: Limits | None = None, approved: bool = False
) -> Verdict:
    """Judge the planned rows of a plan as they stand now; writes nothing.

    approved: a person said yes, so rules about the plan as a whole are reported and no longer hold it; rows that fail
    still must not leave. Raises NotFound for a plan nobody made; nothing else, whatever the judging runs into.
    """
    limits = replace(limits or Limits(), most=play.approvals.most_per_plan)
    with reading(engine) as connection:
        plan = plans.read_plan(connection, plan_id)
        history = _history(plans.past_plans(connection, play.key, before=plan_id))
    rules = suite(limits, history)
    tables = snapshot.tables(engine.dialect.name, plan_id, play, now, history.shares)
    try:
        answers = hear(engine, tables, rules)
    except Exception as error:  # unjudged is not passed, whatever it was
        answers = Answers(0, trouble=f"{type(error).__name__}: {error}".splitlines()[0][:200])
    word, reasons, findings, failing = conclude(rules, answers, limits, approved=approved)
    version = version_of(rules, limits)
    return Verdict(plan_id, plan.digest or "", version, word, answers.rows, reasons, findings, failing)


def conclude(
    rules: Sequence[Rule], answers: Answers, limits: Limits, *, approved: bool = False
) -> tuple[Word, tuple[str, ...], tuple[Finding, ...], dict[int, str]]:
    """The verdict from the answers: word, reasons, findings, failing rows. Pure, so that it can be tried by hand."""
    findings = tuple(_finding(rule, answers) for rule in (*_ALWAYS, *rules))
    reason_of = {rule.id: rule.reason for rule in rules}
    failing: dict[int, str] = {}
    for rule in (rule for rule in rules if rule.about is About.ROW):
        for touch_id in answers.found.get(rule.id, ()):
            failing.setdefault(touch_id, reason_of[rule.id])
    few = _few_fail(len(failing), answers.rows, limits)
    findings += (few,)
    unjudged = [finding for finding in findings if finding.count is None]
    stops = [finding for finding in findings if finding.about is About.ALL and not finding.kept]
    if unjudged or stops:
        trouble = answers.trouble or ", ".join(finding.rule for finding in unjudged)
        said = [f"The gate could not judge: {trouble}."] if unjudged else [finding.sentence for finding in stops]
        return Word.REJECT, tuple(said), findings, failing
    if len(failing) == answers.rows:
        return Word.REJECT, ("Nobody in it may be written to.",), findings, failing
    odd = tuple(finding.sentence for finding in findings if finding.about is About.PLAN and not finding.kept)
    return (Word.HOLD if odd and not approved else Word.CERTIFY), odd, findings, failing


def describe(verdict: "Verdict | Mapping[str, Any]") -> str:
    """The verdict, or the checks of a stored plan, as Markdown that a marketer reads. Names nobody."""
    checks = verdict.checks() if isinstance(verdict, Verdict) else verdict
    head = {
        Word.CERTIFY: "**Certified.** {good} of {rows} messages may leave.",
        Word.HOLD: "**Held for approval.** {rows} messages wait for a person.",
        Word.REJECT: "**Rejected.** None of the {rows} messages leaves.",
    }[Word(checks["word"])]
    lines = [head.format(rows=checks["rows"], good=checks["rows"] - checks["failing"]), ""]
    lines += [f"- {reason}" for reason in checks["reasons"]]
    lines += [f"- {count} left out: {explain(reason)}" for reason, count in checks["cancelled"].items()]
    lines += ["", "| | Rule | Not kept by |", "|---|---|---:|"]
    lines += [_line(rule) for rule in sorted(checks["rules"], key=lambda rule: rule["count"] == 0)]
    return "\n".join(lines)


def sentence(checks: Mapping[str, Any] | None) -> str:
    """The checks of a stored plan in a sentence or two, with what stopped it later. Names nobody."""
    if not checks or "word" not in checks:
        stopped = f" {checks['stopped']}." if checks and "stopped" in checks else ""
        return f"The gate has not judged it.{stopped}"
    rows, good = checks["rows"], checks["rows"] - checks["failing"]
    said = {
        Word.CERTIFY: f"The gate certified {good} of {rows} messages.",
        Word.HOLD: f"The gate held its {rows} messages for a person.",
        Word.REJECT: f"The gate rejected all {rows} messages.",
    }[Word(checks["word"])]
    left_out = ", ".join(f"{count} {explain(reason)}" for reason, count in checks["cancelled"].items())
    parts = [said, *checks["reasons"], f"Left out: {left_out}." if left_out else ""]
    parts.append(f"Sending was stopped: {checks['stopped']}." if "stopped" in checks else "")
    return " ".join(part for part in parts if part)


def _line(rule: Mapping[str, Any]) -> str:
    if rule["count"] is None:
        return f"| ⚠ | {rule['sentence']} | could not be judged |"
    if rule["count"] == 0:
        return f"| ✓ | {rule['sentence']} | |"
    return f"| ✗ | {rule['sentence']} | {rule['count'] if rule['about'] == About.ROW else 'the plan'} |"


#: Judged by Great Expectations itself, whatever else is in the suite.
_ALWAYS = (Rule(SOMEBODY, "There is somebody in it.", "", About.ALL),)


def _finding(rule: Rule, answers: Answers) -> Finding:
    """Kept, broken by so many, or None for a rule that crashed, did not come back, or contradicts itself."""
    mine = [(kept, trouble) for id, kept, trouble in answers.said if id == rule.id]
    found = answers.found.get(rule.id, ())
    count: int | None = None
    if len(mine) == 1 and CRASHED not in mine[0][1]:
        kept = mine[0][0]
        broken_by = len(found) if rule.about is About.ROW else 1
        count = 0 if kept else broken_by or None
    return Finding(rule.id, rule.sentence, rule.about, count)


def _few_fail(failing: int, rows: int, limits: Limits) -> Finding:
    many = failing >= limits.failing_least and failing > rows * limits.failing_share
    sentence = f"At most {limits.failing_share:.0%} of the rows fail."
    return Finding(TOO_MANY_FAIL, sentence, About.PLAN, int(many))


def _history(past: Sequence[plans.Past]) -> History:
    whole = sum(plan.size for plan in past)
    stages = {stage for plan in past for stage in plan.stages}
    shares = {stage: sum(plan.stages.get(stage, 0) for plan in past) / whole for stage in stages}
    return History([plan.size for plan in past], shares)


def _count(reasons: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[str(reason)] = counts.get(str(reason), 0) + 1
    return dict(sorted(counts.items(), key=lambda one: -one[1]))
