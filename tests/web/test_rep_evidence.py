"""How we know: behind each sentence of a brief's page stands what it rests on, in words, without JavaScript."""

import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from accounts.briefs.stored import from_payload
from accounts.ledger.briefs.proofs import owned_behind, read_proofs
from accounts.ledger.engine import reading, writing
from accounts.models import (
    Account,
    Activity,
    Brief,
    Handover,
    Hold,
    Objection,
    Proposal,
    RepAnswer,
    Signal,
    StageChange,
    Stakeholder,
)
from flows.briefs.briefing import write_briefs
from tests.cast import NOW, PLAY, World
from tests.signals.post import play, send, signal, tell
from tests.web.reps import DAY, path, planned
from tests.web.visitor import Browser, on_sqlite


def behind(page: str) -> dict[str, str]:
    """Each sentence that can be opened -> what is read then."""
    found = re.findall(r"<details[^>]*><summary>(.*?)</summary>\s*<ul>(.*?)</ul>", page, re.DOTALL)
    return {unescape(said): " ".join(unescape(re.sub(r"<[^>]*>", " ", why)).split()) for said, why in found}


def row(world: World, table: type[Any], **values: Any) -> int:
    with writing(world.engine) as connection:
        return int(connection.execute(insert(table).values(**values)).inserted_primary_key[0])  # type: ignore[index]


@pytest.fixture
def brief(world: World) -> int:
    """Ravi's, after a busy day at Acme: a click, a mail, an objection, a word of his, a newcomer."""
    with writing(world.engine) as connection:
        touch = send(connection, world, "bob", f"{PLAY}/evaluation/three-numbers", sent_at=NOW - DAY)
    tell(world.engine, signal("clicked", "bob@acme.example", NOW - DAY / 4, touch_id=touch))
    acme, ravi = world.accounts["acme"], world.reps["ravi"]
    row(world, Objection, account_id=acme, kind="objection", words="Too slow", at=NOW - DAY)
    said = {"sentence": "Marketing goes on at Acme Works."}
    row(world, RepAnswer, account_id=acme, rep_id=ravi, by="ravi@lumenflow.example", kind="not_yet", detail=said,
        via="web", at=NOW - DAY / 2)  # fmt: skip
    write_briefs(world.engine, play(), NOW)
    with reading(world.engine) as connection:
        return int(connection.scalar(select(Brief.id).where(Brief.rep_id == ravi)) or 0)


def test_every_sentence_of_an_account_opens_to_what_it_rests_on(web: Browser, world: World, brief: int) -> None:
    page = web.get(path(world, "brief", None, brief=brief)).text
    known = behind(page)
    with reading(world.engine) as connection:
        told = from_payload(connection.scalar(select(Brief.payload).where(Brief.id == brief)) or {})
    cards = page.split('<section class="card told">')[1:]
    for account, card in zip(told.accounts, cards, strict=True):
        assert card.count("<details") == len(list(account.statements())), account.title
    click = "Tue 05:00 Buyer Bob Example followed a link in “About evaluation/three-numbers”"
    assert any(click in why for why in known.values())
    assert "“Too slow”" in known["They object: Too slow"]
    assert "Mon 23:00 Rep Ravi Menon: Marketing goes on" in " ".join(known.values())


def test_each_kind_of_row_is_said_and_rows_of_other_accounts_are_not(world: World) -> None:
    acme, alice = world.accounts["acme"], world.people["alice"]
    planned(world, "alice", "evaluation/pilot")
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", sent_at=NOW - DAY)
    at, here = NOW - DAY, {"account_id": acme}
    clicked = row(world, Signal, source="t", source_id="1", kind="visited", stakeholder_id=alice, occurred_at=at,
                  received_at=at, **here)  # fmt: skip
    moved = {"to_stage": "evaluation", "from_stage": "discovery", "cause": "crm"}
    seen = {"person_key": "f" * 64, "first_name": "Zoe", "source": "fair", "why": "seen"}
    rows = {
        f"signal:{clicked}": "Alice Example visited our website",
        f"touch:{touch}": "to Alice Example",
        f"activity:{_first(world, Activity)}": "Meeting with Alice Example",
        f"stage_change:{row(world, StageChange, at=at, **moved, **here)}": "From Discovery to Evaluation",
        f"hold:{row(world, Hold, scope='account', cause='rep', by='Ravi', starts_at=at, **here)}": "on hold by sales",
        f"objection:{row(world, Objection, kind='objection', words='Too dear', at=at, **here)}": "“Too dear”",
        f"proposal:{row(world, Proposal, proposed_at=at, **seen, **here)}": "Zoe: seen",
        f"handover:{row(world, Handover, from_rep_id=world.reps['sofia'], at=at, **here)}": "came from Sofía Ortega",
        f"decision:{alice}": "Alice Example: “About evaluation/pilot”",
        f"stakeholder:{alice}": "Alice Example, Head of Operations",
        f"account:{acme}": "Acme Works, stage Evaluation",
        "wanted:legal": "The plan asks for a legal",
        f"content:{PLAY}/evaluation/pilot": "which marketing looks at again",
    }  # fmt: skip
    with reading(world.engine) as connection:
        found = read_proofs(connection, play(), [acme], rows)
        elsewhere = read_proofs(connection, play(), [world.accounts["globex"]], rows)
        assert owned_behind(connection, world.reps["sofia"], rows) == set()
        assert owned_behind(connection, world.reps["ravi"], rows) == {acme}
    for one, words in rows.items():
        assert words in found[one].text, one
    assert set(elsewhere) == {"wanted:legal", f"content:{PLAY}/evaluation/pilot"}


@on_sqlite
def test_an_account_that_is_no_longer_theirs_shows_its_words_and_nothing_behind_them(
    web: Browser, world: World, brief: int
) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Account).values(owner_id=world.reps["sofia"]))
    page = web.get(path(world, "brief", None, brief=brief))
    assert "Too slow" in page.text
    assert "Bob Example followed a link in" not in " ".join(behind(page.text).values())


@on_sqlite
def test_what_was_erased_since_is_not_said_again(web: Browser, world: World, brief: int) -> None:
    with writing(world.engine) as connection:
        connection.execute(Signal.__table__.delete())
        connection.execute(update(Stakeholder).values(first_name=None, last_name=None, title=None))
    page = web.get(path(world, "brief", None, brief=brief))
    assert page.status_code == 200
    assert "Bob Example" not in " ".join(behind(page.text).values())


def _first(world: World, table: Any) -> int:
    with reading(world.engine) as connection:
        return int(connection.scalar(select(table.id).where(table.account_id == world.accounts["acme"])) or 0)
