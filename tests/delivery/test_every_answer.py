"""Every answer, from the delivered message to the ledger: a mail that a real server took, Slack's blocks, a Teams card.

ANSWERS is the specification: what is pressed in the message, what on the page it opens, and what is in the ledger then.
Links are taken from the message and from nowhere else; each answer is two clicks.
"""

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from pydantic import SecretStr
from sqlalchemy import select, update

from accounts.identity import email_hash
from accounts.ledger.engine import reading, writing
from accounts.models import (
    Account,
    Approval,
    Delay,
    Feedback,
    Hold,
    Lease,
    Objection,
    Rep,
    RepAnswer,
    Stakeholder,
    Veto,
)
from accounts.playbook import Approvals, Play
from flows.briefs.briefing import write_briefs
from flows.briefs.delivering import deliver_briefs
from flows.briefs.letters import deliver_letters
from flows.providers import Reps, Slack, Teams
from flows.sales.territory import keep_territory
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, World
from tests.channels.servers import at_work
from tests.delivery.offers import Offer, in_mail, in_slack, in_teams
from tests.delivery.servers import SIGNING_SECRET, TOKEN, SlackApi, TeamsWorkflow
from tests.plays import small_play
from tests.sending.post_office import PostOffice, post_office, settings_for
from tests.web.conftest import board as board
from tests.web.conftest import clock as clock
from tests.web.conftest import serve as serve
from tests.web.reps import DAY, press, press_button
from tests.web.visitor import SECRET, Browser, Clock, Serve

ACME, GLOBEX, INITECH = "Acme Works", "Globex", "Initech North"
OTHER, OPEN, NOBODY = "Another answer", "Open", ""
RAVI = "ravi@lumenflow.example"
MINUTE = timedelta(minutes=1)
#: Mail on both databases; what the others show leads to the same pages.
ROADS = [("sqlite", "email"), ("postgres", "email"), ("sqlite", "slack"), ("sqlite", "teams")]


@dataclass(frozen=True)
class Pressed:
    """One answer. `then`: the button on the page, and a word of the form's heading; empty: the page's only button."""

    kind: str
    account: str
    label: str
    then: tuple[str, str] = ("", "")
    #: What a rep fills in; `person` is a name of the cast.
    filled: Mapping[str, str] = field(default_factory=dict)
    #: A word of the line in the message that it stands beside.
    about: str = ""


#: In the order of one morning: what takes planned mail away comes last.
ANSWERS = (
    Pressed("not_yet", ACME, "Not yet"),
    Pressed("ripe", ACME, "Ready: I take over"),
    Pressed("objection", ACME, "I heard an objection", filled={"words": "Too dear"}),
    Pressed("topic", ACME, OTHER, ("A topic", "heard"), {"words": "Carbon reports", "person": "bob"}),
    Pressed("close_objection", ACME, "Mark as answered", about="Too slow"),
    Pressed("wrong_line", ACME, "Something is wrong", filled={"line": "2", "words": "She called us"}),
    Pressed("veto", ACME, "Stop before then", about="to Alice Example"),
    Pressed("delay", ACME, OTHER, ("Send it later", "to Charlie Example"), {"until": "2026-12-04"}),
    Pressed("wrong_person", ACME, OTHER, ("Wrong person", ACME), {"person": "frank"}),
    Pressed("bad_timing", ACME, OTHER, ("Bad time until then", ACME), {"person": "bob", "until": "2027-01-11"}),
    Pressed("add_person", ACME, OTHER, ("Add somebody new", "missing"), {"email": "yan@acme.example"}),
    Pressed("correct_person", ACME, OTHER, ("Correct it", "wrong"), {"person": "dana", "title": "Head of Plant"}),
    Pressed("claim", ACME, OTHER, (f"Yes, to {ACME}", "Does Erin Example belong here?")),
    Pressed("take", ACME, OTHER, ("Yes, it is mine", "yourself")),
    Pressed("limits", ACME, OTHER, ("Set these limits", "Ravi Menon works"), {"per_week": "2"}),
    Pressed("give_back", ACME, OTHER, ("Give it back", "Ravi Menon works")),
    Pressed("release", GLOBEX, "Let marketing go on"),
    Pressed("seat", GLOBEX, "", filled={"name": "Zoe Lin", "email": "zoe@globex.example"}, about="?"),
    Pressed("approve", INITECH, "Yes, write to them"),
    Pressed("hold", INITECH, "Hold marketing", filled={"until": "2026-12-04"}),
)  # fmt: skip


