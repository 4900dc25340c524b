"""`tandem init`, `tandem doctor` and `tandem up`: making the house, looking after it, keeping it running."""

import os
import signal
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from flows.cli.door import as_json, clock, show_json

if TYPE_CHECKING:
    from flows.doctor import Finding
    from flows.operating.up import Standing

SIGNS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@click.command()
@as_json
def init(json_: bool) -> None:
    """Create the database, or bring it up to date; write tandem.toml if there is none.

    Running it again changes nothing. Nothing is ever overwritten.

    Example: tandem init
    """
    from flows.operating.founding import found_house
    from flows.settings import load_settings

    founded = found_house(load_settings(), Path.cwd())
    if json_:
        show_json(founded.as_json())
    else:
        click.echo("\n".join(founded.lines()))


@click.command()
@click.option("--ask", is_flag=True, help="Ask Slack as well whether it knows us.")
@as_json
def doctor(ask: bool, json_: bool) -> None:
    """Check everything Tandem needs; one line each, with the cure. Exit code 1 if anything fails.

    Example: tandem doctor
    """
    findings = _examine_here(clock(None), ask)
    if json_:
        show_json([{"name": it.name, "state": it.state, "says": it.says, "cure": it.cure} for it in findings])
    else:
        for it in findings:
            show_line(it.state, it.name, it.says, it.cure)
    if any(it.state == "fail" for it in findings):
        raise SystemExit(1)


@click.command()
@click.option("--home", type=click.Path(path_type=Path), help="Another home folder than the settings name.")
@click.option("--ui-only", is_flag=True, help="Only Prefect's pages, to look at what has run; runs nothing.")
@click.option("--port", type=click.IntRange(1, 65535), help="Of Prefect's pages; 4200, or any free one, if not named.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that Prefect's pages listen on.")
@click.option("--web-port", type=click.IntRange(1, 65535), help="Of the web app; that of base_url if not named.")
@click.option("--deployments", type=click.Path(dir_okay=False, path_type=Path), help="Another prefect.yaml.")
@as_json
def up(
    home: Path | None, ui_only: bool, port: int | None, host: str, web_port: int | None, deployments: Path | None,
    json_: bool,
) -> None:  # fmt: skip
    """Start the Prefect server, the web app and the flows on their schedules, until Ctrl-C.

    What dies is started again; what dies five times in five minutes ends it all. On another address than this machine's
    own, Prefect asks for PREFECT_SERVER_API_AUTH_STRING (user:password).

    Prefect keeps its own database in the home folder; PREFECT_SERVER_DATABASE_CONNECTION_URL names another one
    (postgresql+asyncpg://…). Logs: log/ and prefect/server.log in the home folder.

    Example: tandem up --ui-only --home .tandem/demo
    """
    from flows.operating.deployments import deployments_file
    from flows.operating.up import everything, server_only
    from flows.settings import load_settings

    if home:
        os.environ["TANDEM_HOME"] = str(home.absolute())
    _stop_as_for_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    settings = load_settings()
    try:
        if ui_only:
            house = server_only(settings, port, _tell, host=host)
        else:
            house = everything(settings, port, web_port, deployments or deployments_file(), _tell, host=host)
        with house as standing:
            show_json(_addresses(standing)) if json_ else _say_where(standing)
            standing.watch(_tell)
    except KeyboardInterrupt:
        _tell("stopped")


def show_line(state: str, name: str, says: str, cure: str | None) -> None:
    """One thing that was looked at, as the doctor and the status show it."""
    sign, colour = SIGNS[state]
    click.echo(f"{click.style(sign, fg=colour)} {name:<15} {says}" + (f"  → {cure}" if cure else ""))


def _examine_here(now: datetime, asks: bool) -> list["Finding"]:
    """What the doctor finds in this folder, with these variables and the Prefect server that `tandem run` would use."""
    from accounts.errors import SettingsRefused
    from flows.cli.run import find_server
    from flows.doctor import Patient, examine, refused
    from flows.doctor.resolver import Resolver
    from flows.operating.prefect_api import PrefectApi
    from flows.settings import load_settings

    try:
        settings = load_settings()
    except SettingsRefused as error:
        return [refused("settings", error)]
    url = find_server(settings)
    return examine(Patient(settings, now, PrefectApi(url) if url else None, Resolver(), asks))


def _stop_as_for_ctrl_c(*signals: signal.Signals) -> None:
    """Unless we were told to ignore one, as nohup does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def _tell(words: str) -> None:
    click.echo(words, err=True)


def _addresses(standing: "Standing") -> dict[str, Any]:
    pages = standing.prefect.ui_url
    return {
        "prefect": pages,
        "artifacts": f"{pages}/artifacts",
        "api": standing.prefect.url,
        "web": standing.web,
        "deployments": list(standing.deployments),
        "marked_as_crashed": standing.buried,
    }


def _say_where(standing: "Standing") -> None:
    pages = standing.prefect.ui_url
    lines = [("runs", pages), ("what they wrote", f"{pages}/artifacts")]
    if standing.web:
        lines += [("web app", standing.web), ("flows", ", ".join(standing.deployments))]
    if standing.buried:
        lines += [("crashed", f"{standing.buried} run(s) whose process had ended before; marked so")]
    for name, says in lines:
        click.echo(f"{name:<16} {says}")
    click.echo("Ctrl-C stops it.")
