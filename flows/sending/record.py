"""The record of a send plan as people and programs read it: text, facts, rows of a sheet."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from accounts.ledger.sending.delivery import Delivery, Line
from accounts.vocabulary import PlanState
from expectations.gate import sentence
from flows.spreadsheet import write_sheet

COLUMNS = (
    "touch", "outcome", "why", "account", "name", "email", "content", "at", "attempts", "provider", "provider_id",
    "message_id",
)  # fmt: skip


def headline(delivery: Delivery) -> str:
    """``plan 17 of new-business, 24 Nov 2026, 10:00 UTC, approved by mia: 9 sent, 1 failed, 2 cancelled``"""
    plan = delivery.plan
    word = ""
    if plan.state is PlanState.REJECTED:  # by a person, or by time after a person had approved it
        word = ", rejected" + (f" (the last word was {plan.approved_by}'s)" if plan.approved_by else "")
    elif plan.approved_by:
        word = f", approved by {plan.approved_by}"
    answers = ", ".join(f"{count:,} {answer}" for answer, count in delivery.answers.items()) or "nobody"
    return f"plan {plan.id} of {plan.play}, {_time(plan.created_at)}{word}: {answers}"


def verdict(delivery: Delivery) -> str:
    """What the gate said of it, in a sentence or two."""
    return sentence(delivery.plan.checks)


def facts(delivery: Delivery) -> dict[str, Any]:
    """The whole record, for programs."""
    plan = delivery.plan
    return {
        "plan": plan.id, "play": plan.play, "state": plan.state, "created_at": plan.created_at, "digest": plan.digest,
        "approved_by": plan.approved_by, "approved_at": plan.approved_at, "flow_run": plan.flow_run,
        "verdict": verdict(delivery), "answers": delivery.answers,
        "reasons": [
            {"answer": answer, "reason": reason, "count": count}
            for (answer, reason), count in delivery.counts.items()
            if reason
        ],
        "people": [{name: getattr(line, name) for name in line.__slots__} for line in delivery.lines],
    }  # fmt: skip


def as_sheet(delivery: Delivery) -> str:
    """CSV, one person a row; no cell is taken for a formula."""
    return write_sheet(COLUMNS, (dict(zip(COLUMNS, cells(line), strict=True)) for line in delivery.lines))


def cells(line: Line) -> tuple[str, ...]:
    """A line under COLUMNS."""
    return (
        str(line.touch), line.answer, line.why, line.account, line.name, line.address, line.content,
        line.at.astimezone(UTC).isoformat() if line.at else "", str(line.attempts), line.provider or "",
        line.provider_id or "", line.message_id or "",
    )  # fmt: skip


def text(delivery: Delivery) -> Iterator[str]:
    """Counts and reasons, then everybody under their answer."""
    yield headline(delivery)
    yield verdict(delivery)
    for answer, count in delivery.answers.items():
        yield ""
        why = "; ".join(f"{many:,} {reason}" for reason, many in delivery.reasons(answer))
        yield f"{answer}: {count:,}" + (f" ({why})" if why else "")
        yield from map(_as_text, delivery.of(answer))


def _as_text(line: Line) -> str:
    who = f"{line.name} <{line.address}>" if line.name else line.address
    through = " ".join(part for part in ("through", line.provider, line.provider_id) if part) if line.provider else ""
    parts = (line.account, who, line.content.partition("/")[2], _time(line.at) if line.at else "", through, line.why)
    return f"  {line.touch}  " + "  ".join(part for part in parts if part)


def _time(moment: datetime) -> str:
    local = moment.astimezone()
    return f"{local.day} {local:%b %Y, %H:%M %Z}"
