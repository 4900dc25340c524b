"""Every setting is described where people look for it, with the default it really has."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from accounts.errors import SettingsRefused
from flows.setting_words import variables_of
from flows.settings import Settings, load_settings

MANUAL = Path("docs/settings.md")
EXAMPLE = Path("flows/operating/tandem.example.toml")
#: Settings whose default cannot stand in a file that others read: a path of this machine, the key everybody knows.
SAID_IN_WORDS = {"TANDEM_TEMPLATES", "TANDEM_SECRET_KEY"}


def plain_variables() -> dict[str, object]:
    """Variable -> default; those that are tables themselves (TANDEM_SMTP) left out."""
    every = variables_of(Settings, "TANDEM_")
    return {
        name: default for name, default in every.items() if not any(other.startswith(f"{name}__") for other in every)
    }


def documented() -> dict[str, str]:
    """Variable -> default, as the table of docs/settings.md has them."""
    row = re.compile(r"^\| `([\w.]+)` \| `(TANDEM_\w+)` \| (.*?) \| .+ \|$", re.MULTILINE)
    found = row.findall(MANUAL.read_text(encoding="utf-8"))
    for key, variable, _ in found:
        assert f"TANDEM_{key.upper().replace('.', '__')}" == variable
    return {variable: default for _, variable, default in found}


def flattened(table: dict[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    """Variable -> value of a settings file, tables included that hold no other value."""
    for key, value in table.items():
        name = f"{prefix}{key}".upper()
        if isinstance(value, dict) and value:
            yield from flattened(value, f"{name}__")
        else:
            yield name, value


def test_the_manual_names_exactly_the_settings_there_are() -> None:
    assert set(documented()) == set(plain_variables())


@pytest.mark.parametrize("variable", sorted(set(plain_variables()) - SAID_IN_WORDS))
def test_the_manual_gives_the_default_a_setting_has(variable: str) -> None:
    default = plain_variables()[variable]
    assert documented()[variable] == ("–" if default is None else f"`{default}`")


def test_the_settings_file_that_init_writes_names_every_setting_with_its_default() -> None:
    words = EXAMPLE.read_text(encoding="utf-8")
    table = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", words, flags=re.MULTILINE))
    expected = plain_variables()
    written = {name: value for name, value in flattened(table, "TANDEM_") if name in expected or value != {}}
    assert set(written) == set(expected)
    for variable, value in written.items():
        default = expected[variable]
        if value == "":
            assert default is None or variable in SAID_IN_WORDS, variable
        else:
            assert value == (str(default) if isinstance(default, Path) else default), variable


def test_the_settings_file_that_init_writes_sets_nothing_by_itself() -> None:
    table = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert "smtp" in table
    assert all(value == {} for _, value in flattened(table, ""))


def test_no_secret_shows_when_settings_are_printed() -> None:
    settings = Settings(secret_key=SecretStr("hush-hush"), smtp={"password": "hush-hush"})  # type: ignore[arg-type]
    assert "hush-hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("name", ["sending_domain", "bounce_domain", "dkim__domain"])
def test_a_domain_that_is_none_stops_the_house_and_not_each_mail(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    long = ".".join(["a" * 60] * 4)  # no room for what stands before the @
    for wrong in (
        "",
        "mail example",
        "r@mail.example",
        "mail.example\r\nBcc: x",
        "-mail.example",
        "x; s=y",
        "a..b",
        long,
    ):
        monkeypatch.setenv(f"TANDEM_{name.upper()}", wrong)
        with pytest.raises(SettingsRefused, match=f"^TANDEM_{name.upper()}: .* is no domain"):
            load_settings()


def test_a_domain_is_kept_as_mail_has_it() -> None:
    settings = Settings(sending_domain="Mail.Bücher.example.", bounce_domain="B.example")
    assert (settings.sending_domain, settings.return_domain) == ("mail.xn--bcher-kva.example", "b.example")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("TANDEM_CHANNEL", "pigeon", "has to be 'outbox', 'memory',"),
        ("TANDEM_SMTP__PORT", "abc", "has to be a whole number"),
        ("TANDEM_SMTP__PORT", "70000", "has to be 65535 or less"),
        ("TANDEM_SMTP__HSOT", "mail.example", r"there is no such setting \(did you mean smtp.host\?\)"),
        ("TANDEM_REPS__CHANNELS", "slack", "a list or a table has to be JSON"),
        ("TANDEM_REPS__CHANNELS", '["pigeon"]', "has to be 'email', 'slack', 'teams' or 'crm_task'"),
        ("TANDEM_MAILBOX__WAIT", "maybe", "has to be true or false"),
        ("TANDEM_PACE__ALL__MINUTE", "0", "has to be 1 or more"),
    ],
)
def test_a_variable_that_cannot_be_is_named_with_what_it_has_to_be(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsRefused, match=f"^{variable}: {says}"):
        load_settings()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('smpt = "x"', r"smpt in tandem.toml: there is no such setting \(did you mean smtp\?\)"),
        ('[smtp]\nport = "x"', "smtp.port in tandem.toml: has to be a whole number"),
        ("smtp = 3", "smtp in tandem.toml: has to be a table of settings"),
        ("channel = ", r"tandem.toml: Invalid value \(at line 1"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(
    lines: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tandem.toml").write_text(f"{lines}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsRefused, match=f"^{says}"):
        load_settings()


@pytest.mark.parametrize("wrong", ["tandem.example.com", "ftp://x", "https://", "https://a b", "https://x:99999", "x"])
def test_links_begin_with_a_web_address_or_nothing_is_sent(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_BASE_URL", wrong)
    with pytest.raises(SettingsRefused, match=r"^TANDEM_BASE_URL: .* is no web address"):
        load_settings()
