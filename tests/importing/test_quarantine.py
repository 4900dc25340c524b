"""A row that breaks a rule waits with its reasons and its original values; everything else goes in; nothing is lost."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from accounts.errors import NotFound
from accounts.ledger.engine import reading, writing
from accounts.ledger.importing import quarantine
from flows.importing import Retried, load_mapping, retry_quarantine
from tests.cast import NOW
from tests.importing.files import (
    ACME,
    GLOBEX,
    LATER,
    RAVI,
    broken_rules,
    crm,
    deal,
    known_world,
    meeting,
    only,
    person,
    stored,
    take,
    waiting,
    write,
)
from tests.plays import small_play

GOOD = person("ann")
#: Files beside a world that is known already.
files = partial(crm, reps=[], accounts=[])
TOMORROW = LATER.date().isoformat()


@pytest.fixture
def database(database: Engine) -> Engine:
    """The ledger, with Ravi, Acme and Globex in it."""
    known_world(database)
    return database


def retry(engine: Engine, **options: object) -> Retried:
    return retry_quarantine(engine, **{"now": LATER, "play": small_play(), **options})  # type: ignore[arg-type]


BAD_PEOPLE = [
    ({**person("p1"), "account": ""}, "account_is_named", "account", ""),
    (person("p2", account="nowhere"), "account_is_known", "account", "nowhere"),
    (person("p3", email=""), "email_is_given", "email", ""),
    (person("p4", email="p4@"), "email_has_a_domain", "email", "p4@"),
    (person("p5", email="p5@acme"), "email_has_a_domain", "email", "p5@acme"),
    (person("p6", email="p6 x@acme.example"), "values_can_be_read", "email", "p6 x@acme.example"),
    (person("p7", consent_at=TOMORROW), "consent_at_is_not_in_the_future", "consent_at", TOMORROW),
    (person("p8", consent_basis="asked nicely"), "consent_basis_is_known", "consent_basis", "asked nicely"),
    (person("p9", consent_at="31.02.2026"), "values_can_be_read", "consent_at", "31.02.2026"),
    (person("p10", timezone="Berlin"), "values_can_be_read", "timezone", "Berlin"),
    (person("p11", ads_consent_basis="contract", ads_consent_at=TOMORROW), "ads_consent_at_is_not_in_the_future",
     "ads_consent_at", TOMORROW),
    (person("ann", title="Another Ann"), "email_stands_once", "email", "ann@acme.example"),
]  # fmt: skip


def test_every_person_who_breaks_a_rule_waits_with_the_reason_and_all_others_go_in(
    database: Engine, tmp_path: Path
) -> None:
    rows = [GOOD, *(row for row, *_ in BAD_PEOPLE), person("zoe")]
    imported = take(database, files(tmp_path / "crm", stakeholders=rows))
    assert [one.email for one in stored(database, "stakeholders")] == ["ann@acme.example", "zoe@acme.example"]
    assert imported.of("stakeholders").quarantined == len(BAD_PEOPLE)
    found = waiting(database)
    assert [one.row_number for one in found] == list(range(3, 3 + len(BAD_PEOPLE)))
    for entry, (row, rule, column, value) in zip(found, BAD_PEOPLE, strict=True):
        assert [(one["rule"], one["column"], one["value"]) for one in entry.reasons] == [(rule, column, value)], row
        assert entry.reasons[0]["sentence"]
        assert entry.row == {name: row.get(name, "") for name in entry.row}, "the original values"
        assert (entry.source, entry.dataset, entry.first_seen) == ("csv/stakeholders.csv", "stakeholders", NOW)


def test_a_row_is_told_everything_that_is_wrong_with_it(database: Engine, tmp_path: Path) -> None:
    bad = person("p1", "nowhere", email="p1@", consent_basis="yes", consent_at="soon")
    take(database, files(tmp_path / "crm", stakeholders=[bad]))
    assert sorted(broken_rules(database)) == [
        "account_is_known", "consent_basis_is_known", "email_has_a_domain", "values_can_be_read",
    ]  # fmt: skip


def rep(name: str, **changes: str) -> dict[str, str]:
    return {"email": f"{name}@lumenflow.example", "name": name.capitalize(), **changes}


BAD_ROWS: list[tuple[str, dict[str, str], str]] = [
    ("reps", {"email": "", "name": "Nobody"}, "email_is_given"),
    ("reps", {"email": "sofia@", "name": "Sofía"}, "email_has_a_domain"),
    ("reps", {"email": "sofia@lumenflow.example", "name": ""}, "name_is_given"),
    ("reps", {**RAVI, "name": "Ravi again"}, "email_stands_once"),
    ("reps", rep("tim", away_until="2026-12-01"), "back_after_leaving"),
    ("reps", rep("uma", away_from="2026-12-01", away_until="2026-11-30"), "back_after_leaving"),
    ("reps", rep("vera", away_from="soon"), "values_can_be_read"),
    ("reps", rep("wim", brief_hour="16:30"), "values_can_be_read"),
    ("reps", rep("walt", backup_email="walt@lumenflow.example"), "somebody_else_stands_in"),
    ("accounts", {"account": "", "name": "Hooli"}, "account_is_given"),
    ("accounts", {"account": "hooli", "name": ""}, "name_is_given"),
    ("accounts", {"account": "hooli", "name": "Hooli", "owner_email": "kim@lumenflow.example"}, "owner_is_known"),
    ("accounts", {"account": "hooli", "name": "Hooli", "domain": "hooli"}, "domain_has_a_dot"),
    ("accounts", {"account": "hooli", "name": "Hooli", "parent": "hooli"}, "account_is_not_its_own_parent"),
    ("accounts", {"account": "hooli", "name": "Hooli", "stage": "Dreaming"}, "values_can_be_read"),
    ("accounts", {**ACME, "name": "Acme again"}, "account_stands_once"),
    ("opportunities", deal("", amount="1"), "opportunity_is_given"),
    ("opportunities", deal("d1", ""), "account_is_named"),
    ("opportunities", deal("d1", "nowhere"), "account_is_known"),
    ("opportunities", deal("d1", stage=""), "stage_is_given"),
    ("opportunities", deal("d1", amount="-1"), "amount_is_not_negative"),
    ("opportunities", deal("d1", amount="a lot"), "values_can_be_read"),
    ("opportunities", deal("d1", created_at=TOMORROW), "created_at_is_not_in_the_future"),
    ("opportunities", deal("d1", owner_email="kim@lumenflow.example"), "owner_is_known"),
    ("activities", meeting(""), "activity_is_given"),
    ("activities", meeting("m1", "nowhere"), "account_is_known"),
    ("activities", meeting("m1", kind=""), "kind_is_given"),
    ("activities", meeting("m1", kind="fax"), "kind_is_known"),
    ("activities", meeting("m1", direction="sideways"), "direction_is_known"),
    ("activities", meeting("m1", occurred_at=""), "occurred_at_is_given"),
    ("activities", meeting("m1", occurred_at=TOMORROW), "occurred_at_is_not_in_the_future"),
    ("activities", meeting("m1", rep_email="kim@lumenflow.example"), "rep_is_known"),
]


@pytest.mark.parametrize("dataset", ["reps", "accounts", "opportunities", "activities"])
def test_each_rule_turns_away_the_row_that_breaks_it(database: Engine, tmp_path: Path, dataset: str) -> None:
    cases = [
        (_numbered(dataset, row, number), rule) for number, (name, row, rule) in enumerate(BAD_ROWS) if name == dataset
    ]
    first = {"reps": [RAVI], "accounts": [ACME, GLOBEX]}.get(dataset, [])
    take(database, files(tmp_path / "crm", **{dataset: [*first, *(row for row, _ in cases)]}))
    assert broken_rules(database) == [rule for _, rule in cases]
    assert len(stored(database, dataset)) == len(first)


def _numbered(dataset: str, row: dict[str, str], number: int) -> dict[str, str]:
    """Many of the rows above are called alike; here each gets an id of its own."""
    field = {"opportunities": "opportunity", "activities": "activity"}.get(dataset)
    return {**row, field: f"{row[field]}-{number}"} if field and row[field] else row


def test_a_row_that_is_none_waits_as_the_line_it_was(database: Engine, tmp_path: Path) -> None:
    people = tmp_path / "stakeholders.csv"
    people.write_text("account,email,first_name\nacme,a@acme.example,Ann\nacme,b@acme.example,Bo,Lee\nacme,c@acme.ex")
    take(database, people)
    assert [(one.row, one.reasons[0]["sentence"]) for one in waiting(database)] == [
        ({"(line)": "acme,b@acme.example,Bo,Lee"}, "the row has 4 values where the header has 3"),
        ({"(line)": "acme,c@acme.ex"}, "the row is cut off: the file ends inside it"),
    ]
    assert retry(database).still == 2


def test_of_three_copies_the_first_is_taken_and_two_wait(database: Engine, tmp_path: Path) -> None:
    rows = [person("ann", title="First"), person("ann", title="Second"), person("ann", title="Third")]
    take(database, files(tmp_path / "crm", stakeholders=rows))
    assert only(database, "stakeholders").title == "First"
    assert broken_rules(database) == ["email_stands_once"] * 2


def test_a_row_that_only_repeats_an_earlier_one_of_its_file_needs_nobody(database: Engine, tmp_path: Path) -> None:
    """A list of people names their company in each row: read as accounts it is one account, and nothing to mend."""
    (tmp_path / "mapping.yaml").write_text(
        "source: list\n"
        "read:\n"
        "  - { file: people.csv, dataset: accounts, columns: { Firm: name }, templates: { account: '{Firm|slug}' } }\n"
        "  - { file: people.csv, dataset: stakeholders, columns: { Mail: email },"
        " templates: { account: '{Firm|slug}' } }\n"
    )
    firms = ["Hooli Ltd", "Hooli Ltd", "Umbrella", "Hooli Ltd", "HOOLI ltd"]
    people = write(
        tmp_path / "people.csv", [{"Firm": firm, "Mail": f"p{n}@list.example"} for n, firm in enumerate(firms)]
    )
    taken = take(database, people, mapping=load_mapping(tmp_path / "mapping.yaml"))
    accounts, stakeholders = taken.datasets
    assert (accounts.read, accounts.added, accounts.copies, accounts.quarantined) == (5, 2, 2, 1)
    assert (stakeholders.read, stakeholders.added, stakeholders.copies) == (5, 5, 0)
    (waits,) = waiting(database)
    assert waits.row["Firm"] == "HOOLI ltd", "another name for the same key is for somebody to decide"


def test_a_copy_of_a_row_that_breaks_a_rule_is_no_copy(database: Engine, tmp_path: Path) -> None:
    take(
        database, files(tmp_path / "crm", stakeholders=[person("ann", timezone="Mars"), person("ann", title="Second")])
    )
    assert only(database, "stakeholders").title == "Second"
    assert broken_rules(database) == ["values_can_be_read"]


# Trying again


def test_a_row_goes_in_when_the_missing_account_has_come(database: Engine, tmp_path: Path) -> None:
    people = [person("kim", "hooli"), person("lee", "nowhere")]
    take(database, files(tmp_path / "crm", stakeholders=people, opportunities=[deal("d1", "hooli")]))
    assert retry(database).passed == 0
    take(database, write(tmp_path / "accounts.csv", [{"account": "hooli", "name": "Hooli"}]), now=LATER)
    retried = retry(database)
    assert (retried.tried, retried.passed, retried.still) == (3, 2, 1)
    assert only(database, "stakeholders").email == "kim@hooli.example"
    assert only(database, "opportunities").source == "csv"
    (left,) = waiting(database)
    assert (left.row["email"], left.first_seen, left.retried_at) == ("lee@nowhere.example", NOW, LATER)
    with reading(database) as connection:
        settled = quarantine.read_entry(connection, 1)
    assert (settled.resolved_at, settled.retried_at, settled.row["email"]) == (LATER, LATER, "kim@hooli.example")


def test_a_row_goes_in_when_its_day_has_come(database: Engine, tmp_path: Path) -> None:
    take(database, files(tmp_path / "crm", activities=[meeting("m1", occurred_at=TOMORROW)]))
    assert retry(database, now=NOW + timedelta(hours=1)).passed == 0
    assert retry(database, now=LATER).passed == 1
    assert only(database, "activities").source_id == "m1"


def test_a_row_of_a_mapped_file_is_tried_again_as_the_mapping_read_it(database: Engine, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(
        "source: oldcrm\n"
        "read:\n"
        "  - file: firms.csv\n"
        "    dataset: accounts\n"
        "    columns: { Firm: name }\n"
        '    templates: { account: "{Firm|slug}", owner_email: "{Rep|slug}@lumenflow.example" }\n'
    )
    firms = write(tmp_path / "firms.csv", [{"Firm": "Hooli Ltd", "Rep": "Kim", "Colour": "red"}])
    take(database, firms, mapping=load_mapping(tmp_path / "mapping.yaml"))
    (entry,) = waiting(database)
    assert entry.row == {"Firm": "Hooli Ltd", "Rep": "Kim", "Colour": "red"}
    assert entry.source == "oldcrm/firms.csv"
    kim = {"email": "kim@lumenflow.example", "name": "Kim"}
    take(database, write(tmp_path / "reps.csv", [kim]))
    assert retry(database).passed == 1
    hooli = stored(database, "accounts")[-1]
    assert (hooli.key, hooli.name, hooli.source, hooli.owner_id) == ("hooli-ltd", "Hooli Ltd", "oldcrm", 2)


def test_a_copy_does_not_pass_by_being_tried_alone(database: Engine, tmp_path: Path) -> None:
    take(database, files(tmp_path / "crm", stakeholders=[person("ann", title="First"), person("ann", title="Second")]))
    retried = retry(database)
    assert (retried.passed, retried.still) == (0, 1)
    assert only(database, "stakeholders").title == "First"


def test_only_rows_of_one_kind_are_tried_when_asked(database: Engine, tmp_path: Path) -> None:
    bad = {"stakeholders": [person("kim", "hooli")], "opportunities": [deal("d1", "hooli")]}
    take(database, files(tmp_path / "crm", **bad))
    take(database, write(tmp_path / "accounts.csv", [{"account": "hooli", "name": "Hooli"}]))
    assert retry(database, dataset="opportunities").passed == 1
    assert [one.dataset for one in waiting(database)] == ["stakeholders"]


# Settling


def test_a_corrected_row_settles_the_one_that_waits(database: Engine, tmp_path: Path) -> None:
    take(database, files(tmp_path / "crm", opportunities=[deal("d1", ""), deal("d2", "")]))
    take(database, files(tmp_path / "crm", opportunities=[deal("d1", "acme"), deal("d2", "", amount="5")]), now=LATER)
    (left,) = waiting(database)
    assert (left.key, left.row["amount"], left.first_seen) == ("d2", "5", LATER)


def test_the_same_bad_row_waits_once_however_often_it_comes(database: Engine, tmp_path: Path) -> None:
    folder = files(tmp_path / "crm", opportunities=[deal("d1", "")])
    take(database, folder)
    take(database, folder, now=LATER)
    (left,) = waiting(database)
    assert left.first_seen == NOW


def test_two_rows_that_differ_only_in_what_cannot_be_read_are_two(database: Engine, tmp_path: Path) -> None:
    take(
        database,
        files(tmp_path / "crm", stakeholders=[person("ann", consent_at="soon"), person("ann", consent_at="x")]),
    )
    assert [one.row["consent_at"] for one in waiting(database)] == ["soon", "x"]


def test_a_dismissed_row_stays_readable_and_comes_back_only_if_it_is_exported_again(
    database: Engine, tmp_path: Path
) -> None:
    folder = files(tmp_path / "crm", opportunities=[deal("d1", "")])
    take(database, folder)
    with writing(database) as connection:
        assert quarantine.dismiss(connection, [1, 99], LATER) == 1
        assert quarantine.dismiss(connection, [1], LATER) == 0
    with reading(database) as connection:
        assert quarantine.read_entry(connection, 1).row["opportunity"] == "d1"
        with pytest.raises(NotFound):
            quarantine.read_entry(connection, 99)
    take(database, folder, now=LATER)
    assert len(waiting(database)) == 1


def test_reasons_are_counted_by_kind_and_rule_most_frequent_first(database: Engine, tmp_path: Path) -> None:
    deals = [deal("d1", ""), deal("d2", ""), deal("d3", "", amount="x")]
    take(database, files(tmp_path / "crm", stakeholders=[person("kim", "hooli")], opportunities=deals))
    with reading(database) as connection:
        groups = quarantine.group_open(connection)
        named = quarantine.read_open(connection, rule="account_is_named", most=2)
    assert [(one.dataset, one.rule, one.rows) for one in groups] == [
        ("opportunities", "account_is_named", 3),
        ("opportunities", "values_can_be_read", 1),
        ("stakeholders", "account_is_known", 1),
    ]
    assert [entry.row["opportunity"] for entry in named] == ["d1", "d2"]


def test_an_erasure_takes_the_person_out_of_quarantine(database: Engine, tmp_path: Path) -> None:
    take(database, files(tmp_path / "crm", stakeholders=[person("kim", "hooli"), person("lee", "hooli")]))
    with writing(database) as connection:
        assert quarantine.forget_address(connection, "Kim@hooli.example") == 1
    assert [one.row["email"] for one in waiting(database)] == ["lee@hooli.example"]