@dataclass
class Morning:
    """Ravi's message by one road, and Ravi."""

    world: World
    road: str
    web: Browser
    settings: Settings
    play: Play
    house: PostOffice
    slack: SlackApi
    teams: TeamsWorkflow
    clock: Clock

    def deliver(self) -> None:
        deliver_briefs(self.world.engine, self.settings, self.play, self.clock.now)

    def offers(self) -> list[Offer]:
        """What the last message to Ravi has to press."""
        if self.road == "slack":
            return in_slack(list(self.slack.messages.values())[-1])
        if self.road == "teams":
            return in_teams(self.teams.cards[-1])
        mine = [letter for letter in self.house.letters if letter.rcpt_tos == [RAVI]]
        return in_mail(bytes(mine[-1].content or b""))  # type: ignore[arg-type]

    def answer(self, one: Pressed, offers: list[Offer]) -> str:
        """Gives it in two clicks; what Ravi reads then."""
        self.clock.now += MINUTE
        (offer,) = [it for it in offers if it.account == one.account and self._is(it, one)]
        if offer.value:
            return self.confirm(offer)
        filled = {name: str(self.world.people.get(value, value)) for name, value in one.filled.items()}
        page = self.open(offer)
        done = press_button(self.web, page, *one.then, **filled) if one.then[0] else press(self.web, page, **filled)
        assert done.status_code == 200, (one.kind, done.text)
        assert "<h1>Done</h1>" in done.text, (one.kind, done.text)
        return unescape(done.text)

    def _is(self, offer: Offer, one: Pressed) -> bool:
        if one.kind == "seat":  # the words are the question itself: beside the button, or on it
            return "Who signs off the budget?" in (offer.about, offer.label)
        return (offer.label, one.about in offer.about) == (one.label, True)

    def open(self, offer: Offer) -> requests.Response:
        assert offer.url.startswith(self.settings.base_url)
        page = self.web.get(offer.url.removeprefix(self.settings.base_url))
        assert (page.status_code, "Ravi Menon" in page.text) == (200, True), offer
        return page

    def confirm(self, offer: Offer) -> str:
        """Slack asks, Ravi says yes, and Slack posts."""
        place = f"{self.slack.url}/actions/T1/x"
        user, actions = {"id": "U0RAVI"}, [{"type": "button", "action_id": "a", "value": offer.value}]
        said = {"type": "block_actions", "user": user, "actions": actions, "response_url": place}
        body = urlencode({"payload": json.dumps(said)}).encode()
        stamp = str(int(self.clock.now.timestamp()))
        proof = hmac.new(SIGNING_SECRET.encode(), f"v0:{stamp}:".encode() + body, "sha256").hexdigest()
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={proof}"}
        assert self.web.post("/hooks/slack/actions", data=body, headers=headers).status_code == 200
        return self.answers()[-1].detail["sentence"]  # type: ignore[no-any-return]

    def answers(self) -> list[Any]:
        with reading(self.world.engine) as connection:
            return list(connection.execute(select(RepAnswer.__table__).order_by(RepAnswer.id)))


