"""Lists as people hand them in after a fair: numbered alike, filled in by hand, saved by a spreadsheet."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from accounts.errors import InputRefused
from accounts.ledger.engine import reading
from accounts.models import Account, Hold, Quarantine, Signal, Stakeholder
from flows.signals.intake import Tally, drain, take_file
from tests.cast import NOW, World
from tests.signals.post import play

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
    with reading(world.engine) as connection:
        names = list(connection.scalars(select(Signal.source_id).order_by(Signal.id)))
    assert sorted(name.partition("/")[0] for name in names) == ["1", "1", "2", "2"]
    assert {"1", "2"} < set(names), "the first to have a name keeps it as it is"


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


# What a spreadsheet makes of a list


def kinds(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(select(Signal.kind).order_by(Signal.id)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_as_a_spreadsheet_saves_it(world: World, tmp_path: Path, encoding: str) -> None:
    """Semicolons, names of columns as people write them, days as the country writes them, empty rows at the end."""
    path = tmp_path / "messe.csv"
    text = f"E-Mail;Kind;Occurred at;First name;Stand\n{ALICE};Event attended;20.11.2026 09:30;Älice;B 7\n;;;;\n;;;;\n"
    path.write_bytes(text.encode(encoding))
    tally = take_file(world.engine, path, NOW)
    assert (tally.recorded, tally.quarantined) == (1, 0)
    with reading(world.engine) as connection:
        (row,) = connection.execute(select(Signal.kind, Signal.occurred_at, Signal.data))
    assert row == ("event_attended", NOW.replace(day=20, hour=9, minute=30), {"stand": "B 7"})


def test_a_day_that_may_be_two_waits_with_both(world: World, tmp_path: Path) -> None:
    take(world, tmp_path, rows(f"1,{ALICE}", f"2,{BOB}", at="04/03/2026"))
    assert set(reasons(world.engine)) == {
        ("occurred_at_ambiguous", "may be 4 March or 3 April; write 2026-03-04")
    }  # fmt: skip


def test_a_list_that_says_of_nobody_whose_it_is_is_refused_before_a_row_is_read(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="has no column email or account or domain"):
        take(world, tmp_path, "name,kind,occurred_at\nAlice,visited,2026-11-20\n")
    with pytest.raises(InputRefused, match="has two columns 'email'"):
        take(world, tmp_path, "E-Mail,email,kind,occurred_at\nx,y,visited,2026-11-20\n")


def test_a_column_without_a_name_is_kept_and_its_row_can_be_tried_again(world: World, tmp_path: Path) -> None:
    take(world, tmp_path, f"email,kind,occurred_at,\nzoe@acme.example,visited,2026-11-20,hall 4\n{ALICE},visited,x,\n")
    with reading(world.engine) as connection:
        fields = list(connection.scalars(select(Quarantine.fields).order_by(Quarantine.id)))
    assert [bool(one) for one in fields] == [True, True]
    assert {"column 4": "hall 4"}.items() <= next(one for one in fields if "column 4" in one).items()


# Days to come


@pytest.mark.parametrize(
    ("kind", "until", "rule"),
    [
        ("meeting_booked", "next Tuesday", "until_unreadable"),
        ("meeting_booked", "03/12/2026", "until_ambiguous"),
        ("meeting_booked", "2026-11-18", "until_over"),
        ("meeting_booked", "9999-12-31", "until_too_far"),
        ("out_of_office", "2027-03-01", "until_too_far"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_day_to_come_that_would_not_count_as_written_waits(
    world: World, tmp_path: Path, kind: str, until: str, rule: str
) -> None:
    take(world, tmp_path, f"email,kind,occurred_at,until\n{ALICE},{kind},2026-11-20,{until}\n")
    assert [name for name, _ in reasons(world.engine)] == [rule]
    assert kinds(world.engine) == []


@pytest.mark.parametrize(("kind", "until"), [("visited", "late"), ("meeting_booked", "20.11.2026")])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_day_that_counts_or_that_nobody_reads_is_no_defect(
    world: World, tmp_path: Path, kind: str, until: str
) -> None:
    take(world, tmp_path, f"email,kind,occurred_at,until\n{ALICE},{kind},2026-11-20T15:00Z,{until}\n")
    assert kinds(world.engine) == [kind]


def test_the_day_of_a_meeting_is_understood_as_the_country_writes_it(world: World, tmp_path: Path) -> None:
    take(world, tmp_path, f"email,kind,occurred_at,until\n{ALICE},meeting booked,20.11.2026,04.12.2026\n")
    list(drain(world.engine, play(), NOW))
    with reading(world.engine) as connection:
        assert connection.scalar(select(Hold.ends_at)) == NOW.replace(month=12, day=4, hour=0) + timedelta(days=3)
