"""From sales' first contact in the database to the first planned touch: by Prefect's automation, and by a subscriber.

    python -m benchmarks.event_to_touch [--contacts 10] [--within 45] [--cron "* * * * *"] [--url postgresql://…]

A Prefect server, the served flows as `tandem up` serves them, and contacts that come in at any moment. `track-accounts`
finds each with its next scheduled run, so half of its interval is in every figure; what follows is what is compared:

    automation  the event starts a run of the deployment `nurture-account`
    subscriber  a process that listens all the time calls the same flow itself
"""

import argparse
import asyncio
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert, select, update

from accounts.identity import email_hash
from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.models import Account, Activity, Rep, Stakeholder, Touch
from flows.operating.child import running
from flows.operating.deployments import ASK_SECONDS, are_polled, deployments_file
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer, running_server
from flows.settings import TEMPLATES

PLAY = "new-business"
SERVED = ("track-accounts", "nurture-account")
#: A contact that is not planned by then counts as lost, in seconds.
GIVE_UP = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=10)
    parser.add_argument("--within", type=float, default=45, help="seconds over which they come in")
    parser.add_argument("--cron", default="* * * * *", help="when track-accounts runs")
    parser.add_argument("--url", default=None, help="an empty PostgreSQL database; SQLite if none is named")
    parser.add_argument("--ways", nargs="+", choices=["automation", "subscriber"], default=["automation", "subscriber"])
    asked = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = asked.url or f"sqlite:///{home / 'tandem.db'}"
        os.environ.update(TANDEM_HOME=str(home), TANDEM_DATABASE_URL=url, TANDEM_TEMPLATES=str(always_open(home)))
        engine = open_ledger(url)
        create_tables(engine)
        server = stack.enter_context(running_server(home / "prefect"))
        os.environ.update(server.env)
        waiting = build(engine, asked.contacts * len(asked.ways))
        stack.enter_context(served(home, server, asked.cron))
        for way in asked.ways:
            use(server, way)
            if way == "subscriber":
                stack.enter_context(subscriber())
            seconds = measure(engine, [next(waiting) for _ in range(asked.contacts)], asked.within)
            tell(way, seconds, asked.contacts)


def always_open(home: Path) -> Path:
    """Our templates, with a play that may write at every hour of every day, and as soon as it can."""
    folder = home / "templates"
    shutil.copytree(TEMPLATES, folder)
    path = folder / "plays" / PLAY / "play.yaml"
    words = path.read_text(encoding="utf-8").replace("thu, fri]", "thu, fri, sat, sun]", 1)
    path.write_text(words.replace('"09:00"', '"00:00"').replace('"17:00"', '"23:59"'), encoding="utf-8")
    for step in (folder / "plays" / PLAY / "contacted").glob("*.md"):
        step.write_text(step.read_text(encoding="utf-8").replace("after: 1d", "after: 0d"), encoding="utf-8")
    return folder


def build(engine: Engine, size: int) -> Iterator[int]:
    """Accounts nobody has talked to, each with a champion; their ids."""
    with writing(engine) as connection:
        rep = connection.execute(insert(Rep).values(name="Ravi", email="ravi@lumenflow.example")).inserted_primary_key
        assert rep
        ids = []
        for number in range(size):
            domain = f"a{number}.example"
            account = connection.execute(
                insert(Account).values(
                    key=f"a{number}", name=f"A {number}", domain=domain, owner_id=rep[0], country="DE", stage="target",
                    synced_at=datetime.now(UTC),
                )
            ).inserted_primary_key  # fmt: skip
            assert account
            ids.append(int(account[0]))
            address = f"person@{domain}"
            connection.execute(
                insert(Stakeholder).values(
                    account_id=ids[-1], email=address, email_hash=email_hash(address), role="champion",
                    role_source="crm", timezone="Europe/Berlin", consent_basis="consent",
                    consent_at=datetime.now(UTC) - timedelta(days=9),
                )
            )  # fmt: skip
    return iter(ids)


