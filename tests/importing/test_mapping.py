"""Somebody else's columns become our fields by a file that a marketer can write, and a mistake in it names its line."""

from pathlib import Path

import pytest

from accounts.errors import ContentRefused
from flows.importing import load_mapping
from flows.importing.templating import slug
from flows.importing.translating import Translator

GOOD = """\
source: oldcrm
read:
  - file: deals-*.csv
    dataset: opportunities
    columns:
      Deal ID: opportunity
      Company: account
      Phase: [stage, is_won]
      Value: amount
      Opened: created_at
    templates: { owner_email: "{Rep|slug}@sales.example" }
    constants: { currency: EUR }
    values:
      stage: { Talking: Needs Analysis }
      is_won: { Won: "true", "*": "false" }
    dates: ["%d.%m.%Y", "%d.%m.%y %H:%M"]
    timezone: Europe/Berlin
    decimal: ","
    when: Company
"""


def mapping(tmp_path: Path, text: str = GOOD) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    return path


def translated(tmp_path: Path, rows: list[list[str]], text: str = GOOD) -> dict[str, list[str]]:
    (reading,) = load_mapping(mapping(tmp_path, text)).read
    header = ["deal id", "Company", "Phase", "Value", "Opened", "Rep", "Colour"]
    return {name: list(values) for name, values in Translator(reading, header).columns(rows).items()}


def test_columns_values_dates_amounts_templates_and_constants_become_fields(tmp_path: Path) -> None:
    rows = [
        ["7", "acme", "Won", "1.234,50", "03.11.2026", "Zoë O'Brien", "red"],
        ["8", "acme", " Talking ", "12", "24.11.26 11:30", "", "red"],
        ["9", "acme", "Else", "", "yesterday", "Bo", "red"],
    ]
    assert translated(tmp_path, rows) == {
        "opportunity": ["7", "8", "9"],
        "account": ["acme"] * 3,
        "stage": ["Won", "Needs Analysis", "Else"],
        "is_won": ["true", "false", "false"],
        "amount": ["1234.50", "12", ""],
        "currency": ["EUR"] * 3,
        "created_at": ["2026-11-03", "2026-11-24T11:30:00+01:00", "yesterday"],
        "owner_email": ["zoe-o-brien@sales.example", "", "bo@sales.example"],
    }


def test_rows_in_which_a_needed_column_is_empty_are_left_out(tmp_path: Path) -> None:
    (reading,) = load_mapping(mapping(tmp_path)).read
    translator = Translator(reading, ["Deal ID", "Company", "Phase", "Value", "Opened", "Rep"])
    assert translator.wanted_rows([["1", "acme"], ["2", " "], ["3", "globex"]]) == [0, 2]


def test_a_file_is_found_by_its_name_or_a_pattern_in_any_case(tmp_path: Path) -> None:
    found = load_mapping(mapping(tmp_path))
    assert found.readings_of("Deals-2026.CSV") == found.read
    assert found.readings_of("accounts.csv") == ()


def test_a_country_called_no_stays_a_country(tmp_path: Path) -> None:
    text = GOOD.replace("stage: { Talking: Needs Analysis }", "stage: { No: Needs Analysis, 1: Discovery }")
    rows = [["7", "acme", "No", "1", "03.11.2026", "Bo", ""], ["8", "acme", "1", "1", "03.11.2026", "Bo", ""]]
    assert translated(tmp_path, rows, text)["stage"] == ["Needs Analysis", "Discovery"]


@pytest.mark.parametrize(
    ("wrong", "right", "line", "said"),
    [
        ("colums:", "columns:", 5, "unknown key 'read[0].colums'"),
        ("dataset: opportunity", "dataset: opportunities", 4, "there is no dataset 'opportunity'"),
        ("Value: ammount", "Value: amount", 9, "opportunities have no field 'ammount'"),
        ("Value: currency", "Value: amount", 12, "the field 'currency' is given twice"),
        ("Company: name", "Company: account", 4, "nothing gives the field 'account'"),
        ("{Rep|snail}", "{Rep|slug}", 11, "there is no change 'snail'"),
        ("dd.mm.yyyy", "%d.%m.%Y", 16, "'dd.mm.yyyy' is not a date format"),
        ("timezone: Europe/Berln", "timezone: Europe/Berlin", 17, "there is no time zone"),
        ("decimal: ';'", 'decimal: ","', 18, "is not known here"),
        ("when: Company\n    encoding: latin-99", "when: Company", 20, "there is no encoding 'latin-99'"),
        ("source: oldcrm\nowners: nobody", "source: oldcrm", 2, "is not known here"),
    ],
)
def test_a_mistake_names_file_line_and_what_would_be_valid(
    tmp_path: Path, wrong: str, right: str, line: int, said: str
) -> None:
    with pytest.raises(ContentRefused) as refusal:
        load_mapping(mapping(tmp_path, GOOD.replace(right, wrong)))
    assert said in str(refusal.value)
    assert f"mapping.yaml:{line}:" in str(refusal.value)
    assert refusal.value.cure


def test_a_slug_is_plain_small_and_dashed() -> None:
    assert slug(" Zoë  O'Brien-Groß ") == "zoe-o-brien-gross"
