"""What is a rep's to say of an account beside the answers: who was proposed belongs to it, what sales owed was kept."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from accounts.answers import Via
from accounts.errors import Refused
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.people import proposals
from accounts.ledger.people.proposals import Proposed, propose
from accounts.ledger.reps.answers import answers_since
from accounts.ledger.sla.clocks import list_clocks
from accounts.models import Rep, SlaClock
from flows.sales.proposals import Word, accept, reject
from flows.sales.sla import answer as keep_promise
from tests.cast import NOW, PLAY, World
from tests.sales.desk import PLAY_IN_USE, kept, on_sqlite
from tests.web.reps import rows_but_audit, set_rep

DAY, LATER = timedelta(days=1), NOW + timedelta(hours=1)
RAVI, SOFIA, BOSS = "ravi@lumenflow.example", "sofia@lumenflow.example", "boss@lumenflow.example"
#: Does it, by somebody, with or without a reason.
Deed = Callable[[World, str, str | None], object]


def proposed(world: World, email: str = "zoe@acme.example") -> int:
    seen = Proposed(world.accounts["acme"], "fair", "came to the fair", NOW, email, "Zoe", "Lin")
    with writing(world.engine) as connection:
        propose(connection, [seen], NOW)
        return proposals.read_open(connection, "acme")[0].id


def say_yes(world: World, by: str, why: str | None = None) -> object:
    return accept(world.engine, PLAY_IN_USE, proposed(world), Word(by, override=why), now=LATER)


def say_no(world: World, by: str, why: str | None = None) -> object:
    return reject(world.engine, proposed(world), Word(by, override=why), now=LATER)


def owed(world: World, side: str) -> int:
    with reading(world.engine) as connection:
        for clock in list_clocks(connection):
            return clock.id
    row: dict[str, Any] = {
        "play": PLAY, "side": side, "duty": "answer" if side == "sales" else "handoff_answer", "subject": "signal:1",
        "account_id": world.accounts["acme"], "rep_id": world.reps["ravi"], "evidence": [], "happened_at": NOW,
        "started_at": NOW, "due_at": NOW + DAY, "paused": [], "warned": [], "state": "running",
    }  # fmt: skip
    with writing(world.engine) as connection:
        return int(connection.execute(insert(SlaClock).values(row).returning(SlaClock.id)).scalar_one())


def was_kept(world: World, by: str, why: str | None = None) -> object:
    return keep_promise(world.engine, owed(world, "sales"), by=by, now=LATER, override=why)


EACH = pytest.mark.parametrize(
    ("deed", "what"),
    [
        (say_yes, "a rep says who belongs to the group"),
        (say_no, "a rep says who belongs to the group"),
        (was_kept, "a rep says what sales has kept"),
    ],
    ids=["yes to a proposal", "no to a proposal", "a promise was kept"],
)


@EACH
def test_nobody_else_says_it_without_a_reason(world: World, deed: Deed, what: str) -> None:
    """Neither a marketer, nor a rep of another account, nor one who stood in until yesterday."""
    set_rep(world, "ravi", away_from=NOW - 3 * DAY, away_until=NOW - DAY, backup_id=world.reps["sofia"])
    proposed(world), owed(world, "sales")
    before = rows_but_audit(world)
    for by, name in (("mia", "mia"), (SOFIA, "Sofía Ortega"), ("", "")):
        with pytest.raises(Refused, match=f"{what}, and {name} does not speak for Acme Works"):
            deed(world, by, None)
    assert rows_but_audit(world) == before


@EACH
def test_with_a_reason_anybody_does_under_their_name(world: World, deed: Deed, what: str) -> None:
    deed(world, "mia", "Ravi asked me to")
    with reading(world.engine) as connection:
        (line,) = read_audit(connection, limit=1)
    assert (line.actor, line.after["override"]) == ("mia", True)


@EACH
@on_sqlite
@pytest.mark.parametrize("by", [RAVI, "Ravi@Lumenflow.example ", SOFIA, BOSS], ids=["owner", "typed", "backup", "boss"])
def test_who_speaks_for_the_account_needs_none(world: World, deed: Deed, what: str, by: str) -> None:
    set_rep(world, "ravi", away_from=NOW - DAY, backup_id=world.reps["sofia"], manager_email=BOSS)
    deed(world, by, None)
    with reading(world.engine) as connection:
        (line,) = read_audit(connection, limit=1)
    assert (line.actor, "override" in line.after) == (by.strip().lower(), False)


@on_sqlite
def test_what_marketing_owes_marketing_calls_kept(world: World) -> None:
    assert keep_promise(world.engine, owed(world, "marketing"), by="mia", now=LATER).closed_by == "word:mia"


@pytest.mark.parametrize("deed", [say_yes, say_no], ids=["yes", "no"])
def test_the_rep_reads_who_said_so_and_why(world: World, deed: Deed) -> None:
    deed(world, "mia", "Ravi asked me to")
    acme = world.accounts["acme"]
    with reading(world.engine) as connection:
        (given,) = answers_since(connection, NOW, LATER, accounts=[acme])[acme]
    assert (given.by, given.via, given.override) == ("mia", Via.CLI, "Ravi asked me to")
    assert given.sentence.endswith("The reason given: “Ravi asked me to”.")
    assert ("Zoe Lin is in Acme Works now." in given.sentence) == (deed is say_yes)


@on_sqlite
def test_of_somebody_who_was_refused_the_answer_keeps_no_name(world: World) -> None:
    say_no(world, RAVI)
    (row,) = kept(world)
    assert row.detail == {"sentence": "Somebody who was proposed does not belong to Acme Works."}
    assert (row.rep_id, row.stakeholder_id) == (world.reps["ravi"], None)


@on_sqlite
def test_an_account_without_an_owner_is_nobodys_to_answer_for(world: World) -> None:
    from accounts.models import Account

    with writing(world.engine) as connection:
        connection.execute(update(Account).where(Account.id == world.accounts["acme"]).values(owner_id=None))
        connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(manager_email=BOSS))
    with pytest.raises(Refused, match="does not speak for Acme Works"):
        say_yes(world, BOSS)
