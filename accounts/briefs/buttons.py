"""What a rep can answer in two clicks, right below what a brief says of an account."""

from dataclasses import dataclass
from datetime import datetime

from accounts.briefs.coming import is_silent
from accounts.briefs.material import AccountMaterial
from accounts.playbook import Play
from accounts.vocabulary import HoldScope, Reason


@dataclass(frozen=True, slots=True)
class Button:
    """An answer a rep can give: a link of this kind about this subject (flows.briefs.links), and its words."""

    kind: str
    label: str
    subject: int = 0


OBJECTION, WRONG, OTHER = (
    Button("objection", "I heard an objection"), Button("wrong_line", "Something is wrong"),
    Button("other", "Another answer"),
)  # fmt: skip


def buttons(account: AccountMaterial, play: Play, now: datetime) -> tuple[Button, ...]:
    """Those that make sense where the account stands; the last one leads to all the others."""
    if is_silent(account.stage, play):  # won, lost: nobody takes over, and there is nothing to hold
        return OBJECTION, WRONG, OTHER
    is_held = any(hold.scope == HoldScope.ACCOUNT and hold.stands(now) for hold in account.holds)
    waits = any(p.outlook and p.outlook.reason == Reason.AWAITING_APPROVAL for p in account.people)
    return (
        *((Button("approve", "Yes, write to them"),) if waits else ()),
        Button("ripe", "Ready: I take over"),
        Button("not_yet", "Not yet"),
        Button("release", "Let marketing go on") if is_held else Button("hold", "Hold marketing"),
        OBJECTION,
        WRONG,
        OTHER,
    )
