"""A no that the CRM knows comes in with the people, and is for good."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from accounts.identity import email_hash
from accounts.ledger.engine import reading
from accounts.ledger.suppressions import read_suppressions
from accounts.models import Signal, Stakeholder
from accounts.vocabulary import Reason
from flows.importing import load_mapping
from tests.cast import NOW, World
from tests.importing.files import LATER, crm, person, take, write
from tests.sending.desk import certified, claim

ZOE = "zoe@acme.example"


def said_no(engine: Engine, address: str = ZOE) -> list[tuple[str, object]]:
    with reading(engine) as connection:
        return [(reason, at) for reason, at, _ in read_suppressions(connection, email_hash(address))]


def since(engine: Engine) -> dict[str, object]:
    """Who has opted out, and since when."""
    with reading(engine) as connection:
        rows = select(Stakeholder.email, Stakeholder.opted_out_at).where(Stakeholder.opted_out_at.is_not(None))
        return dict(connection.execute(rows).tuples().all())


def test_who_has_opted_out_in_the_crm_has_opted_out_here_and_colleagues_have_not(
    database: Engine, tmp_path: Path
) -> None:
    group = [person("zoe", opted_out="true"), person("yan", opted_out="false"), person("xia", opted_out="")]
    take(database, crm(tmp_path, stakeholders=group))
    assert since(database) == {ZOE: NOW}
    assert said_no(database) == [("opted_out", NOW)]
    with reading(database) as connection:
        assert connection.scalars(select(Signal.id)).all() == [], "nobody did this today: no score falls by it"


def test_a_no_is_for_good_and_told_again_changes_nothing(database: Engine, tmp_path: Path) -> None:
    for no, at in (("true", NOW), ("true", LATER), ("false", LATER), ("", LATER)):
        take(database, crm(tmp_path, stakeholders=[person("zoe", opted_out=no)]), now=at)
        assert (since(database), said_no(database)) == ({ZOE: NOW}, [("opted_out", NOW)])
    take(database, crm(tmp_path, stakeholders=[person("zoe")]), now=LATER)
    assert since(database) == {ZOE: NOW}, "a list that says nothing of it takes nothing back"


def test_a_no_counts_also_in_a_row_that_is_turned_away(database: Engine, tmp_path: Path) -> None:
    take(database, crm(tmp_path, stakeholders=[person("zoe", consent_basis="telepathy", opted_out="true")]))
    assert (since(database), said_no(database)) == ({}, [("opted_out", NOW)])


def test_a_rehearsal_hears_nothing(database: Engine, tmp_path: Path) -> None:
    take(database, crm(tmp_path, stakeholders=[person("zoe", opted_out="true")]), dry_run=True)
    assert said_no(database) == []


def test_the_next_claim_refuses_who_said_no_in_the_crm(world: World, tmp_path: Path) -> None:
    plan = certified(world, {"alice": "evaluation/pilot", "bob": "evaluation/three-numbers"})
    take(world.engine, write(tmp_path / "stakeholders.csv", [person("alice", opted_out="1")]))
    answer = claim(world, plan)
    assert [touch.address for touch in answer.touches] == ["bob@acme.example"]
    assert set(answer.refused.values()) == {Reason.OPTED_OUT}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_it_is_read_from_the_column_of_the_crm(database: Engine, tmp_path: Path) -> None:
    take(database, crm(tmp_path))
    export = [{"Account": "acme", "Email": ZOE, "Basis": "consent", "HasOptedOutOfEmail": "TRUE"}]
    columns = "{Account: account, Email: email, Basis: consent_basis, HasOptedOutOfEmail: opted_out}"
    mapping = tmp_path / "mapping.yaml"
    reading_ = f"{{file: contacts.csv, dataset: stakeholders, columns: {columns}}}"
    mapping.write_text(f"source: salesforce\nread: [{reading_}]\n")
    take(database, write(tmp_path / "sf" / "contacts.csv", export), mapping=load_mapping(mapping))
    assert since(database) == {ZOE: NOW}
