"""A person who asks to be erased is gone from every table and every file, and nothing brings them back."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select

from accounts.audiences import member_of
from accounts.errors import NotFound
from accounts.identity import email_hash
from accounts.ledger.audit import read_audit, verify
from accounts.ledger.engagement import scores
from accounts.ledger.engine import reading, writing
from accounts.ledger.importing.quarantine import put_aside
from accounts.ledger.people.privacy import ERASED, erase_words, export
from accounts.ledger.people.proposals import Proposed, propose
from accounts.ledger.signals.recorded import record
from accounts.models import (
    Account,
    Activity,
    Audience,
    AudienceMember,
    Base,
    Brief,
    Decision,
    Delay,
    Feedback,
    Hold,
    Lease,
    Letter,
    Objection,
    RepAnswer,
    RoleChange,
    SendPlan,
    Signal,
    Stakeholder,
    Suppression,
    Touch,
    Veto,
)
from flows.channels.email import Outgoing
from flows.channels.email.outbox import Outbox
from flows.forgetting import Erased, forget_person
from flows.importing import import_paths
from flows.settings import Settings
from flows.signals.files import Refused, Row, quarantined
from flows.signals.intake import collect, inbox_of
from tests.cast import NOW, World
from tests.signals.post import CONTENT, RULES, play, send, signal, tell

ALICE = "alice@acme.example"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def everything_about(world: World) -> None:
    """Alice in every table that can speak of a person."""
    alice, acme = world.people["alice"], world.accounts["acme"]
    with writing(world.engine) as connection:
        send(connection, world, "alice", error=f"550 <{ALICE}> unknown", provider_id="p-1")
        planned = send(connection, world, "alice", f"{CONTENT}-2", state="planned", sent_at=None)
        send(connection, world, "alice", f"{CONTENT}-3", address="alice.old@acme.example")
        values: dict[str, Any] = {"account_id": acme, "stakeholder_id": alice}
        connection.execute(insert(Decision).values(**values, as_of=NOW, answer="touch", content=CONTENT))
        connection.execute(insert(Veto).values(stakeholder_id=alice, by="ravi", at=NOW, note="Alice is busy"))
        connection.execute(insert(Feedback).values(**values, verdict="ripe", at=NOW, note="ask Alice"))
        connection.execute(insert(Hold).values(**values, scope="stakeholder", cause="rep", by="r", starts_at=NOW))
        held: dict[str, Any] = {"account_id": acme, "scope": "account", "cause": "rep", "by": "ravi", "starts_at": NOW}
        end = NOW + timedelta(days=1)
        connection.execute(insert(Hold).values(**held, note="after ALICE Example is back", ends_at=end))
        connection.execute(
            insert(RoleChange).values(**values, to_role="champion", source="crm", evidence="Alice", at=NOW)
        )
        connection.execute(
            insert(Activity).values(**values, kind="call", occurred_at=NOW, source_id="c", subject="Alice")
        )
        connection.execute(insert(SendPlan).values(created_at=NOW, checks={"failing": [f"touch {planned}: {ALICE}"]}))
        connection.execute(
            insert(Brief).values(
                rep_id=world.reps["ravi"], as_of=NOW, words=5,
                payload={"accounts": [{"news": [{"text": "Alice Example clicked twice; Alicent did not"}], "n": 1}]},
            )
        )  # fmt: skip
        said: dict[str, Any] = {"account_id": acme, "by": "ravi", "via": "web", "at": NOW}
        connection.execute(insert(RepAnswer).values(**said, kind="veto", stakeholder_id=alice, detail={"n": 1}))
        told = {"sentence": "No mail to Alice Example.", "override": f"{ALICE} asked", "people": [alice]}
        connection.execute(insert(RepAnswer).values(**said, kind="limits", detail=told))
        connection.execute(insert(Delay).values(stakeholder_id=alice, content=CONTENT, until=end, by="ravi", at=NOW))
        connection.execute(insert(Objection).values(**values, kind="objection", words="Alice finds it dear", at=NOW))
        heard = {"account_id": acme, "kind": "topic", "words": "what Alice Example asked", "at": NOW}
        connection.execute(insert(Objection).values(**heard))
        leased = {"account_id": acme, "rep_id": world.reps["ravi"], "taken_at": NOW, "renewed_at": NOW, "ends_at": end}
        connection.execute(insert(Lease).values(**leased, people=[alice, world.people["bob"]], topics=[]))
        letter = {"subject": "x", "kind": "handover", "address": "r@x.example", "written_at": NOW, "state": "planned"}
        connection.execute(insert(Letter).values(**letter, payload={"headline": "Alice Example waits"}))
        audience = connection.execute(
            insert(Audience)
            .values(platform="linkedin", name="discovery", stage="discovery", kind="people")
            .returning(Audience.id)
        ).scalar_one()
        hashed = member_of("linkedin", ALICE)
        connection.execute(insert(AudienceMember).values(audience_id=audience, member_hash=hashed, state="added"))
        seen = {"source": "fair", "why": "event attended", "at": NOW}
        propose(
            connection,
            [
                Proposed(world.accounts["globex"], email=ALICE, first_name="Alice", last_name="Example", **seen),
                Proposed(world.accounts["hooli"], first_name="Alice", last_name="Example", **seen),
                Proposed(acme, first_name="Zoe", last_name="Lin", replaces_id=alice, **seen),
            ],
            NOW,
        )
        row = Row(2, {"email": ALICE.upper(), "kind": "clicked", "occurred_at": "yesterday"})
        put_aside(connection, [quarantined(Refused(row, ()), "csv/week.csv", NOW)])
    tell(
        world.engine,
        signal("clicked", ALICE, data={"url": "https://x.example", "ip": "192.0.2.0"}, source_id=f"{ALICE}/1"),
        signal("downloaded", ALICE),
        signal("replied", "bob@acme.example", data={"note": f"please write to {ALICE} instead"}),
    )


def erase(world: World, settings: Settings) -> Erased:
    return forget_person(world.engine, settings, ALICE, by="ravi", now=NOW)


def everything(connection: Connection) -> str:
    """All rows of all tables as one text."""
    return "\n".join(
        str(tuple(row)) for table in Base.metadata.sorted_tables for row in connection.execute(select(table))
    ).lower()


def count(engine: Engine, table: Any, *where: Any) -> int:
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0


def test_no_row_of_any_table_names_the_person_afterwards(world: World, settings: Settings) -> None:
    everything_about(world)
    with reading(world.engine) as connection:
        assert everything(connection).count("alice") > 15
    erase(world, settings)
    with reading(world.engine) as connection:
        left = everything(connection)
    assert left.replace("alicent", "").count("alice") == 0
    assert left.count("bob@acme.example") >= 1


def test_an_answer_that_named_the_person_among_others_stays_without_them(world: World, settings: Settings) -> None:
    everything_about(world)
    erase(world, settings)
    with reading(world.engine) as connection:
        assert [kind for (kind,) in connection.execute(select(RepAnswer.kind))] == ["limits"]
        assert connection.scalar(select(Lease.people)) == [world.people["bob"]]
        assert connection.scalar(select(Objection.words)) == f"what {ERASED} asked"


def test_what_the_account_got_and_did_stays_as_somebodys(world: World, settings: Settings) -> None:
    everything_about(world)
    erase(world, settings)
    with reading(world.engine) as connection:
        touches = connection.execute(select(Touch.state, Touch.stakeholder_id, Touch.address).order_by(Touch.id)).all()
        kinds = connection.scalars(select(Signal.kind).where(Signal.account_id == world.accounts["acme"])).all()
        score = scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]]
        explained = scores.read_engagement(connection, [world.accounts["acme"]], RULES, NOW)[world.accounts["acme"]]
    assert touches == [("sent", None, ""), ("cancelled", None, ""), ("sent", None, "")]
    assert sorted(kinds) == ["clicked", "downloaded", "replied"]
    assert set(score.points) == {0, world.people["bob"]}
    assert score.value == pytest.approx(explained.score.value)


def test_ads_are_left_at_the_next_sync_and_the_account_is_planned_again(world: World, settings: Settings) -> None:
    everything_about(world)
    erase(world, settings)
    with reading(world.engine) as connection:
        assert connection.scalars(select(AudienceMember.state)).all() == ["pending_remove"]
        assert connection.scalar(select(Account.replan_at).where(Account.key == "acme")) == NOW


def test_the_hash_stays_suppressed_and_the_audit_says_what_was_done_and_not_to_whom(
    world: World, settings: Settings
) -> None:
    everything_about(world)
    erase(world, settings)
    assert (
        count(world.engine, Suppression, Suppression.email_hash == email_hash(ALICE), Suppression.reason == "forgotten")
        == 1
    )
    with reading(world.engine) as connection:
        entry = read_audit(connection)[0]
        assert verify(connection).is_whole
    assert (entry.actor, entry.action, entry.subject) == ("ravi", "forget", f"sha256:{email_hash(ALICE)}")
    assert entry.after["stakeholder"] == 1
    assert entry.after["touch"] == 3


def test_doing_it_twice_changes_nothing_more(world: World, settings: Settings) -> None:
    everything_about(world)
    erase(world, settings)
    again = erase(world, settings)
    assert not again.ledger.is_new
    with reading(world.engine) as connection:
        assert len(read_audit(connection)) == 1


def test_somebody_nobody_knows_is_not_suppressed_by_a_slip_of_the_pen(world: World, settings: Settings) -> None:
    with pytest.raises(NotFound, match="nothing is known"):
        forget_person(world.engine, settings, "alise@acme.example", by="ravi", now=NOW)
    assert count(world.engine, Suppression) == 0


def test_an_address_that_only_waits_in_quarantine_is_erased_as_well(world: World, settings: Settings) -> None:
    row = Row(2, {"email": "new@acme.example", "kind": "clicked", "occurred_at": "yesterday"})
    with writing(world.engine) as connection:
        put_aside(connection, [quarantined(Refused(row, ()), "csv/week.csv", NOW)])
    erased = forget_person(world.engine, settings, "new@acme.example", by="ravi", now=NOW)
    assert erased.ledger.rows == {"quarantine": 1}


def test_colleagues_keep_everything(world: World, settings: Settings) -> None:
    everything_about(world)
    with writing(world.engine) as connection:
        send(connection, world, "bob")
    before = count(world.engine, Stakeholder)
    erase(world, settings)
    assert count(world.engine, Stakeholder) == before - 1
    assert (
        count(world.engine, Touch, Touch.stakeholder_id == world.people["bob"], Touch.address == "bob@acme.example")
        == 1
    )
    assert count(world.engine, Signal, Signal.stakeholder_id == world.people["bob"]) == 1


def test_a_late_event_of_an_old_mail_stores_nothing_about_the_person(world: World, settings: Settings) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice")
    erase(world, settings)
    with writing(world.engine) as connection:
        recorded = record(connection, [signal("clicked", touch_id=touch), signal("clicked", ALICE)], NOW)
    assert (recorded.new, recorded.forgotten) == (0, 2)


def test_no_import_brings_the_person_back_not_even_into_quarantine(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    everything_about(world)
    erase(world, settings)
    exported = tmp_path / "crm"
    exported.mkdir()
    (exported / "stakeholders.csv").write_text(
        f"account,email,first_name,last_name,title\nacme,{ALICE},Alice,Example,Head\nnowhere,{ALICE},Alice,Example,Head\n"
    )
    (exported / "activities.csv").write_text(
        "activity,account,stakeholder_email,rep_email,kind,direction,outcome,occurred_at,subject\n"
        f"a1,acme,{ALICE},ravi@lumenflow.example,call,outbound,connected,2026-11-20,Call with the plant\n"
    )
    imported = import_paths(world.engine, [exported], now=NOW, play=play())
    assert imported.of("stakeholders").forgotten == 2
    with reading(world.engine) as connection:
        assert everything(connection).replace("alicent", "").count("alice") == 0


def test_files_are_cleaned_and_what_cannot_be_cleaned_is_named(world: World, settings: Settings) -> None:
    everything_about(world)
    inbox = inbox_of(settings)
    inbox.mkdir(parents=True)
    lists = ("a.csv", "WEEK.CSV")
    for name in lists:
        (inbox / name).write_text(
            f"email,kind,occurred_at\n{ALICE.title()},visited,2026-11-20\nbob@acme.example,visited,2026-11-20\n"
        )
    collect(world.engine, settings, play(), NOW)
    page = settings.briefs / "ravi.html"
    page.parent.mkdir()
    page.write_text("<p>Alice Example clicked. Bob did not.</p>")
    with Outbox(settings.outbox) as outbox:
        for to, said in ((ALICE, "hello"), ("bob@acme.example", "hello"), ("ravi@lumenflow.example", "Alice Example!")):
            raw = f"To: {to}\r\nMessage-ID: <{len(to)}@x>\r\nContent-Type: text/plain\r\n\r\n{said}\r\n".encode()
            outbox.send(Outgoing(f"<{len(to)}@x>", "ravi@lumenflow.example", to, raw))
    (settings.home / "scan.bin").write_bytes(b"\x00" + ALICE.encode("utf-16-le"))
    erased = erase(world, settings)
    assert erased.leftovers == ("scan.bin",)
    for name in lists:
        assert (inbox / "done" / name).read_text().splitlines()[1:] == ["bob@acme.example,visited,2026-11-20"]
    assert page.read_text() == f"<p>{ERASED} clicked. Bob did not.</p>"
    assert [path.read_text().split()[1] for path in settings.outbox.glob("*.eml")] == ["bob@acme.example"]
    assert "alice" not in "".join(path.read_text().lower() for path in settings.outbox.rglob("*.html"))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_database_file_itself_no_longer_spells_the_address(world: World) -> None:
    """SQLite only unlinks what it deletes; the test looks into its file, where home and database share a folder."""
    file = Path(world.engine.url.database or "")
    everything_about(world)
    assert b"alice@" in file.read_bytes() + file.with_name(f"{file.name}-wal").read_bytes()
    erased = erase(world, Settings(home=file.parent))
    assert erased.leftovers == ()
    files = list(file.parent.glob(f"{file.name}*"))
    assert file in files
    assert not any(b"alice@" in path.read_bytes() for path in files)


def test_an_export_holds_everything_and_is_json(world: World) -> None:
    everything_about(world)
    with reading(world.engine) as connection:
        held = export(connection, " Alice@ACME.example")
    filled = {name for name, rows in held.items() if rows}
    assert set(held) - filled == {"reprieve", "suppression", "briefs"}
    assert held["audiences"][0]["platform"] == "linkedin"
    assert len(held["touch"]) == 3
    assert len(held["proposal"]) == 2
    assert json.loads(json.dumps(held, default=str))["stakeholder"][0]["email"] == ALICE


def test_an_export_of_somebody_erased_says_only_that(world: World, settings: Settings) -> None:
    everything_about(world)
    erase(world, settings)
    with reading(world.engine) as connection:
        held = export(connection, ALICE)
        assert {name for name, rows in held.items() if rows} == {"email", "suppression", "audiences"}
        with pytest.raises(NotFound):
            export(connection, "nobody@acme.example")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Alice Example and ALICE EXAMPLE", f"{ERASED} and {ERASED}"),
        ("Malice Examples", "Malice Examples"),
        ("İİİ Alice Example", f"İİİ {ERASED}"),
        ("", ""),
    ],
)
def test_words_are_replaced_however_they_are_written_and_never_inside_other_words(said: str, left: str) -> None:
    assert erase_words(said, ["alice example"]) == left
