"""A glance finds the same accounts in the same order as reading all of them would, and reads few."""

from datetime import timedelta

import pytest

from accounts.briefs import write_brief
from accounts.ledger.briefs.material import accounts_with_news, briefs_of, read_material
from accounts.ledger.briefs.written import read_looks
from accounts.ledger.engine import reading
from accounts.models import Account, Hold, Stakeholder
from accounts.playbook import Play
from accounts.vocabulary import HoldCause
from tests.briefs.conftest import Add
from tests.cast import NOW, World
from tests.statements import counting

#: What the champion of each of Ravi's further accounts did, by account; None: only marketing wrote.
DID = (
    ("visited",), ("replied",), (None,), ("visited", "visited"), ("unsubscribed",), ("meeting_booked",),
    ("out_of_office",), ("downloaded", "downloaded"), (None,), ("visited",), ("bounced",), ("replied", "visited"),
    ("visited",), ("left_company",), (None,), ("ad_clicked",), ("visited",), (None,), ("visited",), ("form_filled",),
)  # fmt: skip


@pytest.fixture
def busy(world: World, add: Add, signal: Add, sent: Add) -> World:
    for number, acts in enumerate(DID):
        name = f"plant-{number:02}"
        account = world.accounts[name] = add(
            Account, key=name, name=f"Plant {number}", owner_id=world.reps["ravi"], stage="evaluation"
        )
        person = world.people[name] = add(
            Stakeholder, account_id=account, email=f"{name}@plant.example", email_hash=f"{number:064}",
            first_name="Pat", last_name=name, role="champion" if number % 2 else "legal",
        )  # fmt: skip
        for place, act in enumerate(acts):
            if act:
                signal(name, name, act, 0.1 + number / 50 + place / 100)
            else:
                sent(name, name, f"evaluation/{number}", 0.1 + number / 50)
        if number % 7 == 0:
            add(
                Hold, scope="stakeholder", account_id=account, stakeholder_id=person, cause=HoldCause.SLA, by="tandem",
                starts_at=NOW - timedelta(hours=2 + number),
            )  # fmt: skip
    return world


def test_it_tells_what_reading_everything_would_tell(busy: World, play: Play) -> None:
    """All but whether interest rises at an account that is only named: for that it would have to be read."""
    with reading(busy.engine) as connection:
        looks = read_looks(connection, NOW, busy.reps["ravi"])
        (by_glance,) = [brief for _, brief in briefs_of(connection, looks, play, NOW)]
        (material,) = read_material(connection, looks, play, NOW)
    in_full = write_brief(material, play, NOW)
    assert in_full is not None
    assert by_glance.accounts == in_full.accounts
    assert [line.text for line in by_glance.also] == [line.text for line in in_full.also]
    assert by_glance.subject == in_full.subject


def test_only_accounts_with_news_are_told_of(busy: World, play: Play) -> None:
    with reading(busy.engine) as connection:
        news = accounts_with_news(connection, read_looks(connection, NOW), play, NOW)
    harmless = DID.index(("bounced",))  # it cost nobody their address
    told = {busy.accounts[f"plant-{number:02}"] for number in range(len(DID)) if number != harmless}
    assert news == {busy.reps["ravi"]: told}


def test_the_number_of_queries_does_not_grow_with_the_accounts(busy: World, play: Play) -> None:
    with counting(busy.engine) as statements, reading(busy.engine) as connection:
        list(briefs_of(connection, read_looks(connection, NOW, busy.reps["ravi"]), play, NOW))
    assert len([one for one in statements if "SELECT" in one.upper()]) <= 45
