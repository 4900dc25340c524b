"""The doctor finds each thing that can be broken, says it in one line, and names the cure."""

import json
import shutil
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from flows.cli import tandem
from flows.doctor import Finding, Patient, examine, machine, settings, words
from flows.settings import TEMPLATES, Settings, Smtp
from tests.operations.patients import closed_port, patient

pytestmark = pytest.mark.usefixtures("house")


def test_a_fresh_house_is_in_order_but_for_a_server_nobody_started() -> None:
    result = CliRunner().invoke(tandem, ["doctor", "--json"])
    findings = {entry["name"]: entry for entry in json.loads(result.output)}
    assert [name for name, entry in findings.items() if entry["state"] == "fail"] == []
    assert findings["Prefect"]["state"] == "warn"
    assert findings["Prefect"]["cure"] == "tandem up"
    assert result.exit_code == 0


def test_each_finding_is_one_line_and_everything_wrong_has_a_cure(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_BASE_URL", "https://links.lumenflow.example")
    monkeypatch.setenv("TANDEM_SECRET_KEY", "short")
    monkeypatch.setenv("TANDEM_SMPT__HOST", "mail.lumenflow.example")
    monkeypatch.setenv("TANDEM_TEMPLATES", str(house / "nowhere"))
    shutil.rmtree(house / ".tandem")
    result = CliRunner().invoke(tandem, ["doctor"])
    lines = result.output.splitlines()
    assert len(lines) == len(set(lines))
    wrong = [line for line in lines if line[0] in "✗!"]
    assert len(wrong) >= 5
    assert all("  → " in line for line in wrong)
    assert result.exit_code == 1


def test_settings_that_do_not_load_are_a_finding_not_a_crash(house: Path) -> None:
    (house / "tandem.toml").write_text('chanel = "smtp"\n')
    result = CliRunner().invoke(tandem, ["doctor", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.output)[0]["says"].startswith("chanel in tandem.toml: ")


def test_a_check_that_breaks_is_a_finding_too() -> None:
    def tea_leaves(_patient: Patient) -> Finding:
        raise KeyError("leaf")

    assert examine(patient(), (tea_leaves,))[0].says == "could not be checked: KeyError: 'leaf'"


def test_no_check_changes_anything(house: Path) -> None:
    def seen() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in house.rglob("*.*") if path.is_file() and path.suffix != ".db-shm"}

    before = seen()
    examine(patient())
    assert seen() == before
    shutil.rmtree(house / ".tandem")
    examine(patient())
    assert not (house / ".tandem" / "tandem.db").exists()


class TestMachine:
    def test_a_package_outside_the_range_is_named_with_what_it_leads_to(self) -> None:
        installed = {"fastapi": "0.165.0", "sqlalchemy": "2.1.9", "click": "8.5.1"}
        asked = ["fastapi<0.151", "sqlalchemy>=2.0.40,<2.1", "click>=8.1"]
        assert machine.unfit_packages(asked, installed.__getitem__) == [
            "fastapi 0.165.0 is not <0.151 (Prefect's server does not start)",
            "sqlalchemy 2.1.9 is not <2.1,>=2.0.40 (Prefect's scheduler stops without a word)",
        ]

    def test_a_missing_package_is_named_one_for_engineers_only_is_not(self) -> None:
        def nothing(name: str) -> str:
            raise PackageNotFoundError(name)

        assert machine.unfit_packages(["prefect==3.8.8", 'ruff; extra == "dev"'], nothing) == ["prefect is missing"]

    def test_what_is_installed_here_fits(self) -> None:
        assert machine.packages(patient()).state == "ok"
        assert machine.python(patient()).state == "ok"

    def test_a_home_that_cannot_be_written(self, house: Path) -> None:
        (house / "file").touch()
        found = machine.home(patient(home=house / "file" / "home"))
        assert found.state == "fail"
        assert "cannot be written" in found.says

    def test_a_disk_that_is_full_or_will_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for free, state in ((100 * 2**20, "fail"), (2**30, "warn"), (50 * 2**30, "ok")):
            monkeypatch.setattr(shutil, "disk_usage", lambda _path, free=free: shutil._ntuple_diskusage(0, 0, free))
            assert machine.disk(patient()).state == state

    def test_the_disk_of_a_home_that_is_not_there_yet_is_that_of_the_folder_above(self, house: Path) -> None:
        assert machine.disk(patient(home=house / "not" / "yet")).state in ("ok", "warn")

    def test_a_prefect_that_was_never_compiled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(machine, "cache_from_source", lambda _origin: "/nowhere/prefect.pyc")
        found = machine.bytecode(patient())
        assert (found.state, found.cure is not None) == ("warn", True)

    def test_summer_time_is_known_here(self) -> None:
        assert machine.time_zones(patient()).state == "ok"


class TestSettings:
    def test_a_misspelt_variable_is_found_with_its_neighbour(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TANDEM_SMPT__HOST", "mail.lumenflow.example")
        found = settings.variables(patient())
        assert found.says == "TANDEM_SMPT__HOST is no setting"
        assert found.cure == "did you mean TANDEM_SMTP__HOST?"

    def test_a_settings_file_with_a_secret_that_others_may_read(self, house: Path) -> None:
        (house / "tandem.toml").chmod(0o644)
        assert settings.variables(patient()).cure == "chmod 600 tandem.toml"

    @pytest.mark.parametrize(
        ("line", "secret"),
        [
            ('secret_key = "x"', True), ('[smtp]\npassword = "x"', True), ('[dkim]\nrsa_key = """---BEGIN\n"""', True),
            ('[dkim]\ned25519_key="x"', True), ('[postmark]\ntoken = "x"', True), ('database_url = "x"', True),
            ('#secret_key = "x"', False), ('[dkim]\nrsa_key_file = "key.pem"', False), ('channel = "smtp"', False),
            ('[reps.teams.urls]\n"r@x.example" = "x"', True), ("[reps.teams.urls]", False),
        ],
    )  # fmt: skip
    def test_it_knows_which_settings_are_secrets(self, house: Path, line: str, secret: bool) -> None:
        (house / "tandem.toml").write_text(line)
        (house / "tandem.toml").chmod(0o644)
        assert (settings.variables(patient()).state == "warn") is secret

    @pytest.mark.parametrize(
        ("base_url", "key", "state"),
        [
            ("http://127.0.0.1:8088", None, "ok"),
            ("https://links.lumenflow.example", None, "fail"),
            ("https://links.lumenflow.example", "short", "fail"),
            ("http://links.lumenflow.example", "x" * 40, "warn"),
            ("https://links.lumenflow.example", "x" * 40, "ok"),
        ],
    )
    def test_a_key_that_others_know_or_guess_may_not_sign_links_that_lead_to_us(
        self, base_url: str, key: str | None, state: str
    ) -> None:
        known = key or Settings.model_fields["secret_key"].default.get_secret_value()
        found = settings.secrets(patient(base_url=base_url, secret_key=SecretStr(known)))
        assert found.state == state
        assert known not in f"{found.says} {found.cure}"

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"sending_domain": "mail.example"}, "mail would leave as mail.example"),
            ({"base_url": "http://localhost:8088"}, "unsubscribe links lead to http://localhost:8088"),
            ({"smtp": Smtp(username="tandem")}, "and no password"),
            ({"smtp": Smtp(host="relay.example", security="none", password=SecretStr("hush"))}, "in the open"),
        ],
    )
    def test_settings_that_do_not_go_together_once_mail_leaves(self, values: dict[str, Any], says: str) -> None:
        sound = {"channel": "smtp", "sending_domain": "m.lumenflow.example", "base_url": "https://l.lumenflow.example"}
        assert settings.sender(patient(**sound)).state == "ok"
        found = settings.sender(patient(**{**sound, **values}))
        assert (found.state, says in found.says) == ("fail", True), found
        assert "hush" not in found.says

    def test_a_provider_over_http_needs_a_domain_and_a_public_address_too(self) -> None:
        sound = {
            "channel": "postmark",
            "sending_domain": "m.lumenflow.example",
            "base_url": "https://l.lumenflow.example",
        }
        assert settings.sender(patient(**sound)).says == "from m.lumenflow.example through postmark"
        for wrong in ({"sending_domain": "mail.example"}, {"base_url": "http://localhost:8088"}):
            assert settings.sender(patient(**{**sound, **wrong})).state == "fail"

    def test_a_mail_server_that_does_not_answer(self) -> None:
        port = closed_port()
        found = settings.mail(patient(channel="smtp", smtp=Smtp(port=port, timeout_seconds=2)))
        assert found.state == "fail"
        assert str(port) in found.says

    def test_a_channel_that_forgets_is_said_aloud(self) -> None:
        assert settings.mail(patient(channel="memory")).state == "warn"
        assert settings.mail(patient(channel="outbox")).state == "ok"


