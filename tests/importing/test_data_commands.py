"""`tandem import` and `tandem quarantine`, as typed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from accounts.errors import ContentRefused, InputRefused, NotFound
from expectations.readiness import READINESS
from expectations.rules import ROW_IS_WHOLE, VALUES_CAN_BE_READ
from flows.cli import tandem
from flows.importing.datasets import DATASETS
from flows.importing.mapping import Reading
from tests.cast import NOW
from tests.importing.files import crm, person, stored, write

EXAMPLES = Path(__file__).parents[2] / "examples"
Say = Callable[..., Result]


@pytest.fixture
def say(database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Type a command: `say("import", folder)`; refusals are raised as the entry point would print them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", database.url.render_as_string(hide_password=False))

    def typed(*words: object) -> Result:
        result = CliRunner().invoke(tandem, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return typed


def test_the_examples_come_in_without_a_fault(say: Say, database: Engine) -> None:
    said = say("import", EXAMPLES / "csv").output
    assert "stakeholders          10 read: 10 new, 0 changed, 0 unchanged\n" in said
    assert "quarantine" not in said
    assert [len(stored(database, name)) for name in ("accounts", "stakeholders", "activities")] == [2, 10, 4]
    assert "0 new, 0 changed, 10 unchanged" in say("import", EXAMPLES / "csv").output


def test_an_import_says_what_went_in_what_waits_and_why(say: Say, tmp_path: Path) -> None:
    crm(tmp_path / "crm", stakeholders=[person("ann"), person("kim", "hooli")])
    said = say("import", tmp_path / "crm").output
    assert "stakeholders           2 read: 1 new, 0 changed, 0 unchanged, 1 in quarantine" in said
    assert "! 1 stakeholders: the account is not one we have; the first: stakeholders.csv:3 (import the account" in said
    assert "~ accounts with fewer than 4 stakeholders: 2, acme, globex (ask the owner" in said
    assert "tandem quarantine" in said


def test_the_same_as_facts(say: Say, tmp_path: Path) -> None:
    crm(tmp_path / "crm", stakeholders=[person("kim", "hooli")])
    said = json.loads(say("import", tmp_path / "crm", "--json", "--dry-run", "--as-of", NOW.isoformat()).output)
    assert (said["read"], said["written"], said["quarantined"], said["is_rehearsal"]) == (4, 3, 1, True)
    assert say("quarantine", "--json").output == '{\n  "open": 0,\n  "reasons": []\n}\n'


def test_rows_that_wait_are_listed_shown_tried_again_and_dismissed(say: Say, tmp_path: Path) -> None:
    crm(tmp_path / "crm", stakeholders=[person("kim", "hooli"), person("lee", "nowhere")])
    say("import", tmp_path / "crm")
    assert "2  stakeholders   the account is not one we have  [account_is_known, first: 1]" in say("quarantine").output
    shown = say("quarantine", "show", "1").output
    assert "csv/stakeholders.csv:2" in shown
    assert "account = 'hooli'" in shown
    assert "email: kim@hooli.example" in shown
    assert len(json.loads(say("quarantine", "show", "--reason", "account_is_known", "--json").output)) == 2
    say("import", write(tmp_path / "accounts.csv", [{"account": "hooli", "name": "Hooli"}]))
    assert say("quarantine", "retry").output.startswith("2 rows tried: 1 went in, 1 wait on.\n")
    assert say("quarantine", "dismiss", "2").output.startswith("1 of 1 rows dismissed")
    assert say("quarantine", "list").output == "Nothing waits.\n"
    assert say("quarantine", "retry").output == "Nothing waits that could be tried again.\n"


def test_a_cell_is_shown_on_one_line_and_not_at_any_length(say: Say, tmp_path: Path) -> None:
    novel = "Head of\n\x1b[2J" + "everything, " * 500
    crm(tmp_path / "crm", stakeholders=[person("kim", "hooli", title=novel.strip())])
    say("import", tmp_path / "crm")
    (line,) = [line for line in say("quarantine", "show", "1").output.splitlines() if "title:" in line]
    assert line.strip().startswith("title: Head of")
    assert "\x1b" not in line
    assert len(line) < 300
    assert "6,0" in line
    assert "--json shows them all)" in line
    (entry,) = json.loads(say("quarantine", "show", "1", "--json").output)
    assert len(entry["row"]["title"]) > 6_000


def test_a_reason_that_nothing_waits_for_is_told_with_where_reasons_stand(say: Say, tmp_path: Path) -> None:
    crm(tmp_path / "crm", stakeholders=[person("kim", "hooli")])
    say("import", tmp_path / "crm")
    said = say("quarantine", "show", "--reason", "acount_is_known").output
    assert said == "Nothing waits for that reason: tandem quarantine list names those that rows wait for.\n"


def test_what_cannot_be_done_is_refused(say: Say, tmp_path: Path) -> None:
    with pytest.raises(InputRefused):
        say("import", tmp_path / "nowhere.csv")
    (tmp_path / "mapping.yaml").write_text("read: []\n")
    with pytest.raises(ContentRefused):
        say("import", tmp_path, "--mapping", tmp_path / "mapping.yaml")
    with pytest.raises(NotFound):
        say("quarantine", "show", "7")
    assert say("import").exit_code == 2
    assert say("import", tmp_path, "--from", "salesforce").exit_code == 2


@pytest.mark.parametrize(
    "words", [["import"], *(["quarantine", word] for word in ("list", "show", "retry", "dismiss"))]
)
def test_the_manual_ends_with_a_command_one_can_paste(words: list[str]) -> None:
    said = CliRunner().invoke(tandem, [*words, "--help"]).output
    assert f"Example: tandem {' '.join(words)}" in said


def test_the_manual_names_every_column_and_every_rule() -> None:
    manual = (EXAMPLES.parent / "docs" / "importing.md").read_text()
    for dataset in DATASETS.values():
        part = manual.partition(f"### {dataset.name}.csv")[2].partition("###")[0]
        assert [field.name for field in dataset.fields if f"| `{field.name}`" not in part] == []
        shared = (ROW_IS_WHOLE, VALUES_CAN_BE_READ)
        rules = [rule for rule in dataset.suite.rules if rule not in shared]
        assert [rule.sentence for rule in rules if f"- {rule.sentence}" not in part] == []
    assert [rule.sentence for rule in READINESS.rules if f"- {rule.sentence}" not in manual] == []
    assert [key for key in Reading.model_fields if f"| `{key}" not in manual] == []
