"""Facts go in once, by their own ids; what did not change is not written; what a file does not say is not touched."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text, update

from accounts.errors import InputRefused, NotFound, Refused
from accounts.identity import email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.importing import facts, waiting_room
from accounts.ledger.reps.profiles import Rhythm, go_away, wish_rhythm
from accounts.ledger.suppressions import FORGOTTEN, suppress
from accounts.models import Account, Quarantine, Stakeholder
from flows.importing import load_mapping
from tests.cast import NOW
from tests.importing.files import (
    ACME,
    GLOBEX,
    LATER,
    RAVI,
    broken_rules,
    crm,
    deal,
    meeting,
    only,
    person,
    stored,
    take,
    waiting,
    write,
)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder for files of the CRM."""
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


PEOPLE = [person(name) for name in ("ann", "bob", "cem", "dana")]


def test_a_whole_export_goes_in(database: Engine, export: Path) -> None:
    folder = crm(
        export,
        stakeholders=[person("dana", role="Champion", ads_consent_basis="consent", ads_consent_at="2026-09-02")],
        opportunities=[deal("d1")],
        activities=[meeting("m1", stakeholder_email="dana@acme.example")],
    )
    imported = take(database, folder)
    assert [(one.dataset, one.added) for one in imported.datasets] == [
        ("reps", 1), ("accounts", 2), ("stakeholders", 1), ("opportunities", 1), ("activities", 1),
    ]  # fmt: skip
    rep, (acme, _), dana = only(database, "reps"), stored(database, "accounts"), only(database, "stakeholders")
    assert (acme.key, acme.name, acme.owner_id, acme.stage, acme.source) == (
        "acme",
        "Acme Works",
        rep.id,
        "target",
        "csv",
    )
    assert (dana.account_id, dana.email, dana.crm_role, dana.role) == (
        acme.id,
        "dana@acme.example",
        "Champion",
        "unknown",
    )
    assert (dana.email_hash, dana.email_status, dana.owner_conflict) == (email_hash("dana@acme.example"), "ok", False)
    assert (dana.consent_basis, dana.consent_at) == ("consent", datetime(2026, 9, 1, tzinfo=UTC))
    assert (dana.ads_consent_basis, dana.ads_consent_at) == ("consent", datetime(2026, 9, 2, tzinfo=UTC))
    opportunity, activity = only(database, "opportunities"), only(database, "activities")
    assert (opportunity.amount, opportunity.currency, opportunity.is_open) == (Decimal("48000.00"), "EUR", True)
    assert (opportunity.close_date, opportunity.closed_at) == (date(2027, 1, 31), None)
    assert (activity.stakeholder_id, activity.rep_id, activity.outcome) == (dana.id, rep.id, "held")
    assert (activity.occurred_at, activity.is_contact) == (datetime(2026, 10, 20, 9, tzinfo=UTC), False)


def test_columns_come_in_any_order_and_with_any_delimiter_and_unknown_ones_are_named(
    database: Engine, export: Path
) -> None:
    backwards = dict(reversed({**PEOPLE[3], "shoe size": "39"}.items()))
    crm(export)
    write(export / "stakeholders.csv", [backwards], delimiter=";", encoding="utf-8-sig")
    imported = take(database, export)
    assert only(database, "stakeholders").email == "dana@acme.example"
    assert imported.notices == ("stakeholders.csv: left out columns Tandem does not know: shoe size",)


def test_importing_twice_changes_nothing_and_says_so(database: Engine, export: Path) -> None:
    folder = crm(export, stakeholders=[*PEOPLE, person("eve", email="eve")], opportunities=[deal("d1")],
                 activities=[meeting("m1")])  # fmt: skip
    first = take(database, folder)
    before = {name: stored(database, name) for name in facts.MODELS}
    second = take(database, folder)
    assert {name: stored(database, name) for name in facts.MODELS} == before
    assert (first.written, second.written) == (9, 0)
    assert [one.unchanged for one in second.datasets] == [1, 2, 4, 1, 1]
    assert len(waiting(database)) == 1


