"""A house in which `tandem init` was run."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import tandem


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, by the real command; to be copied, not to be lived in."""
    folder = tmp_path_factory.mktemp("founded")
    with pytest.MonkeyPatch.context() as patch:
        _forget_the_machine(patch)
        patch.chdir(folder)
        result = CliRunner().invoke(tandem, ["init"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def house(founded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with tandem.toml and a database, and no variable of the machine's."""
    _forget_the_machine(monkeypatch)
    shutil.copytree(founded, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _forget_the_machine(patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TANDEM_") or name == "PREFECT_API_URL"]:
        patch.delenv(name)
