"""A no that the CRM tells by its own number for the contact: heard at once for who was imported under that number, and
kept for a person, in sight, where nobody was."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from accounts.health import Limits, Sign, signs_of
from accounts.ledger.engine import reading, writing
from accounts.ledger.pages.vitals import read_vitals
from accounts.ledger.suppressions import FORGOTTEN
from accounts.models import Quarantine, Signal, Stakeholder, Suppression
from flows.settings import Settings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.importing.files import take, write
from tests.sending.desk import certified, claim
from tests.signals.post import play
from tests.web.visitor import Browser
from tests.webhooks import senders
from tests.webhooks.samples import ALICE, hubspot
from tests.webhooks.test_doors import deliver
from tests.webhooks.test_noes import wait_for

NUMBER = 123
OPT_OUT = hubspot(
    "contact.propertyChange", propertyName="hs_email_optout", propertyValue="true", objectId=NUMBER, eventId=7
)
ERASURE = hubspot("contact.privacyDeletion", objectId=NUMBER, eventId=8)
each_no = pytest.mark.parametrize("no", [OPT_OUT, ERASURE], ids=["opt-out", "erasure"])


def imported(world: World) -> None:
    with writing(world.engine) as connection:
        numbered = update(Stakeholder).where(Stakeholder.id == world.people["alice"])
        connection.execute(numbered.values(crm_id=str(NUMBER)))


def tell(web: Browser, *events: dict[str, Any]) -> None:
    assert deliver(web, senders.hubspot(list(events))) == 200


def alice(world: World) -> list[Any]:
    with reading(world.engine) as connection:
        return list(connection.execute(select(Stakeholder.opted_out_at).where(Stakeholder.email == ALICE)))


def sign(world: World) -> Sign:
    """What `tandem status` says of it."""
    with reading(world.engine) as connection:
        signs = signs_of(read_vitals(connection, NOW), Limits(), NOW)
    return next(one for one in signs if one.name == "noes")


@each_no
def test_the_claim_refuses_who_was_imported_under_the_number(no: dict[str, Any], web: Browser, world: World) -> None:
    plan_id = certified(world, {"alice": "evaluation/pilot"})
    imported(world)
    tell(web, hubspot("contact.creation"), no)
    wait_for(world)
    assert claim(world, plan_id).touches == ()


def test_an_opt_out_is_one_signal_and_nothing_waits(web: Browser, world: World, tmp_path: Path) -> None:
    imported(world)
    tell(web, OPT_OUT)
    for _ in range(2):
        collect(world.engine, Settings(home=tmp_path), play(), NOW)
    with reading(world.engine) as connection:
        found = connection.execute(select(Signal.kind, Signal.stakeholder_id)).all()
    assert found == [("unsubscribed", world.people["alice"])]
    assert sign(world).state == "ok"


def test_who_shall_be_forgotten_is_erased_by_the_collection(web: Browser, world: World, tmp_path: Path) -> None:
    imported(world)
    tell(web, ERASURE)
    collect(world.engine, Settings(home=tmp_path), play(), NOW)
    assert alice(world) == []
    with reading(world.engine) as connection:
        assert FORGOTTEN in connection.scalars(select(Suppression.reason)).all()
    assert sign(world).state == "ok"


@each_no
def test_a_number_that_nobody_has_waits_in_sight_and_acts_with_the_import_that_brings_it(
    no: dict[str, Any], web: Browser, world: World, tmp_path: Path
) -> None:
    tell(web, no)
    for _ in range(2):
        collect(world.engine, Settings(home=tmp_path), play(), NOW)
    waits = sign(world)
    assert (waits.state, waits.figures["count"]) == ("fail", 1)
    with reading(world.engine) as connection:
        assert connection.scalars(select(Signal.id)).all() == [], "a signal about nobody would hide that it waits"
        (entry,) = connection.execute(select(Quarantine.__table__))
    assert f'"value": "{NUMBER}"' in str(entry.reasons).replace("'", '"')
    person = {"account": "acme", "email": ALICE, "crm_id": str(NUMBER), "consent_basis": "consent"}
    take(world.engine, write(tmp_path / "stakeholders.csv", [person]))
    assert alice(world)[0].opted_out_at is not None, "before anybody could plan"
    collect(world.engine, Settings(home=tmp_path), play(), NOW)
    assert sign(world).state == "ok"
    assert len(alice(world)) == (1 if no is OPT_OUT else 0)


def test_who_may_get_mail_again_says_no_no(web: Browser, world: World, tmp_path: Path) -> None:
    imported(world)
    tell(web, {**OPT_OUT, "propertyValue": "false"})
    collect(world.engine, Settings(home=tmp_path), play(), NOW)
    assert alice(world)[0].opted_out_at is None
    assert sign(world).state == "ok"