def test_an_unchanged_row_is_not_written_at_all(database: Engine, export: Path) -> None:
    """Even at another time: a trigger that refuses every write to the people stays silent."""
    take(database, crm(export, stakeholders=PEOPLE, opportunities=[deal("d1")], activities=[meeting("m1")]))
    tables = ("rep", "stakeholder", "opportunity", "activity")
    with writing(database) as connection:
        _forbid_writing(connection, tables)
    try:
        assert take(database, export, now=LATER).written == 0
        write(export / "stakeholders.csv", [person("ann", title="Chief")])
        with pytest.raises(Exception, match="not to be written"):
            take(database, export, now=LATER)
    finally:
        with writing(database) as connection:
            for table in tables:
                on = f" ON {table}" if database.dialect.name == "postgresql" else ""
                connection.execute(text(f"DROP TRIGGER frozen_{table}{on}"))


def _forbid_writing(connection: object, tables: tuple[str, ...]) -> None:
    execute = connection.execute  # type: ignore[attr-defined]
    if connection.dialect.name == "postgresql":  # type: ignore[attr-defined]
        execute(text("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                     "$$ BEGIN RAISE EXCEPTION 'not to be written'; END $$"))  # fmt: skip
    for table in tables:
        body = "EXECUTE FUNCTION refuse()"
        if connection.dialect.name == "sqlite":  # type: ignore[attr-defined]
            body = "BEGIN SELECT RAISE(ABORT, 'not to be written'); END"
        execute(text(f"CREATE TRIGGER frozen_{table} BEFORE UPDATE ON {table} FOR EACH ROW {body}"))


def test_a_changed_row_is_written_and_its_account_is_looked_at_again(database: Engine, export: Path) -> None:
    take(database, crm(export, stakeholders=[*PEOPLE, person("gina", "globex")]))
    people = [person("ann", title="Chief Energy Officer"), *PEOPLE[1:], person("gina", "globex")]
    imported = take(database, crm(export, stakeholders=people), now=LATER)
    assert (imported.of("stakeholders").changed, imported.of("stakeholders").unchanged) == (1, 4)
    assert stored(database, "stakeholders")[0].title == "Chief Energy Officer"
    assert [(one.key, one.replan_at) for one in stored(database, "accounts")] == [("acme", LATER), ("globex", NOW)]


def test_a_change_of_any_kind_reaches_its_account_and_no_other(database: Engine, export: Path) -> None:
    old = {"opportunities": [deal("d1")], "activities": [meeting("m1")]}
    take(database, crm(export, accounts=[ACME, {**GLOBEX, "owner_email": ""}], **old))
    new = {
        "reps": [{**RAVI, "timezone": "Europe/Paris"}],
        "accounts": [{**ACME, "tier": "1"}],
        "opportunities": [deal("d1", stage="Negotiation/Review")],
        "activities": [meeting("m1", outcome="no show")],
    }
    for days, (name, rows) in enumerate(new.items(), 1):
        at = NOW + timedelta(days=days)
        take(database, write(export / f"{name}.csv", rows), now=at)
        assert [one.replan_at for one in stored(database, "accounts")] == [at, NOW], name


def test_a_deal_that_moves_to_another_account_concerns_both(database: Engine, export: Path) -> None:
    take(database, crm(export, opportunities=[deal("d1")]))
    write(export / "opportunities.csv", [deal("d1", "globex")])
    take(database, export / "opportunities.csv", now=LATER)
    assert [one.replan_at for one in stored(database, "accounts")] == [LATER, LATER]


def test_an_account_a_file_speaks_of_was_seen_whether_it_changed_or_not(database: Engine, export: Path) -> None:
    take(database, crm(export, stakeholders=PEOPLE))
    take(database, export / "stakeholders.csv", now=LATER)
    acme, globex = stored(database, "accounts")
    assert (acme.synced_at, acme.replan_at) == (LATER, NOW)
    assert (globex.synced_at, globex.replan_at) == (NOW, NOW)


def test_a_column_that_is_not_there_is_left_alone_and_an_empty_value_empties(database: Engine, export: Path) -> None:
    take(database, crm(export, stakeholders=[person("ann", title="Chief")]))
    write(export / "stakeholders.csv", [{"account": "acme", "email": "ann@acme.example", "title": ""}])
    take(database, export / "stakeholders.csv")
    ann = only(database, "stakeholders")
    assert (ann.title, ann.first_name, ann.consent_basis) == (None, "Ann", "consent")


def test_two_files_of_one_kind_may_have_different_columns(database: Engine, export: Path) -> None:
    crm(export, accounts=[])
    write(export / "accounts-north.csv", [{**ACME, "tier": "1"}])
    write(export / "accounts_south.csv", [{"account": "globex", "name": "Globex", "industry": "Cooling"}])
    taken = take(database, export).of("accounts")
    acme, globex = stored(database, "accounts")
    assert taken.files == ("accounts-north.csv", "accounts_south.csv")
    assert (acme.tier, acme.industry, globex.tier, globex.industry) == ("1", None, None, "Cooling")


def test_an_import_never_takes_back_a_no_or_a_word_of_a_rep(database: Engine, export: Path) -> None:
    take(database, crm(export, stakeholders=[person("dana", role="Champion")]))
    kept = {
        "opted_out_at": NOW,
        "email_status": "bounced",
        "role": "blocker",
        "role_source": "rep",
        "paused_until": NOW,
    }
    with writing(database) as connection:
        connection.execute(update(Stakeholder).values(kept))
        connection.execute(update(Account).values(stage="evaluation", stage_entered_at=NOW, first_contacted_at=NOW))
    crm(export, accounts=[{**ACME, "stage": "target", "tier": "2"}],
        stakeholders=[person("dana", role="End User", title="Boss")])  # fmt: skip
    take(database, export, now=LATER)
    dana, acme = only(database, "stakeholders"), stored(database, "accounts")[0]
    assert {name: getattr(dana, name) for name in kept} == kept
    assert (dana.title, dana.crm_role) == ("Boss", "End User")
    assert (acme.tier, acme.stage, acme.stage_entered_at, acme.first_contacted_at) == ("2", "evaluation", NOW, NOW)


def test_a_new_account_starts_in_the_stage_its_row_names(database: Engine, export: Path) -> None:
    rows = [{**ACME, "stage": "Proof of Concept"}, {**GLOBEX, "stage": ""}]
    take(database, crm(export, accounts=rows))
    assert [one.stage for one in stored(database, "accounts")] == ["evaluation", "target"]


def test_a_deal_is_open_until_the_row_or_its_stage_says_otherwise(database: Engine, export: Path) -> None:
    second = datetime(2026, 11, 2, tzinfo=UTC)
    cases: list[tuple[dict[str, str], bool, bool, datetime | None]] = [
        ({}, True, False, None),
        ({"is_won": ""}, True, False, None),
        ({"is_won": "true", "close_date": "2026-11-02"}, False, True, second),
        ({"stage": "Closed Lost", "close_date": "2026-11-02"}, False, False, second),
        ({"stage": "closed won", "is_won": ""}, False, True, NOW),
        ({"stage": "Abandoned", "is_closed": "yes"}, False, False, NOW),
        ({"is_won": "1", "closed_at": "2026-10-30T12:00Z"}, False, True, datetime(2026, 10, 30, 12, tzinfo=UTC)),
    ]
    take(database, crm(export, opportunities=[deal(f"d{n}", **changes) for n, (changes, *_) in enumerate(cases)]))
    for row, (changes, *expected) in zip(stored(database, "opportunities"), cases, strict=True):
        assert [row.is_open, row.is_won, row.closed_at] == expected, changes


def test_a_closing_day_nobody_told_is_the_first_import_that_saw_it_closed(database: Engine, export: Path) -> None:
    folder = crm(export, opportunities=[deal("d1", stage="Closed Won")])
    take(database, folder)
    assert take(database, folder, now=LATER).written == 0
    assert only(database, "opportunities").closed_at == NOW


def test_a_parent_is_linked_in_the_same_file_or_as_soon_as_it_comes(database: Engine, export: Path) -> None:
    rows = [{**ACME, "parent": "holding"}, {**GLOBEX, "parent": "acme"}]
    imported = take(database, crm(export, accounts=rows))
    acme, globex = stored(database, "accounts")
    assert (acme.parent_id, globex.parent_id) == (None, acme.id)
    (warned,) = (one for one in imported.of("accounts").warnings if one.rule == "parent_is_known")
    assert (warned.cases, warned.examples) == (1, ("acme",))
    rows.append({"account": "holding", "name": "Holding"})
    assert take(database, crm(export, accounts=rows)).of("accounts").added == 1
    assert stored(database, "accounts")[0].parent_id == stored(database, "accounts")[2].id


def test_an_activity_with_a_stranger_counts_for_the_account_until_the_person_comes(
    database: Engine, export: Path
) -> None:
    folder = crm(export, activities=[meeting("m1", stakeholder_email="dana@acme.example")])
    (warned,) = take(database, folder).of("activities").warnings
    assert (warned.rule, only(database, "activities").stakeholder_id) == ("person_is_known", None)
    take(database, crm(export, stakeholders=[person("dana")]))
    assert only(database, "activities").stakeholder_id == only(database, "stakeholders").id


def test_what_accounts_still_lack_is_told_and_keeps_nothing_out(database: Engine, export: Path) -> None:
    people = [*PEOPLE, *(person(f"p{number}") for number in range(4)), person("gina", "globex", consent_basis="")]
    imported = take(database, crm(export, accounts=[ACME, {**GLOBEX, "owner_email": ""}], stakeholders=people))
    told = {one.rule: (one.cases, one.examples) for one in imported.warnings}
    assert told == {
        "account_has_an_owner": (1, ("globex",)),
        "group_is_large_enough": (1, ("globex",)),
        "group_is_small_enough": (1, ("acme",)),
        "person_has_a_consent_basis": (1, ("globex",)),
    }
    assert "fewer than 4" in next(one.sentence for one in imported.warnings if one.rule == "group_is_large_enough")
    assert (imported.quarantined, len(stored(database, "stakeholders"))) == (0, 9)


# One person in two accounts


def test_one_person_in_two_accounts_is_kept_in_both_until_somebody_decides(database: Engine, export: Path) -> None:
    shared = "pat@consulting.example"
    folder = crm(export, stakeholders=[person("pat", email=shared), person("pat", "globex", email=shared), PEOPLE[0]])
    imported = take(database, folder)
    assert [one.owner_conflict for one in stored(database, "stakeholders")] == [True, True, False]
    assert {one.rule: one.cases for one in imported.warnings}["person_belongs_to_one_account"] == 2
    with writing(database) as connection:
        facts.resolve_owner_conflict(connection, " Pat@Consulting.example", "globex", LATER)
    home, rest = stored(database, "stakeholders")[1], stored(database, "stakeholders")[0]
    assert (home.is_home, rest.is_home, home.owner_conflict, rest.owner_conflict) == (True, False, False, False)
    assert [one.replan_at for one in stored(database, "accounts")] == [LATER, LATER]
    take(database, crm(export, stakeholders=[person("pat", email=shared, title="Else")]), now=LATER)
    assert [one.owner_conflict for one in stored(database, "stakeholders")] == [False, False, False]


def test_a_conflict_is_also_seen_when_the_second_account_comes_later(database: Engine, export: Path) -> None:
    shared = "pat@consulting.example"
    take(database, crm(export, stakeholders=[person("pat", email=shared)]))
    take(database, crm(export, stakeholders=[person("pat", "globex", email=shared)]), now=LATER)
    assert [one.owner_conflict for one in stored(database, "stakeholders")] == [True, True]
    assert [one.replan_at for one in stored(database, "accounts")] == [LATER, LATER]


def test_nobody_can_be_sent_home_to_an_account_they_are_not_in(database: Engine, export: Path) -> None:
    take(database, crm(export, stakeholders=[person("pat")]))
    with writing(database) as connection, pytest.raises(NotFound, match="stands in globex"):
        facts.resolve_owner_conflict(connection, "pat@acme.example", "globex", LATER)


# People who asked to be erased


def test_a_person_who_asked_to_be_erased_is_not_stored_again_anywhere(database: Engine, export: Path) -> None:
    with writing(database) as connection:
        suppress(connection, [(email_hash("dana@acme.example"), FORGOTTEN, NOW)])
    folder = crm(
        export,
        stakeholders=[*PEOPLE, person("dana", "nowhere", email="Dana@acme.example")],
        activities=[meeting("m1", "nowhere", stakeholder_email="dana@acme.example")],
    )
    imported = take(database, folder)
    assert imported.of("stakeholders").forgotten == 2
    assert [one.email for one in stored(database, "stakeholders")] == [one["email"] for one in PEOPLE[:3]]
    assert waiting(database) == []
    with reading(database) as connection:
        assert connection.execute(select(Quarantine.id)).first() is None


# Rehearsal, refusals, locks


def test_a_rehearsal_says_what_would_happen_and_writes_nothing(database: Engine, export: Path) -> None:
    folder = crm(export, stakeholders=[*PEOPLE, person("eve", "nowhere")], activities=[meeting("m1")])
    said = take(database, folder, dry_run=True)
    assert said.is_rehearsal
    assert [(one.dataset, one.added, one.quarantined) for one in said.datasets] == [
        ("reps", 1, 0), ("accounts", 2, 0), ("stakeholders", 4, 1), ("activities", 1, 0),
    ]  # fmt: skip
    assert all(stored(database, name) == [] for name in facts.MODELS)
    assert waiting(database) == []
    assert [one.added for one in take(database, folder).datasets] == [one.added for one in said.datasets]


def test_one_file_that_cannot_be_read_stops_the_import_before_anything_is_written(
    database: Engine, export: Path
) -> None:
    folder = crm(export)
    (folder / "stakeholders.csv").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputRefused, match="Excel"):
        take(database, folder)
    assert stored(database, "reps") == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("people.csv", "account,email\n", "is not a file Tandem knows"),
        ("stakeholders.csv", "account,mail\nacme,x\n", "has no column 'email'"),
        ("accounts.xlsx", "account,name\n", "is not a file Tandem knows"),
    ],
)
def test_a_named_file_that_is_not_ours_is_refused_with_what_would_be(
    database: Engine, export: Path, name: str, content: str, said: str
) -> None:
    (export / name).write_text(content)
    with pytest.raises(InputRefused, match=said) as refusal:
        take(database, export / name)
    assert "mapping" in str(refusal.value)


