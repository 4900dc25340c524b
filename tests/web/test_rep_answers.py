"""Answers of reps in the browser: two clicks each, done at once, told in a sentence; and what people try with forms."""

import re
import threading
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
import requests
from sqlalchemy import insert, select

from accounts.identity import email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.profiles import Rhythm, rhythm_of
from accounts.models import Brief, Decision, Delay, Hold, Lease, Objection, RepAnswer, Stakeholder, Veto
from accounts.vocabulary import Role
from flows.briefs.briefing import brief_reps
from flows.briefs.links import KINDS, SEATS, read
from flows.channels.email.memory import Memory
from flows.settings import Settings
from flows.web.routes.reps.forms import FORMS
from tests.cast import NOW, PLAY, World
from tests.signals.post import play, send, signal, tell
from tests.web.reps import DAY, Forms, count, path, planned, press, rows_but_audit, set_rep
from tests.web.visitor import SECRET, Browser, Clock, on_sqlite

PILOT = "evaluation/pilot"
EVIL = "<script>alert(1)</script>"

#: Kind -> whom or what the link is about, and what has to be typed besides; everything else is filled in beforehand.
TYPED: dict[str, tuple[str | int, dict[str, str]]] = {
    "hold": (0, {}), "release": (0, {}), "veto": ("alice", {}), "delay": ("alice", {}), "approve": (0, {}),
    "ripe": ("bob", {}), "not_yet": (0, {}), "wrong_person": ("erin", {}), "bad_timing": (0, {}),
    "seat": (SEATS.index(Role.EXECUTIVE_SPONSOR), {"name": "Zoe Lin", "email": "zoe@acme.example"}),
    "add_person": (0, {"email": "yan@acme.example"}), "correct_person": ("bob", {"title": "Chief Accountant"}),
    "objection": (0, {"words": "Too dear"}), "topic": ("bob", {"words": "Carbon reports"}),
    "wrong_line": (2, {}), "take": (0, {}), "limits": (0, {"per_week": "1"}), "give_back": (0, {}),
    "close_objection": (1, {}), "unveto": ("charlie", {}), "undelay": ("bob", {}),
    "claim": ("frank", {}),
}  # fmt: skip


@pytest.fixture
def said_before(world: World) -> World:
    """A hold, a no, a delay, an objection, a lease: something to take back. And Frank stands at Initech as well."""
    acme, ravi = world.accounts["acme"], world.reps["ravi"]
    words, by = "Too slow", "ravi@lumenflow.example"
    with writing(world.engine) as connection:
        rows = (
            insert(Hold).values(scope="account", account_id=acme, cause="rep", by=by, starts_at=NOW - DAY),
            insert(Veto).values(stakeholder_id=world.people["charlie"], by=by, at=NOW - DAY),
            insert(Delay).values(
                stakeholder_id=world.people["bob"], content=f"{PLAY}/{PILOT}", by=by, until=NOW + DAY, at=NOW - DAY
            ),
            insert(Objection).values(account_id=acme, rep_id=ravi, kind="objection", words=words, at=NOW - DAY),
            insert(Stakeholder).values(
                account_id=world.accounts["initech-north"], email="frank@acme.example", role="legal",
                email_hash=email_hash("frank@acme.example"),
            ),
            insert(Lease).values(
                account_id=acme, rep_id=ravi, taken_at=NOW - DAY, renewed_at=NOW - DAY, ends_at=NOW + DAY
            ),
        )  # fmt: skip
        for row in rows:
            connection.execute(row)
    planned(world, "alice", PILOT)
    return world