@pytest.fixture(params=["email"])
def road(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def morning(
    world: World, settings: Settings, serve: Serve, clock: Clock, signal: Add, add: Add, road: str
) -> Iterator[Morning]:
    """Acme has mail planned and an objection open, Globex is on hold and lacks people, Initech waits for a yes; and
    Erin stands at two accounts."""
    play = small_play(approvals=Approvals(first_touch="rep", tiers=("3",)))
    with post_office(PostOffice()) as house, at_work(SlackApi()) as slack, at_work(TeamsWorkflow()) as teams:
        reps = Reps(
            slack=Slack(
                token=SecretStr(TOKEN), signing_secret=SecretStr(SIGNING_SECRET), base_url=f"{slack.url}/api",
                hooks_url=slack.url, timeout_seconds=10,
            ),
            teams=Teams(urls={RAVI: SecretStr(teams.address)}, timeout_seconds=10),
        )  # fmt: skip
        ways = settings.model_copy(
            update={"reps": reps, "secret_key": SecretStr(SECRET), "channel": "smtp", "smtp": settings_for(house)}
        )
        _set_the_scene(world, signal, add, road)
        write_briefs(world.engine, play, NOW)
        yield Morning(world, road, serve(world.engine, clock, play, ways), ways, play, house, slack, teams, clock)
        assert (slack.refused, teams.refused) == ([], [])


def _set_the_scene(world: World, signal: Add, add: Add, road: str) -> None:
    with writing(world.engine) as connection:
        ravi = update(Rep).where(Rep.id == world.reps["ravi"])
        connection.execute(ravi.values(slack_id="U0RAVI", brief_channel=road))
        north = update(Account).where(Account.id == world.accounts["initech-north"])
        connection.execute(north.values(tier="3"))
        erin = update(Stakeholder).where(Stakeholder.id == world.people["erin"])
        connection.execute(erin.values(owner_conflict=True))
    for person, account in (("alice", "acme"), ("gina", "globex"), ("ivan", "initech-north")):
        signal(person, account, "clicked", 0.2)
    acme, globex, south = (world.accounts[name] for name in ("acme", "globex", "initech-south"))
    add(Objection, account_id=acme, kind="objection", words="Too slow", at=NOW - DAY)
    add(Hold, scope="account", account_id=globex, cause="rep", by=RAVI, starts_at=NOW - DAY, ends_at=NOW + 9 * DAY)
    add(
        Stakeholder, account_id=south, email="erin@acme.example", email_hash=email_hash("erin@acme.example"),
        role="procurement", consent_basis="consent", consent_at=NOW - DAY, owner_conflict=True,
    )  # fmt: skip


@pytest.mark.parametrize(("database", "road"), ROADS, indirect=True)
def test_every_answer_takes_two_clicks_from_the_delivered_message(morning: Morning) -> None:
    morning.deliver()
    offers = morning.offers()
    for one in ANSWERS:
        morning.answer(one, offers)
        assert EFFECTS[one.kind](morning), one.kind
        said = next(row for row in reversed(morning.answers()) if row.kind == one.kind)
        assert (said.rep_id, said.brief_id) == (morning.world.reps["ravi"], said.brief_id), one.kind
        assert said.brief_id is not None, one.kind
    assert {one.kind for one in ANSWERS} == {row.kind for row in morning.answers()}
    _shown_everywhere(morning, offers)


def _shown_everywhere(morning: Morning, offers: list[Offer]) -> None:
    """In the message where it can be changed, on the page of the brief for all, and in the brief that follows."""
    ours = {morning.world.accounts[name] for name in ("acme", "globex", "initech-north")}
    sentences = [row.detail["sentence"] for row in morning.answers() if row.account_id in ours]
    (whole,) = [one for one in offers if one.label == "See this brief in the browser"]
    page = unescape(morning.open(whole).text)
    assert [said for said in sentences if f"✓ {said}" not in page] == []
    morning.clock.now += MINUTE
    morning.deliver()
    if morning.road == "slack":
        (message,) = morning.slack.messages.values()
        shown = "\n".join(block["text"]["text"] for block in message["blocks"] if block["type"] == "section")
        assert [said for said in sentences if f"✓ {said}" not in shown.replace("&amp;", "&")] == []


def people(morning: Morning, *columns: Any, name: str) -> list[Any]:
    with reading(morning.world.engine) as connection:
        query = select(*columns).where(Stakeholder.id == morning.world.people[name])
        return list(connection.execute(query))


def rows(morning: Morning, table: Any, *where: Any) -> list[Any]:
    with reading(morning.world.engine) as connection:
        return list(connection.execute(select(table.__table__).where(*where)))


def day(number: int, month: int = 12, year: int = 2026) -> datetime:
    """When it begins in Berlin, where Ravi is."""
    return NOW.replace(year=year, month=month, day=number, hour=0, minute=0) - timedelta(hours=1)


def about(morning: Morning, name: str) -> Any:
    return morning.world.people[name]


#: Kind -> whether the ledger says so.
EFFECTS: dict[str, Callable[[Morning], bool]] = {
    "not_yet": lambda m: [row.verdict for row in rows(m, Feedback)] == ["not_yet"],
    "ripe": lambda m: [row.verdict for row in rows(m, Feedback)] == ["not_yet", "ripe"],
    "objection": lambda m: "Too dear" in {row.words for row in rows(m, Objection, Objection.kind == "objection")},
    "topic": lambda m: (
        [(row.words, row.stakeholder_id) for row in rows(m, Objection, Objection.kind == "topic")]
        == [("Carbon reports", about(m, "bob"))]
    ),
    "close_objection": lambda m: (
        [row.words for row in rows(m, Objection, Objection.closed_at.is_not(None))] == ["Too slow"]
    ),
    "wrong_line": lambda m: (
        [(row.about, row.detail["words"]) for row in m.answers() if row.kind == "wrong_line"]
        == [("line:2", "She called us")]
    ),
    "veto": lambda m: (
        [(row.stakeholder_id, row.content.rpartition("/")[2]) for row in rows(m, Veto)]
        == [(about(m, "alice"), "pilot")]
    ),
    "delay": lambda m: [(row.stakeholder_id, row.until) for row in rows(m, Delay)] == [(about(m, "charlie"), day(4))],
    "wrong_person": lambda m: (
        [row.stakeholder_id for row in rows(m, Veto, Veto.content.is_(None))] == [about(m, "frank")]
    ),
    "bad_timing": lambda m: (
        [(row.stakeholder_id, row.ends_at) for row in rows(m, Hold, Hold.scope == "stakeholder")]
        == [(about(m, "bob"), day(11, 1, 2027))]
    ),
    "add_person": lambda m: (
        [row.consent_basis for row in rows(m, Stakeholder, Stakeholder.email == "yan@acme.example")] == [None]
    ),
    "correct_person": lambda m: people(m, Stakeholder.title, name="dana") == [("Head of Plant",)],
    "claim": lambda m: len(rows(m, RepAnswer, RepAnswer.kind == "claim")) == 2,
    "take": lambda m: [row.rep_id for row in rows(m, Lease, Lease.ended_at.is_(None))] == [m.world.reps["ravi"]],
    "limits": lambda m: [row.touches_per_week for row in rows(m, Lease)] == [2],
    "give_back": lambda m: rows(m, Lease, Lease.ended_at.is_(None)) == [],
    "release": lambda m: rows(m, Hold, Hold.account_id == m.world.accounts["globex"], Hold.released_at.is_(None)) == [],
    "seat": lambda m: len(rows(m, Stakeholder, Stakeholder.email == "zoe@globex.example")) == 1,
    "approve": lambda m: [row.account_id for row in rows(m, Approval)] == [m.world.accounts["initech-north"]],
    "hold": lambda m: (
        [row.ends_at for row in rows(m, Hold, Hold.account_id == m.world.accounts["initech-north"])] == [day(4)]
    ),
}


@pytest.mark.parametrize(("database", "road"), ROADS[1:], indirect=True)
def test_away_and_rhythm_are_two_clicks_from_every_message(morning: Morning) -> None:
    morning.deliver()
    offers = morning.offers()
    sofia = str(morning.world.reps["sofia"])
    for label, filled in (("I am away", {"backup": sofia}), ("Fewer briefs, or none", {"every": "weekly"})):
        (offer,) = [one for one in offers if one.label == label]
        assert "<h1>Done</h1>" in press(morning.web, morning.open(offer), **filled).text
    (ravi,) = rows(morning, Rep, Rep.id == morning.world.reps["ravi"])
    assert (str(ravi.backup_id), ravi.brief_every) == (sofia, "weekly")


@pytest.mark.parametrize(("database", "road"), ROADS[1:], indirect=True)
def test_a_letter_about_a_lease_that_ends_is_answered_by_its_link_and_a_button(morning: Morning, add: Add) -> None:
    acme, ravi = morning.world.accounts["acme"], morning.world.reps["ravi"]
    add(
        Lease,
        account_id=acme,
        rep_id=ravi,
        taken_at=NOW - 40 * DAY,
        renewed_at=NOW - 40 * DAY,
        ends_at=NOW + DAY,
        touches_per_week=1,
    )
    keep_territory(morning.world.engine, morning.play.lease, NOW)
    deliver_letters(morning.world.engine, morning.settings, morning.play, NOW)
    (offer,) = morning.offers()
    press(morning.web, morning.open(offer))
    assert [row.renewed_at for row in rows(morning, Lease)] == [NOW]