def test_nothing_to_import_is_said(database: Engine, export: Path) -> None:
    (export / "notes.txt").write_text("hello")
    with pytest.raises(NotFound, match="nothing to import"):
        take(database, export)
    with pytest.raises(InputRefused, match="does not exist"):
        take(database, export / "accounts.csv")


def test_a_file_with_a_header_only_is_told_and_does_no_harm(database: Engine, export: Path) -> None:
    crm(export)
    (export / "stakeholders.csv").write_text("account,email\n")
    assert take(database, export).notices == ("stakeholders.csv has column names and no rows",)


def test_other_files_in_a_folder_are_left_alone_and_named(database: Engine, export: Path) -> None:
    crm(export)
    (export / "notes.docx").write_bytes(b"PK\x03\x04")
    (export / ".hidden.csv").write_text("x")
    assert take(database, export).notices == ("notes.docx was left alone: not a name Tandem knows",)


def test_a_mapping_beside_its_files_is_asked_for_and_not_told_of_once_it_is_used(
    database: Engine, export: Path
) -> None:
    crm(export)
    path = export / "mapping.yaml"
    path.write_text(
        "source: list\nread:\n"
        "  - { file: accounts.csv, dataset: accounts, columns: { account: account, name: name } }\n"
    )
    assert take(database, export).notices == ("mapping.yaml was left alone: a mapping is given with --mapping",)
    with_it = take(database, export, mapping=load_mapping(path)).notices
    assert not [notice for notice in with_it if "mapping" in notice]


