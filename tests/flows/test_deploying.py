"""`tandem deploy`: what it changes, what it leaves alone, and what an event starts by itself."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from sqlalchemy import Engine, delete, update

from accounts.errors import InputRefused, Refused
from accounts.ledger.engine import reading, writing
from accounts.ledger.people import holds
from accounts.ledger.planning.decisions import undecided
from accounts.ledger.subjects import Subject
from accounts.models import Account, Announcement
from accounts.vocabulary import HoldCause
from flows.announcing import tell_news
from flows.cli import tandem
from flows.nurture_account import nurture_account
from flows.operating.automations import automations_file, read_automations
from flows.operating.deployments import deployments_file, read_deployments
from flows.operating.prefect_server import PrefectServer
from flows.publishing import announce
from flows.track import contact_events, track_accounts
from tests.cast import NOW, World
from tests.flows.house import carry_out, only_sqlite, runs_of, until
from tests.flows.test_news import happen
from tests.operations.fake_prefect import fake_prefect

#: The things of another test happen at NOW, and the server would take these for the same.
SOON_AFTER = timedelta(microseconds=1)
RULES = read_automations(automations_file())

#: What flows say again as long as it is so: event, subject, and what they say of it.
SAID_AGAIN: list[tuple[str, str, dict[str, Any]]] = [
    ("tandem.account.contacted", "tandem.account.initech-south", {"play": "new-business"}),
    ("tandem.accounts.contacted", "tandem.play.new-business", {"play": "new-business"}),
    ("tandem.crm.stale", "tandem.play.new-business", {"people": 3}),
    ("tandem.door.closed", "tandem.door.mailbox", {"why": "wrong password"}),
    ("tandem.health.fail", "tandem.health.held", {"says": "plan 1", "cure": "tandem approve 1", "before": "ok"}),
]
#: Subject -> body of every notification.
HEARD = {
    "Reply from acme": "Somebody at acme answered. Nurturing is paused there, the rep has the word.",
    "globex is held": "Nurturing of globex is paused (rep). `tandem release` ends it.",
    "plan 1 waits for you": (
        "Much larger. New words. Answer in Prefect (Runs, approve-plan, Resume) or with: tandem approve 1"
    ),
    "Overdue at acme: answer": (
        f"Owed by r…i@lumenflow.example, due {(NOW + SOON_AFTER).isoformat()}. `tandem sla` shows every clock."
    ),
    "Stopped: domain bouncing.example": "3 of 6 bounced When it is mended: tandem stop --release",
    "No news from the CRM for new-business": (
        "3 people get nothing because what we know of their accounts is too old. Import an export."
    ),
    "A brief did not reach r…i@lumenflow.example": "r…i@lumenflow.example is full",
    "The reply mailbox does not let us in": "wrong password",
    "Needs a person: held": "plan 1. What to do: tandem approve 1",
}


def test_each_automation_does_one_thing_with_what_is_deployed() -> None:
    deployed = {entry.name for entry in read_deployments(deployments_file())}
    assert {rule.run.deployment for rule in RULES if rule.run} <= deployed
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_an_automation_that_does_nothing_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "automations.yaml"
    path.write_text("automations: [{name: 'tandem: x', description: x, when: tandem.x}]")
    with pytest.raises(InputRefused, match="say either run or notify"):
        read_automations(path)


def test_without_a_server_nothing_is_started_in_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    error = CliRunner().invoke(tandem, ["deploy"]).exception
    assert isinstance(error, Refused)
    assert "no Prefect server answers" in str(error)


@pytest.fixture
def client(prefect_api: PrefectServer) -> Iterator[SyncPrefectClient]:
    """A server that is as it was before, afterwards."""
    with get_client(sync_client=True) as client:
        yield client
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)
        for automation in client.read_automations():
            client.delete_automation(automation.id)
        for pool in client.read_work_pools():
            client.delete_work_pool(pool.name)


@pytest.fixture
def deploy(client: SyncPrefectClient, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """`tandem deploy`, with these two deployments and what they need: entry -> what became of it."""
    files = {name: tmp_path / name for name in ("prefect.yaml", "automations.yaml")}
    head, entries = deployments_file().read_text(encoding="utf-8").split("deployments:\n")
    entries = [f"  - name: {entry}" for entry in entries.split("  - name: ")[1:]]
    kept = [entry for entry in entries if entry.startswith(("  - name: nurture-account", "  - name: track-accounts"))]
    files["prefect.yaml"].write_text(f"{head}deployments:\n" + "".join(kept))
    files["automations.yaml"].write_text(automations_file().read_text(encoding="utf-8"))

    def deployed(**changes: tuple[str, str]) -> dict[str, str]:
        for name, (old, new) in changes.items():
            path = files[f"{name}.yaml"]
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new))
        options = ["--deployments", str(files["prefect.yaml"]), "--automations", str(files["automations.yaml"])]
        result = CliRunner().invoke(tandem, ["deploy", "--json", *options])
        assert result.exit_code == 0, result.output
        return {one["name"]: one["was"] for one in json.loads(result.stdout)}

    return deployed


def test_deploying_says_what_changed_and_twice_changes_nothing(
    client: SyncPrefectClient, deploy: Callable[..., dict[str, str]]
) -> None:
    own = AutomationCore(name="my own", trigger=EventTrigger(expect={"x"}), actions=[DoNothing()])
    client.create_automation(own)
    first = deploy()
    assert {"nurture-account", "nurture-accounts", "track-accounts", "tandem: a reply"} <= first.keys()
    assert set(deploy().values()) == {"unchanged"}

    changed = deploy(
        prefect=('cron: "*/3 * * * *"', 'cron: "*/2 * * * *"'),
        automations=('name: "tandem: a reply"', 'name: "tandem: new"'),
    )
    different = {name: was for name, was in changed.items() if was != "unchanged"}
    assert different == {"track-accounts": "updated", "tandem: a reply": "removed", "tandem: new": "created"}
    assert "my own" in {one.name for one in client.read_automations()}

    by_name = {one.name: one for one in client.read_automations()}
    assert not by_name["tandem: a plan is held"].enabled
    assert by_name["tandem: first contact"].enabled
    client.pause_automation(by_name["tandem: first contact"].id)

    webhook = CustomWebhookNotificationBlock(name="ours", url="http://127.0.0.1:9/told", method="POST")
    webhook.save("tandem", overwrite=True)
    assert deploy()["tandem: a plan is held"] == "updated"
    by_name = {one.name: one for one in client.read_automations()}
    assert by_name["tandem: a plan is held"].actions[0].type == "send-notification"
    assert by_name["tandem: a plan is held"].enabled
    assert not by_name["tandem: first contact"].enabled, "who switched it off meant it"
    CustomWebhookNotificationBlock.delete("tandem")


@only_sqlite
def test_a_first_contact_starts_its_account_and_a_lost_event_is_made_up_for(
    world: World, client: SyncPrefectClient, deploy: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    _contacted_just_now(world.engine, "globex")
    deploy()
    track_accounts(as_of=NOW)
    until(lambda: bool(runs_of(client, "nurture-account")))
    (run,) = runs_of(client, "nurture-account")
    assert run.parameters == {"account": "globex", "play": "new-business"}
    with reading(world.engine) as connection:
        assert undecided(connection, "new-business", NOW) == ["globex"], "nobody has worked on it: it is told again"

    assert carry_out(client, nurture_account, run, NOW).state_name == "Completed"
    with reading(world.engine) as connection:
        assert undecided(connection, "new-business", NOW) == []


@only_sqlite
def test_each_automation_does_what_it_says_once_however_often_its_event_is_told(
    world: World, client: SyncPrefectClient, deploy: Callable[..., dict[str, str]]
) -> None:
    """What the ledger has is told by a run that was killed before it could write that down, and by the next one."""
    at = NOW + SOON_AFTER
    happen(world, at)
    globex = Subject(world.accounts["globex"], "globex")
    with writing(world.engine) as connection:
        holds.place(connection, globex, HoldCause.REP, by="ravi@lumenflow.example", starts_at=at)

    @flow
    def tells() -> None:
        for event, subject, says in SAID_AGAIN:
            announce(event, subject, subject.rpartition(".")[2], **says)
        tell_news(world.engine, at)
        with writing(world.engine) as connection:
            connection.execute(delete(Announcement))
        tell_news(world.engine, at)

    heard: list[dict[str, str]] = []
    with fake_prefect({"/told": lambda said: heard.append(said) or True}) as url:
        words = {"subject": "{{subject}}", "body": "{{body}}"}
        block = CustomWebhookNotificationBlock(name="ours", url=f"{url}/told", method="POST", json_data=words)
        block.save("tandem", overwrite=True)
        deploy()
        tells()
        until(lambda: len(heard) >= len(HEARD))
        until(lambda: all(by_themselves(client, name) for name in ("nurture-account", "nurture-accounts")))
    CustomWebhookNotificationBlock.delete("tandem")
    assert len(HEARD) == sum(rule.notify is not None for rule in RULES)
    assert {one["subject"]: one["body"] for one in heard} == HEARD
    assert len(heard) == len(HEARD), "once each"
    assert by_themselves(client, "nurture-account") == [{"account": "initech-south", "play": "new-business"}]
    assert by_themselves(client, "nurture-accounts") == [{"play": "new-business"}]


def by_themselves(client: SyncPrefectClient, deployment: str) -> list[dict[str, Any]]:
    """Parameters of the runs that automations started."""
    runs = runs_of(client, deployment)
    return [run.parameters for run in runs if run.created_by and run.created_by.type == "AUTOMATION"]


def test_many_first_contacts_at_once_are_one_event() -> None:
    accounts = [f"account-{number}" for number in range(11)]
    assert [event for event, *_ in contact_events("new-business", accounts[:10])] == ["tandem.account.contacted"] * 10
    assert contact_events("new-business", accounts) == [
        ("tandem.accounts.contacted", "tandem.play.new-business", "new-business")
    ]


def _contacted_just_now(engine: Engine, key: str) -> None:
    """Everybody was decided about, and sales reached one account after that."""
    from accounts import tick
    from accounts.playfiles import load_play
    from flows.settings import TEMPLATES

    play = load_play(TEMPLATES / "plays" / "new-business")
    with writing(engine) as connection:
        connection.execute(update(Account).where(Account.key == key).values(first_contacted_at=None))
    tick.decide(engine, play, NOW)
    with writing(engine) as connection:
        contact = {"first_contacted_at": NOW, "replan_at": NOW}
        connection.execute(update(Account).where(Account.key == key).values(**contact))