@on_sqlite
def test_every_answer_takes_the_link_and_the_button(web: Browser, said_before: World) -> None:
    """Whatever can be filled in beforehand is; the same button again says that nothing is new."""
    world = said_before
    assert TYPED.keys() == set(KINDS) - {"page", "brief", "off", "away", "other"}
    for kind, (about, typed) in TYPED.items():
        subject = world.people[about] if isinstance(about, str) else about
        page = web.get(path(world, kind, about=subject))
        first, again = (press(web, page, **typed) for _ in range(2))
        assert (first.status_code, again.status_code) == (200, 200), (kind, first.text)
        assert "<h1>Done</h1>" in first.text, (kind, first.text)
        assert "<h1>Nothing new</h1>" in again.text, (kind, again.text)
    with reading(world.engine) as connection:
        answers = connection.execute(select(RepAnswer.kind, RepAnswer.by, RepAnswer.via)).all()
    assert {kind for kind, _, _ in answers} == TYPED.keys()
    assert {(by, via) for _, by, via in answers} == {("ravi@lumenflow.example", "web")}


@on_sqlite
def test_a_hold_says_until_when_before_and_after_and_can_be_undone(web: Browser, world: World) -> None:
    page = web.get(path(world, "hold"))
    assert "Hold marketing to Acme Works?" in page.text
    done = press(web, page)
    assert "No mail and no ads to Acme Works until 8 December." in done.text
    with reading(world.engine) as connection:
        assert connection.scalars(select(Hold.ends_at)).all() == [NOW.replace(hour=23, minute=0) + 13 * DAY]
        reason = select(Decision.reason).where(Decision.stakeholder_id == world.people["alice"])
        assert connection.scalar(reason) == "account_held", "planning knows it at once"
    assert "Acme Works is released" in press(web, done).text
    with reading(world.engine) as connection:
        assert connection.scalars(select(Hold.released_at)).all() == [NOW]


@on_sqlite
def test_a_no_to_one_mail_is_for_that_mail_and_can_be_undone(web: Browser, world: World) -> None:
    planned(world, "alice", PILOT)
    page = web.get(path(world, "veto", about=world.people["alice"]))
    assert "“About evaluation/pilot” is planned for Thu 11:00. It will not be sent to Alice Example" in page.text
    done = press(web, page)
    assert "“About evaluation/pilot” will not reach Alice Example." in done.text, "called as the page called it"
    with reading(world.engine) as connection:
        assert connection.scalars(select(Veto.content)).all() == [f"{PLAY}/{PILOT}"]
    press(web, done)
    assert count(world, Veto) == 0


@on_sqlite
def test_the_mail_that_a_page_names_is_meant_also_when_another_is_planned_by_now(web: Browser, world: World) -> None:
    planned(world, "alice", PILOT)
    link = f"{path(world, 'veto', about=world.people['alice'])}?content={PLAY}/evaluation/five-slides"
    press(web, web.get(link))
    with reading(world.engine) as connection:
        assert connection.scalars(select(Veto.content)).all() == [f"{PLAY}/evaluation/five-slides"]


