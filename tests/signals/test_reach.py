"""What one signal reaches: the claim of the next mail, the ads of the next sync, and nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from accounts.audiences import member_of
from accounts.ledger.engine import reading, writing
from accounts.models import Stakeholder, Touch
from accounts.playbook import AdPlatform, Ads, Play
from flows.audience_sync import sync_audiences
from flows.channels.ads.memory import MemoryAds
from flows.forgetting import forget_person
from flows.settings import Settings
from tests.cast import NOW, PEOPLE, World, address_of
from tests.sending.desk import certified, claim, open_play, states
from tests.signals.post import RULES, signal, tell

ALICE = "alice@acme.example"
GROUP = {"alice": "evaluation/pilot", "bob": "evaluation/three-numbers", "ivan": "discovery/why-now"}
#: The clock of whoever looks next.
SOON = NOW + timedelta(seconds=1)

WHOLE = {"alice", "bob", "charlie", "erin", "frank", "acme.example"}
MEETING = {"until": (NOW + timedelta(days=5)).isoformat()}

#: kind, what it says, who gets no mail any more, who sees no ads any more.
REACH: list[tuple[str, dict[str, Any], set[str], set[str]]] = [
    ("replied", {}, {"alice", "bob"}, WHOLE),
    ("meeting_booked", MEETING, {"alice", "bob"}, WHOLE),
    ("complained", {}, {"alice", "bob"}, WHOLE),
    ("unsubscribed", {}, {"alice"}, {"alice"}),
    ("bounced", {}, {"alice"}, {"alice"}),
    ("bounced", {"action": "our_fault"}, set(), set()),
    ("left_company", {}, {"alice"}, {"alice"}),
    ("out_of_office", MEETING, {"alice"}, set()),
    ("clicked", {}, set(), set()),
]


def ads_play() -> Play:
    platforms = (AdPlatform(platform="linkedin", kinds=("people", "companies"), minimum_size=1),)
    return open_play(ads=Ads(platforms=platforms), engagement=RULES)


@pytest.fixture
def consenting(world: World) -> World:
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).values(ads_consent_basis="consent", ads_consent_at=NOW))
    return world


def advertised(world: World, channel: MemoryAds) -> set[str]:
    """Whom the platform has after a sync: people by their first name, companies by their domain."""
    sync_audiences(world.engine, Settings(ads="memory"), ads_play(), SOON, channel=channel)
    named = {member_of("linkedin", address_of(name, account)): name for name, (account, *_) in PEOPLE.items()}
    return {named.get(member, member) for members in channel.audiences.values() for member in members}


@pytest.mark.parametrize(("kind", "data", "unmailed", "_"), REACH)
def test_the_very_next_claim_knows(world: World, kind: str, data: dict[str, Any], unmailed: set[str], _: Any) -> None:
    plan = certified(world, GROUP)
    tell(world.engine, signal(kind, ALICE, data=data))
    claim(world, plan, now=SOON)
    assert {name for name, state in states(world).items() if state != "sending"} == unmailed


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # what keeps people out of ads runs on both elsewhere
@pytest.mark.parametrize(("kind", "data", "_", "unseen"), REACH)
def test_the_next_sync_of_the_ads_knows(
    consenting: World, kind: str, data: dict[str, Any], _: Any, unseen: set[str]
) -> None:
    channel = MemoryAds()
    before = advertised(consenting, channel)
    assert before >= WHOLE | {"ivan"}
    tell(consenting.engine, signal(kind, ALICE, data=data))
    assert before - advertised(consenting, channel) == unseen


def test_an_erasure_reaches_the_claim_and_the_ads_and_leaves_the_group(consenting: World, tmp_path: Any) -> None:
    channel = MemoryAds()
    before = advertised(consenting, channel)
    plan = certified(consenting, GROUP)
    forget_person(consenting.engine, Settings(home=tmp_path), ALICE, by="ravi", now=NOW)
    claim(consenting, plan, now=SOON)
    with reading(consenting.engine) as connection:
        found = dict(connection.execute(select(Touch.stakeholder_id, Touch.state)).tuples().all())
    assert found == {None: "cancelled", consenting.people["bob"]: "sending", consenting.people["ivan"]: "sending"}
    assert before - advertised(consenting, channel) == {"alice"}
