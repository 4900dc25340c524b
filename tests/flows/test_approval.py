"""A held plan asks a person in Prefect's pages, waits without a process, does as it is told; silence sends nothing."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed
from sqlalchemy import Engine, select

from accounts.ledger.engine import reading
from accounts.ledger.people.vetoes import read_vetoes
from accounts.models import Audit, SendPlan, Touch
from accounts.playfiles import load_play
from expectations.audience import Limits
from flows import nurturing
from flows.approve import approve_plan
from flows.channels.email.memory import Memory
from flows.nurture import nurture_accounts
from flows.operating.prefect_server import PrefectServer
from flows.sending import approving
from flows.settings import TEMPLATES, Settings
from tests.cast import NOW, World
from tests.flows.house import carry_out, deployed, only_sqlite, runs_of, until
from tests.flows.test_flows import BARE, newest_name, page

pytestmark = [pytest.mark.usefixtures("prefect_api"), only_sqlite]
HOUR = timedelta(hours=1)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: The browser asks nobody but this machine.
SEALED = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """A house in which plan 1, for Alice and Ivan, waits for a person."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    play = load_play(TEMPLATES / "plays" / "new-business")
    limits = Limits(first_readers=0)
    nurturing.nurture(world.engine, Settings(home=tmp_path), play, NOW, channel=Memory(), limits=limits)
    return world.engine


@pytest.fixture
def client(home: Engine) -> Iterator[SyncPrefectClient]:
    with deployed("approve-plan") as client:
        yield client


@pytest.fixture
def question(client: SyncPrefectClient) -> FlowRun:
    """The run that asks, put by a nurture run, as it waits for an answer."""
    nurture_accounts(as_of=NOW)
    (asked,) = runs_of(client, "approve-plan")
    asked = carry_out(client, approve_plan, asked, NOW)
    assert asked.state_name == "Suspended"
    return asked


def test_a_held_plan_asks_once_however_long_it_waits(client: SyncPrefectClient, question: FlowRun) -> None:
    nurture_accounts(as_of=NOW + HOUR)
    assert newest_name() == "nurture new-business · 0 sent · plan 1 is held"
    assert [run.name for run in runs_of(client, "approve-plan")] == ["approve plan 1?"]
    asked = page("plan-1")
    assert "Words nobody has received yet go to 0 people at most" in asked
    assert "**2** messages; no plan was sent before" in asked
    assert "Hi Maximiliane" in asked
    assert "| a…e" in asked
    assert not BARE.search(asked.replace("maximiliane", ""))


def test_rows_that_are_left_out_stay_out_and_the_rest_leaves_in_the_name_of_who_said_so(
    home: Engine, client: SyncPrefectClient, question: FlowRun, tmp_path: Path
) -> None:
    rows = {address.partition("@")[0]: id for id, address in touches(home)}
    said = {"answer": "approve without these rows", "rows": [rows["ivan"]], "by": "mia@lumenflow.example"}
    client.resume_flow_run(question.id, run_input=said)
    answered = carry_out(client, approve_plan, question, NOW + HOUR)
    assert answered.state_name == "Answered"
    assert answered.name == "plan 1: approved by mia@lumenflow.example, 1 message may leave"
    assert decided(home) == ("certified", "mia@lumenflow.example")
    with reading(home) as connection:
        assert [(veto[1], veto[3]) for veto in read_vetoes(connection)] == [
            ("ivan@initech.example", "mia@lumenflow.example")
        ]
        after = connection.scalars(select(Audit.after).where(Audit.action == "approve")).one()
    assert after["dropped"] == [rows["ivan"]]
    assert nurture_accounts(as_of=NOW + HOUR)["sent"] == 1
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1


def test_a_question_nobody_answers_fails_and_nothing_is_sent(home: Engine, client: SyncPrefectClient) -> None:
    nurture_accounts(as_of=NOW)
    (asked,) = runs_of(client, "approve-plan")
    asked = carry_out(client, approve_plan, asked, NOW, hours=0.1 / 3600)
    until(lambda: client.read_flow_run(asked.id).state_name == "Failed")
    assert nurture_accounts(as_of=NOW + HOUR)["sent"] == 0
    assert decided(home) == ("held", None)
    assert [run.id for run in runs_of(client, "approve-plan")] == [asked.id]


def test_a_question_whose_run_died_is_put_again_and_its_answer_counts(
    home: Engine, client: SyncPrefectClient, question: FlowRun
) -> None:
    client.set_flow_run_state(question.id, Crashed(message="the machine went down"), force=True)
    nurture_accounts(as_of=NOW + HOUR)
    (again,) = [run for run in runs_of(client, "approve-plan") if run.id != question.id]
    again = carry_out(client, approve_plan, again, NOW + HOUR)
    client.resume_flow_run(again.id, run_input={"answer": "cancel the plan", "by": "mia@lumenflow.example"})
    answered = carry_out(client, approve_plan, again, NOW + HOUR)
    assert answered.name == "plan 1: cancelled by mia@lumenflow.example, nothing leaves of 2 messages"
    assert decided(home)[0] == "rejected"


def test_a_plan_decided_elsewhere_takes_its_question_back(
    home: Engine, client: SyncPrefectClient, question: FlowRun, tmp_path: Path
) -> None:
    approving.reject(home, 1, by="mia", now=NOW)
    nurture_accounts(as_of=NOW + HOUR, accounts=("globex",))
    assert client.read_flow_run(question.id).state_name == "Cancelled"


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: Prefect's pages are not opened")
def test_a_marketer_finds_the_question_reads_it_and_answers_in_the_pages(
    home: Engine, client: SyncPrefectClient, question: FlowRun, prefect_api: PrefectServer
) -> None:
    with ThreadPoolExecutor(1) as beside:  # a browser brings an event loop, which Prefect here would take for its own
        beside.submit(answer_in_the_pages, prefect_api.ui_url).result()
    until(lambda: client.read_flow_run(question.id).state_name == "Resuming")
    assert carry_out(client, approve_plan, question, NOW + HOUR).state_name == "Answered"
    assert decided(home) == ("certified", "Mia")


def answer_in_the_pages(ui_url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SEALED)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(90_000)  # of a busy machine
        page.goto(f"{ui_url}/runs")
        page.get_by_role("link", name="approve plan 1?").first.click()
        page.get_by_text("Artifacts", exact=True).click()
        page.get_by_text("plan-1", exact=True).click()
        page.get_by_text("Hi Maximiliane").first.wait_for()
        page.go_back()

        page.get_by_role("button", name="Resume").click()
        form = page.get_by_role("dialog")
        form.get_by_text("waits for a word").wait_for()
        form.locator(".p-select button").first.press("ArrowDown")
        page.locator(".p-select-option").first.click()
        form.get_by_role("textbox").last.fill("Mia")
        form.get_by_role("button", name="Submit").click()
        form.wait_for(state="hidden")
        browser.close()


def touches(engine: Engine) -> list[tuple[int, str]]:
    with reading(engine) as connection:
        return [(row.id, row.address) for row in connection.execute(select(Touch.id, Touch.address))]


def decided(engine: Engine) -> tuple[str, str | None]:
    with reading(engine) as connection:
        row = connection.execute(select(SendPlan.state, SendPlan.approved_by).where(SendPlan.id == 1)).one()
    return row.state, row.approved_by
