"""Whoever listens hears of each thing once, whoever wrote it down, and whatever was killed before it could tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from sqlalchemy import Engine, delete, event, insert

from accounts.ledger import announcements
from accounts.ledger.engine import reading, writing
from accounts.ledger.people import holds
from accounts.ledger.people.holds import SignalHold
from accounts.ledger.planning import brakes
from accounts.models import Brief, Decision, SendPlan, Signal, SlaClock, StageChange, Unapplied
from accounts.vocabulary import BrakeScope, HoldCause
from flows.announcing import tell_news
from flows.cli import tandem
from flows.news import LATELY, News, gather_news
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from tests.cast import NOW, World
from tests.flows.house import only_sqlite, until
from tests.sales.desk import say

HOUR = timedelta(hours=1)


@pytest.fixture
def world_at_home(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    return world


def hold_three(world: World) -> None:
    """A rep in the web app, somebody at the command line, and a buyer who replied."""
    say(world, "hold", "acme", until=NOW + 9 * HOUR)
    assert CliRunner().invoke(tandem, ["hold", "globex", "--as-of", NOW.isoformat()]).exit_code == 0
    reply = SignalHold(1, world.accounts["initech-north"], HoldCause.REPLY, NOW, NOW + HOUR)
    with writing(world.engine) as connection:
        holds.hold_for_signals(connection, [reply])


def happen(world: World, at: Any = NOW) -> None:
    """One of each kind; and beside each one that is none of anybody's business."""
    acme, ravi = world.accounts["acme"], world.reps["ravi"]
    signal = {"source": "mailbox", "kind": "replied", "account_id": acme, "occurred_at": at}
    clock = {"play": "new-business", "side": "sales", "duty": "answer", "account_id": acme, "rep_id": ravi,
             "evidence": [], "happened_at": at, "started_at": at, "due_at": at, "paused": [], "warned": [],
             "state": "breached", "escalated_to": "grace@lumenflow.example"}  # fmt: skip
    brief = {"rep_id": ravi, "words": 1, "payload": {}, "error": "ravi@lumenflow.example is full"}
    move = {"account_id": acme, "from_stage": "contacted", "to_stage": "discovery", "at": at, "cause": "CRM"}
    plan = {"created_at": at, "play": "new-business", "checks": {"reasons": ["Much larger.", "New words."]}}
    with writing(world.engine) as connection:
        brakes.pull(connection, BrakeScope.DOMAIN, "bouncing.example", by="tandem", now=at, note="3 of 6 bounced")
        brakes.pull(connection, BrakeScope.GLOBAL, "", by="mia", now=at)
        for row in ({"source_id": "r1"}, {"source_id": "r2", "is_machine": True},
                    {"source_id": "r3", "received_at": at - LATELY}, {"source_id": "r4"}):  # fmt: skip
            added = insert(Signal).values({**signal, "received_at": at, **row}).returning(Signal.id)
            unapplied = connection.execute(added).scalar_one()
        connection.execute(insert(Unapplied).values(signal_id=unapplied))
        connection.execute(insert(SendPlan).values(**plan, state="held"))
        connection.execute(insert(SendPlan).values(**plan, state="rejected"))
        connection.execute(insert(SlaClock).values(**clock, subject="signal:1", escalated_at=at))
        connection.execute(insert(SlaClock).values(**clock, subject="signal:2"))
        connection.execute(insert(Brief).values(**brief, as_of=at, state="failed"))
        connection.execute(insert(Brief).values(**brief, as_of=at - HOUR, state="delivered"))
        connection.execute(insert(StageChange).values(**move))
        connection.execute(insert(StageChange).values(**move, refused_reason="it is won"))


#: event -> the subject of the one that `happen` brings.
HAPPENED = {
    "tandem.plan.held": "tandem.plan.1",
    "tandem.brake.pulled": "tandem.brake.domain.bouncing.example",
    "tandem.signal.reply": "tandem.account.acme",
    "tandem.sla.breached": "tandem.account.acme",
    "tandem.brief.failed": "tandem.rep.r…i@lumenflow.example",
    "tandem.account.stage-changed": "tandem.account.acme",
}


def news_of(engine: Engine, at: Any = NOW) -> list[News]:
    with reading(engine) as connection:
        return gather_news(connection, at)


def held(world: World, at: Any = NOW) -> dict[str, str]:
    """Account -> cause of holds that nobody was told of."""
    return {one.name: one.says["cause"] for one in news_of(world.engine, at) if one.event == "tandem.account.held"}


def test_every_hold_on_an_account_waits_to_be_told_as_long_as_it_stands(world_at_home: World) -> None:
    world = world_at_home
    hold_three(world)
    say(world, "hold", "acme", "bob")
    assert held(world) == {"acme": "rep", "globex": "rep", "initech-north": "reply"}
    assert held(world, NOW + 2 * HOUR) == {"acme": "rep", "globex": "rep"}, "the reply's is over"
    say(world, "release", "globex", now=NOW + HOUR)
    assert held(world, NOW + 2 * HOUR) == {"acme": "rep"}


