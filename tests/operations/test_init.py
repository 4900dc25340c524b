"""`tandem init` makes what is missing and never overwrites what is there."""

import json
import sqlite3
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from accounts.errors import Refused, SettingsRefused
from accounts.ledger import schema
from accounts.ledger.engine import open_ledger
from flows.cli import main, tandem
from flows.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_time_makes_the_database_and_a_settings_file(empty_folder: Path) -> None:
    answer = _init()
    assert answer["version"] == schema.head()
    assert answer["version_before"] is None
    engine = open_ledger(f"sqlite:///{empty_folder}/.tandem/tandem.db")
    assert schema.is_current(engine)
    engine.dispose()
    assert tomllib.loads((empty_folder / "tandem.toml").read_text())["secret_key"]


def test_the_second_time_changes_nothing(empty_folder: Path) -> None:
    _init()
    (empty_folder / "tandem.toml").write_text('sending_domain = "mail.lumenflow.example"\n')
    answer = _init()
    assert answer["version_before"] == answer["version"] == schema.head()
    assert answer["settings_file"] is None
    assert (empty_folder / "tandem.toml").read_text() == 'sending_domain = "mail.lumenflow.example"\n'


def test_the_settings_file_is_for_its_owner_only_since_it_holds_a_key(empty_folder: Path) -> None:
    _init()
    assert stat.S_IMODE((empty_folder / "tandem.toml").stat().st_mode) == 0o600
    assert len(load_settings().secret_key.get_secret_value()) >= 32


def test_no_two_houses_sign_with_the_same_key(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _init()
    first = load_settings().secret_key
    (empty_folder / "other").mkdir()
    monkeypatch.chdir(empty_folder / "other")
    _init()
    assert load_settings().secret_key != first


def test_a_database_that_has_sent_mail_keeps_the_key_its_links_were_signed_with(empty_folder: Path) -> None:
    """Where the settings file was lost, a new key would break every unsubscribe link that is out there."""
    _init()
    (empty_folder / "tandem.toml").unlink()
    _init()
    assert load_settings().secret_key == Settings.model_fields["secret_key"].default


def test_a_key_from_the_environment_is_not_outdone_by_one_in_a_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_SECRET_KEY", "the-key-of-the-environment-is-long-enough")
    _init()
    assert "secret_key" not in tomllib.loads((empty_folder / "tandem.toml").read_text())


def test_a_database_that_does_not_answer_is_one_line_without_the_password(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_URL", "postgresql://tandem:hunter2@127.0.0.1:1/tandem")
    error = CliRunner().invoke(tandem, ["init"]).exception
    assert isinstance(error, SettingsRefused)
    assert str(error).startswith("postgresql+psycopg://tandem:***@127.0.0.1:1/tandem: connection failed: ")
    assert str(error).endswith("(see that it runs, and that database_url names it)")
    assert "hunter2" not in str(error)
    assert "\n" not in str(error)
    assert not (empty_folder / "tandem.toml").exists()


@pytest.mark.parametrize(
    "command", [["plan"], ["why", "dana@acme.example"], ["run", "nurture"], ["backup", "x.zip"], ["up"]]
)
def test_every_command_says_in_one_line_that_the_database_does_not_answer(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_URL", "postgresql://tandem:hunter2@127.0.0.1:1/tandem")
    error = CliRunner().invoke(tandem, command).exception
    assert isinstance(error, SettingsRefused)
    assert "see that it runs" in str(error)
    assert "hunter2" not in str(error)


def test_a_file_that_is_no_database_is_said_to_be_none(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "letter.db").write_text("Dear Sir or Madam, " * 100)
    monkeypatch.setenv("TANDEM_DATABASE_URL", f"sqlite:///{empty_folder}/letter.db")
    for command in ("plan", "init"):
        error = CliRunner().invoke(tandem, [command]).exception
        assert isinstance(error, SettingsRefused)
        assert "is not a database" in str(error)


@pytest.mark.parametrize("command", ["plan", "init"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("hunter2", "database_url: is no address of a database"),
        ("mysql://tandem:hunter2@127.0.0.1/tandem", "database_url: no ledger on mysql"),
    ],
)
def test_what_is_no_database_of_ours_is_not_repeated(
    command: str, url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_URL", url)
    error = CliRunner().invoke(tandem, [command]).exception
    assert isinstance(error, SettingsRefused)
    assert str(error) == f"{said} (use sqlite:///… or postgresql://…)"


def test_before_there_is_a_ledger_a_command_says_how_to_make_it_and_makes_none(empty_folder: Path) -> None:
    error = CliRunner().invoke(tandem, ["plan"]).exception
    assert isinstance(error, Refused)
    assert str(error) == "sqlite:///.tandem/tandem.db: there is no ledger yet (make it: tandem init)"
    assert list(empty_folder.iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _init()
    monkeypatch.setattr("sys.argv", ["tandem", "backup", "no/such/folder/x.zip"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "tandem: no/such/folder/x.zip.part: No such file or directory (check the path, and who may use it)\n"
    )


def test_a_database_that_another_program_holds_is_one_line_that_says_so(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _init()
    monkeypatch.setattr("accounts.ledger.engine.BUSY_SECONDS", 0)
    monkeypatch.setattr("sys.argv", ["tandem", "stop"])
    browser = sqlite3.connect(empty_folder / ".tandem" / "tandem.db", isolation_level=None)
    browser.execute("BEGIN IMMEDIATE")
    with pytest.raises(SystemExit) as ended:
        main()
    browser.close()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "tandem: the database: database is locked "
        "(another program holds it: let that one finish, or close it, and try again)\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full, as Linux has one")
def test_a_full_disk_is_one_line_that_says_so(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_folder / "letter.html").symlink_to("/dev/full")
    monkeypatch.setattr("sys.argv", ["tandem", "preview", "why-now", "--out", "letter.html"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "tandem: No space left on device (make room on the disk: tandem doctor says which)\n"
    )


def test_a_run_that_found_nothing_says_so_instead_of_counting_noughts(empty_folder: Path) -> None:
    _init()
    ran = CliRunner().invoke(tandem, ["run", "nurture"])
    assert ran.stdout == "nurture new-business: nothing to do\n"


def _init() -> dict[str, str | None]:
    result: Result = CliRunner().invoke(tandem, ["init", "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, str | None] = json.loads(result.output)
    return answer