def test_an_answer_to_something_already_sent_says_when_it_left(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        send(connection, world, "alice")
    link = f"{path(world, 'veto', about=world.people['alice'])}?content={PLAY}/{PILOT}"
    asked = web.get(link)
    assert "has left already: it cannot be called back." in asked.text
    assert "will not be sent" not in asked.text
    done = press(web, asked)
    assert done.status_code == 200
    assert "That mail to Alice Example left on Tuesday at 10:00; nothing to stop." in done.text
    assert "Your next brief" not in done.text
    assert count(world, Veto) == 0


def test_two_reps_at_once_are_both_heard_and_the_second_is_told(web: Browser, world: World) -> None:
    """Ravi is away; he answers from the beach at the moment in which Sofía does for him."""
    set_rep(world, "ravi", away_from=NOW - DAY, away_until=NOW + DAY, backup_id=world.reps["sofia"])
    answers: list[requests.Response] = []

    def hold(rep: str, day: str) -> None:
        link = f"{web.root}{path(world, 'hold', rep=rep)}"
        answers.append(requests.post(link, data={"until": day}, timeout=20))

    both = [threading.Thread(target=hold, args=each) for each in (("ravi", "2026-12-01"), ("sofia", "2026-12-02"))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sum("This replaces what" in answer.text for answer in answers) == 1
    with reading(world.engine) as connection:
        assert len(connection.scalars(select(Hold.id).where(Hold.ends_at > NOW)).all()) == 1, "the last word counts"
    assert count(world, RepAnswer) == 2, "both are kept"


# What people try with forms


@on_sqlite
def test_a_form_cannot_say_which_answer_or_whose_account_it_is(web: Browser, world: World) -> None:
    """Only what the form asks for is read; the link says the rest."""
    alice, bob = world.people["alice"], world.people["bob"]
    strange = {"kind": "take", "account": str(world.accounts["hooli"]), "person": str(bob)}
    press(web, web.get(path(world, "hold", about=alice)), **strange)
    with reading(world.engine) as connection:
        assert connection.execute(select(Hold.account_id, Hold.stakeholder_id)).all() == [
            (world.accounts["acme"], alice)
        ]
    assert count(world, Lease) == 0


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "about", "fields"),
    [
        ("seat", SEATS.index(Role.ECONOMIC_BUYER), {"person": "judy"}),
        ("objection", 0, {"person": "judy", "words": "Too dear"}),
        ("limits", 0, {"people": "judy"}),
    ],
)
def test_people_of_another_account_are_refused(
    web: Browser, world: World, kind: str, about: int, fields: dict[str, str]
) -> None:
    before = rows_but_audit(world)
    strange = {name: str(world.people[value]) if value in world.people else value for name, value in fields.items()}
    done = press(web, web.get(path(world, kind, about=about)), **strange)
    assert (done.status_code, "Nothing has changed" in done.text) == (400, True)
    assert rows_but_audit(world) == before


@on_sqlite
def test_an_objection_of_another_account_cannot_be_closed(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        row = insert(Objection).values(account_id=world.accounts["hooli"], kind="objection", words="Ours", at=NOW)
        id = connection.execute(row.returning(Objection.id)).scalar_one()
    link = path(world, "close_objection", about=id)
    assert "Ours" not in web.get(link).text
    assert press(web, web.get(link)).status_code == 400


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("hold", {"until": "soon"}, "is no day"), ("hold", {"until": "2020-01-01"}, "is over"),
        ("hold", {"until": "9999-99-99"}, "is no day"), ("objection", {"words": " "}, "Words is missing"),
        ("add_person", {"email": "no address"}, "is no e-mail address"),
        ("objection", {"words": "x" * 3000}, "letters are too many"), ("limits", {"per_week": "-1"}, "is no number"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_beside_what_was_typed(
    web: Browser, world: World, kind: str, fields: dict[str, str], says: str
) -> None:
    before = rows_but_audit(world)
    done = press(web, web.get(path(world, kind)), **fields)
    assert (done.status_code, says in done.text, "Nothing has changed" in done.text) == (400, True, True)
    kept = dict(Forms(done.text).found[0][1])
    assert {name: kept[name] for name in fields} == fields, "nobody types it twice"
    assert rows_but_audit(world) == before


@on_sqlite
def test_oversize_and_foreign_forms_are_refused_before_anything_is_read(web: Browser, world: World) -> None:
    before, link = rows_but_audit(world), path(world, "hold")
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body, headers, status in (
        (b"words=" + b"x" * 20_000, form, 413),
        (b"&".join(b"a=1" for _ in range(200)), form, 400),
        (b'{"until": "2026-12-24"}', {"content-type": "application/json"}, 415),
        (b"--x\r\n", {"content-type": "multipart/form-data; boundary=x"}, 415),
        (b"until=2026-12-24", {"content-type": ""}, 415),
        (b"until=%ff%fe%00", form, 400),
    ):
        assert web.post(link, data=body, headers=headers).status_code == status
    assert rows_but_audit(world) == before


@on_sqlite
def test_markup_in_names_and_notes_stays_text(web: Browser, world: World) -> None:
    for kind, fields in (
        ("objection", {"words": EVIL}), ("hold", {"words": EVIL}),
        ("add_person", {"name": EVIL, "title": EVIL, "email": "zoe@acme.example"}),
    ):  # fmt: skip
        assert EVIL not in press(web, web.get(path(world, kind)), **fields).text
    page = web.get(path(world, "page")).text
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<script" not in web.get(f"{path(world, 'veto', about=world.people['bob'])}?content={EVIL}").text


@on_sqlite
def test_a_correction_says_only_what_was_changed(web: Browser, world: World) -> None:
    page = web.get(path(world, "correct_person", about=world.people["bob"]))
    done = press(web, page, email="robert@acme.example")
    assert "Corrected for Bob Example: email" in done.text
    with reading(world.engine) as connection:
        bob = connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == world.people["bob"])).one()
    assert (bob.email, bob.first_name, bob.role_source) == ("robert@acme.example", "Bob", "crm")


