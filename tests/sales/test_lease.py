"""An account that a rep works on is theirs: their limits bind every play, as long as the lease stands and no longer."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from accounts.answers import Limits
from accounts.errors import InputRefused, Refused
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps import leases
from accounts.ledger.reps.leases import read_lease
from accounts.models import Activity, Lease, Letter, Stakeholder
from accounts.playbook import LeaseRule
from accounts.tick import decide
from accounts.vocabulary import Reason
from flows.audience_sync import AudiencesSynced, sync_audiences
from flows.channels.ads.memory import MemoryAds
from flows.sales.territory import keep_territory
from flows.settings import Settings
from flows.tracking import track
from tests.cast import NOW, World
from tests.sales.desk import NUMBERS, PILOT, PLAY_IN_USE, decided, on_sqlite, say, touches
from tests.sending.desk import certified

DAY = timedelta(days=1)
RULE = LeaseRule()


def lease(world: World, account: str = "acme", now: datetime = NOW) -> Any:
    with reading(world.engine) as connection:
        return read_lease(connection, world.accounts[account], now)


def met(world: World, at: datetime, account: str = "acme", rep: str = "ravi") -> None:
    """Sales meets somebody; the export brings it, and tracking looks."""
    values = {"account_id": world.accounts[account], "rep_id": world.reps[rep], "kind": "meeting", "outcome": "held"}
    with writing(world.engine) as connection:
        connection.execute(insert(Activity).values(**values, occurred_at=at, source_id=f"{account}@{at}"))
    track(world.engine, PLAY_IN_USE, at, accounts=[world.accounts[account]])


def letters(world: World) -> list[tuple[str, str, str]]:
    with reading(world.engine) as connection:
        rows = connection.execute(select(Letter.kind, Letter.address, Letter.payload).order_by(Letter.id))
        return [(kind, address, payload["headline"]) for kind, address, payload in rows]


@on_sqlite
def test_a_word_takes_the_account_and_the_same_word_renews_it(world: World) -> None:
    told = say(world, "take")
    assert told.sentence == "Acme Works is yours until 15 December, 11:00; real contact renews it."
    assert not say(world, "take").is_new
    assert say(world, "take", now=NOW + DAY).is_new
    assert lease(world).ends_at == NOW + DAY + RULE.lasts


def test_real_contact_takes_it_and_renews_it_and_a_stranger_does_not(world: World) -> None:
    met(world, NOW)
    assert (lease(world).rep_id, lease(world).ends_at) == (world.reps["ravi"], NOW + RULE.lasts)
    met(world, NOW + 5 * DAY)
    assert lease(world).ends_at == NOW + 5 * DAY + RULE.lasts
    met(world, NOW + 6 * DAY, rep="sofia")
    assert lease(world).ends_at == NOW + 5 * DAY + RULE.lasts


@on_sqlite
def test_what_was_given_back_is_not_taken_by_contact_of_before(world: World) -> None:
    say(world, "take")
    say(world, "give_back", now=NOW + DAY)
    met(world, NOW + timedelta(hours=12))
    assert lease(world, now=NOW + DAY) is None
    met(world, NOW + 2 * DAY)
    assert lease(world, now=NOW + 2 * DAY) is not None


def test_contact_after_the_end_takes_it_anew_without_the_old_limits(world: World) -> None:
    """A lease that nobody renewed is over at its own end, also when nobody looked since."""
    say(world, "limits", limits=Limits(people=(world.people["erin"],), per_week=1))
    over = NOW + RULE.lasts
    met(world, over + DAY)
    anew = lease(world, now=over + DAY)
    assert (anew.rep_id, anew.taken_at, anew.ends_at) == (world.reps["ravi"], over + DAY, over + DAY + RULE.lasts)
    assert (anew.limits.people, anew.limits.per_week) == ((), 0)
    with reading(world.engine) as connection:
        ended = connection.execute(select(Lease.ended_at, Lease.ended_by).where(Lease.id != anew.id)).one()
    assert ended == (over, "nobody renewed it")


@on_sqlite
def test_contact_of_before_the_end_that_comes_to_light_later_takes_no_ended_lease_up_again(world: World) -> None:
    say(world, "take")
    over = NOW + RULE.lasts
    keep_territory(world.engine, RULE, over + DAY)
    with writing(world.engine) as connection:
        values = {"account_id": world.accounts["acme"], "rep_id": world.reps["ravi"], "kind": "call"}
        connection.execute(
            insert(Activity).values(**values, outcome="held", is_contact=True, occurred_at=over - DAY, source_id="late")
        )
        leases.renew_by_activity(connection, [world.accounts["acme"]], RULE, over + 2 * DAY)
    assert lease(world, now=over + 2 * DAY) is None


@pytest.mark.parametrize(
    ("limits", "person", "reason"),
    [
        (lambda world: Limits(people=(world.people["alice"],)), "alice", "person_off_limits"),
        (lambda world: Limits(topics=("COST",)), "alice", "topic_off_limits"),
        (lambda world: Limits(per_week=1), "bob", "lease_cap"),
    ],
    ids=["people", "topics", "mails a week"],
)
def test_limits_take_planned_mail_back_and_bind_planning(world: World, limits: Any, person: str, reason: str) -> None:
    certified(world)
    told = say(world, "limits", limits=limits(world))
    assert "taken back." in told.sentence
    content = PILOT if person == "alice" else NUMBERS
    assert touches(world, person) == [(content, "cancelled", reason)]
    assert decided(world, person) == ("wait", reason)


def test_limits_end_with_the_lease(world: World) -> None:
    say(world, "limits", limits=Limits(people=(world.people["alice"],)))
    ends = lease(world).ends_at
    say(world, "give_back", now=NOW + timedelta(hours=1))
    assert decided(world, "alice")[0] == "touch"
    say(world, "limits", limits=Limits(people=(world.people["alice"],)), now=NOW + timedelta(hours=2))
    fresh = NOW + timedelta(hours=2) + RULE.lasts
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).values(consent_at=NOW))
    assert ends < fresh
    decide(world.engine, PLAY_IN_USE.model_copy(update={"stale_crm_after": None}), fresh)
    assert decided(world, "alice")[1] != "person_off_limits"


@on_sqlite
def test_limits_change_one_by_one_and_say_what_stands(world: World) -> None:
    bob = world.people["bob"]
    assert say(world, "limits", limits=Limits(people=(bob,), per_week=2)).sentence == (
        "Until 15 December, 11:00, for Acme Works: no mail to Bob Example, at most two mails a week."
    )
    assert say(world, "limits", limits=Limits(ads=False, per_week=0)).sentence.endswith(
        "no mail to Bob Example, no ads."
    )
    assert not say(world, "limits", limits=Limits(ads=False)).is_new
    assert say(world, "limits", limits=Limits(people=(), ads=True)).sentence.endswith("no limits.")


@on_sqlite
def test_limits_nobody_could_keep_are_refused(world: World) -> None:
    with pytest.raises(InputRefused, match="no limit was named"):
        say(world, "limits", limits=Limits())
    with pytest.raises(InputRefused, match=r"no mail is about 'golf'.*cost"):
        say(world, "limits", limits=Limits(topics=("golf",)))
    with pytest.raises(Refused, match="not yours"):
        say(world, "take", by="sofia")


def test_no_ads_takes_the_group_out_of_audiences_at_the_next_sync(world: World) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).values(ads_consent_basis="consent", ads_consent_at=NOW))
    channel = MemoryAds()

    def sync(now: datetime) -> AudiencesSynced:
        return sync_audiences(world.engine, Settings(ads="memory"), PLAY_IN_USE, now, channel=channel)

    before = sync(NOW)
    say(world, "limits", limits=Limits(ads=False))
    after = sync(NOW + timedelta(hours=1))
    assert (before.removed, after.removed) == (0, 6)  # five people of Acme, and Acme as a company
    assert dict(after.excluded)[Reason.PERSON_OFF_LIMITS] == 5
    say(world, "give_back", now=NOW + timedelta(hours=2))
    assert sync(NOW + timedelta(hours=3)).added == 6


def test_a_lease_with_limits_lapses_after_one_notice(world: World) -> None:
    say(world, "limits", limits=Limits(per_week=1))
    say(world, "take", "globex")  # asks for nothing, so its end is nobody's news
    nearly = NOW + RULE.lasts - RULE.notice
    assert keep_territory(world.engine, RULE, nearly - DAY).warned == 0
    assert keep_territory(world.engine, RULE, nearly).warned == 1
    assert keep_territory(world.engine, RULE, nearly + DAY).warned == 0
    assert letters(world) == [
        ("lease-ending", "ravi@lumenflow.example", "Acme Works: your lease ends on 15 December, 11:00")
    ]  # fmt: skip
    assert keep_territory(world.engine, RULE, NOW + RULE.lasts).lapsed == 2
    with reading(world.engine) as connection:
        assert set(connection.scalars(select(Lease.ended_by))) == {"nobody renewed it"}


@on_sqlite
def test_a_renewed_lease_is_told_of_again_when_it_ends_again(world: World) -> None:
    say(world, "limits", limits=Limits(per_week=1))
    nearly = NOW + RULE.lasts - RULE.notice
    keep_territory(world.engine, RULE, nearly)
    say(world, "take", now=nearly + DAY)
    keep_territory(world.engine, RULE, nearly + DAY + RULE.lasts - RULE.notice)
    assert len(letters(world)) == 2
