"""From the ledger to the bytes: who gets it, from whom, with what facts; preview equals sent."""

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, update

from accounts.errors import ContentRefused, InputRefused, NotFound
from accounts.ledger.engine import reading, writing
from accounts.ledger.sending.links import Link, destination, remember_links
from accounts.ledger.sending.recipients import NO_TOUCH, Recipient, read_readers, read_recipients
from accounts.models import Account, Rep, Stakeholder, Touch
from accounts.playbook import Tracking
from accounts.playfiles import load_play
from flows.content.mailing import (
    PAGES_LAST,
    Mail,
    Mailroom,
    compose_touch,
    letter_touch,
    next_quarter,
    open_mailroom,
    read_touch,
)
from flows.content.preview import preview
from flows.settings import Settings
from flows.tokens import ASSET, PREFERENCES, Clicked, Returned, returned, touch_of, verify, verify_click, verify_until
from tests.cast import NOW, PLAY, World

TEMPLATES = Path(__file__).parents[2] / "templates"
WHY_NOW = f"{PLAY}/discovery/why-now"
SECURITY = f"{PLAY}/evaluation/security-pack"
SECRET = "a secret of the house"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(
        templates=TEMPLATES, base_url="https://t.example/", sending_domain="mail.example", secret_key=SECRET,
        bounce_domain="bounces.mail.example",
    )  # fmt: skip


@pytest.fixture(scope="module")
def room(settings: Settings) -> Mailroom:
    return open_mailroom(settings, load_play(TEMPLATES / "plays" / PLAY))


def touch(world: World, person: str, account: str, of: str, room: Mailroom, **more: Any) -> int:
    """A certified touch of a person with the content `of`; its id."""
    step = room.compiled.content(of).step
    address = f"{person}@{account.partition('-')[0]}.example"
    values = {
        "account_id": world.accounts[account], "stakeholder_id": world.people[person], "channel": "email",
        "play": PLAY, "play_version": room.compiled.play.version, "stage": step.stage, "content": of,
        "content_digest": step.digest, "address": address, "state": "certified", "due_at": NOW,
    }  # fmt: skip
    with writing(world.engine) as connection:
        result = connection.execute(insert(Touch).values(**{**values, **more}))
        assert result.inserted_primary_key is not None
        return int(result.inserted_primary_key[0])


def recipient(world: World, touch_id: int) -> Recipient:
    with reading(world.engine) as connection:
        return read_recipients(connection, [touch_id])[touch_id]


def change(world: World, table: type[Any], id: int, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(table).where(table.id == id).values(**values))


