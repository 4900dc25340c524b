"""People nobody knew: a question to the rep and nothing more, until somebody says yes; and mail only with a basis."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, insert, select

from accounts.briefs import write_brief
from accounts.errors import InputRefused, NotFound, Refused, TandemError
from accounts.identity import email_hash
from accounts.ledger.briefs import written as briefs
from accounts.ledger.briefs.material import read_material
from accounts.ledger.engine import reading, writing
from accounts.ledger.people import proposals
from accounts.ledger.people.proposals import Proposed, propose, read_open
from accounts.ledger.suppressions import FORGOTTEN, suppress
from accounts.ledger.unapplied import is_applied
from accounts.models import Account, Audit, Decision, Proposal, Quarantine, RoleChange, Signal, Stakeholder
from accounts.tick import decide
from accounts.vocabulary import ConsentBasis, Reason, Role
from flows.cli import tandem
from flows.sales import proposals as door
from flows.signals.intake import Tally, retry_quarantined, take_file
from tests.cast import NOW, World
from tests.signals.post import play, signal, tell

ZOE = "zoe.lin@acme.example"
HEAD = "account,email,kind,occurred_at,first_name,last_name,title\n"
RAVI = door.Word("ravi@lumenflow.example")
AT_THE_FAIR = HEAD + f"acme,{ZOE},event_attended,2026-11-20,Zoe,Lin,Head of IT\n"


def read_list(world: World, folder: Path, text: str, source: str = "fair") -> Tally:
    path = folder / "list.csv"
    path.write_text(text)
    return take_file(world.engine, path, NOW, source=source)


def waiting(world: World) -> list[proposals.OpenProposal]:
    with reading(world.engine) as connection:
        return read_open(connection)


def count(world: World, table: Any, *where: Any) -> int:
    with reading(world.engine) as connection:
        return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0


def test_somebody_nobody_knows_on_a_list_from_a_fair_is_a_question_and_no_stakeholder(
    world: World, tmp_path: Path
) -> None:
    people = count(world, Stakeholder)
    tally = read_list(world, tmp_path, AT_THE_FAIR)
    assert (tally.recorded, tally.quarantined, tally.proposed) == (0, 1, 1)
    (one,) = waiting(world)
    assert (one.account, one.name, one.email, one.title) == ("acme", "Zoe Lin", ZOE, "Head of IT")
    assert one.why == "event attended on 2026-11-20 (fair)"
    assert count(world, Stakeholder) == people


def test_the_same_list_again_and_other_lists_ask_once(world: World, tmp_path: Path) -> None:
    read_list(world, tmp_path, AT_THE_FAIR)
    assert read_list(world, tmp_path, AT_THE_FAIR).proposed == 0
    read_list(world, tmp_path, HEAD + f"acme,{ZOE.upper()},webinar_attended,2026-11-21,,,\n", source="webinar")
    assert len(waiting(world)) == 1


@pytest.mark.parametrize(
    "row",
    [
        "umbrella,x@umbrella.example,event_attended,2026-11-20,,,",  # an account nobody knows
        ",x@gmail.example,event_attended,2026-11-20,,,",
        "acme,x@acme.example,delivered,2026-11-20,,,",  # what we did, not they
        "acme,not an address,event_attended,2026-11-20,,,",
        "acme,x@acme.example,event_attended,yesterday,,,",
        "acme,alice@acme.example,event_attended,2026-11-20,,,",  # one of the group
    ],
)
def test_nobody_is_proposed_without_an_account_an_address_and_something_they_did(
    world: World, tmp_path: Path, row: str
) -> None:
    read_list(world, tmp_path, HEAD + row + "\n")
    assert waiting(world) == []


def test_who_was_erased_is_never_proposed_again(world: World, tmp_path: Path) -> None:
    with writing(world.engine) as connection:
        suppress(connection, [(email_hash(ZOE), FORGOTTEN, NOW)])
    assert read_list(world, tmp_path, AT_THE_FAIR).proposed == 0
    assert count(world, Quarantine) == count(world, Proposal) == 0


def test_a_yes_makes_a_stakeholder_in_the_right_seat_and_what_they_did_counts_from_then_on(
    world: World, tmp_path: Path
) -> None:
    read_list(world, tmp_path, AT_THE_FAIR)
    (asked,) = waiting(world)
    was, taken = door.accept(world.engine, play(), asked.id, RAVI, now=NOW, role=Role.TECHNICAL_EVALUATOR)
    assert (was, taken) == (asked, 1)
    with reading(world.engine) as connection:
        zoe = connection.execute(select(Stakeholder.__table__).where(Stakeholder.email == ZOE)).one()
        told = connection.execute(select(Signal.kind, Signal.stakeholder_id, is_applied())).one()
        role = connection.execute(select(RoleChange.to_role, RoleChange.evidence)).one()
    assert (zoe.first_name, zoe.last_name, zoe.title, zoe.role) == ("Zoe", "Lin", "Head of IT", "technical_evaluator")
    assert told == ("event_attended", zoe.id, True)
    assert role == ("technical_evaluator", "ravi@lumenflow.example said so")
    assert waiting(world) == []
    assert count(world, Audit, Audit.action == "accept") == 1


@pytest.mark.parametrize("basis", [None, ConsentBasis.CONSENT])
def test_mail_goes_only_to_whom_there_is_a_basis_for_writing_to(
    world: World, tmp_path: Path, basis: ConsentBasis | None
) -> None:
    read_list(world, tmp_path, AT_THE_FAIR)
    door.accept(world.engine, play(), waiting(world)[0].id, RAVI, now=NOW, role=Role.TECHNICAL_EVALUATOR, consent=basis)
    decide(world.engine, play(), NOW)
    with reading(world.engine) as connection:
        zoe = connection.scalars(select(Stakeholder.id).where(Stakeholder.email == ZOE)).one()
        said = connection.execute(select(Decision.answer, Decision.reason).where(Decision.stakeholder_id == zoe)).one()
    assert (said.answer == "never", said.reason == Reason.NO_CONSENT) == (basis is None, basis is None)


def test_a_no_leaves_nothing_of_the_person_and_nobody_asks_again(world: World, tmp_path: Path) -> None:
    other = f"acme,x{ZOE},event_attended,2026-11-20,Xaver,Lin,\n"
    read_list(world, tmp_path, AT_THE_FAIR + other)
    asked = next(one for one in waiting(world) if one.email == ZOE)
    door.reject(world.engine, asked.id, RAVI, now=NOW)
    assert [one.email for one in waiting(world)] == [f"x{ZOE}"]
    with reading(world.engine) as connection:
        row = connection.execute(select(Proposal.__table__).where(Proposal.id == asked.id)).one()
        left = connection.scalars(select(Quarantine.fields)).all()
    assert (row.email, row.first_name, row.last_name, row.title, row.state) == (None, None, None, None, "rejected")
    assert [fields["email"] for fields in left if fields] == [f"x{ZOE}"]
    read_list(world, tmp_path, AT_THE_FAIR, source="another fair")
    assert len(waiting(world)) == 1


def test_who_is_named_by_somebody_who_left_is_proposed_for_their_seat(world: World) -> None:
    tell(
        world.engine,
        signal("left_company", "bob@acme.example", data={"replacement": {"name": "Zoe van der Lin", "email": ZOE}}),
        signal("left_company", "alice@acme.example", data={"replacement": {"name": "Max Muster"}}),
    )
    zoe, maxim = waiting(world)
    assert (zoe.first_name, zoe.last_name, zoe.replaces) == ("Zoe", "van der Lin", "bob@acme.example")
    assert (maxim.email, maxim.name, maxim.replaces) == (None, "Max Muster", "alice@acme.example")
    with pytest.raises(InputRefused, match="nobody knows the address of Max Muster"):
        door.accept(world.engine, play(), maxim.id, RAVI, now=NOW)
    door.accept(world.engine, play(), maxim.id, RAVI, now=NOW, email="Max@acme.example ")
    assert count(world, Stakeholder, Stakeholder.email == "max@acme.example") == 1


def test_who_is_imported_meanwhile_is_no_question_any_more(world: World) -> None:
    seen = Proposed(world.accounts["globex"], "fair", "event attended", NOW, "zoe@globex.example")
    with writing(world.engine) as connection:
        assert (
            propose(connection, [seen, Proposed(world.accounts["acme"], "fair", "x", NOW, "alice@acme.example")], NOW)
            == 1
        )
    (asked,) = waiting(world)
    with writing(world.engine) as connection:
        proposals.accept(connection, asked.id, by="ravi", now=NOW)
        with pytest.raises(Refused, match="is accepted"):
            proposals.accept(connection, asked.id, by="ravi", now=NOW)
        with pytest.raises(NotFound):
            proposals.reject(connection, 999, by="ravi", now=NOW)


def test_somebody_who_stands_in_another_account_waits_until_a_person_has_said_whose_they_are(world: World) -> None:
    with writing(world.engine) as connection:
        propose(connection, [Proposed(world.accounts["globex"], "fair", "x", NOW, "alice@acme.example")], NOW)
    door.accept(world.engine, play(), waiting(world)[0].id, RAVI, now=NOW, consent=ConsentBasis.CONSENT)
    assert count(world, Stakeholder, Stakeholder.email == "alice@acme.example", Stakeholder.owner_conflict) == 2


def test_the_brief_asks_the_rep_and_says_how_to_answer(world: World, tmp_path: Path) -> None:
    read_list(world, tmp_path, AT_THE_FAIR + "acme,yan@acme.example,event_attended,2026-11-20,,,\n")
    with reading(world.engine) as connection:
        looks = briefs.read_looks(connection, NOW + timedelta(hours=1), world.reps["ravi"])
        (material,) = read_material(connection, looks, play(), NOW + timedelta(hours=1))
    brief = write_brief(material, play(), NOW + timedelta(hours=1))
    (acme,) = (account for account in brief.accounts if account.key == "acme")
    by_id = {one.email: one.id for one in waiting(world)}
    assert acme.question is not None
    assert acme.question.text == (
        f"Is yan one of the group? tandem proposals accept {by_id['yan@acme.example']}, or reject. "
        "1 more: tandem proposals list --account acme"
    )
    assert "Zoe Lin: event attended on 2026-11-20 (fair)" in [said.text for said in acme.news]
    assert acme.words <= 150


def test_a_row_that_waited_for_its_account_becomes_a_question_when_the_account_is_there(
    world: World, tmp_path: Path
) -> None:
    read_list(world, tmp_path, HEAD + "umbrella,x@umbrella.example,event_attended,2026-11-20,,,\n")
    with writing(world.engine) as connection:
        connection.execute(insert(Account).values(key="umbrella", name="Umbrella", stage="target"))
    tally = Tally()
    retry_quarantined(world.engine, NOW, tally)
    assert (tally.retried, tally.proposed) == (0, 1)
    retry_quarantined(world.engine, NOW, tally)
    assert tally.proposed == 1


@pytest.fixture
def say(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))

    def typed(*words: str) -> Result:
        return CliRunner().invoke(tandem, ["proposals", *words])

    return typed


def ok(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output.strip()


def test_the_command_lists_accepts_and_rejects(world: World, tmp_path: Path, say: Any) -> None:
    assert ok(say()) == "nobody is proposed"
    read_list(world, tmp_path, AT_THE_FAIR)
    number = str(waiting(world)[0].id)
    listed = ok(say("list", "--account", "acme"))
    assert f"Zoe Lin <{ZOE}>, Head of IT   event attended on 2026-11-20 (fair)" in listed
    assert ok(say("list", "--account", "globex")) == "nobody is proposed"
    assert json.loads(ok(say("list", "--json")))[0]["name"] == "Zoe Lin"
    assert "mia does not speak for Acme Works" in str(say("accept", number, "--by", "mia").exception)
    said = ok(say("accept", number, "--by", RAVI.by, "--as-of", NOW.isoformat()))
    assert said == "Zoe Lin is one of acme, gets no mail: no basis for it; 1 signal taken out of quarantine"
    refused = say("reject", number, "--by", RAVI.by)
    assert isinstance(refused.exception, TandemError)
    assert str(refused.exception).startswith(f"proposal {number} is accepted")
    read_list(world, tmp_path, AT_THE_FAIR.replace("zoe.lin", "yan"), source="dinner")
    no = ("reject", str(waiting(world)[0].id), "--by", "mia")
    assert "mia does not speak for Acme Works" in str(say(*no).exception)
    assert ok(say(*no, "--override", "Ravi asked me to")) == "Zoe Lin is none of acme"