def test_each_thing_that_somebody_waits_for_is_news_until_it_is_told_and_shows_no_address(world: World) -> None:
    happen(world)
    news = news_of(world.engine)
    assert {one.event: one.subject for one in news} == HAPPENED
    assert len(news) == len(HAPPENED)
    assert {one.event: one.says for one in news}["tandem.plan.held"] == {
        "play": "new-business", "plan": 1, "why": "Much larger. New words.",
    }  # fmt: skip
    assert "ravi@" not in str(news)
    assert "grace@" not in str(news)
    assert [one.id for one in news_of(world.engine)] == [one.id for one in news], "a second telling is the same event"
    with writing(world.engine) as connection:
        announcements.mark(connection, [(one.about, one.fact_id) for one in news[1:]], NOW)
        announcements.mark(connection, [(one.about, one.fact_id) for one in news[1:]], NOW + HOUR)
    assert news_of(world.engine) == news[:1]


def test_who_falls_silent_since_the_crm_does_is_told_of_once_for_each_look(world: World) -> None:
    """Three people at two looks, and one the week before last; whoever falls silent for another reason is not meant."""
    looks = {"alice": NOW - HOUR, "bob": NOW - HOUR, "charlie": NOW, "erin": NOW - 2 * LATELY, "frank": NOW}
    answer = {"answer": "wait", "play": "new-business", "stage": "evaluation"}
    with writing(world.engine) as connection:
        connection.execute(delete(Decision))
        for name, at in looks.items():
            reason = "stale_crm" if name != "frank" else "waiting_step"
            person = {"stakeholder_id": world.people[name], "account_id": world.accounts["acme"]}
            connection.execute(insert(Decision).values(**answer, **person, reason=reason, as_of=at))
    first, second = told = news_of(world.engine)
    assert {(one.event, one.subject) for one in told} == {("tandem.crm.stale", "tandem.play.new-business")}
    assert [one.says for one in told] == [{"people": 2}, {"people": 1}]
    assert first.id != second.id
    with writing(world.engine) as connection:
        announcements.mark(connection, [(first.about, first.fact_id)], NOW)
        connection.execute(delete(Decision).where(Decision.stakeholder_id == world.people["alice"]))
    assert news_of(world.engine) == [second]


def test_who_fell_silent_is_found_without_walking_all_that_was_decided(world: World) -> None:
    """Every flow run asks, and there is an answer about everybody."""
    is_lite = world.engine.dialect.name == "sqlite"
    plans: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM decision" in statement:
            if not is_lite:
                cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {'QUERY PLAN ' * is_lite}{statement}", parameters)
            plans.append("\n".join(str(row) for row in cursor))

    event.listen(world.engine, "before_cursor_execute", explain)
    news_of(world.engine)
    [look] = plans
    assert "ix_decision_silenced" in look
    assert "as_of>? AND as_of<?" in look or "Index Cond: ((as_of > " in look


def test_what_no_server_took_is_not_taken_for_told(world_at_home: World) -> None:
    hold_three(world_at_home)
    assert tell_news(world_at_home.engine, NOW) == 0
    assert len(held(world_at_home)) == 3


@only_sqlite
def test_what_a_killed_run_could_not_tell_the_next_one_does_and_it_counts_once(
    world_at_home: World, prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run is killed when its facts are committed. The next one is killed between the server's yes and our writing
    that down. The third one asks, however much later it comes: what the server has is not told again."""
    from flows.track import track_accounts

    engine = world_at_home.engine
    happen(world_at_home)
    news = news_of(engine)
    with killed_when_it_writes_that_down(engine), pytest.raises(Killed):
        flow(tell_news)(engine, NOW)
    until(lambda: len(told(prefect_api, news)) == len(news))
    assert news_of(engine) == news, "it does not know that they are told"
    posted = listen_in(monkeypatch)
    track_accounts(as_of=NOW)
    assert news_of(engine) == []
    assert "tandem.account.contacted" in {one["event"] for one in posted}, "what is said with each run goes there still"
    assert not {one["id"] for one in posted} & {str(one.id) for one in news}
    assert sorted(told(prefect_api, news)) == sorted(str(one.id) for one in news)


def listen_in(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is handed in to the server from now on, on its way."""
    posted: list[dict[str, Any]] = []
    request = SyncPrefectClient.request

    def heard(self: SyncPrefectClient, method: Any, path: Any, *more: Any, **named: Any) -> Any:
        if path == "/events":
            posted.extend(named["json"])
        return request(self, method, path, *more, **named)

    monkeypatch.setattr(SyncPrefectClient, "request", heard)
    return posted


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_when_it_writes_that_down(engine: Engine) -> Iterator[None]:
    def kill(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("INSERT INTO announcement"):
            raise Killed

    event.listen(engine, "before_cursor_execute", kill)
    yield
    event.remove(engine, "before_cursor_execute", kill)


def told(server: PrefectServer, news: list[News]) -> list[str]:
    """Ids of what the server has of it."""
    asked = {"filter": {"id": {"id": [str(one.id) for one in news]}}, "limit": 50}
    return [one["id"] for one in PrefectApi(server.url).post("/events/filter", asked)["events"]]