@contextmanager
def served(home: Path, server: PrefectServer, cron: str) -> Iterator[None]:
    head, entries = deployments_file().read_text(encoding="utf-8").split("deployments:\n")
    kept = [entry for entry in entries.split("  - name: ")[1:] if entry.partition("\n")[0] in SERVED]
    file = home / "prefect.yaml"
    named = "".join(f"  - name: {entry}" for entry in kept)
    file.write_text(f"{head}deployments:\n{named.replace('*/3 * * * *', cron)}")
    began, api = datetime.now(UTC), PrefectApi(server.url)
    program = ["flows.operating.deployments:serve_all", str(file)]
    with running("Served flows", program, env=os.environ, log=home / "flows.log") as child:
        child.wait_until(lambda: are_polled(api, SERVED, began), 90, ASK_SECONDS)
        yield


def use(server: PrefectServer, way: str) -> None:
    """The automation does it, or leaves it to the subscriber."""
    from prefect import get_client

    with get_client(sync_client=True) as client:
        for automation in client.read_automations_by_name("tandem: first contact"):
            switch = client.resume_automation if way == "automation" else client.pause_automation
            switch(automation.id)


@contextmanager
def subscriber() -> Iterator[None]:
    """Hears of first contacts in this process, and calls the flow."""
    from prefect.events.clients import get_events_subscriber
    from prefect.events.filters import EventFilter, EventNameFilter

    from flows.nurture_account import nurture_account

    ready, over, at_work = threading.Event(), threading.Event(), threading.Lock()

    async def hear() -> None:
        contacts = EventFilter(event=EventNameFilter(name=["tandem.account.contacted"]))
        async with get_events_subscriber(filter=contacts) as events:
            ready.set()
            async for event in events:
                if over.is_set():
                    return
                with at_work:
                    await asyncio.to_thread(nurture_account, event.resource.name or "", event.payload["play"])

    threading.Thread(target=asyncio.run, args=(hear(),), daemon=True).start()
    ready.wait(30)
    yield
    over.set()
    with at_work:  # the last touch is planned before its run is over, and the server ends next
        pass


def measure(engine: Engine, accounts: list[int], within: float) -> list[float]:
    """Seconds from the contact, committed, to its account's first touch, for those that got one."""
    dice = random.Random(7)
    begun = time.monotonic()
    due = sorted((begun + dice.uniform(0, within), account) for account in accounts)
    contacted: dict[int, float] = {}
    planned: dict[int, float] = {}
    while len(planned) < len(accounts) and time.monotonic() < begun + within + GIVE_UP:
        while due and due[0][0] <= time.monotonic():
            account = due.pop(0)[1]
            contact(engine, account)
            contacted[account] = time.monotonic()
        with reading(engine) as connection:
            found = set(connection.scalars(select(Touch.account_id).where(Touch.account_id.in_(contacted))))
        planned |= {account: time.monotonic() for account in found - planned.keys()}
        time.sleep(0.05)
    return [planned[account] - contacted[account] for account in planned]


def contact(engine: Engine, account: int) -> None:
    """What an import leaves when sales has reached somebody."""
    now = datetime.now(UTC)
    call = {"kind": "call", "direction": "outbound", "outcome": "connected", "occurred_at": now - timedelta(minutes=1)}
    with writing(engine) as connection:
        person = connection.scalar(select(Stakeholder.id).where(Stakeholder.account_id == account))
        rep = connection.scalar(select(Rep.id))
        connection.execute(
            insert(Activity).values(
                account_id=account, stakeholder_id=person, rep_id=rep, source_id=f"call-{account}", **call
            )
        )
        connection.execute(update(Account).where(Account.id == account).values(replan_at=now, synced_at=now))


def tell(way: str, seconds: list[float], asked: int) -> None:
    found = sorted(seconds)
    lost = f", {asked - len(found)} of {asked} never" if len(found) < asked else ""
    if not found:
        print(f"{way:<11} none of {asked} was planned")
        return
    p50, p95 = found[len(found) // 2], found[min(len(found) - 1, round(0.95 * len(found)))]
    print(f"{way:<11} p50 {p50:6.1f} s   p95 {p95:6.1f} s   longest {found[-1]:6.1f} s{lost}")


if __name__ == "__main__":
    main()
