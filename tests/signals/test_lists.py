"""Lists as people hand them in after a fair: numbered alike, filled in by hand, saved by a spreadsheet."""

from pathlib import Path

from sqlalchemy import Engine, func, select

from accounts.ledger.engine import reading
from accounts.models import Account, Quarantine, Signal, Stakeholder
from flows.signals.intake import Tally, take_file
from tests.cast import NOW, World

ALICE, BOB, GINA = "alice@acme.example", "bob@acme.example", "gina@globex.example"
HEAD = "signal,email,kind,occurred_at\n"


def take(world: World, folder: Path, text: str, name: str = "list.csv", source: str = "csv") -> Tally:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return take_file(world.engine, path, NOW, source=source)


def who_came(engine: Engine) -> dict[str, int]:
    """Address, or key of the account -> how many signals."""
    said = func.coalesce(Stakeholder.email, Account.key)
    query = select(said, func.count()).select_from(Signal).join(Account, Account.id == Signal.account_id)
    with reading(engine) as connection:
        found = connection.execute(query.outerjoin(Stakeholder, Stakeholder.id == Signal.stakeholder_id).group_by(said))
        return dict(found.tuples().all())


def reasons(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        rows = connection.scalars(select(Quarantine.reasons).order_by(Quarantine.id))
        return [(why["rule"], why["sentence"]) for row in rows for why in row]


def rows(*values: str, kind: str = "event_attended", at: str = "2026-11-20") -> str:
    return HEAD + "".join(f"{value},{kind},{at}\n" for value in values)


# Names of rows


def test_two_fairs_on_one_day_that_number_their_badges_alike_lose_nobody(world: World, tmp_path: Path) -> None:
    take(world, tmp_path, rows(f"1,{ALICE}", f"2,{BOB}"), "hanover.csv")
    take(world, tmp_path, rows(f"1,{GINA}", f"2,{ALICE}"), "lyon.csv")
    assert who_came(world.engine) == {ALICE: 2, BOB: 1, GINA: 1}


def test_the_name_of_the_fair_in_every_row_is_no_name_of_a_row(world: World, tmp_path: Path) -> None:
    tally = take(world, tmp_path, rows(f"Hanover,{ALICE}", f"Hanover,{BOB}", f"Hanover,{GINA}", f"Hanover,{BOB}"))
    assert (tally.recorded, tally.duplicates) == (3, 1)
    assert who_came(world.engine) == {ALICE: 1, BOB: 1, GINA: 1}


def test_the_same_list_again_in_any_order_adds_nobody(world: World, tmp_path: Path) -> None:
    people = [f"Hanover,{ALICE}", f"Hanover,{BOB}", f"1,{GINA}", f"1,{ALICE}"]
    take(world, tmp_path, rows(*people))
    again = take(world, tmp_path, rows(*reversed(people)))
    assert (again.recorded, again.duplicates, again.quarantined) == (0, 4, 0)


def test_companies_under_one_name_are_two_companies(world: World, tmp_path: Path) -> None:
    head = "signal,account,kind,occurred_at\n"
    take(world, tmp_path, f"{head}7,acme,visited,2026-11-20\n7,globex,visited,2026-11-20\n7,acme,visited,2026-11-20\n")
    assert who_came(world.engine) == {"acme": 1, "globex": 1}


def test_a_row_that_was_changed_under_its_name_waits_for_somebody_to_look(world: World, tmp_path: Path) -> None:
    take(world, tmp_path, rows(f"1,{GINA}", f"1,{ALICE}"))
    for other in ({"kind": "webinar_attended"}, {"at": "2026-11-21"}):
        assert take(world, tmp_path, rows(f"1,{GINA}", f"1,{ALICE}", **other)).recorded == 0
    assert {rule for rule, _ in reasons(world.engine)} == {"name_taken"}
    assert who_came(world.engine) == {ALICE: 1, GINA: 1}