@on_sqlite
def test_a_rep_chooses_how_often_and_at_which_hour_briefs_come(web: Browser, world: World, clock: Clock) -> None:
    page = web.get(path(world, "off", None))
    assert "07:00, as usual" in page.text
    assert "By the clock of Europe/Berlin." in page.text
    assert "Your brief comes once a week, at 16:00." in press(web, page, every="weekly", hour="16").text
    for wrong in ({"every": "hourly"}, {"hour": "24"}, {"hour": "noon"}):
        assert press(web, page, **wrong).status_code == 400
    with reading(world.engine) as connection:
        assert rhythm_of(connection, world.reps["ravi"]) == Rhythm("weekly", 16)
    clock.now = NOW + timedelta(minutes=1)
    assert "Nothing new" in press(web, web.get(path(world, "off", None))).text, "filled in as it was said"
    press(web, page, hour="")
    with reading(world.engine) as connection:
        assert rhythm_of(connection, world.reps["ravi"]).hour is None, "as usual again"


# From the delivered mail


@on_sqlite
def test_every_link_of_a_delivered_brief_opens_what_it_says_and_its_answers_can_be_given(
    web: Browser, world: World, settings: Settings
) -> None:
    """From the bytes that left: nothing else is needed to read, look further and answer."""
    tell(world.engine, signal("replied", "bob@acme.example", NOW - DAY))
    tell(world.engine, signal("clicked", "gina@globex.example", NOW - DAY))
    with writing(world.engine) as connection:
        acme = world.accounts["acme"]
        row = insert(Objection).values(account_id=acme, kind="objection", words="Too slow", at=NOW - DAY)
        connection.execute(row)
    channel = Memory()
    brief_reps(world.engine, settings, play(), NOW, channel=channel, rep="ravi")
    mail = message_from_bytes(channel.sent[0].content, policy=policy.default)
    page, text = (mail.get_body((kind,)).get_content() for kind in ("html", "plain"))  # type: ignore[attr-defined]
    links = sorted(set(re.findall(r'href="([^"]+/r/[^"]+)"', page)))
    assert set(re.findall(r"\S+/r/\S+", text)) <= set(links), "who reads text has the same links"
    kinds = []
    for link in links:
        genuine = read(link.rpartition("/")[2], SECRET)
        assert genuine is not None
        to = genuine.to
        shown = web.get(f"/r/{link.rpartition('/')[2]}")
        assert shown.status_code == 200, to
        kinds.append(to.kind)
        if to.kind in FORMS and to.kind not in ("seat", "objection", "wrong_line"):  # they ask for words
            assert press(web, shown).status_code == 200, to
    assert {"page", "brief", "off", "hold", "ripe", "not_yet", "close_objection"} <= set(kinds)
    with reading(world.engine) as connection:
        (opened, id) = connection.execute(select(Brief.opened_at, Brief.id)).one()
        assert set(connection.scalars(select(RepAnswer.brief_id))) == {id}
    assert opened == NOW
