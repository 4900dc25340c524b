"""A manager's week: what is owed, what was answered, who is silent; short, and without blame."""

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import select, update

from accounts.briefs.rollup import ManagerWeek, Owed, RepWeek, roll_up
from accounts.briefs.saying import Local
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.models import Brief, Hold, Letter, Rep, RepAnswer, SlaClock
from accounts.playbook import Play
from flows.briefs.letters import deliver_letters
from flows.briefs.rollup import write_rollups
from flows.channels.email.memory import Memory
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, World
from tests.web.conftest import board as board
from tests.web.conftest import clock as clock
from tests.web.conftest import serve as serve
from tests.web.reps import press
from tests.web.visitor import SECRET, Clock, Serve

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LOCAL = Local.at(NOW, ZoneInfo("Europe/Berlin"))
#: Monday, seven o'clock in Berlin.
MONDAY = datetime(2026, 11, 23, 6, 0, tzinfo=NOW.tzinfo)


def week(*owed: Owed, reps: tuple[RepWeek, ...] = ()) -> ManagerWeek:
    return ManagerWeek("dach@lumenflow.example", reps, owed, ended=5, in_time=4)


def test_what_is_overdue_comes_first_with_whose_it_is() -> None:
    words = roll_up(
        week(Owed("Acme Works", "Ravi Menon", NOW - DAY, True), Owed("Globex", "Ravi Menon", NOW + HOUR, False)), LOCAL
    )
    assert words.headline == "Your reps' week: 1 account waiting too long"
    assert words.lines[:3] == (
        "Overdue: an answer to Acme Works (Ravi Menon, Mon 11:00).",
        "Due next: a call to Globex (Ravi Menon, Tue 12:00).",
        "Of 5 promises that ended, 4 were kept in time.",
    )


def test_who_is_silent_is_named_without_blame() -> None:
    silent, busy = RepWeek("Marcus Webb", 9, 0, 4, 0), RepWeek("Ravi Menon", 7, 3, 4, 0)
    lines = roll_up(week(reps=(silent, busy)), LOCAL).lines
    assert lines[0] == "Nothing is overdue."
    assert "Answers that changed what marketing does: Ravi Menon 3." in lines
    assert lines[-1].startswith("Briefs lie unopened at: Marcus Webb (9 accounts).")


def test_never_more_than_200_words() -> None:
    owed = tuple(
        Owed("The Very Long Name Of A Company Group", "Anna Maria von und zu Stein", NOW + n * HOUR, n % 2 == 0)
        for n in range(-40, 40)
    )
    reps = tuple(RepWeek("Anna Maria von und zu Stein", 100, n % 2, 9, 0) for n in range(60))
    words = roll_up(week(*owed, reps=reps), LOCAL)
    assert len(" ".join((words.headline, *words.lines)).split()) <= 200


def ravi_owes_an_answer(world: World, add: Add) -> None:
    """And all reps have one manager, who is none."""
    with writing(world.engine) as connection:
        connection.execute(update(Rep).values(manager_email="dach@lumenflow.example"))
    add(
        SlaClock, play="new-business", side="sales", duty="answer", subject="signal:1", state="breached",
        account_id=world.accounts["acme"], rep_id=world.reps["ravi"], evidence=["signal:1"], paused=[], warned=[],
        happened_at=MONDAY - 3 * DAY, started_at=MONDAY - 3 * DAY, due_at=MONDAY - 2 * DAY,
    )  # fmt: skip


def test_each_manager_gets_one_a_week_on_its_first_working_day(world: World, play: Play, add: Add) -> None:
    ravi_owes_an_answer(world, add)
    add(
        RepAnswer, account_id=world.accounts["acme"], rep_id=world.reps["ravi"], by="ravi", kind="ripe", via="web",
        at=MONDAY - DAY,
    )  # fmt: skip
    for days in (3, 6):
        add(Brief, rep_id=world.reps["sofia"], as_of=MONDAY - days * DAY, words=1, payload={}, state="delivered")
    assert [write_rollups(world.engine, play, at) for at in (MONDAY - HOUR, MONDAY, MONDAY + HOUR, MONDAY + DAY)] == [
        0, 1, 0, 0,
    ]  # fmt: skip
    with reading(world.engine) as connection:
        letter = connection.execute(select(Letter)).one()
    assert (letter.subject, letter.address) == ("rollup:dach@lumenflow.example:2026-W48", "dach@lumenflow.example")
    said = " ".join(letter.payload["lines"])
    assert "an answer to Acme Works (Ravi Menon, Sat 07:00)" in said
    assert "Ravi Menon 1" in said
    assert "Sofía Ortega (2 accounts)" in said


def test_a_manager_who_is_no_rep_sees_by_the_link_what_is_owed_and_answers_for_it(
    world: World, play: Play, add: Add, settings: Settings, serve: Serve, clock: Clock
) -> None:
    ravi_owes_an_answer(world, add)
    write_rollups(world.engine, play, MONDAY)
    settings = settings.model_copy(update={"secret_key": SecretStr(SECRET)})
    deliver_letters(world.engine, settings, play, MONDAY, channel=(mails := Memory()))
    text = message_from_bytes(mails.sent[0].content, policy=policy.default).get_body(("plain",)).get_content()
    assert "tandem" not in text

    web = serve(world.engine, clock, None, settings)
    listed = web.get("/r/" + text.split("/r/")[1].split()[0])
    assert listed.text.count("for Ravi Menon") == 1, "where something is owed, and nothing else"
    assert "You answer" not in listed.text
    page = web.get("/r/" + listed.text.split('<h2><a href="/r/')[1].split('"')[0])
    hold = next(link for link in page.text.split('href="') if link.endswith(">Hold</a> <a ")).split('"')[0]
    assert "Done" in press(web, web.get(hold)).text
    with reading(world.engine) as connection:
        assert connection.scalars(select(Hold.by)).all() == ["dach@lumenflow.example"]
        (known,) = [row for row in read_audit(connection) if row.action == "manager-known"]
    assert known.subject.startswith("rep:")