class TestWords:
    def test_the_templates_that_came_with_it_are_in_order(self) -> None:
        assert words.templates(patient()).state == "ok"

    def test_a_broken_text_is_named_with_its_file_and_line(self, house: Path) -> None:
        shutil.copytree(TEMPLATES, house / "templates")
        broken = house / "templates/plays/new-business/discovery/why-now.md"
        broken.write_text(broken.read_text().replace("{{ account.name }}", "{{ acount.name }}"))
        found = words.templates(patient(templates=house / "templates"))
        assert found.state == "fail"
        assert "why-now.md:" in found.says
        assert "acount" in found.says

    def test_a_folder_without_plays(self, house: Path) -> None:
        assert words.templates(patient(templates=house)).state == "fail"

    def test_deployments_whose_flow_or_zone_does_not_exist(self, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert words.deployments(patient()).state == "ok"
        original = Path(words.__file__).parents[2] / "prefect.yaml"
        changed = (
            original.read_text().replace("Europe/Berlin", "Europe/Atlantis").replace("flows.track:", "flows.trick:")
        )
        (house / "prefect.yaml").write_text(changed)
        monkeypatch.setattr("flows.operating.deployments.deployments_file", lambda: house / "prefect.yaml")
        assert words.deployments(patient()).says == "nothing is called flows.trick:track_accounts, Europe/Atlantis"
