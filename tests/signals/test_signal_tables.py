"""docs/signals.md tells what the code and the play do, kind by kind."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from accounts.vocabulary import SignalKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("signal_tables", DOCS / "signal_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_on_the_page_are_those_of_the_code_and_the_play(maker: ModuleType) -> None:
    page = (DOCS / "signals.md").read_text(encoding="utf-8")
    assert page == maker.written(), "run: python docs/signal_tables.py"


def test_every_kind_is_explained_with_its_source(maker: ModuleType) -> None:
    assert set(maker.MEANING) == set(SignalKind)
    kinds = maker.tables()["kinds"]
    assert all(f"| `{kind}` |" in kinds for kind in SignalKind)


def test_no_kind_that_counts_is_said_to_do_nothing(maker: ModuleType) -> None:
    rows = [line.split(" | ") for line in maker.tables()["kinds"].splitlines()[2:]]
    idle = {cells[0].strip("| `") for cells in rows if cells[-1].strip(" |") == "–"}
    assert idle == {SignalKind.AD_SHOWN, SignalKind.UNKNOWN}


def test_what_bad_timing_does_to_the_person_is_told(maker: ModuleType) -> None:
    (row,) = (line for line in maker.tables()["kinds"].splitlines() if "`said_bad_timing`" in line)
    assert "left alone, mail and ads, until the day the rep named" in row