def read(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def said(mail: Mail, kind: str) -> str:
    body = read(mail).get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


# --- recipients -------------------------------------------------------------------------------------------------------


def test_a_recipient_is_all_facts_of_one_touch(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", SECURITY, room)
    assert recipient(world, id) == Recipient(
        touch_id=id, stakeholder_id=world.people["alice"], account_id=world.accounts["acme"], content=SECURITY,
        content_digest=room.compiled.content(SECURITY).step.digest, address="alice@acme.example",
        first_name="Alice", last_name="Example", title="Head of Operations", role="champion", account_key="acme",
        account_name="Acme Works", industry=None, territory=None, rep_name="Ravi Menon",
        rep_email="ravi@lumenflow.example",
    )  # fmt: skip


def test_a_batch_is_read_in_one_query(world: World, room: Mailroom) -> None:
    ids = [touch(world, name, "acme", SECURITY, room) for name in ("alice", "bob", "charlie")]
    asked: list[str] = []
    with reading(world.engine) as connection:
        event.listen(connection, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement))
        found = read_recipients(connection, [*ids, 10**9])
    assert sorted(found) == sorted(ids)
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1


def test_no_touches_no_recipients(world: World) -> None:
    with reading(world.engine) as connection:
        assert read_recipients(connection, []) == {}


def test_the_address_is_the_one_that_was_certified(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", SECURITY, room)
    change(world, Stakeholder, world.people["alice"], email="alice.new@acme.example")
    assert recipient(world, id).address == "alice@acme.example"


def test_the_rep_of_the_touch_writes_or_else_the_owner(world: World, room: Mailroom) -> None:
    first = touch(world, "alice", "acme", SECURITY, room)
    second = touch(world, "bob", "acme", SECURITY, room, rep_id=world.reps["sofia"])
    assert recipient(world, first).rep_name == "Ravi Menon"
    assert recipient(world, second).rep_name == "Sofía Ortega"


# --- composing --------------------------------------------------------------------------------------------------------


def test_it_comes_from_the_rep_and_answers_go_to_the_rep(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    message = read(compose_touch(room, recipient(world, id), NOW))
    assert message["From"] == "Ravi Menon <ravi@mail.example>"
    assert message["Reply-To"] == "Ravi Menon <ravi@lumenflow.example>"
    assert message["To"] == "Alice Example <alice@acme.example>"
    assert message["Subject"] == "Acme Works: what waiting until Q1 2027 costs"
    assert message["Date"].datetime == NOW
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_its_tokens_lead_back_to_the_touch_and_to_nobody_by_name(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    mail = compose_touch(room, recipient(world, id), NOW)
    message = read(mail)
    unsubscribe = message["List-Unsubscribe"].strip("<>")
    seen = read_touch(room, recipient(world, id), NOW)
    click = next(line for line in seen.text.splitlines() if line.startswith("https://t.example/c/"))
    assert unsubscribe.startswith("https://t.example/u/")
    assert verify("unsubscribe", unsubscribe.rpartition("/")[2], SECRET) == id
    assert verify_click(click.rpartition("/")[2], SECRET) == Clicked(id, 0)
    assert touch_of(message["Message-ID"], SECRET) == id
    assert not any(name in unsubscribe + click + message["Message-ID"] for name in ("alice", "acme"))
    assert unsubscribe in seen.html
    assert unsubscribe in seen.text


def test_a_person_nobody_knows_much_about_gets_a_decent_mail(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    change(world, Stakeholder, world.people["alice"], first_name=None, last_name=None, title=None)
    mail = compose_touch(room, recipient(world, id), NOW)
    assert read(mail)["To"] == "alice@acme.example"
    assert said(mail, "plain").startswith("Hi there,")


def test_composing_again_gives_the_same_bytes(world: World, room: Mailroom, settings: Settings) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    again = open_mailroom(settings, load_play(TEMPLATES / "plays" / PLAY))
    first = compose_touch(room, recipient(world, id), NOW).raw
    assert first == compose_touch(again, recipient(world, id), NOW).raw


def test_nurture_mail_is_a_persons_mail_with_a_way_out_and_says_nothing_of_lists_or_machines(
    world: World, room: Mailroom
) -> None:
    """Answers are read by a person, so nothing asks programs not to answer; see docs/deliverability.md."""
    id = touch(world, "alice", "acme", WHY_NOW, room)
    message = read(compose_touch(room, recipient(world, id), NOW))
    assert message.keys() == [
        "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
        "Feedback-ID", "MIME-Version", "Content-Type",
    ]  # fmt: skip


def test_complaints_add_up_by_content_play_and_kind_and_never_by_person(world: World, room: Mailroom) -> None:
    first = compose_touch(room, recipient(world, touch(world, "alice", "acme", WHY_NOW, room)), NOW)
    second = compose_touch(room, recipient(world, touch(world, "gina", "globex", WHY_NOW, room)), NOW)
    assert read(first)["Feedback-ID"] == f"discovery.why-now:{PLAY}:nurture_mail:tandem_abm"
    assert read(first)["Feedback-ID"] == read(second)["Feedback-ID"]
    parts = read(first)["Feedback-ID"].split(":")
    assert len(set(parts)) == 4, "Google adds up each part by itself"
    assert 5 <= len(parts[-1]) <= 15


def test_a_bounce_comes_back_to_an_address_that_names_the_touch_and_nobody(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    address = compose_touch(room, recipient(world, id), NOW).envelope.return_path
    assert address.endswith("@bounces.mail.example")
    assert returned(address, SECRET) == Returned("touch", id)
    assert not any(name in address for name in ("alice", "acme"))


@pytest.mark.parametrize("names", [("Alice", "Example"), ("Zoë", 'Ørsted, "the" Great'), ("  Žofie ", None)])
@pytest.mark.parametrize("address", ["alice@acme.example", "alice@bücher.example"])
def test_a_letter_says_what_the_finished_message_says(
    world: World, room: Mailroom, names: tuple[str, str | None], address: str
) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room, address=address)
    change(world, Stakeholder, world.people["alice"], first_name=names[0], last_name=names[1])
    person = recipient(world, id)
    mail, message = letter_touch(room, person, NOW), read(compose_touch(room, person, NOW))
    letter = mail.letter
    assert letter is not None
    assert (mail.raw, mail.touch_id) == (b"", id)
    assert mail.envelope == compose_touch(room, person, NOW).envelope
    for name, box in (("From", letter.sender), ("To", letter.recipient), ("Reply-To", letter.reply_to)):
        [written] = message[name].addresses
        assert (written.display_name, written.addr_spec) == (box.name, box.address)
    assert letter.subject == message["Subject"]
    assert letter.text == said(compose_touch(room, person, NOW), "plain")
    assert letter.html == said(compose_touch(room, person, NOW), "html")
    furniture = {"From", "To", "Reply-To", "Subject", "Date", "MIME-Version", "Content-Type"}
    assert letter.headers == {name: value for name, value in message.items() if name not in furniture}
    assert {"Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"} <= set(letter.headers)


@pytest.mark.parametrize(
    ("table", "of", "values"),
    [(Stakeholder, "alice", {"first_name": "A\r\nBcc: eve@evil.example"}), (Account, "acme", {"name": "Acme\nBcc: x"}),
     (Account, "acme", {"owner_id": None})],
)  # fmt: skip
def test_a_letter_is_refused_as_the_finished_message_is(
    world: World, room: Mailroom, table: type[Any], of: str, values: dict[str, Any]
) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    change(world, table, (world.people | world.accounts)[of], **values)
    refusals = []
    for write in (compose_touch, letter_touch):
        with pytest.raises(InputRefused) as caught:
            write(room, recipient(world, id), NOW)
        refusals.append(str(caught.value))
    assert refusals[0] == refusals[1]


def test_a_letter_whose_text_changed_since_it_was_certified_does_not_leave(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room, content_digest="0" * 64)
    with pytest.raises(ContentRefused, match=r"why-now: the text has changed .*plan again"):
        letter_touch(room, recipient(world, id), NOW)


def test_preview_equals_sent(world: World, room: Mailroom, settings: Settings) -> None:
    """Promise 8: byte for byte, as long as channel and clock are the same."""
    for person, content in (("alice", WHY_NOW), ("bob", SECURITY)):
        id = touch(world, person, "acme", content, room)
        sent = compose_touch(room, recipient(world, id), NOW)
        shown = preview(settings, content, NOW, engine=world.engine, email=f"{person}@acme.example")
        assert shown.planned
        assert shown.mail.raw == sent.raw
        assert said(sent, "plain") == shown.message.text
        assert said(sent, "html") == shown.message.html
        later = preview(settings, content, NOW + timedelta(1), engine=world.engine, email=f"{person}@acme.example")
        assert later.mail.raw != sent.raw, "the clock differs, so the Date does"


def test_a_text_that_changed_since_it_was_certified_does_not_leave(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room, content_digest="0" * 64)
    with pytest.raises(ContentRefused, match=r"why-now: the text has changed .*plan again"):
        compose_touch(room, recipient(world, id), NOW)


def test_a_content_that_is_gone_is_refused(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room, content=f"{PLAY}/discovery/why-nov")
    with pytest.raises(NotFound, match="did you mean"):
        compose_touch(room, recipient(world, id), NOW)


def test_nobody_is_written_to_in_nobodys_name(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    change(world, Account, world.accounts["acme"], owner_id=None)
    with pytest.raises(InputRefused, match=r"acme: nobody to write as.*give the account an owner"):
        compose_touch(room, recipient(world, id), NOW)


@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_a_name_with_a_line_break_stops_this_mail_only(world: World, room: Mailroom, field: str) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    change(world, Stakeholder, world.people["alice"], **{field: "A\r\nBcc: eve@evil.example"})
    with pytest.raises(InputRefused, match="line break"):
        compose_touch(room, recipient(world, id), NOW)
    other = touch(world, "bob", "acme", WHY_NOW, room)
    assert compose_touch(room, recipient(world, other), NOW).touch_id == other


def test_an_account_or_rep_with_a_line_break_cannot_write_headers(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    change(world, Account, world.accounts["acme"], name="Acme\nBcc: eve@evil.example")
    with pytest.raises(InputRefused, match="Subject"):
        compose_touch(room, recipient(world, id), NOW)
    change(world, Account, world.accounts["acme"], name="Acme")
    change(world, Rep, world.reps["ravi"], name="Ravi\r\nBcc: eve@evil.example")
    with pytest.raises(InputRefused, match="a name"):
        compose_touch(room, recipient(world, id), NOW)


def test_the_secret_of_the_house_is_not_printed(room: Mailroom) -> None:
    assert SECRET not in repr(room)


@pytest.mark.parametrize(
    ("day", "quarter"),
    [("2026-01-01", "Q2 2026"), ("2026-06-30", "Q3 2026"), ("2026-09-30", "Q4 2026"), ("2026-10-01", "Q1 2027"),
     ("2026-12-31", "Q1 2027")],
)  # fmt: skip
def test_the_next_quarter_follows_this_one(day: str, quarter: str) -> None:
    assert next_quarter(datetime.fromisoformat(day).replace(tzinfo=UTC)) == quarter


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_click_arrives_where_the_link_led_when_it_was_sent(world: World, room: Mailroom) -> None:
    id = touch(world, "alice", "acme", WHY_NOW, room)
    with writing(world.engine) as connection:
        remember_links(connection, room.compiled.links_by_digest())
        remember_links(connection, room.compiled.links_by_digest())
        assert destination(connection, id, 0) == Link(room.compiled.content(WHY_NOW).step.asset)
        assert destination(connection, id, 1) is None
        assert destination(connection, id + 10_000, 0) is None
        remember_links(connection, {})


def test_a_document_has_a_page_and_a_plain_link_has_none(world: World, room: Mailroom) -> None:
    document, plain = touch(world, "charlie", "acme", SECURITY, room), touch(world, "gina", "globex", WHY_NOW, room)
    html = said(compose_touch(room, recipient(world, document), NOW), "html")
    (token,) = re.findall(r"https://t\.example/a/([\w-]+)", html)
    assert verify_until(ASSET, token, (NOW + PAGES_LAST).date(), SECRET) == (document, 0)
    assert verify_until(ASSET, token, (NOW + PAGES_LAST).date() + timedelta(days=1), SECRET) is None
    assert "/c/" not in html
    assert "/a/" not in said(compose_touch(room, recipient(world, plain), NOW), "html")
    (link,) = room.compiled.links_by_digest()[room.compiled.content(SECURITY).step.digest]
    assert link.title == "The security pack: ports, threat model, software list"


def test_both_parts_lead_to_the_preferences(world: World, room: Mailroom) -> None:
    id = touch(world, "gina", "globex", WHY_NOW, room)
    mail = compose_touch(room, recipient(world, id), NOW)
    for part in ("html", "plain"):
        (token,) = set(re.findall(r"https://t\.example/p/([\w-]+)", said(mail, part)))
        assert verify_until(PREFERENCES, token, NOW.date(), SECRET) == (id,)


@pytest.mark.parametrize("opens", [False, True])
@pytest.mark.parametrize("honeypot", [False, True])
def test_the_play_says_what_a_mail_carries_besides_its_words(
    world: World, settings: Settings, opens: bool, honeypot: bool
) -> None:
    play = load_play(TEMPLATES / "plays" / PLAY)
    tracking = Tracking(opens=opens, honeypot=honeypot)
    room = open_mailroom(settings, play.model_copy(update={"tracking": tracking}), only=WHY_NOW)
    mail = compose_touch(room, recipient(world, touch(world, "gina", "globex", WHY_NOW, room)), NOW)
    html = said(mail, "html")
    assert (html.count("https://t.example/o/"), html.count("https://t.example/n/")) == (opens, honeypot)
    assert "/o/" not in said(mail, "plain")
    assert "/n/" not in said(mail, "plain")


# --- preview ----------------------------------------------------------------------------------------------------------


def test_a_preview_needs_no_plan(world: World, settings: Settings) -> None:
    shown = preview(settings, "why-now", NOW, engine=world.engine, email="Gina@Globex.example")
    assert not shown.planned
    assert shown.mail.touch_id == NO_TOUCH
    assert shown.account == "globex"
    assert "Globex" in shown.message.subject
    assert shown.links == ("https://www.lumenflow.example/worksheets/cost-of-waiting",)


def test_a_preview_of_a_text_that_changed_shows_the_current_one(
    world: World, room: Mailroom, settings: Settings
) -> None:
    touch(world, "alice", "acme", WHY_NOW, room, content_digest="0" * 64)
    assert not preview(settings, "why-now", NOW, engine=world.engine, email="alice@acme.example").planned


def test_a_person_in_two_accounts_is_shown_where_it_is_planned_then_at_home(world: World, room: Mailroom) -> None:
    values = {"email": "ivan@initech.example", "email_hash": "0" * 64, "account_id": world.accounts["initech-south"]}
    with writing(world.engine) as connection:
        connection.execute(insert(Stakeholder).values(**values, is_home=True))
        readers = read_readers(connection, "ivan@initech.example", WHY_NOW)
        assert [reader.account_key for reader in readers] == ["initech-south", "initech-north"]
        (chosen,) = read_readers(connection, "ivan@initech.example", WHY_NOW, account="initech-north")
        assert chosen.account_key == "initech-north"
    touch(world, "ivan", "initech-north", WHY_NOW, room)
    with reading(world.engine) as connection:
        assert read_readers(connection, "ivan@initech.example", WHY_NOW)[0].account_key == "initech-north"


def test_a_stranger_has_no_preview(world: World, settings: Settings) -> None:
    with pytest.raises(NotFound, match="nobody has the address"):
        preview(settings, "why-now", NOW, engine=world.engine, email="nobody@acme.example")
