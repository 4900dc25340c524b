"""A play small enough to hold in the head, for tests: the stages and numbers of `new-business`, a dozen short contents.

`small_play()` is the whole of it; `small_play(caps=Caps(person_per_week=1))` changes a part; `step(…)` writes one more.
"""

from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from accounts.playbook import (
    AdPlatform,
    Ads,
    Cadence,
    Caps,
    ContactRule,
    CrmStages,
    Engagement,
    Group,
    Play,
    StageRule,
    Step,
    Vendor,
    WantedRole,
    Window,
)
from accounts.vocabulary import ActivityKind, Role, SignalKind
from tests.cast import PLAY

CADENCE = Cadence(every=timedelta(days=4), not_after=timedelta(days=10))
NURTURED = ("contacted", "discovery", "evaluation", "proposal", "negotiation")
CRM = {
    "contacted": CrmStages(salesforce=("Prospecting", "Qualification"), hubspot=("appointmentscheduled",)),
    "discovery": CrmStages(salesforce=("Discovery", "Needs Analysis"), hubspot=("qualifiedtobuy",)),
    "evaluation": CrmStages(salesforce=("Proof of Concept",), hubspot=("presentationscheduled",)),
    "proposal": CrmStages(salesforce=("Proposal/Price Quote",), hubspot=("decisionmakerboughtin",)),
    "negotiation": CrmStages(salesforce=("Negotiation/Review",), hubspot=("contractsent",)),
    "won": CrmStages(salesforce=("Closed Won",), hubspot=("closedwon",)),
    "lost": CrmStages(salesforce=("Closed Lost",), hubspot=("closedlost",)),
}
MOVES = {
    "target": (*NURTURED, "won", "lost"),
    "contacted": ("discovery", "evaluation", "proposal", "negotiation", "won", "lost", "recycled"),
    "discovery": ("contacted", "evaluation", "proposal", "negotiation", "won", "lost", "recycled"),
    "evaluation": ("discovery", "proposal", "negotiation", "won", "lost", "recycled"),
    "proposal": ("discovery", "evaluation", "negotiation", "won", "lost", "recycled"),
    "negotiation": ("evaluation", "proposal", "won", "lost", "recycled"),
    "won": ("recycled",),
    "lost": ("contacted", "discovery", "recycled"),
    "recycled": ("target", "contacted", "discovery"),
}


def step(slug: str, roles: str, number: int = 1, *, after: int = 2, **changes: Any) -> Step:
    """The content `<PLAY>/<slug>` for the roles named in one string; `after` and `not_after` in days."""
    stage = slug.partition("/")[0]
    values: dict[str, Any] = {
        "key": f"{PLAY}/{slug}", "stage": stage, "subject": f"About {slug}", "preheader": "One page, no form.",
        "roles": tuple(Role(role) for role in roles.split()), "step": number, "after": timedelta(days=after),
        "not_after": timedelta(days=changes.pop("not_after", 10)), "owner": "marketing@lumenflow.example",
        "review_by": date(2027, 3, 31), "expires": date(2027, 12, 31), "topics": ("cost",),
        "asset": f"https://www.lumenflow.example/{slug}", "digest": sha256(slug.encode()).hexdigest(),
    }  # fmt: skip
    return Step(**{**values, **changes})


STEPS = (
    step("contacted/first-look", "champion influencer", after=1),
    step("contacted/two-levers", "economic_buyer", after=2),
    step("discovery/why-now", "champion economic_buyer", after=2),
    step("discovery/baseline-first", "champion", 2, after=4),
    step("discovery/payback", "economic_buyer", 2, after=5),
    step("evaluation/pilot", "champion influencer", after=2),
    step("evaluation/five-slides", "champion", 2, after=5),
    step("evaluation/three-numbers", "economic_buyer", after=3),
    step("evaluation/security-pack", "technical_evaluator", after=1),
    step("evaluation/first-week", "end_user", after=2),
    step("evaluation/like-with-like", "procurement", after=3),
    step("evaluation/privacy", "legal", after=3),
    step("proposal/price-schedule", "procurement", after=2),
)


def small_play(**changes: Any) -> Play:
    """The play of the cast; any field of `Play` can be given anew."""
    values: dict[str, Any] = {
        "key": PLAY,
        "version": "1" * 64,
        "title": "New business",
        "vendor": Vendor(
            name="Lumenflow",
            domain="lumenflow.example",
            postal_address="Lumenflow GmbH, Beispielstraße 12, 20095 Hamburg, Germany",
            privacy_url="https://www.lumenflow.example/privacy",
        ),
        "stages": tuple(stage_rule(key) for key in MOVES),
        "group": Group(
            wanted=tuple(
                WantedRole(role=role, least=1)
                for role in (Role.CHAMPION, Role.ECONOMIC_BUYER, Role.TECHNICAL_EVALUATOR, Role.END_USER)
            )
        ),
        "caps": Caps(),
        "window": Window(default_timezone="Europe/Berlin", default_country="DE"),
        "engagement": Engagement(
            weights={SignalKind.REPLIED: 12, SignalKind.DOWNLOADED: 5, SignalKind.CLICKED: 3, SignalKind.OPENED: 0},
            role_weights={Role.ECONOMIC_BUYER: 1.5, Role.CHAMPION: 1.3},
        ),
        "ads": Ads(
            platforms=(AdPlatform(platform="linkedin", kinds=("people", "companies"), minimum_size=300),),
        ),
        "contact": (
            ContactRule(kind=ActivityKind.MEETING, outcomes=("held",)),
            ContactRule(kind=ActivityKind.CALL, outcomes=("connected", "answered")),
            ContactRule(kind=ActivityKind.EMAIL, directions=("inbound",)),
        ),
        "stale_crm_after": timedelta(days=14),
        "steps": STEPS,
    }
    return Play(**{**values, **changes})


def stage_rule(key: str, **changes: Any) -> StageRule:
    nurtured = key in NURTURED
    values: dict[str, Any] = {
        "key": key, "label": key.capitalize(), "nurtured": nurtured, "crm": CRM.get(key, CrmStages()),
        "moves": MOVES[key], "cadence": CADENCE if nurtured else None,
    }  # fmt: skip
    return StageRule(**{**values, **changes})
