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
