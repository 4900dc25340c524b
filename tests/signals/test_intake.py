"""Everything that comes back ends in one intake: files, other doors, what was recorded before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, update

from accounts.engagement import weight_of
from accounts.errors import InputRefused, NotFound
from accounts.identity import email_hash
from accounts.ledger.engagement import scores
from accounts.ledger.engine import reading, writing
from accounts.ledger.signals.recorded import Incoming, record
from accounts.ledger.suppressions import FORGOTTEN, suppress
from accounts.models import Hold, Quarantine, Signal, Stakeholder, Suppression, Touch
from accounts.vocabulary import SignalKind
from flows.settings import Settings
from flows.signals.intake import Collected, add_by_hand, collect, inbox_of, take_file
from tests.cast import NOW, World
from tests.signals.post import CONTENT, RULES, play, send, signal

ALICE = "alice@acme.example"
HEAD = "signal,account,email,kind,occurred_at,content,url\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def drop(settings: Settings, name: str, text: str | bytes) -> Path:
    inbox = inbox_of(settings)
    inbox.mkdir(parents=True, exist_ok=True)
    path = inbox / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def run(world: World, settings: Settings, *sources: Any, now: datetime = NOW) -> Collected:
    return collect(world.engine, settings, play(), now, sources)


def count(engine: Engine, table: Any, *where: Any) -> int:
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0


def reasons(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        rows = connection.scalars(select(Quarantine.reasons).order_by(Quarantine.id))
        return [(why["rule"], why["sentence"]) for row in rows for why in row]


def test_a_file_in_the_inbox_is_read_applied_and_moved_away(world: World, settings: Settings) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", state="unknown")
    drop(
        settings,
        "week.csv",
        HEAD
        + f"1,acme,{ALICE},delivered,2026-11-24T09:00Z,{CONTENT},\n"
        + f"2,acme,{ALICE},replied,2026-11-24T09:30Z,{CONTENT},\n",
    )
    collected = run(world, settings)
    assert (collected.recorded, collected.applied, collected.settled) == (2, 2, 1)
    assert (collected.kinds, collected.replies, collected.files) == (
        {"delivered": 1, "replied": 1},
        ("acme",),
        ("week.csv",),
    )
    assert [path.name for path in inbox_of(settings).rglob("*.csv")] == ["week.csv"]
    assert (inbox_of(settings) / "done" / "week.csv").exists()
    assert count(world.engine, Touch, Touch.id == touch, Touch.state == "sent") == 1


def test_running_again_changes_nothing_and_neither_does_the_same_file_again(world: World, settings: Settings) -> None:
    text = HEAD + f"1,acme,{ALICE},clicked,2026-11-24T09:00Z,{CONTENT},https://x.example\n"
    drop(settings, "a.csv", text)
    run(world, settings)
    before = count(world.engine, Signal), count(world.engine, Hold)
    with reading(world.engine) as connection:
        score = scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value
    drop(settings, "a.csv", text)
    again = run(world, settings)
    assert (again.recorded, again.duplicates, again.applied) == (0, 1, 0)
    assert (count(world.engine, Signal), count(world.engine, Hold)) == before
    with reading(world.engine) as connection:
        assert scores.read_scores(connection, RULES, NOW)[world.accounts["acme"]].value == score
    assert len(list((inbox_of(settings) / "done").iterdir())) == 2


def test_any_dialect_of_csv_will_do(world: World, settings: Settings) -> None:
    drop(settings, "excel.csv", "﻿Kind;Occurred_At;EMAIL;Badge\nvisited;2026-11-20;Alice@Acme.example;green\n")
    assert run(world, settings).recorded == 1
    with reading(world.engine) as connection:
        assert connection.scalar(select(Signal.data)) == {"badge": "green"}


def test_rows_that_cannot_be_taken_wait_with_their_reason_and_their_values_and_the_rest_goes_in(
    world: World, settings: Settings
) -> None:
    drop(
        settings,
        "mixed.csv",
        HEAD
        + "1,acme,nobody@acme.example,clicked,2026-11-24T09:00Z,,\n"
        + f"2,globex,{ALICE},clicked,2026-11-24T09:00Z,,\n"
        + f"3,acme,{ALICE},clicked,yesterday,,\n"
        + f"4,acme,{ALICE},clicked,2027-01-01,,\n"
        + f"5,acme,{ALICE},clicked,1815-06-18,,\n"
        + f"6,acme,{ALICE},,2026-11-24,,\n"
        + "7,,,clicked,2026-11-24,,\n"
        + "8,umbrella,,visited,2026-11-24,,\n"
        + "9,,,visited,2026-11-24,no-such-content,\n"
        + f'10,acme,{ALICE},"clicked"x,2026-11-24,,\n'
        + f"11,acme,{ALICE},clicked,2026-11-24T09:00Z,,\n",
    )
    collected = run(world, settings)
    assert (collected.recorded, collected.quarantined) == (1, 10)
    assert [rule for rule, _ in reasons(world.engine)] == [
        "occurred_at_unreadable", "occurred_at_in_the_future", "occurred_at_long_ago", "kind_missing", "nobody_named",
        "person_unknown", "person_unknown", "account_unknown", "account_unknown", "row_unreadable",
    ]  # fmt: skip
    assert ("person_unknown", "nobody in globex has this address") in reasons(world.engine)
    with reading(world.engine) as connection:
        row = connection.scalar(select(Quarantine.row).where(Quarantine.row_number == 2))
    assert row == {"signal": "1", "account": "acme", "email": "nobody@acme.example", "kind": "clicked",
                   "occurred_at": "2026-11-24T09:00Z"}  # fmt: skip


def test_a_row_about_somebody_unknown_is_taken_by_itself_once_the_person_is_imported(
    world: World, settings: Settings
) -> None:
    drop(settings, "fair.csv", HEAD + "1,acme,zoe@acme.example,visited,2026-11-24T09:00Z,,\n")
    assert run(world, settings).quarantined == 1
    assert run(world, settings).retried == 0
    with writing(world.engine) as connection:
        values = {
            "account_id": world.accounts["acme"],
            "email": "zoe@acme.example",
            "email_hash": email_hash("zoe@acme.example"),
        }
        connection.execute(insert(Stakeholder).values(**values))
    collected = run(world, settings)
    assert (collected.retried, collected.recorded, collected.applied) == (1, 1, 1)
    assert count(world.engine, Quarantine, Quarantine.resolved_at.is_(None)) == 0
    assert run(world, settings).retried == 0


def test_a_no_of_somebody_unknown_does_not_wait(world: World, settings: Settings) -> None:
    drop(settings, "optouts.csv", "email,kind,occurred_at\nwho@nowhere.example,unsubscribed,2026-11-24\n")
    collected = run(world, settings)
    assert (collected.opt_outs, collected.quarantined) == (1, 0)
    assert count(world.engine, Suppression, Suppression.email_hash == email_hash("who@nowhere.example")) == 1


def test_two_lists_that_number_their_rows_alike_lose_nothing(world: World, settings: Settings) -> None:
    drop(settings, "a.csv", HEAD + f"1,acme,{ALICE},visited,2026-11-20,,\n")
    drop(
        settings, "b.csv", HEAD + f"1,acme,{ALICE},webinar_attended,2026-11-21,,\n1,acme,{ALICE},clicked,2026-11-22,,\n"
    )
    collected = run(world, settings)
    assert (collected.recorded, collected.duplicates, collected.quarantined) == (1, 0, 2)
    assert {rule for rule, _ in reasons(world.engine)} == {"name_taken"}
    tally = take_file(world.engine, inbox_of(settings) / "done" / "b.csv", NOW, source="webinar")
    assert (tally.recorded, tally.quarantined) == (1, 1)


def test_a_name_given_again_by_a_door_whose_clock_is_ahead_is_still_the_same_signal(
    world: World, settings: Settings
) -> None:
    ahead = (NOW + timedelta(minutes=5)).isoformat()
    for now in (NOW, NOW + timedelta(days=1)):
        drop(settings, "a.csv", HEAD + f"1,acme,{ALICE},visited,{ahead},,\n")
        assert run(world, settings, now=now).quarantined == 0
    assert count(world.engine, Signal) == 1


def test_rows_without_a_name_are_told_apart_by_what_they_say(world: World, settings: Settings) -> None:
    row = f"visited,{ALICE},2026-11-20,"
    drop(settings, "a.csv", f"kind,email,occurred_at,url\n{row}a\n{row}b\n{row}a\n")
    collected = run(world, settings)
    assert (collected.recorded, collected.duplicates) == (2, 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 and so on", "is an Excel workbook or another zip file"),
        (b"\x00\x01\x02 kind", "is no text file: it contains null bytes"),
        (b"email,when\na@b.example,now\n", "has no column kind and no column occurred_at"),
    ],
)
def test_a_file_that_cannot_be_read_is_put_aside_with_its_reason_and_the_next_one_is_read(
    world: World, settings: Settings, content: bytes, why: str
) -> None:
    drop(settings, "bad.csv", content)
    drop(settings, "good.csv", HEAD + f"1,acme,{ALICE},visited,2026-11-20,,\n")
    collected = run(world, settings)
    assert collected.refused_files == (("bad.csv", why),)
    assert collected.recorded == 1
    refused = inbox_of(settings) / "refused"
    assert (refused / "bad.csv").read_bytes() == content
    assert why in (refused / "bad.why.txt").read_text()


def test_a_list_is_one_however_its_name_is_written_and_a_workbook_is_told_so(world: World, settings: Settings) -> None:
    row = f"1,acme,{ALICE},visited,2026-11-20,,\n"
    drop(settings, "FAIR.CSV", HEAD + row)
    drop(settings, "fair.txt", HEAD + row.replace("1,", "2,", 1))
    drop(settings, "Fair.xlsx", b"PK\x03\x04 and so on")
    drop(settings, "fair.csv.part", HEAD + row.replace("1,", "3,", 1))
    drop(settings, ".fair.csv.swp", "")
    collected = run(world, settings)
    assert (collected.recorded, collected.files) == (2, ("FAIR.CSV", "fair.txt"))
    assert collected.refused_files == (("Fair.xlsx", "is an Excel workbook or another zip file"),)
    assert sorted(path.name for path in inbox_of(settings).iterdir() if path.is_file()) == [
        ".fair.csv.swp", "fair.csv.part"
    ]  # fmt: skip


def test_a_file_that_grows_while_it_is_read_stays_for_the_next_run(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(settings, "a.csv", HEAD + f"1,acme,{ALICE},visited,2026-11-20,,\n")

    def read_and_then_grow(*args: Any) -> Any:
        tally = take_file(*args)
        with path.open("a") as file:
            file.write(f"2,acme,{ALICE},clicked,2026-11-20,,\n")
        return tally

    monkeypatch.setattr("flows.signals.intake.take_file", read_and_then_grow)
    assert run(world, settings).recorded == 1
    monkeypatch.undo()
    assert path.exists()
    second = run(world, settings)
    assert (second.recorded, second.duplicates) == (1, 1)
    assert not path.exists()


def test_a_kill_between_the_commit_and_the_move_repeats_nothing(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(settings, "a.csv", HEAD + f"1,acme,{ALICE},replied,2026-11-24T09:00Z,,\n")

    def killed(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.signals.intake._move", killed)
    with pytest.raises(KeyboardInterrupt):
        run(world, settings)
    monkeypatch.undo()
    assert count(world.engine, Signal) == 1
    collected = run(world, settings)
    assert (collected.recorded, collected.applied, collected.replies) == (0, 1, ("acme",))
    assert count(world.engine, Hold) == 1


class Door:
    def __init__(self, signals: Sequence[Incoming]) -> None:
        self.signals, self.told = signals, 0

    def waiting(self, now: datetime) -> Sequence[Incoming]:
        return self.signals

    def taken(self) -> None:
        self.told += 1


def test_another_door_is_told_only_when_its_signals_are_safe(world: World, settings: Settings) -> None:
    door = Door([signal("clicked", ALICE), signal("telepathy", ALICE)])
    collected = run(world, settings, door)
    assert (collected.recorded, door.told) == (2, 1)
    assert collected.unknown_kinds == ("telepathy",)
    broken = Door([Incoming("door", "x", "clicked", NOW.replace(tzinfo=None), email=ALICE)])
    with pytest.raises(Exception, match=r"zone|naive|offset"):
        run(world, settings, broken)
    assert broken.told == 0


def test_what_another_process_recorded_is_applied(world: World, settings: Settings) -> None:
    with writing(world.engine) as connection:
        record(connection, [signal("unsubscribed", ALICE)], NOW)
    assert run(world, settings).opt_outs == 1


def test_a_touch_that_becomes_unknown_after_its_proof_came_in_is_settled(world: World, settings: Settings) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice", state="certified", sent_at=None)
        record(connection, [signal("delivered", touch_id=touch)], NOW)
    assert run(world, settings).settled == 0
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(state="cancelled"))
        connection.execute(insert(Touch).values(**_unknown(world)))
        record(connection, [signal("deferred", touch_id=touch)], NOW)
    with writing(world.engine) as connection:
        other = connection.scalar(select(Touch.id).where(Touch.state == "unknown"))
        connection.execute(update(Signal).where(Signal.kind == "delivered").values(touch_id=other))
    assert run(world, settings).settled == 1
    assert count(world.engine, Touch, Touch.state == "sent") == 1


def _unknown(world: World) -> dict[str, Any]:
    return {
        "account_id": world.accounts["acme"], "stakeholder_id": world.people["bob"], "channel": "email", "play": "p",
        "play_version": "1" * 64, "stage": "evaluation", "content": "p/evaluation/x", "content_digest": "2" * 64,
        "address": "bob@acme.example", "state": "unknown", "due_at": NOW, "claimed_at": NOW,
    }  # fmt: skip


def test_scores_are_made_anew_when_a_marketer_changes_the_weights(world: World, settings: Settings) -> None:
    drop(settings, "a.csv", HEAD + f"1,acme,{ALICE},visited,2026-11-24T10:00Z,,\n")
    run(world, settings)
    heavier = play().model_copy(
        update={"engagement": RULES.model_copy(update={"weights": {**RULES.weights, SignalKind.VISITED: 4.0}})}
    )
    assert collect(world.engine, settings, heavier, NOW).rescored == 1
    assert collect(world.engine, settings, heavier, NOW).rescored == 0
    with reading(world.engine) as connection:
        reading_ = scores.read_scores(connection, heavier.engagement, NOW)[world.accounts["acme"]]
    assert weight_of(SignalKind.VISITED, heavier.engagement) == 4
    assert reading_.points[world.people["alice"]] == pytest.approx(1.3 * 30 * (1 - 2.718281828459045 ** (-4 / 30)))


def test_nothing_about_an_erased_person_comes_back_in_through_a_file(world: World, settings: Settings) -> None:
    with writing(world.engine) as connection:
        connection.execute(Stakeholder.__table__.delete().where(Stakeholder.email == "kim@hooli.example"))
        suppress(connection, [(email_hash("kim@hooli.example"), FORGOTTEN, NOW)])
    drop(settings, "a.csv", HEAD + "1,hooli,Kim@Hooli.example,clicked,2026-11-24,,\n")
    collected = run(world, settings)
    assert (collected.recorded, collected.quarantined, collected.forgotten) == (0, 0, 1)
    assert count(world.engine, Signal) == count(world.engine, Quarantine) == 0


def test_a_signal_by_hand_acts_at_once_and_one_about_nobody_is_refused(world: World) -> None:
    added = add_by_hand(world.engine, play(), signal("replied", ALICE), NOW)
    assert (added.applied, added.replies) == (1, ("acme",))
    with pytest.raises(NotFound, match="nobody has the address"):
        add_by_hand(world.engine, play(), signal("clicked", "who@acme.example"), NOW)
    with pytest.raises(NotFound, match="no account 'umbrella'"):
        add_by_hand(world.engine, play(), signal("visited", account="umbrella"), NOW)
    assert add_by_hand(world.engine, play(), signal("complained", "who@acme.example"), NOW).complaints == 1


def test_a_file_that_is_not_there_is_one_line(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="cannot be read"):
        take_file(world.engine, tmp_path / "nowhere.csv", NOW)
