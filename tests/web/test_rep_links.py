"""Links of reps: what opens, for whom, for how long; that each use is on record, and that looking changes nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from accounts.ledger import audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps import links as rep_links
from accounts.models import Brief
from flows import tokens
from flows.briefs.links import KINDS, PURPOSE
from tests.cast import NOW, World
from tests.web.reps import DAY, TODAY, audited, brief, give, hand_over, path, planned, rows_but_audit, set_rep
from tests.web.visitor import SECRET, Browser, Clock, on_sqlite

SCANNER = {"user-agent": "Mimecast/1.0"}


def shut(world: World) -> dict[str, str]:
    good = path(world, "hold")
    numbers = (world.reps["ravi"], 0, world.accounts["acme"], KINDS.index("hold"), 0, TODAY.toordinal())
    return {
        "tampered": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "of another house": f"/r/{tokens.sign_until(PURPOSE, TODAY, 'another secret', *numbers)}",
        "for another purpose": f"/r/{tokens.sign_until(tokens.PREFERENCES, TODAY, SECRET, *numbers)}",
        "over": path(world, "hold", issued=TODAY - 15 * DAY),
        "no token": "/r/hello",
        "long": f"/r/{'A' * 5_000}",
        "not ascii": "/r/%C3%A9%F0%9F%92%A5%FF",
        "of a rep nobody knows": path(World(world.engine, {"ravi": 999}, world.accounts, {}), "hold"),
    }


@on_sqlite
def test_whatever_is_not_a_good_link_gets_one_and_the_same_page_and_does_nothing(web: Browser, world: World) -> None:
    before = rows_but_audit(world)
    answers = {
        (answer.status_code, answer.text)
        for address in shut(world).values()
        for answer in (web.get(address), web.post(address, data={"until": "2026-12-24"}))
    }
    ((status, page),) = answers
    assert (status, "This link is over" in page, "Ravi" in page, "Acme" in page) == (404, True, False, False)
    assert rows_but_audit(world) == before
    assert count_of_audit(world) == len(audited(world, rep_links.REFUSED)) == 2, (
        "of these only the one that was good once is on record, for GET and POST: whoever has no genuine link writes "
        "nothing into the audit"
    )


def count_of_audit(world: World) -> int:
    with reading(world.engine) as connection:
        return len(audit.read_audit(connection))


@on_sqlite
def test_a_link_opens_for_a_fortnight(web: Browser, world: World, clock: Clock) -> None:
    link = path(world, "page")
    clock.now = NOW + 14 * DAY
    assert web.get(link).status_code == 200
    clock.now = NOW + 15 * DAY
    assert web.get(link).status_code == 404


def test_the_use_of_a_link_that_is_over_is_one_line_a_day_from_each_network(
    web: Browser, world: World, clock: Clock
) -> None:
    """It was genuine: somebody has an old mail. A token that was never ours is noise, and says nothing of anybody."""
    link = path(world, "hold")
    clock.now = NOW + 15 * DAY
    for _ in range(3):
        assert web.get(link).status_code == 404
        assert web.post(link, data={"until": "2026-12-24"}).status_code == 404
        assert web.get(f"{link}x").status_code == 404
    clock.now += DAY
    web.get(link)
    refused = audited(world, rep_links.REFUSED)
    assert [(row.at, row.after["method"], row.after["why"]) for row in refused] == [
        (NOW + 15 * DAY, "GET", "over"), (NOW + 15 * DAY, "POST", "over"), (NOW + 16 * DAY, "GET", "over"),
    ]  # fmt: skip
    assert {(row.actor, row.subject) for row in refused} == {("ravi@lumenflow.example", "account:acme")}
    assert count_of_audit(world) == len(refused)


@on_sqlite
def test_pages_reached_from_a_link_end_with_it(web: Browser, world: World, clock: Clock) -> None:
    """Nobody walks from page to page for ever."""
    clock.now = NOW + 14 * DAY
    page = web.get(path(world, "page")).text
    further = page.split('href="/r/')[1].split('"')[0]
    assert web.get(f"/r/{further}").status_code == 200
    clock.now = NOW + 15 * DAY
    assert web.get(f"/r/{further}").status_code == 404


@on_sqlite
def test_a_clock_that_is_a_night_ahead_does_no_harm(web: Browser, world: World) -> None:
    assert web.get(path(world, "page", issued=TODAY + DAY)).status_code == 200
    assert web.get(path(world, "page", issued=TODAY + 2 * DAY)).status_code == 404
    assert audited(world, rep_links.REFUSED)[0].after["why"] == "made for a later day"


def test_links_taken_back_open_nothing_and_the_next_brief_has_good_ones(web: Browser, world: World) -> None:
    before, after = brief(world, NOW - 2 * timedelta(hours=1)), brief(world, NOW)
    with writing(world.engine) as connection:
        rep_links.revoke(connection, world.reps["ravi"], by="ops", now=NOW - timedelta(hours=1))
    assert web.get(path(world, "page", brief=before)).status_code == 404
    assert web.get(path(world, "hold", issued=TODAY - DAY)).status_code == 404
    assert web.get(path(world, "page")).status_code == 404, (
        "of the same day, and in no brief: nobody knows which came first"
    )
    assert web.get(path(world, "page", brief=after)).status_code == 200
    assert web.get(path(world, "page", "initech-south", rep="sofia")).status_code == 200
    assert [row.after["why"] for row in audited(world, rep_links.REFUSED)] == ["taken back"] * 3
    assert len(audited(world, rep_links.REVOKED)) == 1


def test_an_account_of_another_rep_stays_shut_and_the_attempt_is_on_record(web: Browser, world: World) -> None:
    before = rows_but_audit(world)
    for kind in ("page", "hold", "take"):
        link = path(world, kind, "initech-south")
        shown, done = web.get(link), web.post(link, data={"until": "2026-12-24"})
        assert (shown.status_code, done.status_code) == (404, 404)
        assert "Initech" not in shown.text + done.text
    assert rows_but_audit(world) == before
    refused = audited(world, rep_links.REFUSED)
    assert {(row.actor, row.subject) for row in refused} == {("ravi@lumenflow.example", "account:initech-south")}
    assert len(refused) == 6


@on_sqlite
def test_a_link_ends_when_the_account_changes_hands(web: Browser, world: World) -> None:
    link = path(world, "page")
    assert web.get(link).status_code == 200
    give(world, "acme", "sofia")
    assert web.get(link).status_code == 404
    assert "Sofía" not in web.get(link).text


@on_sqlite
def test_the_backup_of_who_is_away_and_the_manager_may_look(web: Browser, world: World) -> None:
    theirs = path(world, "page", rep="sofia")
    assert web.get(theirs).status_code == 404
    set_rep(world, "ravi", away_from=NOW - DAY, away_until=NOW + DAY, backup_id=world.reps["sofia"])
    assert web.get(theirs).status_code == 200
    assert "Acme Works" in web.get(path(world, "page", None, rep="sofia")).text
    set_rep(world, "ravi", away_from=None, manager_email="sofia@lumenflow.example")
    assert web.get(theirs).status_code == 200


def test_each_use_is_on_record_without_its_token(web: Browser, world: World) -> None:
    read = brief(world)
    links = [path(world, "page", brief=read), path(world, "hold", brief=read), path(world, "page", None)]
    for link in links:
        web.get(link)
    web.post(links[1], data={"until": "2026-12-24"})
    used = audited(world)
    assert [(row.subject, row.after["kind"], row.after["method"]) for row in used] == [
        ("account:acme", "page", "GET"), ("account:acme", "hold", "GET"),
        (f"rep:{world.reps['ravi']}", "page", "GET"), ("account:acme", "hold", "POST"),
    ]  # fmt: skip
    assert {row.actor for row in used} == {"ravi@lumenflow.example"}
    assert not any(link.removeprefix("/r/") in repr(row) for link in links for row in used)
    with reading(world.engine) as connection:
        assert audit.verify(connection).is_whole


def test_who_had_the_account_before_reads_who_has_it_now_and_changes_nothing(web: Browser, world: World) -> None:
    """A brief of theirs lies in a mailbox for a fortnight; whoever never had the account learns nothing."""
    page, hold, history = path(world, "page"), path(world, "hold"), f"{path(world, 'page')}/history.csv"
    hand_over(world, "acme", "sofia")
    before = rows_but_audit(world)
    shown = [web.get(page), web.get(hold), web.get(history), web.post(hold, data={"until": "2026-12-24"})]
    assert {one.status_code for one in shown} == {410}
    (said,) = {one.text for one in shown}
    assert "Sofía Ortega has Acme Works now" in said
    assert "Bob" not in said
    assert rows_but_audit(world) == before
    refused = audited(world, rep_links.REFUSED)
    assert [row.after["why"] for row in refused] == ["the account is no longer theirs"] * len(refused)
    assert {(row.after["kind"], row.after["method"]) for row in refused} == {
        ("page", "GET"), ("hold", "GET"), ("hold", "POST"),
    }  # fmt: skip
    assert {(row.actor, row.subject) for row in refused} == {("ravi@lumenflow.example", "account:acme")}

    theirs = said.split('href="/r/')[1].split('"')[0]
    assert "Acme" not in web.get(f"/r/{theirs}").text, "what is still theirs"
    assert web.get(path(world, "page", rep="sofia")).status_code == 200
    assert web.get(path(world, "page", "hooli")).status_code == 404, "never theirs"
    hand_over(world, "acme", None)
    assert "Nobody has Acme Works now" in web.get(page).text


@on_sqlite
def test_looking_changes_nothing_whatever_the_link_is_for(web: Browser, world: World) -> None:
    """GET and HEAD of every kind."""
    planned(world, "alice", "evaluation/pilot")
    before = rows_but_audit(world)
    for kind in KINDS:
        about = world.people["alice"] if kind in ABOUT_A_PERSON else 0
        for method in ("HEAD", "GET"):
            status = web.ask(method, path(world, kind, None if kind in ("off", "away") else "acme", about)).status_code
            assert status == (404 if kind == "brief" else 200), kind
    assert rows_but_audit(world) == before


ABOUT_A_PERSON = ("veto", "unveto", "delay", "undelay", "wrong_person", "correct_person", "claim")


@on_sqlite
def test_a_brief_counts_as_read_when_a_person_opens_one_of_its_pages(web: Browser, world: World, clock: Clock) -> None:
    read = brief(world)
    page, hold = path(world, "page", brief=read), path(world, "hold", brief=read)
    web.ask("HEAD", page)
    web.get(page, headers=SCANNER)
    web.get(page, headers={"sec-purpose": "prefetch;prerender"})
    web.get(page, headers={"x-moz": "prefetch"})
    web.get(hold)
    assert opened_at(world, read) is None
    assert [row.after["person"] for row in audited(world)] == [False, True], "programs share a line"
    web.get(page)
    clock.now = NOW + DAY
    web.get(page)
    assert opened_at(world, read) == NOW, "the first time counts"


@on_sqlite
def test_an_answer_says_that_the_brief_was_read(web: Browser, world: World) -> None:
    read = brief(world)
    assert web.post(path(world, "hold", brief=read), data={"until": "2026-12-24"}).status_code == 200
    assert opened_at(world, read) == NOW


def opened_at(world: World, id: int) -> object:
    with reading(world.engine) as connection:
        return connection.scalar(select(Brief.opened_at).where(Brief.id == id))


@on_sqlite
def test_a_forwarded_link_says_whose_answer_it_will_be(web: Browser, world: World) -> None:
    page = web.get(path(world, "hold")).text
    assert "You answer as Ravi Menon. Not you? Then please close this page." in page
    assert "Nothing has changed yet" in page


@on_sqlite
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(web: Browser, world: World, method: str) -> None:
    assert web.ask(method, path(world, "hold")).status_code == 405


@on_sqlite
def test_a_link_that_is_opened_again_and_again_is_one_line_a_day_and_an_answer_is_one_each_time(
    web: Browser, world: World, clock: Clock
) -> None:
    page, hold = path(world, "page"), path(world, "hold")
    for _ in range(3):
        web.get(page, headers=SCANNER)
        web.get(page)
        web.post(hold, data={"until": "2026-12-24"})
    seen = [(row.after["method"], row.after.get("person")) for row in audited(world)]
    assert sorted(seen) == [("GET", False), ("GET", True), *[("POST", True)] * 3]
    clock.now = NOW + DAY
    web.get(page)
    assert len(audited(world)) == 6, "another day"


@on_sqlite
def test_reps_read_words_of_their_own_where_a_link_leads_nowhere(web: Browser, world: World) -> None:
    for address in ("/r/", f"{path(world, 'page')}/more", f"{path(world, 'page')}x"):
        page = web.get(address)
        assert page.status_code == 404
        assert "tandem links page you" in page.text
        assert "stop our" not in page.text
    assert "To stop our e" in web.get("/c/nothing").text
