"""The demo's buyers: people who read, click, answer, ignore, leave and complain, always the same way for the same seed.

They see only what left the house (touches in state sent) and answer only through the front door: rows of a signals CSV,
as a provider's export would bring them.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """One e-mail in somebody's inbox."""

    touch_id: int
    account: str
    email: str
    role: str
    content: str
    asset: str
    sent_at: datetime


#: How likely a role is to click what suits it; the rest is temper.
APPETITE = {
    "champion": 0.42,
    "technical_evaluator": 0.32,
    "economic_buyer": 0.22,
    "end_user": 0.25,
    "procurement": 0.18,
}


def react(mails: Iterable[Received], seed: int) -> list[Row]:
    """Every signal these mails will ever cause, with its time; the caller hands over what has happened by now."""
    return [row for mail in mails for row in _answers(mail, random.Random(f"{seed}/{mail.email}/{mail.content}"))]  # noqa: S311


def _answers(mail: Received, dice: random.Random) -> list[Row]:
    temper = random.Random(f"{mail.email}/temper").betavariate(2, 3) * 2  # noqa: S311
    if dice.random() < 0.012:
        return [_row(mail, "bounced", timedelta(seconds=40))]
    rows = [_row(mail, "delivered", timedelta(seconds=25))]
    if dice.random() < 0.25:
        rows.append(_row(mail, "opened", timedelta(seconds=26)))  # the mail program, not the person
    if dice.random() < 0.08:
        rows.append(_row(mail, "clicked", timedelta(seconds=26)))  # a scanner that follows every link at once
    if dice.random() < 0.02:
        rows.append(_row(mail, "out_of_office", timedelta(minutes=1)))
    if dice.random() < APPETITE.get(mail.role, 0.12) * temper:
        rows.extend(_interest(mail, dice, timedelta(minutes=dice.randint(4, 2200))))
    elif dice.random() < 0.02:
        rows.append(_row(mail, "unsubscribed", timedelta(minutes=dice.randint(5, 900))))
    return rows


def _interest(mail: Received, dice: random.Random, after: timedelta) -> list[Row]:
    rows = [_row(mail, "clicked", after)]
    if dice.random() < 0.35:
        rows.append(_row(mail, "downloaded", after + timedelta(minutes=dice.randint(1, 6))))
    if dice.random() < 0.3:
        rows.append(_row(mail, "visited", after + timedelta(minutes=dice.randint(10, 400))))
    if dice.random() < 0.16:
        rows.append(_row(mail, "replied", after + timedelta(minutes=dice.randint(20, 600))))
    return rows


def _row(mail: Received, kind: str, after: timedelta) -> Row:
    return {
        "signal": f"{mail.touch_id}-{kind}-{int(after.total_seconds())}",
        "account": mail.account,
        "email": mail.email,
        "kind": kind,
        "occurred_at": (mail.sent_at + after).isoformat(),
        "content": mail.content,
        "url": mail.asset if kind in ("clicked", "downloaded", "visited") else "",
    }