def test_two_imports_at_once_are_refused(database: Engine, export: Path) -> None:
    with waiting_room.one_at_a_time(database), pytest.raises(Refused, match="another import is running"):
        take(database, crm(export))
    assert take(database, export).written == 3


def test_rows_that_the_judge_does_not_pass_are_not_written(
    database: Engine, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are set aside by SQL; if that ever failed to find one, Great Expectations holds the door."""
    monkeypatch.setattr("flows.importing.judging.set_rows_aside", lambda *_: None)
    monkeypatch.setattr("flows.importing.loading.set_rows_aside", lambda *_: None)
    with pytest.raises(InputRefused, match="accounts do not meet their expectations: not kept: owner_is_known"):
        take(database, crm(export, reps=[], accounts=[{**ACME, "owner_email": "x@y.example"}]))
    assert stored(database, "accounts") == []


def test_signals_go_through_their_own_door(database: Engine, export: Path) -> None:
    folder = crm(export, stakeholders=PEOPLE)
    write(folder / "signals.csv", [{"signal": "s1", "account": "acme", "email": "ann@acme.example", "kind": "visited",
                                    "occurred_at": "2026-11-20", "content": ""}])  # fmt: skip
    (notice,) = take(database, folder).notices
    assert notice.startswith("signals.csv: 1 new signals, 0 known, 0 in quarantine")


def test_accounts_without_owners_take_the_rep_of_their_latest_opportunity(database: Engine, export: Path) -> None:
    (export / "mapping.yaml").write_text(
        "owners: latest opportunity\n"
        "read:\n"
        "  - { file: reps.csv, dataset: reps, columns: { email: email, name: name } }\n"
        "  - { file: accounts.csv, dataset: accounts, columns: { account: [account, name] } }\n"
        "  - file: opportunities.csv\n"
        "    dataset: opportunities\n"
        "    columns: { opportunity: opportunity, account: account, stage: stage, created_at: created_at,\n"
        "               rep: owner_email }\n"
    )
    deals = [
        deal("d1", created_at="2026-05-01", rep="ravi@lumenflow.example"),
        deal("d2", created_at="2026-06-01", rep="sofia@lumenflow.example"),
        deal("d3", created_at="", rep="ravi@lumenflow.example"),
    ]
    sofia = {"email": "sofia@lumenflow.example", "name": "Sofía Ortega"}
    crm(export, reps=[RAVI, sofia], opportunities=deals)
    mapping = load_mapping(export / "mapping.yaml")
    imported = take(database, export, mapping=mapping)
    _, sofia_row = stored(database, "reps")
    acme, globex = stored(database, "accounts")
    assert (acme.owner_id, globex.owner_id) == (sofia_row.id, None)
    assert {one.rule: one.examples for one in imported.warnings}["account_has_an_owner"] == ("globex",)
    deals[0]["created_at"] = "2026-07-01"
    take(database, crm(export, reps=[RAVI, sofia], opportunities=deals), mapping=mapping, now=NOW + timedelta(hours=1))
    assert stored(database, "accounts")[0].owner_id == stored(database, "reps")[0].id
    assert broken_rules(database) == []


def test_absences_come_with_the_list_of_reps_and_never_outrank_what_a_rep_said_since(
    database: Engine, export: Path
) -> None:
    """Sofía stands in for Ravi and comes in the same file; the same list again leaves alone what Ravi then says."""
    sofia = {"email": "sofia@lumenflow.example", "name": "Sofía Ortega"}
    away = {**RAVI, "away_from": "2026-11-26", "away_until": "2026-12-01T08:00+01:00", "backup_email": sofia["email"]}
    folder = crm(export, reps=[away, sofia], accounts=[])
    take(database, folder)
    ravi, other = stored(database, "reps")
    assert (ravi.away_from, ravi.backup_id) == (datetime(2026, 11, 26, tzinfo=UTC), other.id)
    assert ravi.away_until == datetime(2026, 12, 1, 7, tzinfo=UTC)
    with writing(database) as connection:
        go_away(connection, ravi.id, NOW, LATER, None, by=ravi.email, now=NOW)
    take(database, folder, now=LATER)
    assert stored(database, "reps")[0].backup_id is None
    write(export / "reps.csv", [{**away, "away_from": "", "away_until": "", "backup_email": ""}, sofia])
    take(database, folder, now=LATER)
    back = stored(database, "reps")[0]
    assert (back.away_from, back.away_until, back.backup_id) == (None, None, None)


def test_an_hour_for_briefs_comes_with_the_list_of_reps_and_never_outranks_what_a_rep_chose(
    database: Engine, export: Path
) -> None:
    def hour_after(listed: str) -> int | None:
        take(database, crm(export, reps=[{**RAVI, "brief_hour": listed}], accounts=[]), now=LATER)
        return only(database, "reps").brief_hour  # type: ignore[no-any-return]

    take(database, crm(export, reps=[RAVI], accounts=[]))
    assert (only(database, "reps").brief_hour, hour_after("16:00")) == (None, 16)
    with writing(database) as connection:
        wish_rhythm(connection, only(database, "reps").id, Rhythm("weekly", 9), by=RAVI["email"], now=NOW)
    assert [hour_after(listed) for listed in ("17", "", "8:00")] == [9, 9, 9]


def test_who_would_stand_in_and_is_not_known_is_told_and_keeps_nothing_out(database: Engine, export: Path) -> None:
    away = {**RAVI, "away_from": "2026-11-26", "backup_email": "kim@lumenflow.example"}
    (taken,) = take(database, crm(export, reps=[away], accounts=[])).datasets
    assert [warned.rule for warned in taken.warnings] == ["backup_is_known"]
    assert only(database, "reps").away_from is not None
