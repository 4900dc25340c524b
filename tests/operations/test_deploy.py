"""deploy/: units, image and compose file name commands, options, variables and files that exist.

There is no container engine here: what can be known without one is.
"""

import re
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from flows.cli import COMMANDS, tandem
from flows.operating.prefect_server import server_environment
from flows.setting_words import variables_of
from flows.settings import Settings, Web
from flows.web.serving import config_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = variables_of(Settings, "TANDEM_")
#: Prefect's, as `tandem up` sets them, and those that only a container or a password needs.
PREFECTS = set(server_environment(Path("home"), 4200)) | {
    "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING", "PREFECT_UI_STATIC_DIRECTORY",
}  # fmt: skip

each_unit = pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])


@each_unit
def test_a_unit_has_its_parts_and_starts_what_exists(unit: Path) -> None:
    read = _read_unit(unit)
    assert read["Unit"]["description"]
    if unit.suffix == ".timer":
        assert unit.with_suffix(".service") in UNITS
        return
    assert read["Service"]["user"] == "tandem"
    _exists(re.findall(r"/opt/tandem/bin/([^']+)", read["Service"]["execstart"])[0].split())
    for name in read["Unit"].get("after", "").split():
        assert name in {"network-online.target", "postgresql.service", *(other.name for other in UNITS)}


@each_unit
def test_what_runs_flows_or_mail_is_given_the_time_to_end_well(unit: Path) -> None:
    """SIGTERM to the first process only, and longer than a child takes to stop."""
    read = _read_unit(unit)
    if not read.has_section("Service") or read["Service"].get("type") == "oneshot":
        return
    service = read["Service"]
    assert service["killmode"] == "mixed"
    assert int(service["timeoutstopsec"]) >= 60


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_starts_what_exists_once_what_it_needs_is_there(name: str) -> None:
    service = SERVICES[name]
    if "command" in service:
        _exists(service["command"])
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        if how["condition"] == "service_healthy":
            assert SERVICES[other]["healthcheck"]["test"]
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or (DEPLOY / source).is_file(), source


def test_a_proxy_before_the_containers_is_believed_and_nobody_else() -> None:
    """Or all recipients would look like one network, and share its limit."""
    said = SERVICES["web"]["environment"]["TANDEM_WEB__PROXIES"]
    assumed = re.fullmatch(r"\$\{TANDEM_WEB__PROXIES:-(.+)\}", said)
    assert assumed
    config = config_of(None, forwarded_allow_ips=Web(proxies=assumed[1]).proxies)  # type: ignore[arg-type]
    believed = config.http.keywords["proxies"]  # type: ignore[union-attr]
    assert [one in believed for one in ("172.17.0.1", "172.31.255.1", "192.168.16.1")] == [True] * 3
    assert [one in believed for one in ("203.0.113.9", "172.32.0.1")] == [False] * 2


def test_every_variable_is_one_that_somebody_reads() -> None:
    named = {name: where for where, names in _variables() for name in names}
    unknown = {name for name in named if name.startswith("TANDEM_") and name not in OURS}
    assert unknown == set()
    strange = {name for name in named if name.startswith(("PREFECT_", "DO_NOT")) and name not in PREFECTS}
    assert strange == set()


def test_prefect_by_itself_is_started_as_tandem_up_starts_it() -> None:
    """Same switches, same memory: a server that keeps runs for ever, or calls a vendor, is not what was measured."""
    meant = server_environment(Path("home"), 4200)
    by_unit = dict(_lines(DEPLOY / "prefect.env.example"))
    by_container = {name: str(value) for name, value in SERVICES["prefect"]["environment"].items()}
    place = {"PREFECT_HOME", "PREFECT_API_URL", "PREFECT_UI_API_URL", "PREFECT_SERVER_API_HOST",
             "PREFECT_SERVER_DATABASE_CONNECTION_URL", "NO_PROXY", "no_proxy"}  # fmt: skip
    for given in (by_unit, by_container):
        assert place - {"NO_PROXY", "no_proxy"} <= set(given)
        assert {name: given.get(name) for name in meant if name not in place} == {
            name: value for name, value in meant.items() if name not in place
        }


def test_no_secret_has_a_value_that_somebody_might_leave() -> None:
    """Compose asks for them and stops without; the examples leave them empty, or say that they must be changed."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    for secret in ("POSTGRES_PASSWORD", "TANDEM_SECRET_KEY", "PREFECT_SERVER_API_AUTH_STRING"):
        assert set(re.findall(rf"\$\{{{secret}([^}}]*)\}}", text)) == {":?"}
    for name, value in _lines(DEPLOY / "tandem.env.example"):
        if re.search("PASSWORD|SECRET|AUTH", name):
            assert value == "", name
    assert SERVICES["prefect"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"], "it listens beyond its own machine"


def test_only_this_machine_reaches_the_published_ports() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_holds_everything_the_package_is_built_from() -> None:
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        word.rstrip("/") for line in re.findall(r"^COPY (.+)$", recipe, re.MULTILINE) for word in line.split()[:-1]
    }
    built = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    needed = {*built["wheel"]["packages"], *built["wheel"]["force-include"], "pyproject.toml", "constraints.txt"}
    assert needed <= copied
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in copied} <= set(let_in)
    assert all((ROOT / name).exists() for name in copied)
    assert re.search(r"^USER tandem$", recipe, re.MULTILINE), "it does not work as root"


def _exists(words: list[str]) -> None:
    """A command of ours with options it has; of Prefect's, one of the three that docs/deploy.md names."""
    program, *rest = words
    if program == "prefect":
        assert " ".join(rest[:2]) in ("server start", "worker start")
        return
    assert program == "tandem"
    assert rest[0] in COMMANDS
    command = tandem.get_command(click.Context(tandem), rest[0])
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def _variables() -> Iterator[tuple[str, set[str]]]:
    for path in DEPLOY.glob("*.env.example"):
        yield path.name, {name for name, _ in _lines(path)}
    for name, service in SERVICES.items():
        yield name, set(service.get("environment", {}))
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    yield "Dockerfile", set(re.findall(r"\b((?:TANDEM|PREFECT)_\w+)=", recipe))


def _lines(path: Path) -> list[tuple[str, str]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def _read_unit(path: Path) -> ConfigParser:
    """Keys may come twice; systemd takes both."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.read(path, encoding="utf-8")
    return unit
