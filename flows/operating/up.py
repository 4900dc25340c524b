"""Everything `tandem up` keeps running on one machine: Prefect's server, the web app, the served deployments, and who
waits at the mailbox.

Started in this order, each waited for until it does its work; stopped in the other one, since what runs flows must be
able to report to the server until its end. What dies meanwhile is started again (keeping.py).
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from accounts.errors import Refused
from flows.content.mailing import composer_of
from flows.operating.deployments import Deployment, read_deployments
from flows.operating.keeping import Kept, kept
from flows.operating.prefect_api import PrefectApi, answers, is_loopback
from flows.operating.prefect_server import HOST, PrefectServer, free_port, running_server, usual_port
from flows.operating.serving import ASK_SECONDS, are_polled, bury_the_dead
from flows.settings import Settings

#: How long the web app and the served deployments may take to be ready, in seconds.
READY_SECONDS = 90.0
WEB_PORT = 8088


@dataclass(slots=True)
class Standing:
    """What runs, and where it is found."""

    prefect: PrefectServer
    web: str | None = None
    deployments: tuple[str, ...] = ()
    #: Runs of an earlier life that were marked as crashed.
    buried: int = 0
    kept: list[Kept] = field(default_factory=list)

    def watch(self, tell: "Tell", every: float = 0.5) -> None:
        """Come back never: start again what dies, and tell so. Raises TandemError when one of them keeps dying."""
        while True:
            for one in self.kept:
                if words := one.look(time.monotonic()):
                    tell(words)
            time.sleep(every)


Tell = Callable[[str], None]


@contextmanager
def server_only(settings: Settings, port: int | None, tell: Tell, *, host: str = HOST) -> Iterator[Standing]:
    """Prefect's pages for what has run in this home. Raises Refused where nothing has."""
    home = settings.home / "prefect"
    if not (home / "prefect.db").is_file():
        raise Refused(
            "no flow has run here, so there is nothing to show", where=str(home), cure="start with tandem demo"
        )
    tell("starting the Prefect server …")
    with running_server(home, port or usual_port(host), host=host) as server:
        yield Standing(server, kept=[server.kept])


@contextmanager
def everything(
    settings: Settings, port: int | None, web_port: int | None, deployments: Path, tell: Tell, *, host: str = HOST
) -> Iterator[Standing]:
    """All of it, ready. host: where Prefect's pages listen; the web app stays behind its proxy, on loopback.

    Raises Refused for a database that is not up to date and for pages that others could open without a password,
    SettingsRefused for a key that cannot sign, TandemError when one does not come up.
    """
    _ledger_is_current(settings)
    composer_of(settings)  # found here, and not in the log of the first run at night
    served = read_deployments(deployments)
    web_port = free_port(web_port or web_port_of(settings))
    logs = settings.home / "log"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        tell("starting the Prefect server …")
        database = os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL")
        server = stack.enter_context(
            running_server(settings.home / "prefect", port or usual_port(host), host=host, database_url=database)
        )
        standing = Standing(server, kept=[server.kept], deployments=tuple(entry.name for entry in served))
        environment = os.environ | server.env
        tell("starting the web app …")
        standing.web = f"http://{HOST}:{web_port}"
        standing.kept.append(stack.enter_context(_web_app(standing.web, environment, logs)))
        tell("serving the flows …")
        standing.buried = bury_the_dead(PrefectApi(server.url), standing.deployments)
        standing.kept.append(stack.enter_context(_served(server, deployments, served, environment, logs)))
        if settings.mailbox.host is not None and settings.mailbox.wait:
            tell("waiting at the mailbox …")
            standing.kept.append(stack.enter_context(_mailbox(environment, logs)))
        yield standing


def web_port_of(settings: Settings) -> int:
    """The port recipients' links lead to, where they lead to this machine."""
    port = urlsplit(settings.base_url).port if is_loopback(settings.base_url) else None
    return port or WEB_PORT


@contextmanager
def _web_app(url: str, environment: Mapping[str, str], logs: Path) -> Iterator[Kept]:
    program = ["flows.cli:main", "serve", "--host", HOST, "--port", str(urlsplit(url).port)]
    with kept("Web app", program, env=environment, log=logs / "web.log") as web:
        web.child.wait_until(lambda: answers(f"{url}/healthz"), READY_SECONDS)
        yield web


@contextmanager
def _served(
    server: PrefectServer, file: Path, deployments: tuple[Deployment, ...], environment: Mapping[str, str], logs: Path
) -> Iterator[Kept]:
    began, api = datetime.now(UTC), PrefectApi(server.url)
    names = [entry.name for entry in deployments]
    program = ["flows.operating.serving:serve_all", str(file)]
    log = logs / "flows.log"
    with kept("Served flows", program, env=environment, log=log, before_again=lambda: bury_the_dead(api, names)) as one:
        one.child.wait_until(lambda: are_polled(api, names, began), READY_SECONDS, ASK_SECONDS)
        yield one


@contextmanager
def _mailbox(environment: Mapping[str, str], logs: Path) -> Iterator[Kept]:
    """Nothing is waited for: a mailbox that does not answer yet is knocked at again and again."""
    with kept("Mailbox", ["flows.cli:main", "watch"], env=environment, log=logs / "mailbox.log") as mailbox:
        yield mailbox


def _ledger_is_current(settings: Settings) -> None:
    from accounts.ledger import schema
    from accounts.ledger.engine import open_ledger, reach

    engine = open_ledger(settings.ledger_url)
    try:
        reach(engine)
        if not schema.is_current(engine):
            raise Refused("the database is not up to date", where=str(settings.home), cure="tandem init")
    finally:
        engine.dispose()
